"""M6 b: the Home tab keeps itself up to date within Slack's budgets, and never shows an older view over a newer one."""

from datetime import timedelta

import pytest

from bot.sandbox.chat import Person
from bot.slack.home import MOST
from tests.scenario.phone import Phone
from tests.scenario.stage import ANA, OLU


def drawings(stage, person: str = OLU) -> int:
    return sum(m == "views.publish" and a["user_id"] == person for m, a in stage.slack.calls)


async def test_nothing_is_drawn_for_people_who_never_looked(stage):
    await stage.deploy()
    assert stage.slack.views.homes == {}


@pytest.mark.sweep
async def test_changes_are_drawn_for_whoever_looked_lately_ten_seconds_apart(stage):
    olu = Phone(stage)
    await stage.deploy()
    await olu.open_home()
    before = drawings(stage)
    for word in ("pause", "resume", "pause"):
        await stage.say(f"/deploy {word} auth-service")
    assert drawings(stage) == before
    await stage.wait(10)
    assert drawings(stage) == before + 1
    assert "paused" in olu.home


@pytest.mark.sweep
async def test_what_looks_the_same_is_not_drawn_again_but_who_asks_gets_its_time(stage):
    olu = Phone(stage)
    await stage.deploy()
    await olu.open_home()
    before = drawings(stage)
    row = await stage.row()
    await stage.wait(11)
    stage.bot.home.touch(row.id)
    await stage.settled()
    assert drawings(stage) == before
    await olu.tap("Refresh")
    assert drawings(stage) == before + 1


async def test_an_hour_after_the_last_look_a_tab_is_left_alone(stage):
    await Phone(stage).open_home()
    stage.clock.at += timedelta(minutes=61)
    before = drawings(stage)
    await stage.deploy()
    assert drawings(stage) == before


@pytest.mark.sweep
async def test_only_the_twenty_who_looked_last_are_kept_up_to_date(stage):
    for n in range(MOST + 1):
        await stage.slack.add_person(Person(f"U1P{n:02}", f"P{n}"))
        await stage.slack.open_home(f"U1P{n:02}")
    await stage.settled()
    await stage.wait(11)
    stage.slack.calls.clear()
    await stage.deploy()
    assert (drawings(stage, "U1P00"), drawings(stage, "U1P01") > 0) == (0, True)


@pytest.mark.sweep
async def test_a_view_that_another_process_drew_meanwhile_is_drawn_anew_from_fresh_rows(stage):
    olu = Phone(stage)
    await olu.open_home()
    stage.slack.views.homes[OLU]["hash"] = "newer"
    await stage.deploy()
    await stage.wait(11)
    assert "auth-service v2.0.0" in olu.home


@pytest.mark.sweep
@pytest.mark.parametrize("fault", ["rate_limit", "fail"])
async def test_a_tab_that_slack_did_not_take_is_drawn_later(stage, fault):
    olu = Phone(stage)
    await olu.open_home()
    await stage.wait(11)
    getattr(stage.slack, fault)("views.publish")
    await stage.deploy()
    await stage.wait(61)
    assert "auth-service v2.0.0" in olu.home


async def test_a_tap_is_carried_out_and_answered_directly_where_the_tab_cannot_be_drawn(stage):
    olu = Phone(stage)
    await stage.deploy()
    await olu.open_home()
    stage.slack.refuse("views.publish", "not_enabled")
    await olu.tap("Roll back auth-service")
    assert stage.weights == (100, 0)
    assert any("Rolling auth-service in production back" in line for line in olu.direct)


@pytest.mark.sweep
async def test_the_question_stays_on_the_tab_while_other_things_change(stage):
    olu = Phone(stage)
    await stage.ship("v2.0.0")
    await olu.open_home()
    await olu.tap("Roll back auth-service")
    await stage.say("/deploy auth-service v3.0.0 at=23:00")
    await stage.wait(11)
    assert "Yes, roll back now" in olu.home
    assert "Later" in olu.home


@pytest.mark.sweep
async def test_what_waits_is_left_out_and_said_so_where_slack_does_not_tell_the_groups(stage):
    await stage.deploy_to_gate()
    stage.slack.refuse("usergroups.users.list", "internal_error")
    stage.clock.at += timedelta(minutes=2)
    home = await Phone(stage, ANA).open_home()
    assert "Slack did not say what waits for your decision" in home
    assert "[Roll back auth-service]" in home


async def test_what_is_locked_stands_on_the_tab_with_who_and_why(stage):
    await stage.say("/deploy lock auth-service production for 2h db failover", by=ANA)
    home = await Phone(stage).open_home()
    assert "Locks" in home
    assert "@Ana" in home
    assert "db failover" in home
