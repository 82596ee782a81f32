"""Which channels are read by people of other companies (Slack Connect), remembered for a few minutes.

Outsiders in a shared channel may press our buttons and read our numbers. So nothing is asked for there and no rollout
lives there; going back and pausing stay open to our own people. Where Slack does not say, work goes on: who may is
checked anyway.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.commands import Refusal
from bot.slack.payloads import Payload, channel_of
from bot.slack.speaking import TROUBLE, reason

log = logging.getLogger("sluice.channels")

FRESH = timedelta(minutes=5)
GLANCE = 0.5
"""Seconds that a command waits for the answer: the acknowledgement has to come in time."""
_MANY = 1000

ANYWHERE = {"rollback", "force", "pause", "keep"}
"""What our own people may do anywhere: going back never depends on where somebody stands."""
_LATER = ("say:", "back:", "form:")


class Channels:
    """Asks Slack about channels, and remembers."""

    def __init__(
        self, client: AsyncWebClient, now: Callable[[], datetime], glance: float = GLANCE
    ) -> None:
        """`now` is wall time; `glance` is in seconds."""
        self._client = client
        self._now = now
        self._glance = glance
        self._known: dict[str, tuple[datetime, bool]] = {}
        self._asking: dict[str, asyncio.Task[bool | None]] = {}

    def forget(self, channel: str) -> None:
        """Drop what an event says has changed."""
        self._known.pop(channel, None)

    async def outside(self, channel: str) -> bool | None:
        """Return whether outsiders read a channel; None where Slack does not say in time. Never raises."""
        if not channel or channel.startswith("D"):
            return False
        known = self._known.get(channel)
        if known is not None and self._now() - known[0] < FRESH:
            return known[1]
        asking = self._asking.get(channel)
        if asking is None:
            asking = self._asking[channel] = asyncio.create_task(self._ask(channel))
            asking.add_done_callback(lambda _: self._asking.pop(channel, None))
        # Not cut off when it is late: the next command finds its answer.
        done, _ = await asyncio.wait({asking}, timeout=self._glance)
        if not done:
            log.warning("Slack did not say in time whether %s is shared", channel)
            return None
        return asking.result()

    async def check(self, channel: str) -> None:
        """Refuse what is said or pressed in a channel that outsiders read. Raises `Refusal`."""
        if await self.outside(channel):
            raise refused(
                "This channel is shared with another company (Slack Connect), so it takes no commands and no "
                "buttons of mine, but `rollback` and `pause` by our own people. Use a channel of ours."
            )

    async def admit(self, body: Payload) -> None:
        """Refuse a button in a channel that outsiders read; the lines and forms that it stands for are looked at later.

        Raises `Refusal`.
        """
        name = str((body.get("actions") or [{}])[0].get("action_id", ""))
        if name not in ANYWHERE and name != "dismiss" and not name.startswith(_LATER):
            await self.check(channel_of(body))

    async def settled(self) -> None:
        """Wait until nothing is being asked."""
        while self._asking:
            await asyncio.wait(list(self._asking.values()))

    async def stop(self) -> None:
        """Break off what is being asked."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _ask(self, channel: str) -> bool | None:
        try:
            answer = await self._client.conversations_info(channel=channel)
        except TROUBLE as error:
            log.warning("it is not known whether %s is shared: %s", channel, reason(error))
            return None
        body = answer.get("channel") or {}
        shared = bool(body.get("is_ext_shared") or body.get("is_pending_ext_shared"))
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[channel] = (self._now(), shared)
        return shared


def refused(sentence: str) -> Refusal:
    """Return the refusal of something that would have outsiders look on."""
    return Refusal(sentence, code="external_channel", status=403)
