"""Clicks whose answer got lost, that come again, that nothing recorded, or that are none of ours: A2–A9, F34, F38, F39.

Each of these rows has a second defence in front of the one that is held here, so that only a restart, a slow disk or a
broken one shows that there are two.
"""

import json
import sqlite3
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from bot.commands.authority import COMMANDS
from bot.grammar.verbs import Lock
from bot.rollout.values import Phase
from bot.sandbox.chat import APP_ID, TEAM
from bot.slack.form import About
from tests.scenario.pressing import Finger, question
from tests.scenario.stage import ANA, BEN, DANA, DEPLOYS, OLU, Stage

PROMOTE = "Promote to 100 %"


class BusyFile:
    """Somebody else writes to the database, and takes their time."""

    def __init__(self, stage: Stage) -> None:
        self.name = stage.environ["SLUICE_DATABASE_URL"].removeprefix("sqlite+aiosqlite:///")

    def __enter__(self):
        self.other = sqlite3.connect(self.name, isolation_level=None)
        self.other.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, *_):
        self.other.execute("ROLLBACK")
        self.other.close()


# ---- the same again (A2, F34) ---------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_f34_a_press_that_comes_again_after_a_restart_is_known_by_its_receipt(stage):
    """A2, F34: what was seen in memory is forgotten by then; what was committed is not."""
    await stage.deploy()
    finger, card = Finger(stage), stage.slack.card(DEPLOYS)
    body = finger.body(BEN, card, "Pause")
    assert await finger.deliver(body) == 200
    await stage.settled()
    assert (await stage.row()).phase is Phase.PAUSED

    await stage.restart()
    await stage.say("/deploy resume auth-service", by=DANA)
    assert await finger.deliver(body) == 200
    await stage.settled()
    assert (await stage.row()).phase is Phase.RUNNING
    assert (await stage.told()).count("paused") == 1


# ---- the answer was lost (F38) --------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_f38_who_saw_an_error_and_clicks_again_is_told_that_the_first_click_counted(tmp_path):
    """F38: Slack hangs up before the commit; the click is recorded all the same, and the question shows it."""
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.deploy_to_gate()
        finger, asked = Finger(stage), question(stage)
        patience, stage.slack._delivery.seconds = stage.slack._delivery.seconds, 0.2
        with BusyFile(stage):
            assert await finger.deliver(finger.body(ANA, asked, PROMOTE)) == 0
        stage.slack._delivery.seconds = patience

        told = await finger.press(ANA, asked, PROMOTE)
        assert "already_counted" in told
        assert [vote.actor for vote in (await stage.row()).gate.votes] == [ANA]
        assert "1 of 2 approvals – @Ana ✓" in stage.slack.text_of(question(stage))


# ---- nothing was recorded (F39) -------------------------------------------------------------------------------------


async def in_a_hurry(stage: Stage) -> None:
    """Have a locked file be an error at once, and not after five seconds."""
    async with stage.bot.store._writer.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout=20")


def recorded(stage: Stage) -> list[tuple[str, str]]:
    """What another process finds in the file: who asked, and what."""
    with BusyFile(stage) as file:
        rows = file.other.execute("SELECT actor, body FROM inbox").fetchall()
    return [(who, json.loads(body).get("verb", "")) for who, body in rows]


