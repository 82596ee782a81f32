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

Mishap = Literal["crash_loop", "image_pull", "never_ready", "unschedulable"]

_RESTART_EVERY = 10.0  # seconds between two crashes, on average of the kubelet's back-off

_POD = Kind("", ("v1",), "pods", "Pod", status_apart=True)


@dataclass(slots=True)
class Kubelet:
    """Starts pods, and knows how they are."""

    objects: Objects
    pod_start: float
    """Seconds from the creation of a pod to its readiness."""
    mishaps: dict[str, Mishap] = field(default_factory=dict)
    """By image: what its pods suffer from."""
    spared: set[str] = field(default_factory=set)
    """By uid: pods that stay well whatever their image suffers from."""
    _born: dict[str, datetime] = field(default_factory=dict)
    """By uid: creationTimestamp counts whole seconds only, which is too coarse for `pod_start`."""
    _count: int = 0

    def pods(self, replica_set: Body) -> list[Body]:
        """Return the pods of a ReplicaSet."""
        return self.objects.owned(replica_set["metadata"]["uid"], "pods")

    def fit(self, replica_set: Body, wanted: int, at: datetime) -> None:
        """Start or stop pods until there are as many as wanted; unready ones go first, then the youngest."""
        pods = self.pods(replica_set)
        for _ in range(wanted - len(pods)):
            self._start(replica_set, at)
        for pod in self._first_to_go(pods, at)[: max(0, len(pods) - wanted)]:
            self._remove(pod)

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

    def _first_to_go(self, pods: Sequence[Body], at: datetime) -> list[Body]:
        latest = list(reversed(pods))
        latest.sort(key=lambda pod: self._birth(pod, at), reverse=True)
        return sorted(latest, key=lambda pod: self.is_ready(pod, at))

    def _start(self, replica_set: Body, at: datetime) -> None:
        self._count += 1
        owner = replica_set["metadata"]
        suffix = hashlib.sha256(str(self._count).encode()).hexdigest()[:5]
        metadata = {
            "name": f"{owner['name']}-{suffix}",
            "namespace": owner["namespace"],
            "labels": owner["labels"],
            "ownerReferences": [owned_by("apps/v1", "ReplicaSet", replica_set)],
        }
        spec = replica_set["spec"]["template"]["spec"]
        pod = self.objects.create(_POD, {"metadata": metadata, "spec": spec}, "kube")
        self._born[pod["metadata"]["uid"]] = at

    def _remove(self, pod: Body) -> None:
        self._born.pop(pod["metadata"]["uid"], None)
        self.objects.delete(Key("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _birth(self, pod: Body, at: datetime) -> datetime:
        return self._born.get(pod["metadata"]["uid"], at)

    def _mishap(self, pod: Body) -> Mishap | None:
        if pod["metadata"]["uid"] in self.spared:
            return None
        images = [entry.get("image", "") for entry in pod["spec"]["containers"]]
        return next((self.mishaps[image] for image in images if image in self.mishaps), None)

    def _status(self, pod: Body, at: datetime) -> Body:
        ready, mishap = self.is_ready(pod, at), self._mishap(pod)
        age = (at - self._birth(pod, at)).total_seconds()
        if mishap == "unschedulable":
            nowhere = condition("PodScheduled", on=False, reason="Unschedulable")
            return {"phase": "Pending", "conditions": [nowhere]}
        # A container crashes or fails to be pulled only after it had the time to start.
        visible = mishap if age >= self.pod_start else None
        return {
            "phase": "Running" if visible != "image_pull" else "Pending",
            "podIP": _address(pod),
            "conditions": [condition("PodScheduled", on=True), condition("Ready", on=ready)],
            "containerStatuses": [
                _container_status(entry, visible, age - self.pod_start, ready=ready)
                for entry in pod["spec"]["containers"]
            ],
        }


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
    container: Mapping[str, Any], mishap: Mishap | None, failing: float, *, ready: bool
) -> Body:
    image = str(container.get("image", ""))
    status: Body = {"name": container["name"], "image": image, "ready": ready, "restartCount": 0}
    if mishap == "image_pull":
        return status | {"imageID": "", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    status["imageID"] = f"{_repository(image)}@{digest_for(image)}"
    if mishap == "crash_loop":
        restarts = 1 + int(failing / _RESTART_EVERY)
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        return status | {"restartCount": restarts, "state": waiting}
    return status | {"state": {"running": {}}}


def _repository(image: str) -> str:
    return re.sub(r"(:[^/:@]+)?(@.*)?$", "", image)
