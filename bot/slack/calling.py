"""One call of the Web API: not while Slack wants quiet, and however it goes, the line hears of it."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.line import Line
from bot.slack.pace import Quiet
from bot.slack.refusals import LOST, closed
from bot.slack.speaking import reason, refused_with, retry_after

log = logging.getLogger("sluice.posting")

UNREACHABLE = (ClientError, TimeoutError, OSError)
"""What the client raises when there was no answer at all."""


class NotNowError(TimeoutError):
    """Slack asked to leave this method alone until `until`; nothing was sent. Who cannot wait takes it as no answer."""

    def __init__(self, method: str, until: datetime) -> None:
        """Keep what rests, and how long."""
        super().__init__(method)
        self.until = until


class NotYetError(NotNowError):
    """There may be one copy of this message already, or there was one lately: the next is due at `until`."""


class Caller:
    """Calls Slack for all messages."""

    def __init__(self, client: AsyncWebClient, now: Callable[[], datetime], line: Line) -> None:
        """Speak through `client`; `line` hears how every call went."""
        self._client = client
        self._now = now
        self._line = line
        self._quiet = Quiet(now)

    async def call(self, method: str, **body: Any) -> Any:
        """Call a method of Slack unless it asked for quiet. Raises `NotNowError`, `SlackApiError`, `UNREACHABLE`."""
        self.ready(method)
        try:
            answer = await getattr(self._client, method.replace(".", "_"))(**body)
        except SlackApiError as error:
            asked, code = retry_after(error), refused_with(error)
            if asked:
                until = self._quiet.ask(method, asked)
                self._line.limited(method, until)
                raise NotNowError(method, until) from error
            if code and code not in LOST:
                self._line.answered()
                self._note_closed(method, code, body)
            else:
                self._line.failed(code or reason(error))
            raise
        except UNREACHABLE as error:
            self._line.failed(reason(error))
            raise
        self._line.answered(method)
        return answer

    def _note_closed(self, method: str, code: str, body: Mapping[str, Any]) -> None:
        if method == "chat.postMessage" and closed(code):
            self._line.hindrances.shut(str(body.get("channel", "")), code, self._now())

    async def probe(self) -> None:
        """Find out whether Slack answers at all. Raises what `call` raises."""
        try:
            await self.call("auth.test")
        except SlackApiError as error:
            if self._line.down is not None:
                raise
            log.warning("Slack refuses auth.test: %s", refused_with(error))

    def ready(self, method: str) -> None:
        """Raise `NotNowError` while a method is to be left alone."""
        until = self._quiet.until(method)
        if until is not None:
            raise NotNowError(method, until)
