"""What Slack sends to a bot, field by field: slash commands, pressed buttons, mentions, submitted forms.

Pure. Signing is here too, because the signature covers exactly these bytes.
"""

import hashlib
import hmac
import html
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from bot.sandbox.chat import APP_ID, BOT_USER, TEAM, Channel, Chat, Message, Person, message_json

_LINK = re.compile(r"(?<![<|\w])https?://[^\s<>|]+")
_NAME = re.compile(r"@([\w.-]+)")


def signed(secret: str, body: str, *, at: int) -> dict[str, str]:
    """Return the headers that prove to the bot who sent this body. `at` is real time in Unix seconds."""
    base = f"v0:{at}:{body}".encode()
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": f"v0={digest}"}


def typed(chat: Chat, text: str) -> str:
    """Return typed text as Slack hands it over: escaped, links and known names in angle brackets."""
    escaped = _LINK.sub(lambda m: f"<{m.group()}>", html.escape(text, quote=False))
    return _NAME.sub(lambda m: _named(chat, m), escaped)


def _named(chat: Chat, found: re.Match[str]) -> str:
    name = found.group(1).casefold()
    for person in chat.people.values():
        if person.name.casefold() == name:
            return f"<@{person.id}>"
    for group in chat.groups.values():
        if group.handle.casefold() == name:
            return f"<!subteam^{group.id}>"
    return found.group()


def command_body(
    person: Person, channel: Channel, *, command: str, text: str, links: Mapping[str, str]
) -> str:
    """Return the form of a slash command. `links` are its `trigger_id` and its `response_url`."""
    fields = {
        "token": "deprecated",
        "team_id": TEAM,
        "team_domain": "sandbox",
        "channel_id": channel.id,
        "channel_name": _channel_name(channel),
        "user_id": person.id,
        "user_name": person.name.lower(),
        "command": command,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        **links,
    }
    return urlencode(fields)


def click_body(
    chat: Chat,
    person: Person,
    message: Message,
    action: Mapping[str, Any],
    links: Mapping[str, str],
) -> str:
    """Return the form of a pressed button. An ephemeral message is not in it, as with Slack."""
    ephemeral = bool(message.only_for)
    channel = chat.channels[message.channel]
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": _user(person),
        "api_app_id": APP_ID,
        "token": "deprecated",
        "container": _container(message),
        "team": {"id": TEAM, "domain": "sandbox"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "state": {"values": {}},
        "actions": [dict(action)],
        **links,
    }
    if not ephemeral:
        payload["message"] = message_json(chat, message, metadata=True)
    return urlencode({"payload": json.dumps(payload)})


def _container(message: Message) -> dict[str, Any]:
    container: dict[str, Any] = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": bool(message.only_for),
    }
    return container | ({"thread_ts": message.thread_ts} if message.thread_ts else {})


def view_click_body(
    person: Person, view: Mapping[str, Any], action: Mapping[str, Any], trigger: str
) -> str:
    """Return the form of a button pressed on a form or on the Home tab: no channel, and nothing to answer to."""
    payload = {
        **_from(person, trigger),
        "type": "block_actions",
        "container": {"type": "view", "view_id": view["id"]},
        "view": {**view, "state": {"values": {}}},
        "actions": [dict(action)],
    }
    return urlencode({"payload": json.dumps(payload)})


def shortcut_body(person: Person, callback_id: str, ts: str, trigger: str) -> str:
    """Return the form of a shortcut used from the composer's menu."""
    payload = {
        **_from(person, trigger),
        "type": "shortcut",
        "callback_id": callback_id,
        "action_ts": ts,
    }
    return urlencode({"payload": json.dumps(payload)})


def message_shortcut_body(
    chat: Chat, person: Person, message: Message, callback_id: str, links: Mapping[str, str]
) -> str:
    """Return the form of a shortcut used on a message. `links` are its `trigger_id` and its `response_url`."""
    channel = chat.channels[message.channel]
    payload = {
        **_from(person, links["trigger_id"]),
        "type": "message_action",
        "callback_id": callback_id,
        "action_ts": chat.now(),
        "message_ts": message.ts,
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "message": message_json(chat, message, metadata=True),
        "response_url": links["response_url"],
    }
    return urlencode({"payload": json.dumps(payload)})


def _from(person: Person, trigger: str) -> dict[str, Any]:
    """Return what every payload says about who acted, and where."""
    return {
        "user": _user(person),
        "api_app_id": APP_ID,
        "token": "deprecated",
        "trigger_id": trigger,
        "team": {"id": TEAM, "domain": "sandbox"},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def submission_body(
    person: Person, view: Mapping[str, Any], values: Mapping[str, Any], trigger: str
) -> str:
    """Return the form of a submitted modal. `values` are by block id and action id, as Slack nests them."""
    payload: dict[str, Any] = {
        **_from(person, trigger),
        "type": "view_submission",
        "view": {**view, "state": {"values": values}},
        "response_urls": [],
    }
    return urlencode({"payload": json.dumps(payload)})


def event_body(event: Mapping[str, Any], *, event_id: str, at: int) -> str:
    """Return an event envelope, which is JSON and not a form."""
    envelope = {
        "token": "deprecated",
        "team_id": TEAM,
        "api_app_id": APP_ID,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": at,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }
    return json.dumps(envelope)


def mention_event(message: Message) -> dict[str, Any]:
    """Return the event of somebody naming the bot."""
    event = {
        "type": "app_mention",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "channel": message.channel,
        "event_ts": message.ts,
        "team": TEAM,
    }
    return event | ({"thread_ts": message.thread_ts} if message.thread_ts else {})


def home_event(
    person: Person, channel: Channel, view: Mapping[str, Any] | None, ts: str
) -> dict[str, Any]:
    """Return the event of somebody opening the Home tab."""
    event = {
        "type": "app_home_opened",
        "user": person.id,
        "channel": channel.id,
        "tab": "home",
        "event_ts": ts,
    }
    return event | ({"view": dict(view)} if view else {})


def pressed(element: Mapping[str, Any], block_id: str, ts: str, choice: str) -> dict[str, Any]:
    """Return the action of a pressed element. `choice` is the text or the value of a menu's option."""
    action = {
        key: element[key]
        for key in ("type", "action_id", "text", "value", "style")
        if key in element
    }
    action |= {"block_id": block_id, "action_ts": ts}
    for option in element.get("options", ()):
        if choice in {option["text"]["text"], option["value"]}:
            action["selected_option"] = option
    return action


def _user(person: Person) -> dict[str, Any]:
    handle = person.name.lower()
    return {"id": person.id, "username": handle, "name": handle, "team_id": person.team_id}


def _channel_name(channel: Channel) -> str:
    return "directmessage" if channel.id.startswith("D") else channel.name
