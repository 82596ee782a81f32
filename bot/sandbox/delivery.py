"""Carries what Slack sends to the bot: signed, over HTTP, with three seconds to answer.

The signature and the three seconds are on real time, whatever clock the sandbox runs on: the bot checks them so.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.sandbox.payloads import signed

ANSWER_SECONDS = 3.0
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bot said within three seconds. `status` is 0 when it said nothing."""

    status: int
    text: str = ""
    is_json: bool = False

    @property
    def ok(self) -> bool:
        """Whether Slack takes it for an acknowledgement."""
        return self.status == 200

    def body(self) -> dict[str, Any]:
        """Return the answer as a message: JSON as it is, bare text as its text."""
        if not self.is_json or not self.text.strip():
            return {"text": self.text} if self.text.strip() else {}
        found = json.loads(self.text)
        return found if isinstance(found, dict) else {}


class Delivery:
    """The wire from Slack to the bot."""

    def __init__(self, bot_url: str, signing_secret: str) -> None:
        self.bot_url = bot_url
        self.seconds = ANSWER_SECONDS
        self.signing_secret = signing_secret
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the wire usable."""
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    async def form(self, body: str) -> Answer:
        """Send a command, a click or a form, which Slack never repeats."""
        return await self._send(body, {"Content-Type": _FORM})

    async def event(self, body: str) -> Answer:
        """Send an event; like Slack, once more at once when it was not acknowledged."""
        answer = await self._send(body, {"Content-Type": _JSON})
        if answer.ok:
            return answer
        reason = "http_error" if answer.status else "http_timeout"
        retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": reason}
        return await self._send(body, {"Content-Type": _JSON, **retry})

    async def _send(self, body: str, headers: dict[str, str]) -> Answer:
        if self._session is None:
            raise RuntimeError("the workspace is not started")
        proof = signed(self.signing_secret, body, at=int(time.time()))
        url = f"{self.bot_url.rstrip('/')}/slack/events"
        try:
            async with self._session.post(
                url,
                data=body.encode(),
                headers=headers | proof,
                timeout=aiohttp.ClientTimeout(total=self.seconds),
            ) as got:
                return Answer(got.status, await got.text(), got.content_type == _JSON)
        except (aiohttp.ClientError, TimeoutError):
            return Answer(0)
