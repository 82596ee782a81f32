"""Recorded promotes, carried out: look up who may, count the vote, tell whoever was refused.

A click was committed before Slack was told so; what was recorded when the process died is taken up at the next start.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.commands import Commands, Refusal
from bot.errands import Errands
from bot.slack.message import Message
from bot.slack.replies import refusal_message
from bot.store import Inbound, Store

log = logging.getLogger("sluice.inbox")

Reply = Callable[[Message], Awaitable[None]]
"""How to answer the person who clicked."""

_AFTER_FAILURE = timedelta(seconds=5)


async def _refused(refusal: Refusal) -> Message:
    return refusal_message(refusal)


class Inbox:
    """Works off what was recorded."""

    def __init__(
        self,
        store: Store,
        commands: Commands,
        now: Callable[[], datetime],
        reply_later: Callable[[Inbound], Reply],
    ) -> None:
        """`reply_later` returns how to reach a person whose click is from before the last start."""
        self._store = store
        self._commands = commands
        self._now = now
        self._reply_later = reply_later
        self.refused: Callable[[Refusal], Awaitable[Message]] = _refused
        """Returns what somebody is told whose click did not count."""
        self._again: Callable[[str, datetime], None] | None = None
        self._errands = Errands("settle", self._settle)
        self._replies: dict[str, Reply] = {}

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `ring` again later, when a click could not be carried out."""
        self._again = again

    def settle(self, key: str, reply: Reply) -> None:
        """Carry out a click that was just recorded."""
        self._replies[key] = reply
        self.ring(key)

    def resume(self, inbound: Inbound) -> None:
        """Carry out a click that was recorded before the last stop."""
        if inbound.key not in self._replies:
            self.settle(inbound.key, self._reply_later(inbound))

    def ring(self, key: str) -> None:
        """Carry out a click, unless that is being done: one click is one vote."""
        if key in self._replies and not self._errands.busy(key):
            self._errands.soon(key)

    async def left_over(self) -> list[Inbound]:
        """Return what was recorded and not carried out, oldest first."""
        return await self._store.unsettled()

    async def settled(self) -> None:
        """Wait until nothing is being carried out."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Stop; what is recorded is carried out after the next start."""
        await self._errands.stop()

    async def _settle(self, key: str) -> None:
        try:
            refusal = await self._carry_out(key)
        except Exception:
            log.exception("a recorded click could not be carried out; it is tried again")
            if self._again is not None:
                self._again(key, self._now() + _AFTER_FAILURE)
        else:
            reply = self._replies.pop(key)
            if refusal is not None:
                await reply(await self.refused(refusal))

    async def _carry_out(self, key: str) -> Refusal | None:
        inbound = await self._store.inbound(key)
        if inbound is None or inbound.answer is not None:
            return None
        try:
            await self._commands.settle(inbound)
        except Refusal as refusal:
            return refusal
        return None
