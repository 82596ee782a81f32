"""What is scheduled is listed, taken back and left alone, in chat and over REST; what cannot be meant is refused."""

import sqlite3
from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Person
from tests.scenario.stage import ANA, DANA, Stage
from tests.scenario.test_scheduling import AT_FIVE, FIVE, miss, wait_until


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100]") as opened:
        yield opened


@pytest.mark.sweep
async def test_cancel_takes_back_what_is_scheduled_and_nothing_else(stage):
    await stage.say(AT_FIVE)
    planned = await stage.row()
    assert "Cancelled auth-service v2.0.0" in await stage.say(
        f"/deploy cancel {planned.id}", by=ANA
    )
    assert await stage.phase() == (Phase.CANCELLED, "called_off")
    assert "not_scheduled" in await stage.say(f"/deploy cancel {planned.id}")
    await stage.wait(1)
    await stage.say("/deploy auth-service v3.0.0")
    running = await stage.row()
    assert "not_scheduled" in await stage.say(f"/deploy cancel {running.id}")
    assert (await stage.row()).phase is Phase.RUNNING
    await stage.say("/rollback auth-service")
    assert "unknown_rollout" in await stage.say("/deploy cancel r-nowhere")
    await wait_until(stage, FIVE + timedelta(minutes=1))
    assert (await stage.bot.store.get(planned.id)).phase is Phase.CANCELLED


async def test_a_guest_cannot_cancel(stage):
    await stage.slack.add_person(Person("U0GUEST", "Guest", is_restricted=True))
    await stage.say(AT_FIVE)
    row = await stage.row()
    assert "guest" in await stage.say(f"/deploy cancel {row.id}", by="U0GUEST")
    assert (await stage.row()).phase is Phase.SCHEDULED


async def test_schedule_lists_what_is_to_come_with_a_button_to_cancel_it(stage):
    assert "Nothing is scheduled" in await stage.say("/deploy schedule")
    await stage.say("/deploy auth-service v3.0.0 at=2026-11-25T02:00Z")
    await stage.wait(1)
    await stage.say(AT_FIVE)
    first = await stage.row()
    listed = await stage.say("/deploy schedule")
    assert "2 scheduled, the next one first." in listed
    assert listed.index("v2.0.0") < listed.index("v3.0.0")
    assert first.id in listed
    await stage.press("Cancel auth-service v2.0.0", by=DANA)
    assert (await stage.bot.store.get(first.id)).phase is Phase.CANCELLED


async def test_rollback_does_not_touch_what_has_not_started(stage):
    await stage.say(AT_FIVE)
    assert "nothing_to_roll_back" in await stage.say("/rollback auth-service now")
    assert (await stage.row()).phase is Phase.SCHEDULED
    assert "next: v2.0.0 by @Dana, starts" in await stage.say("/deploy status")


async def test_a_dry_run_says_when_and_schedules_nothing(stage):
    answer = await stage.say(f"{AT_FIVE} dry-run")
    assert "It would start" in answer
    assert await stage.bot.store.history() == []


@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("at=2026-11-21T03:00Z", "in_the_past"),
        ("at=2027-02-01T03:00Z", "too_far_ahead"),
        ('cron="0 0 29 2 *"', "too_far_ahead"),
        ('cron="0 0 30 2 *"', "never_comes"),
    ],
)
async def test_a_moment_that_nobody_can_mean_is_refused_at_the_door(stage, when, code):
    for verb in ("", "plan "):
        assert f"code `{code}`" in await stage.say(f"/deploy {verb}auth-service v2.0.0 {when}")
    assert await stage.bot.store.history() == []


@pytest.mark.sweep
async def test_a_row_that_cannot_be_read_does_not_start_and_leaves_the_target_free(stage):
    await stage.say("/deploy auth-service v2.0.0 at=03:20")
    row = await stage.row()
    await stage.wait(9 * 60)
    await stage.say("/deploy auth-service v3.0.0")
    with sqlite3.connect(stage.environ["SLUICE_DATABASE_URL"].partition("///")[2]) as database:
        database.execute("UPDATE rollouts SET body = '{}' WHERE id = ?", (row.id,))
    await stage.wait(2 * 60)
    assert "this rollout will not start" in "\n".join(stage.channel("C0ALERTS"))
    assert [r.version for r in await stage.bot.store.in_flight()] == ["v3.0.0"]
    assert row.id not in await stage.bot.store.live_ids()


# ---- programs -------------------------------------------------------------------------------------------------------

BODY = {"service": "auth-service", "version": "v2.0.0", "at": "05:00"}


async def test_rest_schedules_shows_when_and_takes_back(stage):
    status, row = await stage.rest("POST", "/api/v1/deployments", json=BODY)
    assert (status, row["phase"], row["due"]) == (201, "SCHEDULED", FIVE.isoformat())
    path = f"/api/v1/deployments/{row['id']}"
    status, body = await stage.rest("POST", f"{path}/promote")
    assert (status, body["code"]) == (409, "no_open_gate")
    status, body = await stage.rest("POST", f"{path}/resume")
    assert (status, body["code"]) == (409, "not_asking")
    status, row = await stage.rest("POST", f"{path}/rollback", json={"reason": "not tonight"})
    assert (status, row["phase"], row["code"]) == (200, "CANCELLED", "called_off")


@pytest.mark.sweep
async def test_rest_starts_what_asks_by_resume_and_never_by_promote(stage):
    await miss(stage)
    row = await stage.row()
    path = f"/api/v1/deployments/{row.id}"
    status, body = await stage.rest("POST", f"{path}/promote", json={"gate": row.gate.id})
    assert (status, body["code"]) == (409, "gate_closed")
    assert (await stage.row()).phase is Phase.SCHEDULED
    status, body = await stage.rest("POST", f"{path}/resume")
    assert (status, body["phase"]) == (200, "RUNNING")


async def test_a_dry_run_over_rest_says_when(stage):
    status, plan = await stage.rest("POST", "/api/v1/deployments?dry_run=true", json=BODY)
    assert (status, plan["due"]) == (200, FIVE.isoformat())
