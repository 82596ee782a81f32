"""Forms and Home tabs of the stand-in workspace, and the two short-lived keys that Slack hands out.

A `trigger_id` opens one form within three seconds; a `response_url` answers five times within half an hour. Both run on
real time: they bound a conversation over HTTP, not a rollout.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from bot.sandbox.chat import APP_ID, BOT_ID, TEAM

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 1800.0
RESPONSE_USES = 5


@dataclass(slots=True)
class Response:
    """One `response_url`: who may be answered, where, and the message that was pressed."""

    user: str
    channel: str
    ts: str = ""
    """The message with the button; `""` for a command."""
    born: float = 0.0
    used: int = 0


@dataclass(slots=True)
class Views:
    """What is open on whose screen."""

    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By view id, as Slack shows a view; `user` says on whose screen."""
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By person."""
    responses: dict[str, Response] = field(default_factory=dict)
    timer: Callable[[], float] = monotonic
    _triggers: dict[str, tuple[str, float]] = field(default_factory=dict)

    def trigger(self, user: str) -> str:
        """Return a key that opens one form on this person's screen."""
        key = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[key] = (user, self.timer())
        return key

    def redeem(self, key: str) -> tuple[str, str]:
        """Return the person behind a trigger, or `""` and why it opens nothing."""
        if key not in self._triggers:
            return "", "invalid_trigger_id"
        user, born = self._triggers[key]
        if not user:
            return "", "exchanged_trigger_id"
        self._triggers[key] = ("", born)
        late = self.timer() - born > TRIGGER_SECONDS
        return ("", "expired_trigger_id") if late else (user, "")

    def response(self, user: str, channel: str, ts: str = "") -> str:
        """Return the key of a new `response_url`."""
        key = secrets.token_urlsafe(24)
        self.responses[key] = Response(user, channel, ts, self.timer())
        return key

    def answer(self, key: str) -> tuple[Response | None, str]:
        """Return what a `response_url` belongs to and count its use, or why it is dead."""
        found = self.responses.get(key)
        if found is None or self.timer() - found.born > RESPONSE_SECONDS:
            return None, "expired_url"
        if found.used >= RESPONSE_USES:
            return None, "used_url"
        found.used += 1
        return found, ""

    def show(self, user: str, view: Mapping[str, Any]) -> dict[str, Any]:
        """Open a form on somebody's screen, or show the Home tab."""
        shown = _stamped({"id": f"V{secrets.token_hex(5).upper()}", **view, "user": user})
        if shown["type"] == "home":
            self.homes[user] = shown
        else:
            self.open[shown["id"]] = shown
        return shown

    def change(self, shown: Mapping[str, Any], view: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an open view in its place."""
        return self.show(shown["user"], {**view, "id": shown["id"]})

    def close(self, view_id: str) -> None:
        """Take a form off the screen."""
        self.open.pop(view_id, None)


def _stamped(view: dict[str, Any]) -> dict[str, Any]:
    blocks = [{"block_id": secrets.token_hex(3), **block} for block in view["blocks"]]
    empty = {"private_metadata": "", "callback_id": "", "external_id": "", "state": {"values": {}}}
    owner = {"app_id": APP_ID, "bot_id": BOT_ID, "team_id": TEAM}
    return {**empty, **view, **owner, "blocks": blocks, "hash": secrets.token_hex(8)}
