"""After success on colours: the old one is kept for a while, then scaled down; until then going back is one write."""

from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from bot.rollout.wanted import PutLane
from integrations.base import Lane
from tests.scenario.stage import OLU, Stage

pytestmark = pytest.mark.sweep

EXTRA = "      blue_green: {smoke_for: 0s, soak: 30s, retention: 10m}"
BLUE, GREEN = Lane.STABLE, Lane.CANARY


async def ship(stage: Stage, version: str = "v2.0.0") -> None:
    """Bring a version to success by blue-green; it takes 45 s."""
    await stage.say(f"/deploy auth-service {version} to production strategy=blue-green")
    await stage.wait(14)
    await stage.press("Promote to 100 %")
    await stage.wait(31)
    row = await stage.row()
    assert (row.version, row.phase) == (version, Phase.SUCCEEDED)


@pytest.fixture
async def live(tmp_path, request):
    """v2.0.0 went live in green, v1.0.0 in blue is kept ready for ten minutes."""
    shape = getattr(request, "param", "swap")
    async with Stage.opened(tmp_path, shape=shape, extra=EXTRA) as stage:
        await ship(stage)
        yield stage


everywhere = pytest.mark.parametrize("live", ["swap", "mesh"], indirect=True)


def patched(stage: Stage, since: int = 0) -> list[str]:
    """The objects that were written, in order."""
    return [w.path.rpartition("/")[2] for w in stage.cluster.log[since:] if w.method == "PATCH"]


async def first(stage: Stage):
    """The rollout of v2.0.0, however many came after it."""
    return (await stage.bot.store.history(limit=50))[-1]


async def rolled_back(stage: Stage) -> None:
    """v1.0.0 in blue is live again with all its pods, and stays so."""
    row = await stage.row()
    assert (row.version, row.phase, row.code) == ("v1.0.0", Phase.SUCCEEDED, ""), stage.story
    assert not stage.routed_to_green
    assert stage.image(BLUE) == "ghcr.io/orion/auth:v1.0.0"
    assert stage.pods(BLUE) == 4


async def test_the_card_says_until_when_going_back_is_instant(live):
    row = await live.row()
    assert row.retire_at == row.ended + timedelta(minutes=10)
    assert "v1.0.0 (blue) stays ready until" in live.card
    assert "rollback is instant until then" in live.card
    assert await live.bot.store.in_flight() == []


@everywhere
async def test_going_back_in_time_is_one_write_of_the_router_and_instant(live):
    await live.wait(300)
    before = len(live.cluster.log)
    answer = await live.say("/rollback auth-service", by=OLU)
    assert "v1.0.0 is still kept ready, so the traffic moves at once" in answer
    await live.press("Yes", by=OLU)
    assert not live.routed_to_green
    await live.wait(10)
    await rolled_back(live)
    written = patched(live, before)
    assert [name for name in written if name != "auth-service-preview"] == ["auth-service"]
    await live.wait(60)
    assert live.pods(GREEN) == 0
    assert live.versions == {"v1.0.0": 4}


@everywhere
async def test_when_its_time_is_over_the_old_colour_is_scaled_down_and_going_back_starts_it_first(
    live,
):
    await live.wait(595)
    assert live.pods(BLUE) == 4
    await live.wait(10)
    assert (live.pods(BLUE), live.pods(GREEN)) == (0, 4)
    assert (await live.told())[-1] == "retired"
    assert "v1.0.0 (blue) is no longer kept ready" in live.card
    assert live.wheel.due == {}

    answer = await live.say("/rollback auth-service", by=OLU)
    assert "is no longer kept ready, so this takes as long as it needs to start" in answer
    await live.press("Yes", by=OLU)
    await live.wait(5)
    assert live.routed_to_green
    assert live.pods(BLUE) == 4
    await live.wait(20)
    await rolled_back(live)


async def test_a_new_rollout_ends_the_keeping_and_takes_the_colour(live):
    await live.wait(60)
    await live.say("/deploy auth-service v3.0.0 to production strategy=blue-green")
    assert (await first(live)).retire_at is None
    await live.wait(14)
    assert live.image(BLUE) == "ghcr.io/orion/auth:v3.0.0"
    await live.wait(900)
    assert (live.pods(BLUE), live.pods(GREEN)) == (4, 4)
    assert (await live.row()).phase is Phase.WAITING


async def test_a_bot_that_was_down_at_that_time_scales_it_down_when_it_is_back(live):
    await live.bot.stop()
    live.clock.at += timedelta(hours=2)
    await live.start_bot()
    await live.wait(5)
    assert (live.pods(BLUE), live.pods(GREEN)) == (0, 4)
    assert (await live.told()).count("retired") == 1


