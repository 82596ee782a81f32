"""The DaemonSet controller of the simulated cluster: one pod on each of its nodes, replaced as `daemon/update.go` does.

Level-triggered and driven by the clock alone, see `bot.sandbox.controllers`. As in the real one, an old pod that is not
available by the set's own `minReadySeconds` is replaced at once, whatever `maxUnavailable` says. `maxSurge` is not
simulated.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.sandbox.kubelet import Kubelet
from bot.sandbox.objects import Body, Key, Objects
from bot.sandbox.revisions import HASH, revision_of


def fill_daemon_set(body: Body) -> None:
    """Put in what the API server puts in."""
    strategy = body.setdefault("spec", {}).setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


@dataclass(slots=True)
class DaemonSetController:
    """Moves the pods of DaemonSets."""

    objects: Objects
    clock: Callable[[], datetime]
    kubelet: Kubelet
    nodes: int = 4
    """How many nodes the cluster has."""
    _until: dict[str, datetime] = field(default_factory=dict)
    """By uid: everything up to this moment has happened."""

    def wake(self) -> None:
        """Forget what has not been looked at yet: something was changed by hand just now."""
        self._until = dict.fromkeys(self._until, self.clock())

    def advance(self, key: Key) -> None:
        """Bring one DaemonSet's pods, revisions and status up to the present."""
        body = self.objects.bodies.get(key)
        if body is None:
            return
        now, uid = self.clock(), body["metadata"]["uid"]
        at = self._until.get(uid, now)
        self._until[uid] = now
        self._settle(key, body, at)
        while (moment := self._next_moment(body, at, now)) is not None:
            at = moment
            self._settle(key, body, at)
        for pod in self.kubelet.pods(body):
            self.kubelet.report(pod, now)
        self._report(key, body, now)

    def _settle(self, key: Key, body: Body, at: datetime) -> None:
        digest = revision_of(self.objects, "DaemonSet", body)["metadata"]["labels"][HASH]
        while self._man(key, body, digest, at) or self._roll(body, digest, at):
            pass

    def _man(self, key: Key, body: Body, digest: str, at: datetime) -> bool:
        """Put a pod on each node that has none."""
        template = body["spec"]["template"]
        manned = {pod["spec"]["nodeName"] for pod in self.kubelet.pods(body)}
        empty = [name for n in range(self.nodes) if (name := f"node-{n}") not in manned]
        for node in empty:
            self.kubelet.run(
                body,
                "DaemonSet",
                name=f"{key.name}-{self.kubelet.suffix()}",
                labels=((template.get("metadata") or {}).get("labels") or {}) | {HASH: digest},
                spec=template["spec"] | {"nodeName": node},
                at=at,
            )
        return bool(empty)

    def _roll(self, body: Body, digest: str, at: datetime) -> bool:
        strategy = body["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return False
        pods = self.kubelet.pods(body)
        old = [pod for pod in pods if pod["metadata"]["labels"][HASH] != digest]
        gone = [pod for pod in old if not self._available(body, pod, at)]
        room = _pods(strategy["rollingUpdate"]["maxUnavailable"], self.nodes)
        missing = sum(not self._available(body, pod, at) for pod in pods)
        candidates = [pod for pod in old if pod not in gone][: max(0, room - missing)]
        for pod in [*gone, *candidates]:
            self.kubelet.remove(pod, at)
        return bool(gone or candidates)

    def _available(self, body: Body, pod: Body, at: datetime) -> bool:
        ready = self.kubelet.ready_at(pod, at)
        return ready is not None and ready + _held(body) <= at

    def _next_moment(self, body: Body, after: datetime, until: datetime) -> datetime | None:
        moments = [
            moment
            for pod in self.kubelet.pods(body)
            if (ready := self.kubelet.ready_at(pod, after))
            for moment in {ready, ready + _held(body)}
        ]
        return min((moment for moment in moments if after < moment <= until), default=None)

    def _report(self, key: Key, body: Body, now: datetime) -> None:
        pods = self.kubelet.pods(body)
        digest = revision_of(self.objects, "DaemonSet", body)["metadata"]["labels"][HASH]
        available = sum(self._available(body, pod, now) for pod in pods)
        status = {
            "observedGeneration": body["metadata"]["generation"],
            "desiredNumberScheduled": self.nodes,
            "currentNumberScheduled": len(pods),
            "numberMisscheduled": 0,
            "numberReady": sum(self.kubelet.is_ready(pod, now) for pod in pods),
            "updatedNumberScheduled": sum(
                pod["metadata"]["labels"][HASH] == digest for pod in pods
            ),
            "numberAvailable": available,
            "numberUnavailable": self.nodes - available,
        }
        self.objects.set_status(key, status)


def _pods(value: int | str, nodes: int) -> int:
    if isinstance(value, str):
        return math.ceil(int(value.removesuffix("%")) * nodes / 100)
    return value


def _held(body: Body) -> timedelta:
    return timedelta(seconds=int(body["spec"].get("minReadySeconds", 0)))
