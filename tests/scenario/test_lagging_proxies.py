"""A router that reads back is ahead of the proxies that follow it: no pod stops where requests may still arrive."""

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import Stage

EXTRA = "      ab_test: {duration: 1m, winner: manual}"


async def to_all_traffic(stage: Stage) -> None:
    """Let somebody name B the winner of an A/B test: all traffic moves, and no soak follows."""
    await stage.deploy(options="strategy=ab-test")
    await stage.wait(75)
    await stage.press("Promote")
    for _ in range(40):
        if (await stage.row()).weight == 100:
            return
        await stage.wait(0.5)
    raise AssertionError(await stage.told())


@pytest.mark.sweep
async def test_stable_keeps_its_pods_for_five_seconds_after_the_traffic_left_it(tmp_path):
    async with Stage.opened(tmp_path, extra=EXTRA) as stage:
        await to_all_traffic(stage)
        await stage.wait(4)
        before = stage.image(Lane.STABLE)
        await stage.wait(4)
        after = stage.image(Lane.STABLE)

    assert before == "ghcr.io/orion/auth:v1.0.0"
    assert after.startswith("ghcr.io/orion/auth:v2.0.0")


@pytest.mark.sweep
async def test_a_next_rollout_does_not_get_a_colour_that_requests_may_still_reach(tmp_path):
    async with Stage.opened(tmp_path, shape="mesh", extra=EXTRA) as stage:
        await to_all_traffic(stage)
        await stage.wait(4)
        busy = await stage.say("/deploy auth-service v3.0.0 to production strategy=direct")
        before = (await stage.row()).phase
        await stage.wait(4)
        after = (await stage.row()).phase

    assert "v2.0.0" in busy
    assert before is Phase.RUNNING
    assert after is Phase.SUCCEEDED


@pytest.mark.sweep
async def test_going_back_leaves_the_pods_of_an_audience_for_five_seconds(tmp_path):
    """It reaches the canary at a weight of 0, and its route was not even read back."""
    async with Stage.opened(tmp_path) as stage:
        stage.cluster.hold(times=100, path="virtualservices")
        await stage.say("/deploy auth-service v2.0.0 to production header=x-canary=true")
        await stage.wait(15)
        assert (await stage.row()).weight == 0
        assert 200 in await stage.cluster.land()
        stage.cluster.heal()
        await stage.say("/rollback auth-service", by="U0OLU")
        await stage.wait(4)
        before = stage.pods(Lane.CANARY)
        await stage.wait(6)
        after = stage.pods(Lane.CANARY)

    assert before > 0
    assert after == 0
