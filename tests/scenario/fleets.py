"""The stage with another fleet than a Deployment: a StatefulSet, a DaemonSet, or nodes behind HTTP; six instances."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.sandbox.orion import daemon_objects, stateful_objects
from tests.contract.fleet_worlds import WAYS
from tests.fakes.http_fleet import Runners
from tests.scenario.stage import IMAGE, PLACES, WHERE, Stage

ALL = 6
KINDS = ["statefulset", "daemonset", "http_fleet"]
_SETS = {
    "statefulset": ("statefulsets", stateful_objects),
    "daemonset": ("daemonsets", daemon_objects),
}
WHERE |= {
    kind: f"      workload: {{kind: {kind}, name: auth-service, container: auth-service, image: {IMAGE}}}"
    for kind in _SETS
}
PLACES |= dict.fromkeys(KINDS, ("", "auth-service"))
_TEN_SECONDS = timedelta(seconds=10)


def _nodes(runners: Runners) -> str:
    block = {"kind": "http_fleet", "instances": runners.instances, **WAYS}
    return f"      workload: {json.dumps(block)}"


class FleetStage(Stage):
    """One bot, and one fleet of a kind."""

    runners: Runners | None = None

    def _put_service(self) -> None:
        self.cluster.set_nodes(ALL)
        if self.shape in _SETS:
            for body in _SETS[self.shape][1]("auth-service", "orion", f"{IMAGE}:v1.0.0", ALL):
                self.cluster.put(body)
            # Each pod waits for the one before it; what is not looked at does not happen.
            for _ in range(ALL):
                self.clock.at += _TEN_SECONDS
                self.cluster.pods("orion")

    async def raise_world(self, folder: Any, overrides: dict[str, Any]) -> None:
        if overrides["shape"] == "http_fleet":
            names = [f"node-{n}" for n in range(1, ALL + 1)]
            self.runners = Runners(self._now, names, "v1.0.0")
            await self.runners.start()
            WHERE["http_fleet"] = _nodes(self.runners)
        await super().raise_world(folder, overrides)

    def _now(self) -> datetime:
        # The nodes are older than the clock of the stage.
        return self.clock() if hasattr(self, "clock") else datetime(2026, 1, 1, tzinfo=UTC)

    async def strike(self) -> None:
        await super().strike()
        if self.runners is not None:
            await self.runners.stop()

    @property
    def versions(self) -> dict[str, int]:
        """The ready instances, by the version they run."""
        return super().versions if self.runners is None else self.runners.versions

    def break_version(self, version: str) -> None:
        """Let what starts with a version never get well."""
        if self.runners is not None:
            self.runners.broken.add(version)
        else:
            self.cluster.break_image(f"{IMAGE}:{version}", "crash_loop")

    @property
    def as_found(self) -> bool:
        """Whether the fleet is held by nobody."""
        if self.runners is not None:
            return True
        found = self.cluster.object(_SETS[self.shape][0], "orion", "auth-service")
        assert found is not None
        notes = found["metadata"].get("annotations", {})
        rolling = found["spec"]["updateStrategy"].get("rollingUpdate")
        return "sluice/strategy" not in notes and rolling in (
            {"partition": 0},
            {"maxUnavailable": 1, "maxSurge": 0},
        )
