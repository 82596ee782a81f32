"""What Slack sends, read: its form, where it came from, what a button carries, what every delivery of one act shares.

Pure. A signed body is of the form that the listeners read, or it is refused whole. Values on buttons are routing, never
authority.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from bot.commands import Refusal
from bot.commands.binding import Picture
from bot.grammar.verbs import History

Payload = Mapping[str, Any]

_FARTHEST = 1000
"""Rollouts that a history is looked back through, page by page."""
_UNUSED = {"view_closed", "block_suggestion", "app_rate_limited"}
"""What Slack may send and no listener answers."""


class OddRequestError(ValueError):
    """The body is nothing that Slack sends. What is wrong with it is not said: it would repeat the body."""


def received(content_type: str, text: str) -> Payload | None:
    """Return the body of a request; None when it is Slack's and asks for nothing. Raises `OddRequestError`."""
    try:
        if content_type == "application/json" or text.startswith("{"):
            return _read_json(text)
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        _demand(len(form) == len(pairs))
        if form.get("ssl_check") == "1":
            return None
        if "payload" in form:
            return _read_json(form["payload"])
        _words(form, "command", "user_id", "channel_id")
    except (ValueError, RecursionError) as error:
        raise OddRequestError from error
    return form


def _read_json(text: str) -> Payload | None:
    body = _object(json.loads(text))
    json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair cannot be stored or sent
    match body.get("type"):
        case "block_actions":
            _check_press(body)
        case "view_submission":
            _check_form(body)
        case "shortcut" | "message_action":
            _check_shortcut(body)
        case "event_callback":
            _words(body, "event_id")
            _check_event(_object(body.get("event")))
        case "url_verification":
            _words(body, "challenge")
        case str() as other:
            _demand(other in _UNUSED)
            return None
        case _:
            raise OddRequestError
    return body


def _check_press(body: Payload) -> None:
    pressed = body.get("actions")
    _check_person(body)
    _texts(body, "trigger_id", "response_url")
    for key in ("container", "message", "view"):
        _object(body.get(key) or {})
    _demand(isinstance(pressed, list) and bool(pressed))
    for action in pressed or ():
        _words(_object(action), "action_id")
        _texts(action, "value", "action_ts")
        _texts(_object(action.get("selected_option") or {}), "value")


def _check_form(body: Payload) -> None:
    _check_person(body)
    view = _object(body.get("view"))
    _words(view, "id", "callback_id", "type")
    _texts(view, "private_metadata", "hash")
    for elements in _object(_object(view.get("state") or {}).get("values") or {}).values():
        for element in _object(elements).values():
            _object(element)


def _check_shortcut(body: Payload) -> None:
    _check_person(body)
    _words(body, "callback_id", "trigger_id")
    _texts(body, "response_url")
    _texts(_object(body.get("message") or {}), "ts")


def _check_person(body: Payload) -> None:
    user = _object(body.get("user"))
    _words(user, "id")
    _texts(user, "team_id")
    for key in ("channel", "enterprise", "team"):
        _object(body.get(key) or {})


def _check_event(event: Payload) -> None:
    _words(event, "type")
    if event["type"] == "app_mention":
        _words(event, "channel")
        _texts(event, "user", "text", "thread_ts", "user_team", "source_team", "team")
    elif event["type"] == "app_home_opened":
        _words(event, "user")
        _texts(event, "tab")
    elif event["type"] == "user_change":
        _words(_object(event.get("user")), "id")
    elif event["type"] == "subteam_members_changed":
        _words(event, "subteam_id")


def _object(value: object) -> Payload:
    if not isinstance(value, dict):
        raise OddRequestError
    return value


def _words(body: Payload, *keys: str) -> None:
    """Demand texts that are there and not empty."""
    _texts(body, *keys)
    _demand(all(body.get(key) for key in keys))


def _texts(body: Payload, *keys: str) -> None:
    """Demand texts where there is anything."""
    _demand(all(isinstance(body.get(key, ""), str | None) for key in keys))


def _demand(fulfilled: bool) -> None:
    if not fulfilled:
        raise OddRequestError


def author_of(event: Payload) -> str:
    """Return the person who wrote a message; empty when a program did."""
    if event.get("bot_id") or event.get("subtype") == "bot_message":
        return ""
    return str(event.get("user") or "")


def team_of(event: Payload) -> str:
    """Return the author's own team. The envelope names the team that the app is installed in, whoever writes."""
    return str(event.get("user_team") or event.get("source_team") or event.get("team") or "")


