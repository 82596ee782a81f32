"""A1–A3, A9: one test over all that Slack sends: another app, another workspace, a replay, outsiders at every door."""

import json
import time
from urllib.parse import urlencode

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import APP_ID, BOT_USER, TEAM, Person
from bot.sandbox.payloads import event_body, signed
from tests.scenario.stage import ANA, DEPLOYS, SECRET, Stage


def form(body: dict) -> tuple[str, str]:
    return urlencode({"payload": json.dumps(body)}), "application/x-www-form-urlencoded"


def envelope(event: dict) -> tuple[str, str]:
    body = event_body(event, event_id=f"Ev{time.monotonic_ns()}", at=int(time.time()))
    return body, "application/json"


BASE = {"api_app_id": APP_ID, "team": {"id": TEAM}, "enterprise": None}
PERSON = {"user": {"id": ANA, "team_id": TEAM}}


def command(r) -> tuple[str, str]:
    fields = {
        "command": "/deploy", "text": f"promote {r.service}", "user_id": ANA, "channel_id": DEPLOYS,
        "team_id": TEAM, "api_app_id": APP_ID, "trigger_id": f"t{time.monotonic_ns()}",
    }  # fmt: skip
    return urlencode(fields), "application/x-www-form-urlencoded"


def press(r, name="promote", value="") -> tuple[str, str]:
    held = value or json.dumps({"r": r.id, "g": r.gate.id})
    action = {"action_id": name, "value": held, "action_ts": str(time.monotonic_ns())}
    return form(
        {"type": "block_actions", **BASE, **PERSON, "channel": {"id": DEPLOYS}, "actions": [action]}
    )


def submitted(r) -> tuple[str, str]:
    about = {"v": f"promote {r.service} production", "c": DEPLOYS, "m": "", "t": "", "o": ""}
    state = {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "it burns"}}}}
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": "break-glass",
        "private_metadata": json.dumps(about),
        "state": state,
    }
    return form({"type": "view_submission", **BASE, **PERSON, "view": view})


def shortcut(_) -> tuple[str, str]:
    used = {"type": "shortcut", "callback_id": "rollback_global", "trigger_id": "t1"}
    return form({**used, **BASE, **PERSON})


def home(_) -> tuple[str, str]:
    return envelope({"type": "app_home_opened", "user": ANA, "tab": "home", "channel": "D0ANA"})


def mention(r) -> tuple[str, str]:
    said = f"<@{BOT_USER}> promote {r.service}"
    return envelope(
        {
            "type": "app_mention",
            "user": ANA,
            "team": TEAM,
            "text": said,
            "channel": DEPLOYS,
            "ts": "1.2",
        }
    )


def news(_) -> tuple[str, str]:
    return envelope({"type": "user_change", "user": {"id": ANA}})


DOORS = {
    "command": command,
    "button": press,
    "line": lambda r: press(r, "say:0", f"resume {r.service}"),
    "form": submitted,
    "shortcut": shortcut,
    "home": home,
    "mention": mention,
    "event": news,
}


def of_another_app(body: str) -> str:
    return body.replace(APP_ID, "A0ELSE")


def of_no_app(body: str) -> str:
    return body.replace("api_app_id", "app")


def of_another_workspace(body: str) -> str:
    return body.replace(TEAM, "T0ELSE")


async def knock(stage: Stage, body: str, kind: str, *, at: int = 0) -> tuple[int, str]:
    """Send a body as Slack would, and return status and text of the answer."""
    headers = signed(SECRET, body, at=int(time.time()) - at) | {"Content-Type": kind}
    url = f"http://127.0.0.1:{stage.bot.port}/slack/events"
    async with stage.http.post(url, data=body.encode(), headers=headers) as response:
        answer = response.status, await response.text()
    await stage.settled()
    return answer


@pytest.mark.sweep
async def test_what_is_for_another_app_or_workspace_does_nothing_at_any_door(stage, caplog):
    """A3: one test over everything that is listened to; the same bodies with our own names do something."""
    await stage.deploy_to_gate()
    await stage.wait(10)
    before = await stage.row()
    for forged in (of_another_app, of_no_app, of_another_workspace):
        for name, door in DOORS.items():
            body, kind = door(before)
            calls = len(stage.slack.calls)
            caplog.clear()
            status, text = await knock(stage, forged(body), kind)
            assert status == 200, (forged.__name__, name)
            assert "other_app" in caplog.text, (forged.__name__, name)
            assert len(stage.slack.calls) == calls, (forged.__name__, name)
            assert text == "" or "This was not meant for me" in text
            assert before.service not in text
    assert await stage.row() == before
    body, kind = press(before, "pause")
    await knock(stage, body, kind)
    assert (await stage.row()).phase is Phase.PAUSED


