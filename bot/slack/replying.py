"""How an answer reaches the one person it is for.

By response_url while it lives, else as an ephemeral message, else directly; to a button on a form in the form itself.
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
from bot.slack.modals import About, as_view
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
        """Return how to tell one person something in a channel; without one, or where that fails, directly."""

        async def reply(message: Message) -> None:
            if not (channel and await self._whispered(channel, user, thread, message)):
                await self.directly(user, message)

        return reply

    async def directly(self, user: str, message: Message) -> bool:
        """Tell one person in their own conversation with the bot; returns whether it arrived."""
        try:
            await self._client.chat_postMessage(channel=user, **message.payload())
        except TROUBLE as error:
            log.warning("an answer did not reach %s: %s", user, reason(error))
            return False
        return True

    async def _whispered(
        self, channel: str, user: str, thread: str | None, message: Message
    ) -> bool:
        extra: dict[str, Any] = {"thread_ts": thread} if thread else {}
        try:
            await self._client.chat_postEphemeral(
                channel=channel, user=user, **message.payload(), **extra
            )
        except TROUBLE as error:
            log.info("%s could not be told in the channel: %s", user, reason(error))
            return False
        return True

    def on(self, body: Payload) -> Reply:
        """Return how to answer a command, a press, a form or a shortcut."""
        if _modal(body):
            return self._in_the_form(body)
        return self._by_url(body, replace=False)

    def in_place_of(self, body: Payload) -> Reply:
        """Return how to replace the ephemeral message, or what the form shows, whose button was pressed."""
        if _modal(body):
            return self._in_the_form(body)
        return self._by_url(body, replace=True)

    def _by_url(self, body: Payload, *, replace: bool) -> Reply:
        url = str(body.get("response_url") or "")
        fallback = self.to(channel_of(body), user_of(body))

        async def reply(message: Message) -> None:
            if not (url and await self._respond(url, message, replace=replace)):
                await fallback(message)

        return reply

    def _in_the_form(self, body: Payload) -> Reply:
        shown = body.get("view") or {}

        async def reply(message: Message) -> None:
            view = as_view(message).payload(str(shown.get("callback_id", "")), About())
            try:
                await self._client.views_update(view_id=str(shown.get("id", "")), view=view)
            except TROUBLE:
                await self.directly(user_of(body), message)

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


def _modal(body: Payload) -> bool:
    """Whether a button on an open form was pressed; on the Home tab there is nothing to put an answer into."""
    return (body.get("view") or {}).get("type") == "modal"
