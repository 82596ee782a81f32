"""A control to the end: some percent stay on the old version while the last soak runs, and the rest follows."""

import pytest

from bot.rollout.values import Phase
from strategies.verdict import Verdict
from tests.scenario.stage import OLU, Stage

BLUE_GREEN = "/deploy auth-service v2.0.0 to production strategy=blue-green keep-baseline=5"


def colours(folder, shape: str = "mesh", block: str = "", **overrides):
    extra = f"      blue_green: {{smoke_for: 20s, soak: 2m, retention: 10s{block}}}"
    return Stage.opened(folder, shape=shape, extra=extra, **overrides)


async def to_95_percent(stage: Stage, line: str = BLUE_GREEN) -> None:
    """Start it, let it be tried in the dark, and say yes."""
    await stage.say(line)
    await stage.wait(45)
    await stage.press("Promote to 95 %")
    await stage.wait(10)
    assert stage.weights == (5, 95)


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["mesh", "fixed"])
async def test_blue_green_moves_the_rest_when_the_soak_with_a_control_has_passed(tmp_path, shape):
    async with colours(tmp_path, shape) as stage:
        await to_95_percent(stage)
        await stage.wait(100)
        assert stage.weights == (5, 95)
        await stage.wait(20)
        assert stage.weights == (0, 100)
        assert "100 % of the traffic on v2.0.0, read back" in stage.story
        await stage.wait(60)
        assert await stage.phase() == (Phase.SUCCEEDED, "")


@pytest.mark.sweep
async def test_three_points_more_errors_than_the_old_version_go_home_from_there(tmp_path):
    async with colours(tmp_path) as stage:
        await to_95_percent(stage)
        stage.traffic.set_errors("v2.0.0", 3)
        await stage.wait(110)
        row = await stage.row()
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
        assert row.back.judgement.ruling.verdict is Verdict.FAIL
        assert stage.as_armed


@pytest.mark.sweep
async def test_what_both_versions_meet_is_not_held_against_the_new_one(tmp_path):
    async with colours(tmp_path) as stage:
        await to_95_percent(stage)
        for version in ("v1.0.0", "v2.0.0"):
            stage.traffic.set_errors(version, 4)
        await stage.wait(130)
        row = await stage.row()
        assert row.back is None
        assert row.phase in {Phase.RUNNING, Phase.SUCCEEDED}


@pytest.mark.sweep
async def test_without_a_control_the_same_is_taken_for_the_new_versions_fault(tmp_path):
    async with colours(tmp_path) as stage:
        await stage.say(BLUE_GREEN.replace("=5", "=0"))
        await stage.wait(45)
        await stage.press("Promote to 100 %")
        await stage.wait(10)
        for version in ("v1.0.0", "v2.0.0"):
            stage.traffic.set_errors(version, 4)
        await stage.wait(110)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")


@pytest.mark.sweep
async def test_a_person_takes_it_home_from_95_percent(tmp_path):
    async with colours(tmp_path) as stage:
        await to_95_percent(stage)
        await stage.say("/rollback auth-service", by=OLU)
        assert stage.weights == (100, 0)
        await stage.wait(30)
        assert stage.as_armed


@pytest.mark.sweep
async def test_after_a_restart_the_rest_still_follows(tmp_path):
    async with colours(tmp_path) as stage:
        await to_95_percent(stage)
        await stage.restart()
        await stage.wait(125)
        assert stage.weights == (0, 100)
        assert (await stage.phase())[0] is Phase.SUCCEEDED


@pytest.mark.sweep
@pytest.mark.parametrize("at", [95, 100])
async def test_each_of_its_two_writes_has_the_time_of_a_switch(tmp_path, at):
    async with colours(tmp_path, block=", switch_timeout: 30s") as stage:
        if at == 95:
            await stage.say(BLUE_GREEN)
            await stage.wait(45)
        else:
            await to_95_percent(stage)
        stage.cluster.fail(503, method="PATCH", path="virtualservices", times=100)
        if at == 95:
            await stage.press("Promote to 95 %")
        else:
            await stage.wait(112)
        await stage.wait(34)
        assert (await stage.row()).code == "switch_timeout"
        stage.cluster.heal()
        await stage.wait(90)
        assert await stage.phase() == (Phase.ROLLED_BACK, "switch_timeout")
        assert stage.as_armed


async def test_a_router_of_all_or_nothing_says_that_it_cannot(tmp_path):
    async with colours(tmp_path, "swap") as stage:
        said = await stage.say(BLUE_GREEN)

        assert "knows all or nothing only, so no part of the traffic can stay" in said
        assert await stage.bot.store.history() == []


@pytest.mark.sweep
async def test_what_is_configured_is_kept_and_to_keep_nothing_is_asked_about_first(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100], keep_baseline: 5") as stage:
        await stage.deploy(options="keep-baseline=0")
        assert "the last soak keeps 0 % on the old version instead of 5 %" in stage.channel()[-1]
        await stage.say("/rollback auth-service")
        await stage.wait(60)

        await stage.deploy("v3.0.0", options="")
        await stage.wait(75)
        await stage.press("Promote to 95 %")
        await stage.wait(30)
        assert stage.weights == (5, 95)


# ---- how long it is watched at most -----------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "soaks"), [("1", 1), ("1.5", 1.5), ("5", 5)])
async def test_a_soak_is_extended_to_so_many_times_its_length_before_a_person_is_asked(
    tmp_path, times, soaks
):
    evidence = f"      evidence: {{mode: off, max_extension: {times}}}"
    async with Stage.opened(tmp_path, min_requests=500_000, extra=evidence) as stage:
        stage.traffic.set_rps(2)
        await stage.deploy()
        await stage.wait(60 * soaks - 10)
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(30)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
        assert row.progress.extended == 60 * (soaks - 1)
