"""A stage with two regions: two clusters, each with its own mesh and its own numbers, and one rollout over both."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.sandbox.traffic import SimulatedTraffic
from integrations.metrics.templates import Lanes
from tests.fakes.kubernetes import FakeCluster
from tests.scenario.stage import PLACES, WHERE, Stage

US, EU = "us-east", "eu-west"

_TARGET = """\
        - name: {name}
          cluster: {cluster}
          namespace: orion
{where}
          metrics: {{source: {source}, template: istio}}"""


class Regions(Stage):
    """The world of a stage, and a second one beside it."""

    abroad: FakeCluster
    traffic_abroad: SimulatedTraffic

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        await super().raise_world(folder, overrides)
        self.clock.at -= timedelta(minutes=10)
        self.abroad = self.cluster_type(clock=self.clock, pod_start=10)
        with self.as_abroad():
            self._put_service()
        await self.abroad.start()
        self.clock.at += timedelta(minutes=10)
        self.traffic_abroad = SimulatedTraffic(
            self.abroad,
            self.clock,
            service="auth-service",
            namespace="orion",
            lanes=Lanes("orion", *PLACES[self.shape]),
        )
        self.prometheus_abroad = self.prometheus_type(self.traffic_abroad, self.clock)
        url = await self.prometheus_abroad.start()
        self._configure_both(folder / "abroad", url)

    def _configure_both(self, folder: Path, url: str) -> None:
        folder.mkdir()
        config = Path(self.environ["SLUICE_CONFIG"])
        config.write_text(self._two_targets(config.read_text(), folder, url))

    def _two_targets(self, text: str, folder: Path, url: str) -> str:
        kubeconfig = self.abroad.kubeconfig(folder)
        text = text.replace(
            "\nmetrics:\n",
            f'\n  abroad: {{kubeconfig: "{kubeconfig}"}}\n'
            f'metrics:\n  abroad: {{kind: prometheus, url: "{url}"}}\n',
            1,
        )
        where = "\n".join(f"    {line}" for line in WHERE[self.shape].splitlines())
        both = [
            _TARGET.format(name=US, cluster="prod", source="main", where=where),
            _TARGET.format(name=EU, cluster="abroad", source="abroad", where=where),
        ]
        one = f"      cluster: prod\n      namespace: orion\n{WHERE[self.shape]}"
        assert one in text
        return text.replace(one, "      targets:\n" + "\n".join(both))

    async def strike(self) -> None:
        await super().strike()
        await self.prometheus_abroad.stop()
        await self.abroad.stop()

    async def ship_everywhere(self, version: str) -> None:
        """Bring a version to the end in both regions."""
        await self.say(f"/deploy auth-service {version} to production steps=50,100")
        for _ in range(60):
            row = await self.row()
            if row.phase.final:
                return
            if row.gate is not None:
                await self.press("Promote")
            await self.wait(10)

    @property
    def here_and_there(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """What the VirtualService of each region gives to stable and canary."""
        there = self.weights_of(self.abroad)
        return self.weights, there

    def weights_of(self, cluster: FakeCluster) -> tuple[int, int]:
        found = cluster.object("virtualservices", "orion", "auth-service")
        assert found is not None
        route = found["spec"]["http"][0]["route"]
        return route[0].get("weight", 0), route[1].get("weight", 0)

    @property
    def all_as_armed(self) -> bool:
        """Whether both regions are what they were before."""
        with self.as_abroad():
            there = self.as_armed
        return there and self.as_armed

    @contextmanager
    def as_abroad(self) -> Iterator[None]:
        """Look at the other region as a stage looks at its only one."""
        here, self.cluster = self.cluster, self.abroad
        try:
            yield
        finally:
            self.cluster = here
