"""What Slack sends, read: where it came from, what a button carries, what is the same in every delivery of one act.

Pure. Values on buttons are routing, never authority.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bot.commands import Refusal

Payload = Mapping[str, Any]


def channel_of(body: Payload) -> str:
    """Return the channel of a command or of a press."""
    return str(body.get("channel_id") or (body.get("channel") or {}).get("id", ""))


def user_of(body: Payload) -> str:
    """Return the user of a command or of a press."""
    return str(body.get("user_id") or (body.get("user") or {}).get("id", ""))


def routing(value: str) -> tuple[str, str | None]:
    """Return the rollout and the gate on a button. Raises `Refusal` for rubbish."""
    try:
        body = json.loads(value)
        return str(body["r"]), (str(body["g"]) if "g" in body else None)
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(
            "This button carries nothing that I understand; nothing was changed.",
            code="unknown_button",
        ) from error


def where(body: Payload) -> dict[str, Any]:
    """Return where an answer can be sent to after a restart; the response_url is never kept."""
    return {"channel": channel_of(body), "user": user_of(body)}


def command_fingerprint(body: Payload) -> str:
    """Return what is the same in every delivery of one command; `trigger_id` is unique to it."""
    trigger = str(body.get("trigger_id") or "")
    text = trigger or json.dumps({k: str(body[k]) for k in sorted(body)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def press_fingerprint(body: Payload, action: Payload) -> str:
    """Return what is the same in every delivery of one press."""
    container = body.get("container") or {}
    parts = [
        str((body.get("user") or {}).get("id", "")),
        str(container.get("message_ts", "")),
        str(action.get("action_id", "")),
        str(action.get("action_ts") or body.get("trigger_id") or ""),
        str(action.get("value", "")),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]
