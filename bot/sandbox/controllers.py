"""The Deployment controller of the simulated cluster, and the ReplicaSet controller under it.

Level-triggered and driven by the clock alone: `advance` looks at a Deployment and at the time, goes through every
moment since its last look at which a pod got ready, and makes ReplicaSets, Pods and status what they are by then. It
may run at any time and any number of times.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.sandbox.kubelet import NO_QUOTA, Kubelet, Mishap, condition
from bot.sandbox.objects import Body, Key, Kind, Objects, owned_by
from bot.sandbox.rolling import Share, resized, rolled, room_of

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_NO_DEADLINE = 2**31 - 1

_REPLICA_SET = Kind(
    "apps", ("v1",), "replicasets", "ReplicaSet", counts_generations=True, status_apart=True
)


@dataclass(slots=True)
class Memory:
    """What the controller remembers of a Deployment between two looks."""

    until: datetime
    """Everything up to this moment has happened."""
    quiet: int = 0
    """The generation that is fully rolled out, so that looking at it again costs nothing."""
    asked: int = 0
    """The number of pods that was asked for at the last look."""
    ceiling: int = 0
    """The most pods there could be then."""
    generation: int = 0
    progress: tuple[int, ...] = ()
    moved_at: datetime | None = None
    """When the rollout of this generation last came further."""


@dataclass(slots=True)
class DeploymentController:
    """Rolls Deployments out as their strategy says."""

    objects: Objects
    clock: Callable[[], datetime]
    kubelet: Kubelet
    _memory: dict[str, Memory] = field(default_factory=dict)
    """By uid."""

    @property
    def mishaps(self) -> dict[str, Mishap]:
        """By image: what its pods suffer from."""
        return self.kubelet.mishaps

    def wake(self) -> None:
        """Look at everything again: pods were deleted, or an image changed its manners just now."""
        for memory in self._memory.values():
            memory.quiet, memory.until = 0, self.clock()

    def advance(self, key: Key) -> None:
        """Bring one Deployment's ReplicaSets, Pods and status up to the present."""
        body = self.objects.bodies.get(key)
        if body is None:
            return
        now, metadata = self.clock(), body["metadata"]
        memory = self._memory.setdefault(metadata["uid"], Memory(now))
        at, memory.until = memory.until, now
        if memory.quiet == metadata["generation"]:
            return
        newest = self._settle(key, body, memory, at)
        while (moment := self._next_moment(body, at, now)) is not None:
            at = moment
            newest = self._settle(key, body, memory, at)
        self._report(key, body, memory, newest)

    def _settle(self, key: Key, body: Body, memory: Memory, at: datetime) -> str:
        """Do at one moment all that can be done, for each pass may make room for another; return the newest set."""
        # The statuses first: the pass after a change still counts with what was available before it.
        self._run_sets(body, at)
        newest = self._newest_set(key, body)
        while self._pass(body, memory, newest):
            self._run_sets(body, at)
        self._run_sets(body, at)
        self._note_progress(body, memory, newest, at)
        return newest

    def _pass(self, body: Body, memory: Memory, newest: str) -> bool:
        """Tell the ReplicaSets their next sizes; say whether one of them changed."""
        spec = body["spec"]
        replicas = int(spec.get("replicas", 1))
        room = room_of(spec.get("strategy") or {}, replicas)
        old = [item for item in self._sets(body) if item["metadata"]["name"] != newest]
        new = [item for item in self._sets(body) if item["metadata"]["name"] == newest]
        sets = [*old, *new]
        before = [_wanted(item) for item in sets]
        if memory.asked != replicas and any(before):
            after = resized(replicas, room, memory.ceiling, before)
        elif spec.get("paused") or not new:
            after = before
        else:
            first, *rest = rolled(replicas, room, _share(new[0]), [_share(item) for item in old])
            after = [*rest, first]
        grew = memory.asked != replicas
        memory.asked, memory.ceiling = replicas, replicas + (room.surge if room else 0)
        for item, size in zip(sets, after, strict=True):
            self._change_set(item, replicas=size)
        return grew or after != before

    def _newest_set(self, key: Key, body: Body) -> str:
        """Return the name of the ReplicaSet of the template, which is created unless the Deployment is paused."""
        template = body["spec"]["template"]
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        name = f"{key.name}-{digest}"
        found = self.objects.bodies.get(Key("replicasets", key.namespace, name))
        if found is None and body["spec"].get("paused"):
            return name
        newest = max((_revision(item) for item in self._sets(body)), default=0)
        back = (
            found is not None and _revision(found) != newest
        )  # an earlier template is the newest again
        if found is None:
            found = self._create_set(key, body, name, digest, newest + 1)
        # Only the newest set follows the Deployment here; the others keep the patience that they were made with.
        patience = int(body["spec"].get("minReadySeconds", 0))
        revision = newest + 1 if back else _revision(found)
        self._change_set(found, revision=revision, minReadySeconds=patience)
        note = {_REVISION: str(revision)}
        notes = (body["metadata"].get("annotations") or {}) | note
        self.objects.bodies[key]["metadata"]["annotations"] = notes
        return name

    def _create_set(self, key: Key, body: Body, name: str, digest: str, revision: int) -> Body:
        template = body["spec"]["template"]
        labels = ((template.get("metadata") or {}).get("labels") or {}) | {_HASH: digest}
        metadata = {
            "name": name,
            "namespace": key.namespace,
            "labels": labels,
            "annotations": {_REVISION: str(revision)},
            "ownerReferences": [owned_by("apps/v1", "Deployment", body)],
        }
        marked = (template.get("metadata") or {}) | {"labels": labels}
        spec = {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": template | {"metadata": marked},
        }
        return self.objects.create(_REPLICA_SET, {"metadata": metadata, "spec": spec}, "kube")

    def _change_set(self, item: Body, *, revision: int | None = None, **spec: int) -> None:
        metadata = item["metadata"]
        if revision in {None, _revision(item)} and item["spec"].items() >= spec.items():
            return
        if revision is not None:
            metadata = metadata | {"annotations": {_REVISION: str(revision)}}
        key = Key("replicasets", metadata["namespace"], metadata["name"])
        changed = item | {"metadata": metadata, "spec": item["spec"] | spec}
        self.objects.update(_REPLICA_SET, key, changed, "kube")

    def _run_sets(self, body: Body, at: datetime) -> None:
        """Let every ReplicaSet have the pods that it was told to have, and say how they are."""
        for item in self._sets(body):
            self.kubelet.fit(item, _wanted(item), at)
            pods = self.kubelet.pods(item)
            ready = [moment for pod in pods if (moment := self.kubelet.ready_at(pod, at))]
            held = _held(item)
            counts = {
                "replicas": len(pods),
                "readyReplicas": sum(moment <= at for moment in ready),
                "availableReplicas": sum(moment + held <= at for moment in ready),
            }
            metadata = item["metadata"]
            self.objects.set_status(
                Key("replicasets", metadata["namespace"], metadata["name"]), counts
            )

    def _next_moment(self, body: Body, after: datetime, until: datetime) -> datetime | None:
        """Return when the next pod gets ready or available; None when none does until then."""
        moments = [
            moment
            for item in self._sets(body)
            for pod in self.kubelet.pods(item)
            if (ready := self.kubelet.ready_at(pod, after))
            for moment in {ready, ready + _held(item)}
        ]
        return min((moment for moment in moments if after < moment <= until), default=None)

    def _sets(self, body: Body) -> list[Body]:
        return self.objects.owned(body["metadata"]["uid"], "replicasets")

    def _counts(self, body: Body, newest: str) -> dict[str, int]:
        sets = self._sets(body)
        new = [item for item in sets if item["metadata"]["name"] == newest]
        available = _sum(sets, "availableReplicas")
        return {
            "replicas": _sum(sets, "replicas"),
            "updatedReplicas": _sum(new, "replicas"),
            "readyReplicas": _sum(sets, "readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(0, sum(_wanted(item) for item in sets) - available),
        }

    def _note_progress(self, body: Body, memory: Memory, newest: str, at: datetime) -> None:
        counts = self._counts(body, newest)
        updated = counts["updatedReplicas"]
        progress = (
            updated,
            updated - counts["replicas"],
            counts["readyReplicas"],
            counts["availableReplicas"],
        )
        further = any(now > then for now, then in zip(progress, memory.progress, strict=False))
        if further or memory.generation != body["metadata"]["generation"]:
            memory.moved_at = at
        memory.generation, memory.progress = body["metadata"]["generation"], progress

    def _report(self, key: Key, body: Body, memory: Memory, newest: str) -> None:
        """Write the status of the Deployment and of its pods."""
        now = memory.until
        for item in self._sets(body):
            for pod in self.kubelet.pods(item):
                self.kubelet.report(pod, now)
        spec = body["spec"]
        replicas = int(spec.get("replicas", 1))
        counts = self._counts(body, newest)
        available = counts["availableReplicas"]
        done = counts["updatedReplicas"] == counts["replicas"] == available == replicas
        room = room_of(spec.get("strategy") or {}, replicas)
        enough = available >= replicas - (room.unavailable if room else 0)
        progressing = _progressing(spec, memory, now, done=done)
        status = {
            "observedGeneration": body["metadata"]["generation"],
            **{name: number for name, number in counts.items() if number},
            "conditions": [
                condition("Available", on=enough),
                progressing,
                *self._held_back(body),
            ],
        }
        self.objects.set_status(key, status)
        memory.quiet = body["metadata"]["generation"] if done else 0

    def _held_back(self, body: Body) -> list[Body]:
        held = any(_wanted(item) and self.kubelet.held_back(item) for item in self._sets(body))
        failure = condition("ReplicaFailure", on=True, reason="FailedCreate")
        return [failure | {"message": NO_QUOTA}] if held else []


def _progressing(spec: Mapping[str, object], memory: Memory, now: datetime, *, done: bool) -> Body:
    if done:
        return condition("Progressing", on=True, reason="NewReplicaSetAvailable")
    if spec.get("paused"):
        return condition("Progressing", on=True, reason="DeploymentPaused")
    seconds = int(str(spec.get("progressDeadlineSeconds", 600)))
    since = memory.moved_at or now
    if seconds != _NO_DEADLINE and now - since > timedelta(seconds=seconds):
        return condition("Progressing", on=False, reason="ProgressDeadlineExceeded")
    return condition("Progressing", on=True, reason="ReplicaSetUpdated")


def _share(item: Body) -> Share:
    return Share(_wanted(item), _sum([item], "availableReplicas"))


def _wanted(item: Body) -> int:
    return int(item["spec"]["replicas"])


def _held(item: Body) -> timedelta:
    return timedelta(seconds=item["spec"].get("minReadySeconds", 0))


def _sum(sets: list[Body], name: str) -> int:
    return sum(int((item.get("status") or {}).get(name, 0)) for item in sets)


def _revision(item: Body) -> int:
    return int((item["metadata"].get("annotations") or {}).get(_REVISION, "0"))
