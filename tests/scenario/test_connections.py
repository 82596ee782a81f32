"""A service that speaks no HTTP: its connections are split by port, from the first notch to the end and back."""

from typing import Any

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import DANA, OLU, Stage

AUTH = ("virtualservices", "orion", "auth-service")


class Wire(Stage):
    """The pair behind a tcp route of port 3306, beside one that is none of ours."""

    def _put_service(self) -> None:
        super()._put_service()

        def plain(body: dict[str, Any]) -> None:
            split = body["spec"].pop("http")[0]["route"]
            mail = {"match": [{"port": 25}], "route": [{"destination": {"host": "mail"}}]}
            body["spec"]["tcp"] = [mail, {"match": [{"port": 3306}], "route": split}]

        self.cluster.edit(*AUTH, plain)

    def configure(self, folder, values, prometheus, sink) -> None:
        super().configure(folder, values, prometheus, sink)
        config = folder / "sluice.yaml"
        config.write_text(config.read_text().replace("route: primary", "port: 3306"))

    @property
    def weights(self) -> tuple[int, int]:
        stable, canary = self.cluster.object(*AUTH)["spec"]["tcp"][1]["route"]
        return stable.get("weight", 0), canary.get("weight", 0)


@pytest.fixture
async def wire(tmp_path):
    async with Wire.opened(tmp_path) as opened:
        yield opened


@pytest.mark.sweep
async def test_connections_walk_to_the_end(wire):
    before = wire.cluster.object(*AUTH)["spec"]

    await wire.deploy()
    assert wire.weights == (50, 50)
    await wire.wait(75)
    await wire.press("Promote to 100 %")
    await wire.wait(90)
    assert wire.weights == (0, 100)
    await wire.press("Promote to stable")
    await wire.wait(60)

    assert (await wire.phase())[0] is Phase.SUCCEEDED
    assert wire.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert wire.cluster.object(*AUTH)["spec"] == before


@pytest.mark.sweep
async def test_connections_go_home(wire):
    await wire.deploy()
    await wire.say("/rollback auth-service", by=OLU)
    await wire.wait(30)

    assert (await wire.phase())[0] is Phase.ROLLED_BACK
    assert wire.as_armed


async def test_connections_have_no_audience_and_that_is_said_before_anything_is_started(wire):
    await wire.say("/deploy auth-service v2.0.0 to production steps=50,100 user-tier=beta")

    assert "user-tier" in wire.heard(DANA)
    assert wire.pods(Lane.CANARY) == 0