async def test_while_the_cluster_is_out_of_reach_the_old_colour_waits_and_nobody_is_called(live):
    await live.wait(590)
    await live.cluster.down()
    await live.wait(300)
    assert (await live.row()).retire_at is not None
    await live.cluster.up()
    await live.wait(90)
    assert (live.pods(BLUE), live.pods(GREEN)) == (0, 4)
    assert await live.phase() == (Phase.SUCCEEDED, "")
    assert live.channel("C0ALERTS") == []


def to_blue_by_hand(stage: Stage) -> None:
    def select(body):
        body["spec"]["selector"]["version"] = "blue"

    def weigh(body):
        for route, weight in zip(body["spec"]["http"][0]["route"], (100, 0), strict=True):
            route["weight"] = weight

    if stage.shape == "swap":
        stage.cluster.edit("services", "orion", "auth-service", select)
    else:
        stage.cluster.edit("virtualservices", "orion", "auth-service", weigh)


@everywhere
async def test_traffic_that_somebody_moved_back_by_hand_keeps_its_pods(live):
    to_blue_by_hand(live)
    await live.wait(900)
    assert live.pods(BLUE) == 4
    assert (await live.told())[-1] == "retired:not_retired"
    assert "was left running: the traffic is not where this rollout left it" in live.story
    assert live.wheel.due == {}


async def test_a_colour_that_cannot_be_scaled_down_is_left_running_and_said_so(live):
    live.cluster.fail(403, method="PATCH", path="deployments", times=50)
    await live.wait(700)
    assert live.pods(BLUE) == 4
    assert (await live.told())[-1] == "retired:not_retired"


async def test_a_scale_down_that_did_not_get_through_is_tried_again(live):
    live.cluster.fail(503, method="PATCH", path="deployments", times=3)
    await live.wait(800)
    assert (live.pods(BLUE), live.pods(GREEN)) == (0, 4)
    assert (await live.told()).count("retired") == 1


@pytest.mark.parametrize("lands", [0.5, 6, 40])
async def test_a_scale_down_that_lands_late_does_not_hurt_the_rollback_that_followed(live, lands):
    await live.wait(595)
    live.cluster.hold(times=30, path="deployments/auth-service-blue")
    while not isinstance((await first(live)).intent, PutLane):
        await live.wait(1)
    live.cluster.heal()
    await live.say("/rollback auth-service now", by=OLU)
    await live.wait(lands)
    assert set(await live.cluster.land()) == {409}
    await live.wait(120)
    await rolled_back(live)
    assert live.versions["v1.0.0"] == 4


@everywhere
async def test_a_scale_down_that_lands_late_does_not_hurt_the_next_rollout(live):
    await live.wait(595)
    live.cluster.hold(times=30, path="deployments/auth-service-blue")
    while not isinstance((await first(live)).intent, PutLane):
        await live.wait(1)
    live.cluster.heal()
    await live.say("/deploy auth-service v3.0.0 to production strategy=blue-green")
    await live.wait(5)
    assert set(await live.cluster.land()) == {409}
    await live.wait(30)
    assert live.image(BLUE) == "ghcr.io/orion/auth:v3.0.0"
    assert (live.pods(BLUE), live.pods(GREEN)) == (4, 4)
    assert (await live.row()).phase is Phase.WAITING


async def test_a_second_undoing_within_the_hour_is_asked_about_as_ever(live):
    await live.say("/rollback auth-service now", by=OLU)
    await live.wait(10)
    assert "already_rolled_back" in await live.say("/rollback auth-service now", by=OLU)
    await rolled_back(live)


@pytest.mark.parametrize("shape", ["swap", "mesh"])
async def test_without_retention_the_old_colour_stays_half_a_minute_for_proxies_that_lag(
    tmp_path, shape
):
    extra = EXTRA.replace("10m", "0s")
    async with Stage.opened(tmp_path, shape=shape, extra=extra) as stage:
        await ship(stage)
        assert stage.pods(BLUE) == 4
        await stage.wait(40)
        assert (stage.pods(BLUE), stage.pods(GREEN)) == (0, 4)
        assert "stays ready" not in stage.card


async def test_a_kept_colour_is_scaled_down_after_a_rollout_that_was_rolled_back(live):
    await live.wait(60)
    await live.say("/deploy auth-service v3.0.0 to production strategy=blue-green")
    await live.wait(30)
    assert (await first(live)).retire_at is None
    await live.say("/rollback auth-service", by=OLU)
    await live.wait(60)
    assert (await live.phase())[0] is Phase.ROLLED_BACK
    assert live.versions == {"v1.0.0": 4, "v2.0.0": 4}, "blue is kept as before"

    await live.wait(1200)
    assert live.versions == {"v2.0.0": 4}
    assert (await live.told()).count("retired") == 1
