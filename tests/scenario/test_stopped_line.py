"""M5, M8: the stopped line, and versions that are quarantined because they were rolled back by themselves."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ANA, BEN, DANA, Stage

DEPLOY = "/deploy auth-service v2.0.0 steps=50,100"
HOUR = 3600


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100]") as opened:
        yield opened


# ---- the stopped line -----------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_stopped_line_lists_what_goes_on_with_a_button_to_pause_it(stage):
    await stage.deploy()
    answer = await stage.say("/deploy freeze production incident 12", by=BEN)
    assert "production is stopped until somebody thaws it (“incident 12”)" in answer
    assert "auth-service v2.0.0 at 50 %" in answer
    assert "production was stopped by @Ben" in stage.channel()[-1]
    await stage.press("Pause auth-service", by=BEN)
    assert (await stage.phase())[0] is Phase.PAUSED


async def test_a_stopped_line_stops_everybody_its_owner_too(stage):
    await stage.say("/deploy freeze production for 1h incident 12", by=DANA)
    refused = await stage.say(DEPLOY, by=DANA)
    assert "production was stopped by @Dana" in refused
    assert "frozen" in refused
    assert "[Take over]" not in refused
    assert "already_frozen" in await stage.say("/deploy freeze production me too", by=BEN)


@pytest.mark.sweep
async def test_thaw_says_what_asks_meanwhile(stage):
    await stage.say("/deploy auth-service v2.0.0 steps=50,100 at=05:00")
    await stage.say("/deploy freeze production incident 12", by=BEN)
    await stage.wait(2 * HOUR)
    answer = await stage.say("/deploy thaw production found it", by=ANA)
    assert "These ask whether to start: auth-service v2.0.0" in answer
    assert "@Ana let production go on" in stage.channel()[-1]
    await stage.press("Start auth-service", by=ANA)
    await stage.wait(16)
    assert stage.weights == (50, 50)
    assert "not_frozen" in await stage.say("/deploy thaw production")


# ---- quarantine -----------------------------------------------------------------------------------------------------


async def fail(stage: Stage) -> None:
    """Let v2.0.0 be rolled back by itself."""
    await stage.deploy()
    stage.traffic.set_errors("v2.0.0", 30)
    await stage.wait(120)
    assert (await stage.phase())[0] is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_a_version_that_was_rolled_back_by_itself_is_quarantined(stage):
    """M5, M8: locked until somebody overrides it."""
    await fail(stage)
    assert "quarantined" in stage.story
    row = await stage.row()
    (lock,) = await stage.bot.store.locks()
    assert (lock.id, lock.version, lock.expires) == (f"q-{row.id}", "v2.0.0", None)
    refused = await stage.say(DEPLOY)
    assert "v2.0.0 is quarantined on auth-service in production" in refused
    assert "quarantined" in refused
    assert "quarantined" in await stage.say("/deploy auth-service ghcr.io/orion/auth:v2.0.0")
    assert "requested by" in await stage.say("/deploy auth-service v3.0.0")


@pytest.mark.sweep
async def test_a_quarantine_is_lifted_by_name_and_aloud(stage):
    await fail(stage)
    assert "v2.0.0 is quarantined in production" in await stage.say("/deploy unlock auth-service")
    answer = await stage.say("/deploy unlock auth-service production it was the load test", by=ANA)
    assert "v2.0.0 may start on auth-service in production again" in answer
    assert "@Ana let v2.0.0 start on auth-service in production again" in stage.channel()[-1]
    stage.traffic.set_errors("v2.0.0", 0)
    assert "requested by" in await stage.say(DEPLOY)


@pytest.mark.sweep
async def test_a_rollback_that_a_person_asks_for_quarantines_nothing(stage):
    await stage.deploy()
    await stage.say("/rollback auth-service")
    await stage.wait(60)
    assert await stage.bot.store.locks() == []
    assert "requested by" in await stage.say(DEPLOY)


@pytest.mark.sweep
async def test_the_quarantine_is_in_the_commit_of_the_decision(stage):
    """No look between the two finds one without the other."""
    await stage.deploy()
    stage.traffic.set_errors("v2.0.0", 30)
    for _ in range(120):
        await stage.wait(1)
        row, locks = await stage.row(), await stage.bot.store.locks()
        assert (row.back is not None) == bool(locks)
        if locks:
            break
    assert locks[0].at == row.back.at