@pytest.mark.sweep
async def test_f39_what_slack_was_told_is_in_the_file_at_that_moment(stage):
    """F39: commit, then 200; whatever dies behind it is taken up at the next start."""
    await stage.deploy_to_gate()
    finger, asked = Finger(stage), question(stage)
    stage.slack.hang("usergroups.users.list")  # nothing behind the answer gets on
    assert await finger.deliver(finger.body(ANA, asked, PROMOTE)) == 200
    assert (ANA, "promote") in recorded(stage)
    assert (await stage.row()).phase is Phase.WAITING
    stage.slack.let_go()
    await stage.settled()
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_f39_a_click_that_cannot_be_recorded_is_never_answered_with_silence(stage):
    """F39: nobody believes that something was recorded which was not."""
    await stage.deploy_to_gate()
    await in_a_hurry(stage)
    finger, asked = Finger(stage), question(stage)
    before = await stage.row()
    with BusyFile(stage):
        told = await finger.press(ANA, asked, PROMOTE)
        assert "Something went wrong here" in told
        assert "Try again" in told
        told = await finger.press(BEN, asked, "Roll back to v1.0.0")
        assert "or use `sluice`" in told
        assert "Something went wrong here" in await stage.say("/rollback auth-service")
    assert await stage.row() == before
    assert ANA not in dict(recorded(stage))

    assert await finger.press(ANA, asked, PROMOTE) == ""
    assert (await stage.row()).phase is Phase.RUNNING


# ---- whose it is (A3, A4) -------------------------------------------------------------------------------------------


def sent_form(stage: Stage, *, installed: str, team: str) -> str:
    """The form behind the broken glass, as somebody on call sends it; in a shared channel `team` is the sender's."""
    view = {
        "id": f"V-{installed}-{team}",
        "hash": "1",
        "type": "modal",
        "callback_id": "break-glass",
        "app_installed_team_id": installed,
        "private_metadata": About("promote auth-service production", DEPLOYS).text(),
        "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "hurry"}}}},
    }
    body = {
        "type": "view_submission",
        "api_app_id": APP_ID,
        "team": {"id": team},
        "user": {"id": OLU, "team_id": team},
        "trigger_id": stage.slack.views.trigger(OLU),
        "view": view,
    }
    return urlencode({"payload": json.dumps(body)})


@pytest.mark.sweep
async def test_a4_a_form_counts_as_sent_to_where_it_was_installed_and_by_whose_team_it_was(
    stage, caplog
):
    """A3, A4: only the view says whose app was asked, and only the user whose person it was."""
    await stage.deploy_to_gate()
    before, finger = await stage.row(), Finger(stage)

    assert await finger.deliver(sent_form(stage, installed="T0ELSE", team=TEAM)) == 200
    await stage.settled()
    assert "other_app" in caplog.text, "one of ours, at another installation"
    assert await stage.row() == before

    caplog.clear()
    answer = await stage.slack._delivery.form(sent_form(stage, installed=TEAM, team="T0ELSE"))
    await stage.settled()
    assert "other_app" not in caplog.text, "it was meant for us"
    assert "external_user" in answer.text, "and came from somebody else's person"
    assert await stage.row() == before

    assert await finger.deliver(sent_form(stage, installed=TEAM, team=TEAM)) == 200
    await stage.settled()
    assert (await stage.row()).phase is Phase.RUNNING


# ---- who they are by now (A5, A6) -----------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a5_without_an_event_who_somebody_was_counts_for_a_minute(stage):
    """A5: deactivated after the bot has looked, and Slack's event never came."""
    await stage.deploy_to_gate()
    await stage.press("Extend 30 min", by=ANA)  # looked up, and remembered
    stage.slack.chat.people[ANA] = replace(stage.slack.chat.people[ANA], deleted=True)
    await stage.wait(61)
    await stage.press(PROMOTE, by=ANA)
    assert "not_a_person" in stage.heard(ANA)
    assert (await stage.row()).gate.votes == ()


# ---- no rule, no right (A9) -----------------------------------------------------------------------------------------


async def test_a9_what_no_rule_names_nobody_may_at_any_door(stage, monkeypatch):
    """A9: a command that somebody adds without a row is closed, and not open to all."""
    monkeypatch.delitem(COMMANDS, Lock)
    assert "no_rule" in await stage.say("/deploy lock auth-service drill", by=BEN)
    said = {"text": "lock auth-service drill"}
    status, body = await stage.rest("POST", "/api/v1/commands", json=said)
    assert (status, body["code"]) == (403, "no_rule")
    assert await stage.bot.store.locks() == []
