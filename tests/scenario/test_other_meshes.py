"""A canary over the Gateway API and over Linkerd, both ways: to success, home again, and with an audience first."""

from collections.abc import AsyncIterator

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import OLU, OTHER_MESHES, Stage
from tests.sweeping import mostly_swept


@pytest.fixture(params=mostly_swept(OTHER_MESHES, lambda mesh: mesh in {"gateway", "smi"}))
async def stage(request, tmp_path) -> AsyncIterator[Stage]:
    async with Stage.opened(tmp_path, shape=request.param) as opened:
        yield opened


@pytest.mark.sweep
async def test_a_canary_walks_to_success(stage):
    await stage.deploy_to_gate()
    assert stage.weights == (50, 50)
    assert stage.traffic.flows[Lane.CANARY].weight == 50

    await stage.press("Promote to 100 %")
    await stage.wait(75)
    assert stage.weights == (0, 100)
    await stage.press("Promote to stable")
    await stage.wait(60)

    assert (await stage.row()).phase is Phase.SUCCEEDED
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert (stage.weights, stage.pods(Lane.CANARY)) == ((100, 0), 0)


@pytest.mark.sweep
async def test_a_canary_goes_home_again(stage):
    await stage.deploy_to_gate()

    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)

    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.as_armed


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["gateway", "linkerd"])
async def test_an_audience_comes_before_the_weights_and_goes_with_them(tmp_path, shape):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        stage.traffic.set_audience(10)
        before = stage.split_object["spec"]
        await stage.say("/deploy auth-service v2.0.0 to production header=x-canary=true")
        await stage.wait(14)
        first = stage.split_object["spec"]["rules"][0]
        share = stage.traffic.flows[Lane.CANARY].weight

        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(30)

        assert first["name"] == "sluice-1"
        assert first["matches"][0]["headers"] == [
            {"name": "x-canary", "type": "Exact", "value": "true"}
        ]
        assert share >= 10
        assert (await stage.row()).phase is Phase.ROLLED_BACK
        assert stage.split_object["spec"] == before


@pytest.mark.sweep
async def test_a_weight_that_no_gateway_has_taken_over_is_waited_for(tmp_path):
    async with Stage.opened(tmp_path, shape="gateway") as stage:
        stage.cluster.lagging.add("httproutes")
        await stage.deploy_to_gate()
        row = await stage.row()
        assert (stage.weights, row.weight, row.gate) == ((50, 50), 0, None)
        assert row.trouble is not None
        assert row.trouble.code == "route_not_accepted"

        stage.cluster.lagging.clear()
        await stage.wait(120)

        row = await stage.row()
        assert (row.weight, row.trouble) == (50, None)
        assert row.gate is not None


@pytest.mark.sweep
async def test_going_home_is_written_while_no_gateway_listens(tmp_path):
    async with Stage.opened(tmp_path, shape="gateway") as stage:
        await stage.deploy_to_gate()
        stage.cluster.lagging.add("httproutes")

        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(30)
        written, phase = stage.weights, (await stage.row()).phase
        stage.cluster.lagging.clear()
        await stage.wait(60)

        assert (written, phase) == ((100, 0), Phase.ROLLING_BACK)
        assert (await stage.row()).phase is Phase.ROLLED_BACK


async def test_a_trafficsplit_has_no_audience(tmp_path):
    async with Stage.opened(tmp_path, shape="smi") as stage:
        answer = await stage.say("/deploy auth-service v2.0.0 to production header=x-canary=true")

        assert "header" in answer
        assert await stage.bot.store.history(limit=1) == []
