"""The pods of the simulated cluster: when they start, get ready, fail, and what they report.

Level-triggered: what a pod is at some time follows from when it was born and from its image, nothing else.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.sandbox.objects import Body, Key, Kind, Objects, owned_by

Mishap = Literal[
    "crash_loop", "image_pull", "never_ready", "out_of_memory", "quota", "unschedulable"
]

_RESTART_EVERY = 10.0  # seconds between two crashes, on average of the kubelet's back-off

_GRACE = timedelta(seconds=2)
"""How long a pod that leaves is still there for those who ask for its log."""
_SIDECAR = {
    "name": "istio-proxy",
    "image": "docker.io/istio/proxyv2:1.27.0",
    "restartPolicy": "Always",
}
NO_NODE = "0/3 nodes are available: 3 Insufficient cpu."
NO_QUOTA = "exceeded quota: team, requested: pods=1, used: pods=20, limited: pods=20"
_CRASHES: Mapping[str, Body] = {
    "crash_loop": {"reason": "Error", "exitCode": 1},
    "out_of_memory": {"reason": "OOMKilled", "exitCode": 137},
}

_POD = Kind("", ("v1",), "pods", "Pod", status_apart=True)


@dataclass(slots=True)
class Kubelet:
    """Starts pods, and knows how they are."""

    objects: Objects
    pod_start: float
    """Seconds from the creation of a pod to its readiness."""
    mishaps: dict[str, Mishap] = field(default_factory=dict)
    """By image: what its pods suffer from."""
    built: dict[str, str] = field(default_factory=dict)
    """By image: what its tag was moved to. Only pods that start afterwards run that."""
    spared: set[str] = field(default_factory=set)
    """By uid: pods that stay well whatever their image suffers from."""
    _born: dict[str, datetime] = field(default_factory=dict)
    """By uid: creationTimestamp counts whole seconds only, which is too coarse for `pod_start`."""
    _pulled: dict[tuple[str, str], str] = field(default_factory=dict)
    """By uid and image: the digest that a pod runs."""
    _count: int = 0
    _left: dict[Key, tuple[Body, datetime]] = field(default_factory=dict)
    """Pods that are gone, and since when."""

    def pods(self, owner: Body) -> list[Body]:
        """Return the pods of a ReplicaSet, or of whatever else runs pods."""
        return self.objects.owned(owner["metadata"]["uid"], "pods")

    def fit(self, replica_set: Body, wanted: int, at: datetime) -> None:
        """Start or stop pods until there are as many as wanted; unready ones go first, then the youngest."""
        pods = self.pods(replica_set)
        if not self.held_back(replica_set):
            for _ in range(wanted - len(pods)):
                self._start(replica_set, at)
        for pod in self._first_to_go(pods, at)[: max(0, len(pods) - wanted)]:
            self.remove(pod, at)

    def held_back(self, replica_set: Body) -> bool:
        """Say whether a quota lets none of its pods be created."""
        return self._suffers(replica_set["spec"]["template"]["spec"]) == "quota"

    def leaving(self, key: Key, at: datetime) -> Body | None:
        """Return a pod that was told to go so shortly before that it is still there; None when it is gone."""
        pod, since = self._left.get(key, (None, at))
        return pod if at - since <= _GRACE else None

    def is_ready(self, pod: Body, at: datetime) -> bool:
        """Say whether a pod takes traffic."""
        ready_at = self.ready_at(pod, at)
        return ready_at is not None and ready_at <= at

    def ready_at(self, pod: Body, at: datetime) -> datetime | None:
        """Return when a pod is or was ready; None for one that never will be."""
        if self._mishap(pod) is not None:
            return None
        return self._birth(pod, at) + timedelta(seconds=self.pod_start)

    def report(self, pod: Body, at: datetime) -> None:
        """Write the status of a pod."""
        metadata = pod["metadata"]
        place = Key("pods", metadata["namespace"], metadata["name"])
        self.objects.set_status(place, self._status(pod, at))

    def report_of(self, pod: Body, at: datetime) -> Body:
        """Return a pod with the status that it has at a time."""
        return pod | {"status": self._status(pod, at)}

    def _first_to_go(self, pods: Sequence[Body], at: datetime) -> list[Body]:
        latest = list(reversed(pods))
        latest.sort(key=lambda pod: self._birth(pod, at), reverse=True)
        return sorted(latest, key=lambda pod: self.is_ready(pod, at))

    def run(
        self,
        owner: Body,
        kind: str,
        *,
        name: str,
        labels: Mapping[str, str],
        spec: Body,
        at: datetime,
    ) -> None:
        """Start a pod of an owner (of a kind of `apps/v1`)."""
        namespace = owner["metadata"]["namespace"]
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "ownerReferences": [owned_by("apps/v1", kind, owner)],
        }
        body = {"metadata": metadata, "spec": self._injected(spec, namespace)}
        pod = self.objects.create(_POD, body, "kube")
        self._born[pod["metadata"]["uid"]] = at

    def suffix(self) -> str:
        """Return the end of a name that no other pod has."""
        self._count += 1
        return hashlib.sha256(str(self._count).encode()).hexdigest()[:5]

    def _start(self, replica_set: Body, at: datetime) -> None:
        metadata = replica_set["metadata"]
        self.run(
            replica_set,
            "ReplicaSet",
            name=f"{metadata['name']}-{self.suffix()}",
            labels=metadata["labels"],
            spec=replica_set["spec"]["template"]["spec"],
            at=at,
        )

    def _injected(self, spec: Body, namespace: str) -> Body:
        """Return a pod's spec as Istio's webhook leaves it: with the sidecar, where the namespace asks for it."""
        found = self.objects.bodies.get(Key("namespaces", "", namespace)) or {}
        labels = (found.get("metadata") or {}).get("labels") or {}
        if labels.get("istio-injection") != "enabled":
            return spec
        return {"initContainers": [*spec.get("initContainers", []), _SIDECAR], **spec}

    def remove(self, pod: Body, at: datetime) -> None:
        """Stop a pod."""
        key = Key("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        for other, (gone, since) in list(self._left.items()):
            if at - since > _GRACE:
                del self._left[other]
                self._born.pop(gone["metadata"]["uid"], None)
        self._left[key] = (pod, at)
        self.objects.delete(key)

    def _birth(self, pod: Body, at: datetime) -> datetime:
        return self._born.get(pod["metadata"]["uid"], at)

    def _mishap(self, pod: Body) -> Mishap | None:
        if pod["metadata"]["uid"] in self.spared:
            return None
        return self._suffers(pod["spec"])

    def _suffers(self, spec: Body) -> Mishap | None:
        images = [entry.get("image", "") for entry in spec["containers"]]
        return next((self.mishaps[image] for image in images if image in self.mishaps), None)

    def _status(self, pod: Body, at: datetime) -> Body:
        ready, mishap = self.is_ready(pod, at), self._mishap(pod)
        age = (at - self._birth(pod, at)).total_seconds()
        if mishap == "unschedulable":
            nowhere = condition("PodScheduled", on=False, reason="Unschedulable")
            nowhere |= {"message": NO_NODE}
            return {"phase": "Pending", "conditions": [nowhere]}
        # A container crashes or fails to be pulled only after it had the time to start.
        visible = mishap if age >= self.pod_start else None
        return {
            "phase": "Running" if visible != "image_pull" else "Pending",
            "podIP": _address(pod),
            "conditions": [condition("PodScheduled", on=True), condition("Ready", on=ready)],
            "containerStatuses": [
                _container_status(
                    entry, visible, age - self.pod_start, self._digest(pod, entry), ready=ready
                )
                for entry in pod["spec"]["containers"]
            ],
        }

    def _digest(self, pod: Body, container: Mapping[str, Any]) -> str:
        image = str(container.get("image", ""))
        meant = digest_for(self.built.get(image, image))
        return self._pulled.setdefault((pod["metadata"]["uid"], image), meant)


def digest_for(image: str) -> str:
    """Return the digest that the simulated registry has for an image."""
    named = re.search(r"@(sha256:[0-9a-f]{64})$", image)
    return named[1] if named else "sha256:" + hashlib.sha256(image.encode()).hexdigest()


def condition(kind: str, *, on: bool, reason: str = "") -> Body:
    """Return one entry of a list of conditions."""
    entry = {"type": kind, "status": "True" if on else "False"}
    return entry | ({"reason": reason} if reason else {})


def _address(pod: Body) -> str:
    first, second, third = hashlib.sha256(pod["metadata"]["uid"].encode()).digest()[:3]
    return f"10.{first}.{second}.{third}"


def _container_status(
    container: Mapping[str, Any], mishap: Mishap | None, failing: float, digest: str, *, ready: bool
) -> Body:
    image = str(container.get("image", ""))
    status: Body = {"name": container["name"], "image": image, "ready": ready, "restartCount": 0}
    if mishap == "image_pull":
        return status | {"imageID": "", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    status["imageID"] = f"{_repository(image)}@{digest}"
    if mishap is not None and mishap in _CRASHES:
        restarts = 1 + int(failing / _RESTART_EVERY)
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        last = {"terminated": dict(_CRASHES[mishap])}
        return status | {"restartCount": restarts, "state": waiting, "lastState": last}
    return status | {"state": {"running": {}}}


def _repository(image: str) -> str:
    return re.sub(r"(:[^/:@]+)?(@.*)?$", "", image)
