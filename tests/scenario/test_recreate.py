"""Recreate and direct: all of it at once, with a downtime that is said or without one."""

from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ALERTS, OLU, PLACES, Stage

pytestmark = pytest.mark.sweep

RECREATE = "/deploy auth-service v2.0.0 to production strategy=recreate"
DIRECT = "/deploy auth-service v2.0.0 to production strategy=direct"
EXTRA = "      recreate: {soak: 30s}\n      direct: {soak: 30s}"
shapes = pytest.mark.parametrize("shape", ["fixed", "swap", "one"])


def house(folder, shape: str, **overrides):
    return Stage.opened(folder, shape=shape, extra=EXTRA, **overrides)


async def approved(stage: Stage, line: str = RECREATE) -> None:
    await stage.say(line)
    await stage.wait(16)
    await stage.press("Promote", by="U0ANA")


async def until(stage: Stage, verb: str) -> None:
    """Let time pass until the journal has this line."""
    for _ in range(60):
        if verb in await stage.told():
            return
        await stage.wait(1)
    raise AssertionError(f"no {verb} in {await stage.told()}")


def name_of(stage: Stage) -> str:
    """The Deployment that serves, and is replaced."""
    return next(name for name in PLACES[stage.shape] if name)


def pods_asked_for(stage: Stage) -> int:
    return int(stage.cluster.object("deployments", "orion", name_of(stage))["spec"]["replicas"])


def whole(stage: Stage) -> int:
    return 10 if stage.shape == "one" else 4


def serves(stage: Stage, version: str) -> bool:
    """All pods run this version, as many as ever, and have all of the traffic."""
    return stage.versions == {version: whole(stage)} and not away(stage)


def away(stage: Stage) -> bool:
    """Whether traffic goes elsewhere than where it went at the beginning."""
    return stage.shape != "one" and (
        stage.routed_to_green if stage.shape in {"swap", "mesh"} else stage.weights != (100, 0)
    )


# ---- recreate ------------------------------------------------------------------------------------


@shapes
async def test_the_old_version_stops_before_the_new_one_starts_and_both_are_never_there_at_once(
    tmp_path, shape
):
    async with house(tmp_path, shape) as stage:
        await approved(stage)
        seen = []
        for _ in range(30):
            seen.append(tuple(stage.versions))
            await stage.wait(1)
        order = [now for now, before in zip(seen, [None, *seen], strict=False) if now != before]
        assert order[-2:] == [(), ("v2.0.0",)]
        assert ("v1.0.0", "v2.0.0") not in order
        story = stage.story
        assert story.index("Stopping v1.0.0; nobody is served until v2.0.0 is ready") < story.index(
            "v1.0.0 is stopped; starting"
        )
        await stage.wait(40)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert serves(stage, "v2.0.0")


