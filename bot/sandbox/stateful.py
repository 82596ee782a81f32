"""The StatefulSet controller of the simulated cluster: one pass of the real one (`stateful_set_control.go`) at a time.

Level-triggered and driven by the clock alone, see `bot.sandbox.controllers`. What it keeps of the real one: pods by
ordinal, the partition, the revision that a pod below it comes back as, `OrderedReady` waiting for every single pod (so
that a broken one blocks everything), `Parallel` not waiting, and when the current revision becomes the new one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.sandbox.kubelet import Kubelet
from bot.sandbox.objects import Body, Key, Objects
from bot.sandbox.revisions import HASH, revision_of, template_in


def fill_stateful_set(body: Body) -> None:
    """Put in what the API server puts in."""
    spec = body.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)


@dataclass(slots=True)
class StatefulSetController:
    """Moves the pods of StatefulSets."""

    objects: Objects
    clock: Callable[[], datetime]
    kubelet: Kubelet
    _until: dict[str, datetime] = field(default_factory=dict)
    """By uid: everything up to this moment has happened."""

    def wake(self) -> None:
        """Forget what has not been looked at yet: something was changed by hand just now."""
        self._until = dict.fromkeys(self._until, self.clock())

    def advance(self, key: Key) -> None:
        """Bring one StatefulSet's pods, revisions and status up to the present."""
        body = self.objects.bodies.get(key)
        if body is None:
            return
        now, uid = self.clock(), body["metadata"]["uid"]
        at = self._until.get(uid, now)
        self._until[uid] = now
        self._settle(key, at)
        while (moment := self._next_moment(body, at, now)) is not None:
            at = moment
            self._settle(key, at)
        for pod in self.kubelet.pods(body):
            self.kubelet.report(pod, now)

    def _settle(self, key: Key, at: datetime) -> None:
        while _Pass(self, key, at).acts():
            pass

    def _next_moment(self, body: Body, after: datetime, until: datetime) -> datetime | None:
        held = _held(body)
        moments = [
            moment
            for pod in self.kubelet.pods(body)
            if (ready := self.kubelet.ready_at(pod, after))
            for moment in {ready, ready + held}
        ]
        return min((moment for moment in moments if after < moment <= until), default=None)


class _Pass:
    """One look of the controller at one set: it does one thing, or several where pods need not wait for each other."""

    def __init__(self, controller: StatefulSetController, key: Key, at: datetime) -> None:
        self._objects = controller.objects
        self._kubelet = controller.kubelet
        self._key = key
        self._at = at
        self._body = controller.objects.bodies[key]
        self._update = revision_of(controller.objects, "StatefulSet", self._body)
        self._total = int(self._body["spec"]["replicas"])
        self._ordered = self._body["spec"]["podManagementPolicy"] == "OrderedReady"

    def acts(self) -> bool:
        """Do what is to be done now, and say in the status how things are; whether anything was done."""
        acted = self._do()
        self._report()
        return acted

    def _do(self) -> bool:
        pods = {_ordinal(pod): pod for pod in self._kubelet.pods(self._body)}
        if self._fill_up(pods):
            return True
        if self._ordered and any(
            not self._available(pods[n]) for n in range(self._total) if n in pods
        ):
            return False
        return self._shrink(pods) or self._roll(pods)

    def _fill_up(self, pods: dict[int, Body]) -> bool:
        acted = False
        for ordinal in range(self._total):
            pod = pods.get(ordinal)
            if pod is None:
                self._make(ordinal)
                acted = True
            elif not self._ordered or self._available(pod):
                continue
            if self._ordered:
                return acted
        return acted

    def _shrink(self, pods: dict[int, Body]) -> bool:
        condemned = sorted((n for n in pods if n >= self._total), reverse=True)
        if not condemned:
            return False
        for ordinal in condemned[:1] if self._ordered else condemned:
            # The first unhealthy one may go; another would wait for it, and it is never reached.
            sick = [n for n in condemned if not self._available(pods[n])]
            if self._ordered and ordinal in sick and ordinal != min(sick):
                return False
            self._kubelet.remove(pods[ordinal], self._at)
        return True

    def _roll(self, pods: dict[int, Body]) -> bool:
        strategy = self._body["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return False
        for ordinal in range(self._total - 1, self._partition() - 1, -1):
            if _revision(pods[ordinal]) != self._update["metadata"]["name"]:
                self._kubelet.remove(pods[ordinal], self._at)
                return True
            if not self._available(pods[ordinal]):
                return False
        return False

    def _make(self, ordinal: int) -> None:
        revision = self._current() if ordinal < self._partition() else self._update
        template = template_in(revision)
        labels = dict((template.get("metadata") or {}).get("labels") or {})
        name = f"{self._key.name}-{ordinal}"
        labels |= {
            HASH: revision["metadata"]["name"],
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        self._kubelet.run(
            self._body, "StatefulSet", name=name, labels=labels, spec=template["spec"], at=self._at
        )

    def _current(self) -> Body:
        name = (self._body.get("status") or {}).get("currentRevision", "")
        found = self._objects.bodies.get(Key("controllerrevisions", self._key.namespace, name))
        return found or self._update

    def _partition(self) -> int:
        rolling = self._body["spec"]["updateStrategy"].get("rollingUpdate") or {}
        return int(rolling.get("partition", 0))

    def _available(self, pod: Body) -> bool:
        ready = self._kubelet.ready_at(pod, self._at)
        return ready is not None and ready + _held(self._body) <= self._at

    def _report(self) -> None:
        pods = self._kubelet.pods(self._body)
        ready = sum(self._kubelet.is_ready(pod, self._at) for pod in pods)
        update, current = self._update["metadata"]["name"], self._current()["metadata"]["name"]
        updated = sum(_revision(pod) == update for pod in pods)
        if updated == ready == len(pods) == self._total and not self._is_manual():
            current = update
        status = {
            "observedGeneration": self._body["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": sum(self._available(pod) for pod in pods),
            "currentReplicas": sum(_revision(pod) == current for pod in pods),
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": 0,
        }
        self._body = self._objects.set_status(self._key, status)

    def _is_manual(self) -> bool:
        return bool(self._body["spec"]["updateStrategy"]["type"] != "RollingUpdate")


def _ordinal(pod: Body) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _revision(pod: Body) -> str:
    return str(pod["metadata"]["labels"][HASH])


def _held(body: Body) -> timedelta:
    return timedelta(seconds=int(body["spec"].get("minReadySeconds", 0)))
