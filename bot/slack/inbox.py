"""Recorded promotes, carried out: look up who may, count the vote, tell whoever was refused.

A click was committed before Slack was told so; what was recorded when the process died is taken up at the next start.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.commands import Commands, Refusal
from bot.slack.message import Message
from bot.slack.replies import refusal_message
from bot.store import Inbound, Store

log = logging.getLogger("sluice.inbox")

Reply = Callable[[Message], Awaitable[None]]
"""How to answer the person who clicked."""


class Inbox:
    """Works off what was recorded."""

    def __init__(
        self, store: Store, commands: Commands, reply_later: Callable[[Inbound], Reply]
    ) -> None:
        """`reply_later` returns how to reach a person whose click is from before the last start."""
        self._store = store
        self._commands = commands
        self._reply_later = reply_later
        self._tasks: set[asyncio.Task[None]] = set()

    def settle(self, key: str, reply: Reply) -> None:
        """Carry out a click that was just recorded."""
        task = asyncio.create_task(self._settle(key, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def boot(self) -> None:
        """Carry out what was recorded before the last stop, oldest first."""
        for inbound in await self._store.unsettled():
            await self._settle(inbound.key, self._reply_later(inbound))

    async def settled(self) -> None:
        """Wait until nothing is being carried out."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _settle(self, key: str, reply: Reply) -> None:
        inbound = await self._store.inbound(key)
        if inbound is None or inbound.answer is not None:
            return
        try:
            await self._commands.settle(inbound)
        except Refusal as refusal:
            await reply(refusal_message(refusal))
        except Exception:
            log.exception("a recorded click on %s could not be carried out", inbound.rollout)
