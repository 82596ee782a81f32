"""Everything that Slack can send, each spoiled in every way: nothing is done, nothing breaks, nothing is repeated.

Rows A1 to A4: whoever adds a listener finds its name missing here.
"""

import io
import json
import time
from urllib.parse import parse_qsl, urlencode

import pytest

from bot.sandbox.chat import APP_ID, TEAM
from bot.sandbox.payloads import event_body, mention_event, signed
from bot.slack.form import About
from bot.slack.gatekeeping import _signature
from tests.fakes.slack import FakeSlack
from tests.scenario.stage import ANA, DANA, DEPLOYS, SECRET, Stage

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def command(stage: Stage, name: str, text: str) -> str:
    fields = {
        "command": name,
        "text": text,
        "user_id": DANA,
        "team_id": TEAM,
        "channel_id": DEPLOYS,
        "api_app_id": APP_ID,
        "trigger_id": stage.slack.views.trigger(DANA),
        "response_url": "",
    }
    return urlencode(fields)


def payload(stage: Stage, kind: str, **more) -> str:
    body = {
        "type": kind,
        "user": {"id": ANA, "team_id": TEAM},
        "team": {"id": TEAM},
        "api_app_id": APP_ID,
        "trigger_id": stage.slack.views.trigger(ANA),
        **more,
    }
    return urlencode({"payload": json.dumps(body)})


def press(stage: Stage, label: str) -> str:
    message, _ = stage._find(label, ANA)
    element = next(
        e
        for block in message.blocks
        for e in block.get("elements", ())
        if isinstance(e.get("text"), dict) and e["text"].get("text", "").startswith(label)
    )
    action = {**element, "action_ts": f"{time.time():.6f}"}
    where = {"type": "message", "message_ts": message.ts, "channel_id": DEPLOYS}
    return payload(
        stage, "block_actions", channel={"id": DEPLOYS}, container=where, actions=[action]
    )


def form(stage: Stage) -> str:
    name = min(stage.bot.door.forms.by_name)
    view = {
        "id": "V1",
        "hash": "1",
        "type": "modal",
        "callback_id": name,
        "private_metadata": About("", DEPLOYS).text(),
        "state": {"values": {}},
    }
    return payload(stage, "view_submission", view=view)


def event(kind: dict) -> str:
    return event_body(kind, event_id=f"Ev{time.monotonic_ns()}", at=int(time.time()))


def mention(stage: Stage, text: str) -> str:
    said = stage.slack.post(DANA, DEPLOYS, f"<@U0SLUICE> {text}")
    return event(mention_event(said))


LISTENERS = {
    "deploy": ("_on_command", lambda s: (command(s, "/deploy", "other-service v9"), FORM)),
    "rollback": (
        "_on_command",
        lambda s: (command(s, "/rollback", "auth-service production"), FORM),
    ),
    "promote": ("_on_action", lambda s: (press(s, "Promote"), FORM)),
    "pause": ("_on_action", lambda s: (press(s, "Pause"), FORM)),
    "form": ("_on_form", lambda s: (form(s), FORM)),
    "shortcut": (
        "_on_shortcut",
        lambda s: (payload(s, "shortcut", callback_id="rollback_global"), FORM),
    ),
    "message": (
        "_on_shortcut",
        lambda s: (
            payload(
                s,
                "message_action",
                callback_id="rollback_message",
                channel={"id": DEPLOYS},
                message={"ts": s.slack.card(DEPLOYS).ts},
            ),
            FORM,
        ),
    ),
    "mention": ("_on_mention", lambda s: (mention(s, "rollback auth-service production"), JSON)),
    "home": (
        "_on_home",
        lambda s: (event({"type": "app_home_opened", "user": ANA, "tab": "home"}), JSON),
    ),
    "user": (
        "listen",
        lambda s: (event({"type": "user_change", "user": {"id": ANA}}), JSON),
    ),
    "group": (
        "listen",
        lambda s: (event({"type": "subteam_members_changed", "subteam_id": "S0SRE"}), JSON),
    ),
    "other": ("_on_other_event", lambda s: (event({"type": "team_join"}), JSON)),
}


def swept(*values):
    """Return a case that runs in the sweep: the door refuses all of these before it knows whom they are for."""
    return pytest.param(*values, marks=pytest.mark.sweep)


@pytest.fixture
async def gate(stage: Stage) -> Stage:
    """A rollout whose gate is open: every listener has something that it could change."""
    await stage.deploy_to_gate()
    return stage


async def deliver(stage: Stage, body: bytes, headers: dict[str, str]) -> int:
    url = f"http://127.0.0.1:{stage.bot.port}/slack/events"
    async with stage.http.post(url, data=io.BytesIO(body), headers=headers) as response:
        await response.read()
    await stage.settled()
    return response.status


async def state(stage: Stage) -> tuple:
    """Return all that a command could have changed."""
    rows = await stage.bot.store.history()
    return tuple((r.id, r.phase, r.revision, r.gate and len(r.gate.votes)) for r in rows)


def headers_of(text: str, kind: str, *, secret: str = SECRET, ago: int = 0) -> dict[str, str]:
    return signed(secret, text, at=int(time.time()) - ago) | {"Content-Type": kind}


def test_every_listener_that_is_registered_is_in_the_table(stage):
    registered = {one.ack_function.__name__ for one in stage.bot.door._bolt.app._async_listeners}
    assert {name for name, _ in LISTENERS.values()} == registered


