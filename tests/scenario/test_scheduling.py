"""Rollouts that start later: on time, late, asked about, cancelled; none starts behind anybody's back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ANA, BEN, DANA, Stage

AT_FIVE = "/deploy auth-service v2.0.0 at=05:00"
"""It is ten past three when the stage opens, on a Saturday."""
FIVE = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100]") as opened:
        yield opened


async def wait_until(stage: Stage, at: datetime) -> None:
    await stage.wait((at - stage.clock.at).total_seconds())


async def sleep_until(stage: Stage, at: datetime) -> None:
    """Let time pass without a bot, then start one."""
    await stage.bot.stop()
    stage.clock.at = at
    await stage.start_bot()


def configure(stage: Stage, before: str, after: str) -> None:
    """Edit the configuration; the next bot reads it."""
    file = Path(stage.environ["SLUICE_CONFIG"])
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


async def miss(stage: Stage) -> None:
    """Be away at five, for three hours."""
    await stage.say(AT_FIVE)
    await sleep_until(stage, FIVE + timedelta(hours=3))


# ---- it starts ------------------------------------------------------------------------------------------------------


async def test_a_rollout_starts_when_it_was_asked_to(stage):
    answer = await stage.say(f"{AT_FIVE} because the night is quiet")
    assert "is scheduled for 2026-11-21 05:00 UTC by @Dana, in 1 h 50 min" in answer
    assert "scheduled" in stage.card
    assert "starts" in stage.card
    await wait_until(stage, FIVE - timedelta(seconds=1))
    assert (await stage.row()).phase is Phase.SCHEDULED
    assert stage.as_armed
    await stage.wait(16)
    assert stage.weights == (50, 50)
    row = await stage.row()
    assert (row.phase, row.requester, row.reason) == (Phase.RUNNING, DANA, "the night is quiet")
    assert (await stage.told())[:3] == ["scheduled", "begun", "armed"]
    assert "late" not in stage.story


@pytest.mark.sweep
async def test_it_starts_after_a_restart_in_between(stage):
    await stage.say(AT_FIVE)
    await stage.restart()
    await wait_until(stage, FIVE + timedelta(seconds=16))
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_it_starts_a_little_late_and_says_so(stage):
    await stage.say(AT_FIVE)
    await sleep_until(stage, FIVE + timedelta(minutes=10))
    await stage.wait(16)
    assert stage.weights == (50, 50)
    assert "Starting as scheduled for 2026-11-21 05:00 UTC, 10 min late." in stage.story


@pytest.mark.sweep
async def test_cron_picks_the_next_day_that_fits_once(stage):
    answer = await stage.say('/deploy auth-service v2.0.0 cron="0 2 * * 1-5"')
    assert "2026-11-23 02:00 UTC" in answer
    monday = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    await wait_until(stage, monday - timedelta(seconds=1))
    assert stage.as_armed
    await stage.wait(16)
    assert stage.weights == (50, 50)
    await stage.say("/rollback auth-service")
    await wait_until(stage, monday + timedelta(days=2))
    assert len(await stage.bot.store.history()) == 1
    assert stage.as_armed


@pytest.mark.sweep
async def test_what_ran_while_it_waited_is_what_it_goes_back_to(stage):
    await stage.say("/deploy auth-service v3.0.0 at=05:00")
    await stage.say("/deploy auth-service v2.0.0")
    await stage.wait(90)
    await stage.press("Promote to 100 %")
    await stage.wait(90)
    await stage.press("Promote to stable")
    await wait_until(stage, FIVE + timedelta(seconds=90))
    await stage.press("Promote to 100 %")
    await stage.wait(90)
    await stage.press("Promote to stable")
    await stage.wait(60)
    row = await stage.row()
    assert (row.phase, row.version, row.from_version) == (Phase.SUCCEEDED, "v3.0.0", "v2.0.0")
    await stage.say("/rollback auth-service now")
    await stage.wait(60)
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")


# ---- it asks --------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_what_was_missed_asks_and_starts_when_somebody_says_so(stage):
    await miss(stage)
    assert await stage.phase() == (Phase.SCHEDULED, "missed")
    assert "was due 2026-11-21 05:00 UTC, 3 h ago" in stage.heard()
    assert "start auth-service v2.0.0 in production now?  @Dana" in stage.channel()[-1]
    assert "[Start now] [Cancel]" in stage.channel()[-1]
    assert stage.as_armed
    await stage.press("Start now", by=BEN)
    await stage.wait(16)
    assert stage.weights == (50, 50)
    assert "Started now by @Ben" in "\n".join(stage.channel())
    assert "[Start now]" not in "\n".join(stage.channel())


async def test_what_was_missed_can_be_cancelled(stage):
    await miss(stage)
    await stage.press("Cancel", by=ANA)
    assert await stage.phase() == (Phase.CANCELLED, "called_off")
    assert "Cancelled by @Ana before it started." in stage.heard(DANA)
    await stage.wait(3600)
    assert stage.as_armed


async def test_what_nobody_answers_is_cancelled(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100]", expires="20m") as stage:
        await miss(stage)
        await stage.wait(1199)
        assert (await stage.row()).phase is Phase.SCHEDULED
        await stage.wait(2)
        assert await stage.phase() == (Phase.CANCELLED, "schedule_expired")
        assert stage.as_armed


@pytest.mark.sweep
async def test_it_asks_once_however_often_the_bot_starts(stage):
    await miss(stage)
    await stage.restart()
    await stage.wait(3600)
    assert [line for line in await stage.told() if line.startswith("start_asked")] == [
        "start_asked:missed"
    ]
    assert sum("[Start now]" in message for message in stage.channel()) == 1


@pytest.mark.sweep
async def test_resume_says_start_too(stage):
    await miss(stage)
    assert "Starting auth-service v2.0.0 in production now." in await stage.say(
        "/deploy resume auth-service"
    )
    await stage.wait(16)
    assert stage.weights == (50, 50)


async def test_a_changed_plan_asks_and_starts_as_it_is_now(stage):
    await stage.say(AT_FIVE)
    configure(stage, "soak: 1m", "soak: 2m")
    await stage.restart()
    await wait_until(stage, FIVE)
    assert await stage.phase() == (Phase.SCHEDULED, "plan_changed")
    assert "machine time 240 s instead of 120 s" in stage.heard()
    await stage.press("Start now")
    row = await stage.row()
    assert (row.phase, row.plan.estimate_s) == (Phase.RUNNING, 240)
    assert "with the plan as it is now" in stage.story


async def test_a_target_that_is_gone_asks_and_does_not_start(stage):
    await stage.say(AT_FIVE)
    configure(stage, "  auth-service:\n", "  billing:\n")
    await stage.restart()
    await wait_until(stage, FIVE)
    assert await stage.phase() == (Phase.SCHEDULED, "not_plannable")
    await stage.press("Start now", by=BEN)
    assert "not_plannable" in stage.heard(BEN)
    assert (await stage.row()).phase is Phase.SCHEDULED


@pytest.mark.sweep
async def test_a_freeze_asks_and_nobody_starts_before_it_is_over(tmp_path):
    freeze = '[{from: "Sat 04:00", to: "Sat 06:00", timezone: UTC}]'
    async with Stage.opened(tmp_path, steps="[50, 100]", freeze=freeze) as stage:
        plan = await stage.say("/deploy plan auth-service v2.0.0 at=05:00")
        assert "production will be frozen then" in plan
        await stage.say(AT_FIVE)
        await wait_until(stage, FIVE)
        assert await stage.phase() == (Phase.SCHEDULED, "frozen")
        await stage.press("Start now", by=BEN)
        assert "production is frozen from Sat 04:00 to Sat 06:00 (UTC)" in stage.heard(BEN)
        assert stage.as_armed
        await wait_until(stage, FIVE + timedelta(hours=1))
        await stage.press("Start now", by=BEN)
        await stage.wait(16)
        assert stage.weights == (50, 50)


async def busy_at_five(stage: Stage) -> None:
    """Have v1.5.0 in flight when v2.0.0 is due."""
    await stage.say(AT_FIVE)
    await wait_until(stage, FIVE - timedelta(minutes=5))
    await stage.say("/deploy auth-service v1.5.0")
    await wait_until(stage, FIVE)


async def scheduled(stage: Stage) -> tuple[Phase, str]:
    (row,) = [r for r in await stage.bot.store.history() if r.version == "v2.0.0"]
    return row.phase, row.code


@pytest.mark.sweep
async def test_a_busy_target_asks_and_the_start_follows_by_itself_when_it_is_free_soon(stage):
    await busy_at_five(stage)
    assert await scheduled(stage) == (Phase.SCHEDULED, "target_busy")
    assert "is busy with r-" in stage.heard()
    await stage.wait(180)
    await stage.say("/rollback auth-service")
    await stage.wait(120)
    assert await stage.phase() == (Phase.WAITING, "")
    assert (await stage.row()).version == "v2.0.0"
    assert stage.weights == (50, 50)
    assert "05:00 UTC, 3 min late" in "\n".join(stage.channel())


@pytest.mark.sweep
async def test_a_target_that_is_busy_for_long_waits_for_a_person(stage):
    await busy_at_five(stage)
    await stage.wait(20 * 60)
    await stage.press("Start now", by=BEN)
    assert "already has v1.5.0 in flight" in stage.heard(BEN)
    await stage.say("/rollback auth-service")
    await stage.wait(600)
    assert await scheduled(stage) == (Phase.SCHEDULED, "target_busy")
    assert stage.as_armed
    await stage.press("Start now", by=BEN)
    await stage.wait(16)
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_of_two_that_are_due_together_one_runs_and_the_other_asks(stage):
    await stage.say(AT_FIVE)
    await stage.say("/deploy auth-service v3.0.0 at=05:00")
    await wait_until(stage, FIVE + timedelta(seconds=16))
    rows = await stage.bot.store.history()
    assert sorted((r.phase.value, r.code) for r in rows) == [
        ("RUNNING", ""),
        ("SCHEDULED", "target_busy"),
    ]
