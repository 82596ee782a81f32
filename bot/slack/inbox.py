"""Recorded promotes, carried out: look up who may, count the vote, tell whoever was refused.

A click was committed before Slack was told so; what was recorded when the process died is taken up at the next start.
Where Slack does not say who may, the click waits for it and whoever made it is told that it does.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.commands import Commands, Refusal
from bot.commands.answers import Unheard
from bot.errands import Errands
from bot.slack.message import Message
from bot.slack.replies import counted_message, refusal_message, waiting_message
from bot.store import Inbound, Store

log = logging.getLogger("sluice.inbox")

Reply = Callable[[Message], Awaitable[object]]
"""How to answer the person who clicked; False where it is known not to have arrived."""

_AFTER_FAILURE = timedelta(seconds=5)
_SLOWEST = timedelta(minutes=1)
_LONGEST = timedelta(hours=24)
"""For how long it is tried to tell somebody what became of their click."""


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
        self._since: dict[str, datetime] = {}
        self._owed: dict[str, Message] = {}
        """What somebody has still to be told about a click that is done with."""
        self._waited: set[str] = set()
        """The clicks that could not be counted at once."""
        self._told: set[str] = set()
        """The clicks whose people know that theirs waits for Slack."""
        self.touch: Callable[[str], None] | None = None
        """Has a rollout shown again."""

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `ring` again later, when a click could not be carried out."""
        self._again = again

    def settle(self, key: str, reply: Reply) -> None:
        """Carry out a click that was just recorded."""
        self._replies[key] = reply
        self._since.setdefault(key, self._now())
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
        if key in self._owed:
            await self._tell(key)
            return
        try:
            refusal = await self._carry_out(key)
        except Exception:
            log.exception("a recorded click could not be carried out; it is tried again")
            self._ring_again(key, _AFTER_FAILURE)
            return
        if isinstance(refusal, Unheard) and refusal.waits:
            await self._wait(key, refusal)
            return
        waited = key in self._waited
        if refusal is None:
            message = counted_message() if waited else None
        else:
            message = await self.refused(refusal)
            await self._show_again(key)
        if message is None:
            self._forget(key)
        else:
            self._owed[key] = message
            await self._tell(key)

    async def _wait(self, key: str, refusal: Unheard) -> None:
        """Leave a click that Slack did not say enough about for later; who made it is told once."""
        self._waited.add(key)
        if (
            key not in self._told
            and await self._replies[key](waiting_message(refusal)) is not False
        ):
            self._told.add(key)
        self._ring_again(key)

    async def _tell(self, key: str) -> None:
        """Say what became of a click; again where that did not arrive."""
        arrived = await self._replies[key](self._owed[key]) is not False
        if arrived or self._now() - self._since[key] > _LONGEST:
            self._forget(key)
        else:
            self._ring_again(key)

    def _ring_again(self, key: str, pause: timedelta | None = None) -> None:
        """Try once more after as long again as has passed, within bounds."""
        passed = self._now() - self._since[key]
        pause = pause or min(max(passed, _AFTER_FAILURE), _SLOWEST)
        if self._again is not None:
            self._again(key, self._now() + pause)

    async def _show_again(self, key: str) -> None:
        """Have the thread tell what was noted about a click."""
        inbound = await self._store.inbound(key)
        if self.touch is not None and inbound is not None and inbound.rollout:
            self.touch(inbound.rollout)

    def _forget(self, key: str) -> None:
        for kept in (self._replies, self._since, self._owed):
            kept.pop(key, None)
        self._waited.discard(key)
        self._told.discard(key)

    async def _carry_out(self, key: str) -> Refusal | None:
        inbound = await self._store.inbound(key)
        if inbound is None or inbound.answer is not None:
            return None
        try:
            await self._commands.settle(inbound)
        except Refusal as refusal:
            return refusal
        return None
