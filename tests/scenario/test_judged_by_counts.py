"""What is counted decides beside the limits: over restarts, at gates, in pauses; what nobody can read decides nothing.

The limit of these stories is 5 %; a version that fails 3 % of its requests never breaks it.
"""

import pytest

from bot.rollout.values import Phase
from strategies.verdict import Verdict
from tests.scenario.stage import ANA, Stage

V2 = "v2.0.0"


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, soak="5m", min_requests=1000) as opened:
        yield opened


async def test_a_version_under_the_limit_but_worse_than_stable_goes_home_within_two_minutes(stage):
    stage.traffic.set_errors(V2, 3)
    await stage.deploy(options="steps=25,100")
    await stage.wait(120)
    row = await stage.row()
    assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
    assert row.back.judgement.ruling.verdict is Verdict.FAIL
    assert stage.as_armed


async def test_a_restart_in_the_middle_of_the_evidence_loses_none_of_it(stage):
    stage.traffic.set_errors(V2, 0.8)
    await stage.deploy(options="steps=25,100")
    await stage.wait(75)
    before = (await stage.row()).judgement.ruling
    assert before is None or before.verdict is not Verdict.FAIL
    for _ in range(10):
        await stage.restart()
        await stage.wait(20)
        if (await stage.row()).phase.final:
            break
    row = await stage.row()
    assert row.phase is Phase.ROLLED_BACK
    assert row.back.judgement.ruling.verdict is Verdict.FAIL


@pytest.mark.sweep
async def test_what_turns_worse_while_a_gate_waits_for_an_hour_goes_home_by_itself(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(3600)
    assert (await stage.row()).phase is Phase.WAITING
    stage.traffic.set_errors(V2, 3)
    await stage.wait(180)
    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
    assert stage.as_armed


async def test_what_turns_worse_in_a_pause_goes_home_too(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(60)
    await stage.say("/deploy pause auth-service", by=ANA)
    stage.traffic.set_errors(V2, 4)
    await stage.wait(300)
    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")


@pytest.mark.sweep
async def test_counts_that_nobody_can_read_promote_nothing(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(240)
    await stage.prometheus.stop()
    await stage.wait(600)
    row = await stage.row()
    assert (row.phase, row.weight) == (Phase.RUNNING, 25.0)
    await stage.wait(600)
    row = await stage.row()
    assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
