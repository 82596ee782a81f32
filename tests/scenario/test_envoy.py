"""A canary on an Envoy that takes its routes from a file: to success, home again, and with an audience first."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import OLU, Stage

ISTIO = "traffic: {kind: istio, virtual_service: auth-service, route: primary}"
LANES = ("auth-1", "auth-2")


class Roadside(Stage):
    """The stage with a route file in the place of a mesh. Its requests are not simulated, so nothing is checked."""

    def configure(self, folder: Path, values: dict[str, Any], prometheus: str, sink: str) -> None:
        self.file = folder / "rds.json"
        clusters = [{"name": name, "weight": w} for name, w in zip(LANES, (100, 0), strict=True)]
        route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}
        hosts = [{"name": "auth", "domains": ["*"], "routes": [route]}]
        config = {"name": "front", "validate_clusters": True, "virtual_hosts": hosts}
        self.file.write_text(json.dumps({"resources": [config]}))
        super().configure(folder, {**values, "checks": "[]"}, prometheus, sink)
        written = folder / "sluice.yaml"
        traffic = f"{{kind: envoy, file: {self.file}, stable: {LANES[0]}, canary: {LANES[1]}}}"
        text = written.read_text()
        assert ISTIO in text
        written.write_text(text.replace(ISTIO, f"traffic: {traffic}"))

    @property
    def routes(self) -> list[Any]:
        config = json.loads(self.file.read_text())["resources"][0]
        return config["virtual_hosts"][0]["routes"]

    @property
    def weights(self) -> tuple[int, int]:
        stable, canary = self.routes[-1]["route"]["weighted_clusters"]["clusters"]
        return stable["weight"], canary["weight"]


@pytest.fixture
async def stage(tmp_path) -> AsyncIterator[Stage]:
    async with Roadside.opened(tmp_path) as opened:
        yield opened


async def test_a_canary_walks_to_success(stage):
    await stage.deploy_to_gate()
    assert stage.weights == (50, 50)

    await stage.press("Promote to 100 %")
    await stage.wait(90)
    assert stage.weights == (0, 100)
    await stage.press("Promote to stable")
    await stage.wait(60)

    assert (await stage.row()).phase is Phase.SUCCEEDED
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert (stage.weights, stage.pods(Lane.CANARY)) == ((100, 0), 0)


async def test_a_canary_with_an_audience_goes_home_again(stage):
    await stage.deploy(options="steps=50,100 header=x-canary=true")
    await stage.wait(75)
    assert (stage.weights, stage.routes[0]["name"]) == ((50, 50), "sluice-1")

    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)

    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert (stage.as_armed, len(stage.routes)) == (True, 1)


async def test_somebody_elses_weights_hold_the_rollout(stage):
    await stage.deploy_to_gate()
    stage.file.write_text(stage.file.read_text().replace('"weight": 50', '"weight": 60', 1))
    await stage.wait(60)

    assert (await stage.phase())[1] == "drift"


@pytest.mark.sweep
async def test_a_route_that_somebody_mangled_still_leads_home(stage):
    await stage.deploy_to_gate()
    whole = {"match": {"prefix": "/"}, "route": {"cluster": LANES[1]}}
    content = json.loads(stage.file.read_text())
    content["resources"][0]["virtual_hosts"][0]["routes"] = [whole]
    stage.file.write_text(json.dumps(content))

    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(60)

    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.routes[0]["route"] == {"cluster": LANES[0]}
