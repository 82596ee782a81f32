"""The Deployment controller and the kubelet of the simulated cluster.

Level-triggered and driven by the clock alone: `advance` looks at a Deployment and at the time, and makes its
ReplicaSets, Pods and status what they are by then. It may run at any time and any number of times.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.sandbox.objects import Body, Key, Kind, Objects

Mishap = Literal["crash_loop", "image_pull", "never_ready", "unschedulable"]

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_RESTART_EVERY = 10.0  # seconds between two crashes, on average of the kubelet's back-off

_REPLICA_SET = Kind("apps", ("v1",), "replicasets", "ReplicaSet", status_apart=True)
_POD = Kind("", ("v1",), "pods", "Pod", status_apart=True)


@dataclass(slots=True)
class DeploymentController:
    """Rolls Deployments out: new pods at once, old ones leave as new ones get ready."""

    objects: Objects
    clock: Callable[[], datetime]
    pod_start: float
    """Seconds from the creation of a pod to its readiness."""
    mishaps: dict[str, Mishap] = field(default_factory=dict)
    """By image: what its pods suffer from."""
    _born: dict[str, datetime] = field(default_factory=dict)
    """By uid: creationTimestamp counts whole seconds only, which is too coarse for `pod_start`."""
    _since: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """By uid of a Deployment: the generation last seen and when its progress began."""
    _quiet: dict[str, int] = field(default_factory=dict)
    """By uid of a Deployment: the generation that is fully rolled out, so that looking at it again costs nothing."""
    _count: int = 0

    def wake(self) -> None:
        """Look at everything again: pods were deleted, or an image changed its manners."""
        self._quiet.clear()

    def advance(self, key: Key) -> None:
        """Bring one Deployment's ReplicaSets, Pods and status up to the present."""
        body = self.objects.bodies.get(key)
        if body is None:
            return
        now, metadata = self.clock(), body["metadata"]
        if self._quiet.get(metadata["uid"]) == metadata["generation"]:
            return
        if self._since.get(metadata["uid"], (0, now))[0] != metadata["generation"]:
            self._since[metadata["uid"]] = (metadata["generation"], now)
        newest = self._newest_set(key, body)
        self._scale(key, body, newest, now)
        status = self._status(body, newest, now)
        self.objects.set_status(key, status)
        if status["conditions"][-1].get("reason") == "NewReplicaSetAvailable":
            self._quiet[metadata["uid"]] = metadata["generation"]

    def _newest_set(self, key: Key, body: Body) -> Body:
        template = body["spec"]["template"]
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        name = f"{key.name}-{digest}"
        found = self.objects.bodies.get(Key("replicasets", key.namespace, name))
        newest = 1 + max((_revision(item) for item in self._sets(body)), default=0)
        if found and _revision(found) == newest - 1:
            return found
        return self._store_set(key, body, name, digest, newest, found)

    def _store_set(
        self, key: Key, body: Body, name: str, digest: str, revision: int, found: Body | None
    ) -> Body:
        note = {_REVISION: str(revision)}
        if found:  # an earlier template is back: its ReplicaSet becomes the newest again
            metadata = found["metadata"] | {"annotations": note}
            place = Key("replicasets", key.namespace, name)
            kept = self.objects.update(_REPLICA_SET, place, found | {"metadata": metadata}, "kube")
        else:
            labels = (body["spec"]["template"].get("metadata") or {}).get("labels") or {}
            metadata = {
                "name": name,
                "namespace": key.namespace,
                "labels": labels | {_HASH: digest},
                "annotations": note,
                "ownerReferences": [_owner("Deployment", body)],
            }
            spec = {"template": body["spec"]["template"], "selector": body["spec"]["selector"]}
            kept = self.objects.create(_REPLICA_SET, {"metadata": metadata, "spec": spec}, "kube")
        notes = (body["metadata"].get("annotations") or {}) | note
        self.objects.bodies[key]["metadata"]["annotations"] = notes
        return kept

    def _scale(self, key: Key, body: Body, newest: Body, now: datetime) -> None:
        wanted = int(body["spec"].get("replicas", 1))
        digest = newest["metadata"]["labels"][_HASH]
        pods = self._pods(body)
        new = [pod for pod in pods if pod["metadata"]["labels"][_HASH] == digest]
        new.sort(key=lambda pod: not self._is_ready(pod, now))
        for pod in new[wanted:]:
            self._remove(pod)
        for _ in range(wanted - len(new)):
            self._start(key, newest, now)
        ready = sum(self._is_ready(pod, now) for pod in new[:wanted])
        old = [pod for pod in pods if pod["metadata"]["labels"][_HASH] != digest]
        old.sort(key=lambda pod: not self._is_ready(pod, now))
        for pod in old[max(0, wanted - ready) :]:
            self._remove(pod)
        for pod in self._pods(body):
            place = Key("pods", key.namespace, pod["metadata"]["name"])
            self.objects.set_status(place, self._pod_status(pod, now))

    def _start(self, key: Key, replica_set: Body, now: datetime) -> None:
        self._count += 1
        template = replica_set["spec"]["template"]
        suffix = hashlib.sha256(str(self._count).encode()).hexdigest()[:5]
        metadata = {
            "name": f"{replica_set['metadata']['name']}-{suffix}",
            "namespace": key.namespace,
            "labels": replica_set["metadata"]["labels"],
            "ownerReferences": [_owner("ReplicaSet", replica_set)],
        }
        pod = self.objects.create(_POD, {"metadata": metadata, "spec": template["spec"]}, "kube")
        self._born[pod["metadata"]["uid"]] = now

    def _remove(self, pod: Body) -> None:
        self._born.pop(pod["metadata"]["uid"], None)
        self.objects.delete(Key("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _sets(self, body: Body) -> list[Body]:
        return self.objects.owned(body["metadata"]["uid"], "replicasets")

    def _pods(self, body: Body) -> list[Body]:
        return [
            pod
            for replica_set in self._sets(body)
            for pod in self.objects.owned(replica_set["metadata"]["uid"], "pods")
        ]

    def _age(self, pod: Body, now: datetime) -> float:
        return (now - self._born.get(pod["metadata"]["uid"], now)).total_seconds()

    def _mishap(self, pod: Body) -> Mishap | None:
        images = [entry.get("image", "") for entry in pod["spec"]["containers"]]
        return next((self.mishaps[image] for image in images if image in self.mishaps), None)

    def _is_ready(self, pod: Body, now: datetime) -> bool:
        return self._mishap(pod) is None and self._age(pod, now) >= self.pod_start

    def _pod_status(self, pod: Body, now: datetime) -> Body:
        ready, mishap, age = self._is_ready(pod, now), self._mishap(pod), self._age(pod, now)
        if mishap == "unschedulable":
            nowhere = _condition("PodScheduled", on=False, reason="Unschedulable")
            return {"phase": "Pending", "conditions": [nowhere]}
        # A container crashes or fails to be pulled only after it had the time to start.
        visible = mishap if age >= self.pod_start else None
        return {
            "phase": "Running" if visible != "image_pull" else "Pending",
            "conditions": [_condition("PodScheduled", on=True), _condition("Ready", on=ready)],
            "containerStatuses": [
                _container_status(entry, visible, age - self.pod_start, ready=ready)
                for entry in pod["spec"]["containers"]
            ],
        }

    def _status(self, body: Body, newest: Body, now: datetime) -> Body:
        digest, wanted = newest["metadata"]["labels"][_HASH], int(body["spec"].get("replicas", 1))
        pods = self._pods(body)
        updated = sum(pod["metadata"]["labels"][_HASH] == digest for pod in pods)
        ready = sum(self._is_ready(pod, now) for pod in pods)
        done = updated == wanted == len(pods) == ready
        counts = {
            "replicas": len(pods),
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, wanted - ready),
        }
        enough = ready >= wanted - math.floor(
            wanted / 4
        )  # maxUnavailable is 25 % unless said otherwise
        return {
            "observedGeneration": body["metadata"]["generation"],
            **{name: count for name, count in counts.items() if count},
            "conditions": [
                _condition("Available", on=enough),
                self._progressing(body, now, done=done),
            ],
        }

    def _progressing(self, body: Body, now: datetime, *, done: bool) -> Body:
        if done:
            return _condition("Progressing", on=True, reason="NewReplicaSetAvailable")
        deadline = timedelta(seconds=body["spec"].get("progressDeadlineSeconds", 600))
        if now - self._since[body["metadata"]["uid"]][1] > deadline:
            return _condition("Progressing", on=False, reason="ProgressDeadlineExceeded")
        return _condition("Progressing", on=True, reason="ReplicaSetUpdated")


def digest_for(image: str) -> str:
    """Return the digest that the simulated registry has for an image."""
    named = re.search(r"@(sha256:[0-9a-f]{64})$", image)
    return named[1] if named else "sha256:" + hashlib.sha256(image.encode()).hexdigest()


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


def _condition(kind: str, *, on: bool, reason: str = "") -> Body:
    condition = {"type": kind, "status": "True" if on else "False"}
    return condition | ({"reason": reason} if reason else {})


def _owner(kind: str, body: Body) -> Body:
    metadata = body["metadata"]
    version = "apps/v1"
    return {
        "apiVersion": version,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def _revision(item: Body) -> int:
    return int((item["metadata"].get("annotations") or {}).get(_REVISION, "0"))
