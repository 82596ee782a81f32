"""The mesh beside the chat: what the page shows of it, and what its sliders do.

It reads the simulated cluster and traffic and nothing of the bot: the picture is the world's, not the row's.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from bot.sandbox.page import Value
from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.traffic import SimulatedTraffic
from integrations.base import Lane, version_of

BROKEN_ERRORS = 30.0
"""Percent of errors that *Break the canary* gives it: no check can overlook it."""

BASE_ERRORS, BASE_LATENCY = 0.2, 120.0


class SpeedClock(Protocol):
    """A clock whose speed can be changed."""

    speed: float

    def now(self) -> datetime:
        """Return the sandbox time."""
        ...

    def run_at(self, speed: float) -> None:
        """Let time pass `speed` times as fast from now on."""
        ...


class Objects(Protocol):
    """Where the Kubernetes objects are."""

    def object(self, plural: str, namespace: str, name: str, /) -> dict[str, Any] | None:
        """Return an object as it is now."""
        ...


class MeshPanel:
    """The `Panel` of one simulated service."""

    def __init__(
        self,
        cluster: Objects,
        traffic: SimulatedTraffic,
        prometheus: SimulatedPrometheus,
        clock: SpeedClock,
        service: str,
        namespace: str,
    ) -> None:
        """Show `service` in `namespace`."""
        self._cluster = cluster
        self._traffic = traffic
        self._prometheus = prometheus
        self._clock = clock
        self._service = service
        self._namespace = namespace
        self._broken = ""
        """The version that was broken, until it is healed: after a rollback it is no lane's any more."""
        self._seen: dict[Lane, str] = {}
        self._newest = Lane.CANARY
        self._before = ""

    def state(self) -> dict[str, Any]:
        """See `bot.sandbox.page.Panel`."""
        canary = self._new_version()
        return {
            "service": self._service,
            "services": [self._service],
            "time": self._clock.now().isoformat(),
            "speed": self._clock.speed,
            "metrics_down": self._prometheus.down,
            "broken": bool(self._broken),
            "errors": self._traffic.errors(canary),
            "latency": self._traffic.latency(canary),
            "lanes": self._lanes(),
        }

    def _deployment(self, lane: Lane) -> Mapping[str, Any]:
        name = self._traffic.lanes.workload(lane)
        return self._cluster.object("deployments", self._namespace, name) or {}

    def _version(self, lane: Lane) -> str:
        containers = self._deployment(lane)["spec"]["template"]["spec"]["containers"]
        return version_of(str(containers[0]["image"]).partition("@")[0])

    def changed(self) -> bool:
        """Whether another version was put anywhere since the last time that this was asked."""
        changed = False
        for lane in self._traffic.flows:
            version = self._version(lane)
            if version != self._seen.get(lane, version):
                # Colours swap: the sliders are about the place where the image changed last.
                self._newest, self._before, changed = lane, self._seen[lane], True
            self._seen[lane] = version
        return changed

    def _new_version(self) -> str:
        self.changed()
        return self._version(self._newest)

    def _lanes(self) -> list[dict[str, Any]]:
        if self._traffic.lanes.stable:
            return [self._lane(lane) for lane in (Lane.STABLE, Lane.CANARY)]
        return self._instances()

    def _lane(self, lane: Lane) -> dict[str, Any]:
        flow = self._traffic.flows[lane]
        deployment = self._deployment(lane)
        pods = int(deployment["spec"].get("replicas", 0))
        served = flow.rps > 0
        return {
            "lane": lane.value,
            "name": self._traffic.lanes.workload(lane).removeprefix(f"{self._service}-"),
            "version": self._version(lane) if pods else "",
            "weight": round(flow.weight, 1),
            "ready": flow.ready,
            "pods": pods,
            "error_rate": flow.errors if served else None,
            "latency_p95": flow.p95 if served else None,
        }

    def _instances(self) -> list[dict[str, Any]]:
        """Return the old and the new instances of a service that runs in one place; new ones leave last."""
        status = self._deployment(Lane.CANARY).get("status", {})
        pods, ready = int(status.get("replicas") or 0), int(status.get("readyReplicas") or 0)
        moving = int(status.get("updatedReplicas") or 0)
        version = self._version(Lane.CANARY)
        if moving >= pods:
            return [
                self._part("stable", version, pods, ready, ready),
                self._part("canary", "", 0, 0, ready),
            ]
        stayed = min(ready, pods - moving)
        return [
            self._part("stable", self._before, pods - moving, stayed, ready),
            self._part("canary", version if moving else "", moving, ready - stayed, ready),
        ]

    def _part(self, lane: str, version: str, pods: int, ready: int, of: int) -> dict[str, Any]:
        return {
            "lane": lane,
            "name": "old" if lane == "stable" else "new",
            "version": version,
            "weight": round(100 * ready / of, 1) if of else 0.0,
            "ready": ready,
            "pods": pods,
            "error_rate": self._traffic.errors(version) if ready else None,
            "latency_p95": self._traffic.latency(version) if ready else None,
        }

    async def act(self, name: str, value: Value) -> None:
        """See `bot.sandbox.page.Panel`."""
        canary = self._new_version()
        match name:
            case "errors":
                self._traffic.set_errors(canary, _number(value))
            case "latency":
                self._traffic.set_latency(canary, _number(value))
            case "break":
                self._broken = canary
                self._traffic.set_errors(canary, BROKEN_ERRORS)
            case "heal":
                for version in {canary, self._broken or canary}:
                    self._traffic.set_errors(version, BASE_ERRORS)
                    self._traffic.set_latency(version, BASE_LATENCY)
                self._broken = ""
            case "speed":
                self._clock.run_at(_number(value))
            case "metrics_down":
                self._prometheus.down = bool(value)
            case _:
                raise ValueError(f"There is no {name[:40]} to move here.")


def _number(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("That needs a number.")  # noqa: TRY004 - the page takes ValueError
    return float(value)


class Panels:
    """The `Panel` of several services. The one is shown that somebody chose, or where a rollout began since."""

    def __init__(self, panels: Mapping[str, MeshPanel]) -> None:
        """Show the first of `panels`, which are by the name of their service."""
        self._panels = panels
        self._chosen = next(iter(panels))

    def state(self) -> dict[str, Any]:
        """See `bot.sandbox.page.Panel`."""
        moved = [name for name, panel in self._panels.items() if panel.changed()]
        self._chosen = moved[-1] if moved else self._chosen
        shown = {"service": self._chosen, "services": list(self._panels)}
        return {**self._panels[self._chosen].state(), **shown}

    async def act(self, name: str, value: Value) -> None:
        """See `bot.sandbox.page.Panel`."""
        match name:
            case "service" if isinstance(value, str) and value in self._panels:
                self._chosen = value
            case "service":
                raise ValueError("There is no such service here.")
            case "metrics_down":
                for panel in self._panels.values():
                    await panel.act(name, value)
            case _:
                await self._panels[self._chosen].act(name, value)
