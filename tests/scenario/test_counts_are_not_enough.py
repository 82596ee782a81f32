"""Where the counts know too little they promote nothing: few requests, silence, nothing to compare with."""

from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import Stage

V1, V2 = "v1.0.0", "v2.0.0"


async def test_a_version_that_fails_all_of_its_few_requests_is_never_promoted(tmp_path):
    async with Stage.opened(tmp_path, approvals=0, soak="1m", min_requests=1000) as stage:
        stage.traffic.set_rps(0.05)
        stage.traffic.set_errors(V2, 100)
        await stage.deploy(options="steps=100")
        await stage.wait(400)
        row = await stage.row()
        assert row.phase in {Phase.WAITING, Phase.RUNNING}
        assert row.weight == 100
        await stage.wait(600)
        assert (await stage.row()).phase is not Phase.SUCCEEDED


@pytest.mark.sweep
async def test_after_minutes_in_which_nobody_looked_nothing_passes_by_the_limits_alone(tmp_path):
    async with Stage.opened(tmp_path, approvals=0, soak="5m", min_requests=1000) as stage:
        stage.traffic.set_errors(V2, 4)
        await stage.deploy(options="steps=20,50,100")
        await stage.wait(20)
        assert (await stage.row()).weight == 20
        await stage.bot.stop()
        stage.clock.at += timedelta(minutes=6)
        await stage.start_bot()
        await stage.wait(200)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert "50 % of the traffic" not in stage.story


@pytest.mark.sweep
async def test_counters_that_go_away_in_the_middle_hold_although_the_limits_pass(tmp_path):
    async with Stage.opened(tmp_path, approvals=0, soak="5m", min_requests=50) as stage:
        await stage.deploy(options="steps=20,100")
        await stage.wait(60)
        stage.prometheus.counts = False
        await stage.wait(400)
        row = await stage.row()
        assert row.weight == 20
        assert "nothing was counted for" in stage.story


@pytest.mark.sweep
@pytest.mark.parametrize("weight", [75, 95])
async def test_what_breaks_both_versions_holds_at_any_weight(tmp_path, weight):
    async with Stage.opened(tmp_path, approvals=0, soak="5m", min_requests=1000) as stage:
        stage.traffic.set_rps(50)
        await stage.deploy(options=f"steps={weight},100")
        await stage.wait(60)
        for version in (V1, V2):
            stage.traffic.set_errors(version, 8)
        await stage.wait(900)
        row = await stage.row()
        assert (row.weight, row.back) == (weight, None), stage.story
        assert "both versions" in stage.story


@pytest.mark.sweep
async def test_what_makes_both_versions_slow_holds_with_little_left_on_stable(tmp_path):
    checks = "[{metric: latency_p95, above: 500}]"
    async with Stage.opened(
        tmp_path, approvals=0, soak="5m", min_requests=1000, checks=checks
    ) as stage:
        stage.traffic.set_rps(60)
        await stage.deploy(options="steps=95,100")
        await stage.wait(20)
        for version in (V1, V2):
            stage.traffic.set_latency(version, 700)
        await stage.wait(900)
        row = await stage.row()
        assert (row.weight, row.back) == (95, None)


@pytest.mark.sweep
async def test_what_is_slow_is_learnt_as_soon_as_stable_has_answered_enough(tmp_path):
    checks = "[{metric: latency_p95, above: 5000}]"
    async with Stage.opened(
        tmp_path, approvals=0, soak="5m", min_requests=1000, checks=checks
    ) as stage:
        stage.traffic.set_rps(0.2)
        await stage.restart()
        stage.traffic.set_latency(V2, 900)
        await stage.deploy(options="steps=50,100")
        await stage.wait(60)
        stage.traffic.set_rps(400)
        await stage.wait(240)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