@pytest.mark.parametrize("name", LISTENERS)
@pytest.mark.parametrize(
    "how", ["forged", *(swept(how) for how in ("unsigned", "stale", "odd time", "odd signature"))]
)
async def test_what_slack_did_not_sign_now_does_nothing(gate, caplog, name, how):
    """A1: 401 before anything reads the body, which no log repeats."""
    text, kind = LISTENERS[name][1](gate)
    headers = headers_of(text, kind)
    match how:
        case "forged":
            headers = headers_of(text, kind, secret="another")
        case "unsigned":
            del headers["X-Slack-Signature"]
        case "stale":
            headers = headers_of(text, kind, ago=301)
        case "odd time":
            headers["X-Slack-Request-Timestamp"] = "soon"
        case _:
            headers["X-Slack-Signature"] = "v0=ключ".encode().decode("latin-1")
    before = await state(gate)
    assert await deliver(gate, text.encode(), headers) == 401
    assert await state(gate) == before
    assert "Traceback" not in caplog.text
    assert text[:60] not in caplog.text


@pytest.mark.parametrize("name", LISTENERS)
@pytest.mark.parametrize(
    ("how", "status"),
    [("truncated", 400), swept("oversized", 413), swept("not utf-8", 400)],
)
async def test_a_spoiled_body_is_refused_whole(gate, caplog, name, how, status):
    text, kind = LISTENERS[name][1](gate)
    before = await state(gate)
    match how:
        case "truncated":
            # In the middle of the JSON; of a command all that is behind the first field is gone.
            cut = len(text) // 2 if kind == JSON or "payload" in text[:8] else len("command=%2Fd")
            body = text[:cut].encode()
        case "oversized":
            body = text.encode() + b" " * (1 << 20)
        case _:
            body = text.encode() + b"\xff\xfe"
    headers = _signed_bytes(body, kind)
    assert await deliver(gate, body, headers) == status
    assert await state(gate) == before
    assert "Traceback" not in caplog.text


def _signed_bytes(body: bytes, kind: str) -> dict[str, str]:
    stamp = str(int(time.time()))
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": _signature(SECRET, stamp, body),
        "Content-Type": kind,
    }


@pytest.mark.parametrize("name", LISTENERS)
async def test_the_same_request_again_changes_nothing_more(gate, name):
    """A2: captured and sent once more within the five minutes of its signature."""
    text, kind = LISTENERS[name][1](gate)
    headers = headers_of(text, kind)
    assert await deliver(gate, text.encode(), headers) == 200
    once, told = await state(gate), await gate.told()
    for _ in range(3):
        assert await deliver(gate, text.encode(), headers) == 200
    assert await state(gate) == once
    assert await gate.told() == told


@pytest.mark.parametrize(
    "name", [name for name in LISTENERS if name not in {"user", "group", "other"}]
)
@pytest.mark.parametrize("who", ["another app", "another workspace"])
async def test_what_was_meant_for_somebody_else_does_nothing(gate, name, who):
    """A3 and A4: signed all right, and not ours."""
    text, kind = LISTENERS[name][1](gate)
    body = _elsewhere(text, kind, who)
    before, heard = await state(gate), len(gate.slack.calls)
    assert await deliver(gate, body.encode(), headers_of(body, kind)) in {200, 401, 403}
    assert await state(gate) == before
    shown = [call for call in gate.slack.calls[heard:] if call[0].startswith("views.")]
    assert all("Roll back" not in json.dumps(call[1]) for call in shown)


def _elsewhere(text: str, kind: str, who: str) -> str:
    theirs = "A0ELSE" if who == "another app" else "T0ELSE"
    if kind == JSON:
        body = json.loads(text)
        if who == "another app":
            body["api_app_id"] = theirs
        else:
            body["event"] |= {"team": theirs, "user_team": theirs, "source_team": theirs}
            body["team_id"] = theirs
        return json.dumps(body)
    fields = dict(parse_qsl(text, keep_blank_values=True))
    if "payload" not in fields:
        fields["api_app_id" if who == "another app" else "team_id"] = theirs
        return urlencode(fields)
    inner = json.loads(fields["payload"])
    if who == "another app":
        inner["api_app_id"] = theirs
    else:
        inner["user"]["team_id"] = theirs
    return urlencode({"payload": json.dumps(inner)})


MARKUP = "<!channel> <@U0EVE> <https://evil.example|click> `x` \u202e\u200b*b*"


@pytest.mark.parametrize("name", ["deploy", "rollback", "mention"])
async def test_markup_in_what_somebody_typed_calls_nobody(gate, name):
    """A18: the words are shown, and do nothing."""
    line = {
        "deploy": command(gate, "/deploy", f"auth-service v3 because {MARKUP}"),
        "rollback": command(gate, "/rollback", f"auth-service production because {MARKUP}"),
        "mention": mention(gate, f"rollback auth-service production because {MARKUP}"),
    }[name]
    kind = JSON if name == "mention" else FORM
    await deliver(gate, line.encode(), headers_of(line, kind))
    await gate.wait(5)
    said = json.dumps([_shown(gate.slack, method, args) for method, args in gate.slack.calls])
    assert "<!channel>" not in said
    assert "<@U0EVE>" not in said
    assert "<https://evil" not in said
    assert "\\u202e" not in said


def _shown(slack: FakeSlack, method: str, args: dict) -> list:
    """Return what a call shows to people; what a button carries is not shown."""
    if not method.startswith(("chat.", "views.")):
        return []
    blocks = args.get("blocks") or "[]"
    body = json.loads(blocks) if isinstance(blocks, str) else blocks
    return [args.get("text", ""), [_texts(block) for block in body]]


def _texts(node) -> list:
    if isinstance(node, dict):
        return [_texts(value) for key, value in node.items() if key != "value"]
    if isinstance(node, list):
        return [_texts(one) for one in node]
    return [node] if isinstance(node, str) else []