def channel_of(body: Payload) -> str:
    """Return the channel of a command or of a press."""
    return str(body.get("channel_id") or (body.get("channel") or {}).get("id", ""))


def home_of(user: Payload, body: Payload) -> str:
    """Return the team of whoever pressed: their own; only a payload that names none for the user counts by its team."""
    return str(user.get("team_id") or (body.get("team") or {}).get("id") or "")


def user_of(body: Payload) -> str:
    """Return the user of a command or of a press."""
    return str(body.get("user_id") or (body.get("user") or {}).get("id", ""))


def label_of(body: Payload) -> str:
    """Return what stands on the button that was pressed, as foreign text."""
    pressed = (body.get("actions") or [{}])[0]
    chosen = pressed.get("selected_option") or pressed
    text = chosen.get("text")
    return str(text.get("text") or "") if isinstance(text, Mapping) else ""


def routing(value: str) -> tuple[str, str | None]:
    """Return the rollout and the gate on a button. Raises `Refusal` for rubbish."""
    try:
        body = json.loads(value)
        rollout, gate = body["r"], body.get("g")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _rubbish() from error
    if not (rollout and isinstance(rollout, str) and isinstance(gate, str | None)):
        raise _rubbish()
    return rollout, gate


def _rubbish() -> Refusal:
    return Refusal(
        "This button carries nothing that I understand; nothing was changed. `/deploy status` shows where things "
        "stand.",
        code="unknown_button",
    )


def picked(action: Payload) -> tuple[str, str, int]:
    """Return what an action does: its name, its value and, where that says so, seconds. Raises `Refusal` for rubbish.

    An entry of the menu behind ⋯ names in its value what it does; every other button is called so, and one that gives
    more time says there how much.
    """
    name = str(action.get("action_id", ""))
    menu = action.get("selected_option")
    value = str((menu or action).get("value") or "")
    if not menu and name != "extend":
        return name, value, 0
    routing(value)
    body = json.loads(value)
    seconds = body.get("s", 0)
    return str(body.get("do", name)), value, seconds if isinstance(seconds, int) else 0


def older(value: str) -> History:
    """Return which page of a history a button asks for. Raises `Refusal` for rubbish."""
    try:
        body = json.loads(value)
        environment = body["e"]
        return History(
            str(body["s"]),
            None if environment is None else str(environment),
            min(_FARTHEST, max(0, int(body["n"]))),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _rubbish() from error


def seen(value: str) -> Picture:
    """Return the picture that a button stood under; one that carries none is older than every picture there is.

    Raises `Refusal` for rubbish, and for a yes to no question.
    """
    body = json.loads(value)
    plan, shown = body.get("p", ""), body.get("n", 0)
    if not body.get("g") or not isinstance(plan, str) or type(shown) is not int:
        raise _rubbish()
    return Picture(plan, shown)


def where(body: Payload) -> dict[str, Any]:
    """Return where an answer can be sent to after a restart; the response_url is never kept."""
    place = {"channel": channel_of(body), "user": user_of(body)}
    return {**place, "alone": True} if alone(body) else place


def alone(body: Payload) -> bool:
    """Whether nobody else saw it asked: typed, in a form, on the Home tab, on a message for one person."""
    ephemeral = (body.get("container") or {}).get("is_ephemeral")
    return bool(body.get("command") or body.get("view") or ephemeral) or channel_of(
        body
    ).startswith("D")


def shortcut_fingerprint(body: Payload) -> str:
    """Return what is the same in every delivery of what opens a form; `trigger_id` is unique to it."""
    parts = [user_of(body), str(body.get("callback_id", "")), str(body.get("trigger_id") or "")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


def command_fingerprint(body: Payload) -> str:
    """Return what is the same in every delivery of one command; `trigger_id` is unique to it."""
    trigger = str(body.get("trigger_id") or "")
    text = trigger or json.dumps({k: str(body[k]) for k in sorted(body)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def view_fingerprint(body: Payload) -> str:
    """Return what is the same in every delivery of one form that was sent; its hash changes with what it shows."""
    view = body.get("view") or {}
    parts = [user_of(body), str(view.get("id", "")), str(view.get("hash", ""))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


def press_fingerprint(body: Payload, action: Payload) -> str:
    """Return what is the same in every delivery of one press."""
    container = body.get("container") or {}
    parts = [
        str((body.get("user") or {}).get("id", "")),
        str(container.get("message_ts", "")),
        str(action.get("action_id", "")),
        str(action.get("action_ts") or body.get("trigger_id") or ""),
        str(action.get("value", "")),
        str((action.get("selected_option") or {}).get("value", "")),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]
