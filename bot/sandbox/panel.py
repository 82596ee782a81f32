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
        self._broken = False

    def state(self) -> dict[str, Any]:
        """See `bot.sandbox.page.Panel`."""
        canary = self._canary_version()
        return {
            "service": self._service,
            "time": self._clock.now().isoformat(),
            "speed": self._clock.speed,
            "metrics_down": self._prometheus.down,
            "broken": self._broken,
            "errors": self._traffic.errors(canary),
            "latency": self._traffic.latency(canary),
            "lanes": [self._lane(lane) for lane in (Lane.STABLE, Lane.CANARY)],
        }

    def _deployment(self, lane: Lane) -> Mapping[str, Any]:
        name = f"{self._service}-{lane.value}"
        return self._cluster.object("deployments", self._namespace, name) or {}

    def _version(self, lane: Lane) -> str:
        containers = self._deployment(lane)["spec"]["template"]["spec"]["containers"]
        return version_of(str(containers[0]["image"]).partition("@")[0])

    def _canary_version(self) -> str:
        return self._version(Lane.CANARY)

    def _lane(self, lane: Lane) -> dict[str, Any]:
        flow = self._traffic.flows[lane]
        deployment = self._deployment(lane)
        pods = int(deployment["spec"].get("replicas", 0))
        served = flow.rps > 0
        return {
            "lane": lane.value,
            "version": self._version(lane) if pods else "",
            "weight": round(flow.weight, 1),
            "ready": flow.ready,
            "pods": pods,
            "error_rate": flow.errors if served else None,
            "latency_p95": flow.p95 if served else None,
        }

    async def act(self, name: str, value: Value) -> None:
        """See `bot.sandbox.page.Panel`."""
        canary = self._canary_version()
        match name:
            case "errors":
                self._traffic.set_errors(canary, _number(value))
            case "latency":
                self._traffic.set_latency(canary, _number(value))
            case "break":
                self._broken = True
                self._traffic.set_errors(canary, BROKEN_ERRORS)
            case "heal":
                self._broken = False
                self._traffic.set_errors(canary, BASE_ERRORS)
                self._traffic.set_latency(canary, BASE_LATENCY)
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