@shapes
async def test_nothing_is_started_while_an_old_pod_is_still_there(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await stage.say(RECREATE)
        await stage.wait(5)
        stage.cluster.stalled = True
        await stage.press("Promote", by="U0ANA")
        await stage.wait(60)
        assert pods_asked_for(stage) == 0
        assert "starting" not in await stage.told()
        stage.cluster.stalled = False
        await stage.wait(60)
        assert await stage.phase() == (Phase.SUCCEEDED, "")


@shapes
async def test_the_downtime_is_said_before_anybody_approves_and_while_it_lasts(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        plan = await stage.say(RECREATE.replace("/deploy", "/deploy plan"))
        assert "nobody is served in between" in plan
        assert stage.cluster.log == []
        await stage.say(RECREATE)
        await stage.wait(5)
        question = stage.channel()[-1]
        assert "[Promote with downtime]" in question
        assert stage.cluster.log == []
        await stage.press("Promote with downtime", by="U0ANA")
        await stage.wait(5)
        assert "nobody is served until its first instance is ready" in stage.card


@shapes
async def test_the_router_is_left_alone(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await approved(stage)
        await stage.wait(80)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert {w.path.rpartition("/")[2] for w in stage.cluster.log} == {name_of(stage)}


@pytest.mark.parametrize(
    ("shape", "mishap", "codes"),
    [
        ("fixed", "crash_loop", {"crash_loop"}),
        ("swap", "image_pull", {"image_pull"}),
        ("fixed", "never_ready", {"not_ready_in_time", "deadline"}),
        ("one", "crash_loop", {"crash_loop"}),
        ("one", "never_ready", {"not_ready_in_time", "deadline"}),
    ],
)
async def test_a_new_version_that_does_not_get_ready_makes_room_for_the_old_one(
    tmp_path, shape, mishap, codes
):
    async with house(tmp_path, shape) as stage:
        stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", mishap)
        await approved(stage)
        await stage.wait(700)
        phase, code = await stage.phase()
        assert phase is Phase.ROLLED_BACK, await stage.told()
        assert code in codes
        assert stage.as_armed
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert alert["reason_code"] == code
        assert len([text for text in stage.channel(ALERTS) if "@oncall" in text]) == 1


@shapes
async def test_going_back_in_the_middle_of_the_stop_starts_the_old_version_at_once(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await stage.say(RECREATE)
        await stage.wait(5)
        stage.cluster.stalled = True
        await stage.press("Promote", by="U0ANA")
        await until(stage, "stopping")
        assert pods_asked_for(stage) == 0
        stage.cluster.stalled = False
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(5)
        assert pods_asked_for(stage) == whole(stage)
        await stage.wait(30)
        assert await stage.phase() == (Phase.ROLLED_BACK, "asked")
        assert stage.as_armed


@shapes
async def test_going_back_while_the_new_version_starts_brings_the_old_one_back(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await approved(stage)
        await until(stage, "starting")
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert await stage.phase() == (Phase.ROLLED_BACK, "asked")
        assert stage.as_armed


@shapes
async def test_a_check_that_fails_afterwards_brings_the_old_version_back(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await approved(stage)
        await stage.wait(30)
        assert serves(stage, "v2.0.0")
        stage.traffic.set_errors("v2.0.0", 60)
        await stage.wait(90)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed


@shapes
async def test_a_restart_while_nobody_is_served_goes_on(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await approved(stage)
        await until(stage, "starting")
        await stage.bot.stop()
        stage.clock.at += timedelta(seconds=90)
        await stage.start_bot()
        await stage.wait(60)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert serves(stage, "v2.0.0")


@shapes
async def test_a_cluster_that_is_away_in_the_middle_of_the_stop_is_waited_for(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await approved(stage)
        await until(stage, "stopping")
        await stage.cluster.down()
        await stage.wait(120)
        await stage.cluster.up()
        await stage.wait(150)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert serves(stage, "v2.0.0")


async def test_undoing_it_after_success_is_a_rollout_of_its_own(tmp_path):
    async with house(tmp_path, "one") as stage:
        await approved(stage)
        await stage.wait(80)
        await stage.say("/rollback auth-service now", by=OLU)
        await stage.wait(60)
        assert serves(stage, "v1.0.0")
        assert (await stage.row()).rollback_of


# ---- direct --------------------------------------------------------------------------------------


@shapes
async def test_direct_serves_somebody_all_the_time_and_watches_for_its_soak(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await approved(stage, DIRECT)
        least = whole(stage)
        for _ in range(100):
            least = min(least, sum(stage.versions.values()))
            await stage.wait(1)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert least >= whole(stage) - 5, "more than max_concurrent were away"
        assert "soaked" in await stage.told()
        assert serves(stage, "v2.0.0") or away(stage)


@shapes
async def test_direct_goes_home_by_itself_when_a_check_fails(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await approved(stage, DIRECT)
        await stage.wait(25)
        stage.traffic.set_errors("v2.0.0", 60)
        await stage.wait(90)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed"), await stage.told()
        assert stage.as_armed
        assert len(await stage.alerts("rollout.rolled_back")) == 1


@pytest.mark.parametrize("shape", ["fixed", "swap"])
async def test_direct_moves_all_traffic_in_one_write(tmp_path, shape):
    async with house(tmp_path, shape) as stage:
        await stage.say(DIRECT)
        await stage.wait(15)
        before = len(stage.cluster.log)
        await stage.press("Promote to 100 %", by="U0ANA")
        await stage.wait(5)
        routed = [w.path for w in stage.cluster.log[before:] if w.path.endswith("/auth-service")]
        assert len(routed) == 1
        assert stage.pods(Lane.STABLE) == 4