async def test_in_an_installation_for_a_whole_organisation_the_organisation_counts(stage):
    """B.13: `team` is null there; whoever is of another workspace of the organisation is a colleague."""
    home = stage.bot.door.origin.home
    stage.bot.door.origin.home = type(home)(
        "", "E0OURS", home.bot_id, home.bot_user, True, home.app
    )
    ours = {"team": None, "enterprise": {"id": "E0OURS"}, "user": {"id": ANA, "team_id": "T0OTHER"}}
    body = {"type": "block_actions", **BASE, **ours, "channel": {"id": DEPLOYS}}
    origin = stage.bot.door.origin
    assert origin.foreign(body) == ""
    assert origin.of_press(body).team_ok
    theirs = {**body, "enterprise": {"id": "E0ELSE"}}
    assert origin.foreign(theirs) == "another workspace"
    assert not origin.of_press(theirs).team_ok


@pytest.mark.sweep
async def test_in_a_workspace_of_an_organisation_the_users_own_team_counts(stage):
    """A4: the payload names our organisation whoever pressed; a stranger does not even go back."""
    await stage.deploy_to_gate()
    home = stage.bot.door.origin.home
    stage.bot.door.origin.home = type(home)(
        TEAM, "E0OURS", home.bot_id, home.bot_user, True, home.app
    )
    body = {"type": "block_actions", **BASE, "enterprise": {"id": "E0OURS"}}
    origin = stage.bot.door.origin
    assert not origin.of_press({**body, "user": {"id": "U0ELSE", "team_id": "T0ELSE"}}).team_ok
    colleague = {"id": ANA, "team_id": "T0OTHER", "enterprise_id": "E0OURS"}
    assert origin.of_press({**body, "user": colleague}).team_ok
    assert origin.of_press({**body, "user": {"id": ANA}}).team_ok


@pytest.mark.sweep
async def test_a_request_that_comes_a_second_time_is_answered_and_done_once(stage, caplog):
    """A2: the very same signed bytes again, within the window in which their signature is good."""
    await stage.deploy_to_gate()
    r = await stage.row()
    body, kind = press(r, "pause")
    headers = signed(SECRET, body, at=int(time.time())) | {"Content-Type": kind}
    url = f"http://127.0.0.1:{stage.bot.port}/slack/events"
    answers = []
    for _ in range(3):
        async with stage.http.post(url, data=body.encode(), headers=headers) as response:
            answers.append((response.status, await response.text()))
        await stage.settled()
        if (await stage.row()).phase is Phase.PAUSED:
            await stage.say("/deploy resume auth-service")
    assert answers == [(200, "")] * 3
    assert (await stage.told()).count("paused") == 1
    assert "came a second time" in caplog.text


OUTSIDERS = {
    "guest": Person("U0GUEST", "Guest", is_restricted=True),
    "single channel guest": Person("U0SINGLE", "Single", is_ultra_restricted=True),
    "deactivated": Person("U0GONE", "Gone", deleted=True),
    "bot": Person("U0ROBOT", "Robot", is_bot=True),
    "stranger": Person("U0OUT", "Out", is_stranger=True),
    "external": Person("U0ELSE", "Else", team_id="T0ELSE"),
}
FORWARD = ("deploy auth-service v3.0.0", "resume auth-service", "extend auth-service", "resolve auth-service x",
           "lock auth-service x", "unlock auth-service", "freeze production x", "thaw production",
           "promote auth-service", "deploy auth-service v3.0.0 break-glass because x")  # fmt: skip


@pytest.mark.sweep
@pytest.mark.parametrize("kind", OUTSIDERS)
async def test_no_word_moves_anything_forward_for_an_outsider(stage, kind):
    """A5, A9: every word that moves something forward, by everybody who is none of us; the row stays as it is."""
    person = await stage.slack.add_person(OUTSIDERS[kind])
    await stage.deploy_to_gate()
    await stage.wait(10)
    before = await stage.row()
    for line in FORWARD:
        told = await stage.say(f"/deploy {line.removeprefix('deploy ')}", by=person.id)
        heard = told + stage.heard(person.id)
        assert any(code in heard for code in ("guest", "not_a_person", "external_user")), line
    assert await stage.row() == before
    assert await stage.bot.store.locks() == []


FORMS = {
    "deploy": "says a deploy line",
    "break-glass": "says the refused line",
    "versions": "says a rollback line",
    "emergency": "shows, and says a rollback line",
    "undo_this": "presses pause, says a rollback line",
    "reason": "gives a reason for what one has done oneself",
}


async def test_every_form_and_shortcut_has_a_row(stage):
    """A9: a new form has to be looked at here. None has rules of its own: each says a line, or presses."""
    door = stage.bot.door
    assert set(door.forms.by_name) == set(FORMS)
    assert set(door.shortcuts.values()) <= set(FORMS)
