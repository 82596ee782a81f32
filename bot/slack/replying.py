"""How an answer reaches the one person it is for: by response_url while it lives, else as an ephemeral message.

Best effort, after the acknowledgement: what matters is committed already and on the card.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from aiohttp import ClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.inbox import Reply
from bot.slack.message import Message
from bot.slack.payloads import Payload, channel_of, user_of
from bot.slack.speaking import TROUBLE, reason

log = logging.getLogger("sluice.slack")


class Replies:
    """Sends answers to single people."""

    def __init__(self, client: AsyncWebClient) -> None:
        """Speak through `client`."""
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, work: Awaitable[None]) -> None:
        """Send after the acknowledgement."""

        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until all answers have been sent."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def to(self, channel: str, user: str, thread: str | None = None) -> Reply:
        """Return how to tell one person something in a channel."""

        async def reply(message: Message) -> None:
            extra: dict[str, Any] = {"thread_ts": thread} if thread else {}
            try:
                await self._client.chat_postEphemeral(
                    channel=channel, user=user, **message.payload(), **extra
                )
            except TROUBLE as error:
                log.warning("an answer did not reach %s: %s", user, reason(error))

        return reply

    def on(self, body: Payload) -> Reply:
        """Return how to answer a command or a press."""
        url = str(body.get("response_url") or "")
        fallback = self.to(channel_of(body), user_of(body))

        async def reply(message: Message) -> None:
            if not (url and await self._respond(url, message, replace=False)):
                await fallback(message)

        return reply

    def in_place_of(self, body: Payload) -> Reply:
        """Return how to replace the ephemeral message whose button was pressed."""
        url = str(body.get("response_url") or "")
        fallback = self.to(channel_of(body), user_of(body))

        async def reply(message: Message) -> None:
            if not (url and await self._respond(url, message, replace=True)):
                await fallback(message)

        return reply

    async def _respond(self, url: str, message: Message, *, replace: bool) -> bool:
        # The response_url is a bearer capability: it lives in memory only, and is never logged.
        webhook = AsyncWebhookClient(url, session=self._client.session)
        try:
            answer = await webhook.send(
                text=message.payload()["text"],
                blocks=list(message.blocks) or None,
                response_type="ephemeral",
                replace_original=replace,
            )
        except (ClientError, TimeoutError, OSError):
            return False
        return answer.status_code == 200
