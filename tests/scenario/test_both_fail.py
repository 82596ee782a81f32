"""A dependency breaks both versions: that is not this change, so it holds and asks; its own faults go home."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import Stage

V1, V2 = "v1.0.0", "v2.0.0"


async def test_what_breaks_both_versions_holds_and_is_said(stage):
    await stage.deploy()
    await stage.wait(30)
    stage.traffic.set_errors(V1, 30)
    stage.traffic.set_errors(V2, 30)
    await stage.wait(300)
    row = await stage.row()
    assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
    assert stage.weights == (50, 50)
    assert "both versions are beyond it" in stage.story
    assert "probably not this change" in stage.story


@pytest.mark.sweep
async def test_once_only_the_canary_fails_it_goes_home(stage: Stage):
    await stage.deploy()
    await stage.wait(30)
    stage.traffic.set_errors(V1, 30)
    stage.traffic.set_errors(V2, 30)
    await stage.wait(60)
    stage.traffic.set_errors(V1, 0.2)
    await stage.wait(90)
    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
    assert stage.as_armed
