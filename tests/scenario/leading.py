"""A stage whose service is a Rollout of Argo Rollouts: its controller moves the traffic, and the bot looks on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from bot.rollout.values import Phase
from tests.fakes.argo import ArgoCluster, ArgoTraffic, argo_objects
from tests.scenario.stage import PLACES, WHERE, Stage

V1, V2, V3 = (f"ghcr.io/orion/auth:{version}" for version in ("v1.0.0", "v2.0.0", "v3.0.0"))

WHERE["argo"] = """\
      workload: {kind: argo_rollout, name: auth-service, container: auth-service, image: ghcr.io/orion/auth,
                 stable: auth-stable, canary: auth-canary}"""
PLACES["argo"] = ("auth-stable", "auth-canary")


class ArgoStage(Stage):
    cluster_type = ArgoCluster
    traffic_type = ArgoTraffic
    strategy: Mapping[str, Any] | None = None

    @classmethod
    @asynccontextmanager
    async def leading(
        cls, folder: Path, strategy: Mapping[str, Any] | None = None, **overrides: Any
    ) -> AsyncIterator[Self]:
        """Open a stage whose Rollout has this strategy."""
        told = type(cls.__name__, (cls,), {"strategy": strategy})
        async with told.opened(folder, shape="argo", **overrides) as stage:
            yield stage

    def _put_service(self) -> None:
        for body in argo_objects(strategy=self.strategy):
            self.cluster.put(body)
        self.cluster.rollout()

    # ---- what people and controllers do -----------------------------------------------------------------------------

    async def begin(self, version: str = "v2.0.0", options: str = "") -> None:
        """Ask for a version, and let the controller come to its first pause, at 25 %."""
        await self.say(f"/deploy auth-service {version} to production {options}".rstrip())
        await self.wait(20)

    async def promoted_by_hand(self) -> None:
        """Somebody types `kubectl argo rollouts promote`, and the controller gets to its next step."""
        self.cluster.kubectl(pauseConditions=None)
        self.clock.at += timedelta(seconds=6)
        self.cluster.rollout()

    # ---- what can be seen -------------------------------------------------------------------------------------------

    @property
    def status(self) -> dict[str, Any]:
        return self.cluster.rollout()["status"]

    @property
    def asked_for(self) -> str:
        """The image that the Rollout names."""
        return self.cluster.rollout()["spec"]["template"]["spec"]["containers"][0]["image"]

    @property
    def share(self) -> int:
        """Percent of the traffic that the new version has."""
        return self.status["canary"]["weights"]["canary"]["weight"]

    @property
    def orders(self) -> list[str]:
        """What was written to the Rollout, besides fences: `image`, `pauseConditions`, `abort` …"""
        told = []
        for write in self.cluster.log:
            for op in write.body:
                name = op["path"].rpartition("/")[2]
                if op["op"] != "test" and name not in {"resourceVersion", "annotations"}:
                    told.append(name if "sluice" not in name else "")
        return [name for name in told if name]

    async def ended(self) -> Phase:
        """Wait until it is over."""
        for _ in range(60):
            row = await self.row()
            if row.phase.final:
                return row.phase
            await self.wait(10)
        raise AssertionError(f"it did not end: {row.phase} {row.code}\n{self.story}")
