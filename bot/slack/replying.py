"""How an answer reaches the one person it is for.

By response_url while it lives, else as an ephemeral message, else directly; to a button on a form in the form itself.
Best effort, after the acknowledgement: what matters is committed already and on the card.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiohttp import ClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.blocks import context, section
from bot.slack.form import About
from bot.slack.inbox import Reply
from bot.slack.limits import problems
from bot.slack.message import Message
from bot.slack.modals import as_view
from bot.slack.payloads import Payload, channel_of, user_of
from bot.slack.speaking import TROUBLE, reason, send

log = logging.getLogger("sluice.slack")

_MOST = 50
"""Blocks of a message."""


class Replies:
    """Sends answers to single people."""

    def __init__(self, client: AsyncWebClient) -> None:
        """Speak through `client`."""
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self.at_home: Callable[[Payload, Message | None], Awaitable[None]] | None = None
        """Draws the Home tab of whoever pressed something on it, with what they are told at its top."""

    def soon(self, work: Awaitable[object]) -> None:
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

        async def reply(message: Message) -> bool:
            if channel and await self._whispered(channel, user, thread, message):
                return True
            return await self.directly(user, message)

        return reply

    async def directly(self, user: str, message: Message) -> bool:
        """Tell one person in their own conversation with the bot; returns whether it arrived."""
        try:
            await send(self._client.chat_postMessage, _with_words(message), channel=user)
        except TROUBLE as error:
            log.warning("an answer did not reach %s: %s", user, reason(error))
            return False
        return True

    async def _whispered(
        self, channel: str, user: str, thread: str | None, message: Message
    ) -> bool:
        extra: dict[str, Any] = {"thread_ts": thread} if thread else {}
        try:
            where = {"channel": channel, "user": user, **extra}
            await send(self._client.chat_postEphemeral, message, **where)
        except TROUBLE as error:
            log.info("%s could not be told in the channel: %s", user, reason(error))
            return False
        return True

    def on(self, body: Payload) -> Reply:
        """Return how to answer a command, a press, a form or a shortcut."""
        return self._on_view(body) or self._by_url(body, replace=False)

    def in_place_of(self, body: Payload) -> Reply:
        """Return how to replace the ephemeral message, or what the form shows, whose button was pressed."""
        return self._on_view(body) or self._by_url(body, replace=True)

    async def refresh(self, body: Payload) -> None:
        """Draw the Home tab again on which somebody pressed for it."""
        if self.at_home is not None:
            await self.at_home(body, None)

    def _on_view(self, body: Payload) -> Reply | None:
        """Return how to answer on the form or the Home tab that was pressed; None for a message."""
        match (body.get("view") or {}).get("type"):
            case "modal":
                return self._in_the_form(body)
            case "home" if self.at_home is not None:
                show = self.at_home
                return lambda message: show(body, message)
            case _:
                return None

    def _by_url(self, body: Payload, *, replace: bool) -> Reply:
        url = str(body.get("response_url") or "")
        fallback = self.to(channel_of(body), user_of(body))

        async def reply(message: Message) -> bool:
            if url and await self._respond(url, message, replace=replace):
                return True
            return await fallback(message) is not False

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
            return await _sent(webhook, message, replace=replace)
        except (ClientError, TimeoutError, OSError):
            return False


_WORDS = context("(Type `/rollback` here; plain words I do not read.)")


def _with_words(message: Message) -> Message:
    """Return a direct message with how it goes on from there, where it has no button."""
    blocks = message.blocks or (section(message.text),)
    presses = any(b["type"] == "actions" or "accessory" in b for b in blocks)
    return (
        message if presses or len(blocks) >= _MOST else replace(message, blocks=(*blocks, _WORDS))
    )


async def _sent(webhook: AsyncWebhookClient, message: Message, *, replace: bool) -> bool:
    """Answer by the address that came with a payload; as text where its blocks do not fit, or are refused."""
    fits = not problems(message.payload())
    for blocks in [list(message.blocks), []] if message.blocks and fits else [[]]:
        answer = await webhook.send(
            text=message.bare()["text"],
            blocks=blocks or None,
            response_type="ephemeral",
            replace_original=replace,
        )
        if answer.status_code == 200:
            return True
        if "invalid_blocks" not in (answer.body or ""):
            return False
    return False
