"""Locks do not get forgotten: before one ends its owner is asked, at its end the channel hears of it.

The rows say what was told already, so that a restart neither forgets nor repeats it. What a command wants others to
hear is told here too, and tried again while Slack is away.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from bot.commands.answers import Notice, Offer
from bot.commands.lock_words import channel_of, is_person
from bot.errands import Errands
from bot.grammar import render
from bot.grammar.locking import LONGEST
from bot.grammar.verbs import Freeze, Thaw, Unlock
from bot.grammar.verbs import Lock as LockVerb
from bot.rollout.locks import Lock
from bot.rollout.times import clock
from bot.settings.values import Config
from bot.store import Store

log = logging.getLogger("sluice.nagging")

_ALL = "all"
_HOUR = timedelta(hours=1)
_PAUSE = timedelta(seconds=30)
"""Before what could not be said is tried again."""
_KEPT = 200
"""Notices that wait for Slack; of more than that the oldest are history, and the rows tell it."""

Say = Callable[[Notice], Awaitable[None]]
"""Say something to a person or a channel; raises where that did not arrive."""


class Nagger:
    """Tells people about locks."""

    def __init__(
        self,
        store: Store,
        say: Say,
        config: Config,
        now: Callable[[], datetime],
    ) -> None:
        """Tell through `say`; the configuration says in which channel people of a service read."""
        self._store = store
        self._say = say
        self._config = config
        self._now = now
        self._again: Callable[[datetime], None] = lambda _: None
        self._waiting: deque[Notice] = deque(maxlen=_KEPT)
        self._errands = Errands("nag", self._look_safely)

    def use(self, again: Callable[[datetime], None]) -> None:
        """Set who calls `ring` at a moment."""
        self._again = again

    def ring(self) -> None:
        """Look at all locks now, and again when one of them is due."""
        self._errands.soon(_ALL)

    def spread(self, notices: Sequence[Notice]) -> None:
        """Tell these, and look at the locks: one of them has changed."""
        self._waiting.extend(notices)
        self.ring()

    async def settled(self) -> None:
        """Wait until nothing is being told."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Break off."""
        await self._errands.stop()

    async def _look_safely(self, _: str) -> None:
        try:
            due = await self._look()
        except Exception as error:  # noqa: BLE001 - whatever Slack or the database has, it is tried again
            log.warning("a lock could not be told about: %s", type(error).__name__)
            due = self._now() + _PAUSE
        if due is not None:
            self._again(due)

    async def _look(self) -> datetime | None:
        """Tell what is due; return when to look next. Raises what the channel or the database raises."""
        while self._waiting:
            await self._say(self._waiting[0])
            self._waiting.popleft()
        next_looks = [await self._look_at(lock) for lock in await self._store.locks()]
        return min((at for at in next_looks if at is not None), default=None)

    async def _look_at(self, lock: Lock) -> datetime | None:
        now = self._now()
        if lock.expires is None or lock.nag_at is None:
            return None
        if not lock.holds(now):
            await self._over(lock)
            return None
        if lock.nagged is None and now >= lock.nag_at:
            await self._say(self._nag(lock, now))
            async with self._store.writing() as writing:
                await writing.nagged_lock(lock, now)
            return lock.expires
        return lock.expires if lock.nagged is not None else lock.nag_at

    async def _over(self, lock: Lock) -> None:
        """Say once that a lock has run out, then end its row."""
        assert lock.expires is not None
        what = (
            f"The lock of {lock.where}"
            if lock.kind == "lock"
            else f"The stop of {lock.environment}"
        )
        text = f"{what} by {lock.owner} has run out (“{lock.reason}”): deploys start there again."
        await self._say(Notice(channel_of(self._config, lock.service), text, (lock.owner,)))
        async with self._store.writing() as writing:
            await writing.release_lock(lock.id, "sluice", lock.expires)

    def _nag(self, lock: Lock, now: datetime) -> Notice:
        assert lock.expires is not None
        person = is_person(lock.owner)
        whose = "Your" if person else f"{lock.owner}: your"
        what = f"lock of {lock.where}" if lock.kind == "lock" else f"stop of {lock.environment}"
        text = (
            f"{whose} {what} ends at {clock(lock.expires)} (“{lock.reason}”). Is it still needed?"
        )
        to = lock.owner if person else channel_of(self._config, lock.service)
        # In a channel anybody could press, and nobody would know whom it is for.
        return Notice(to, text, (lock.owner,), _ways(lock, now) if person else ())


def _ways(lock: Lock, now: datetime) -> list[Offer]:
    """Return the two answers of the owner, each as the line that it stands for."""
    assert lock.expires is not None
    seconds = min(round((lock.expires + _HOUR - now).total_seconds()), LONGEST)
    if lock.kind == "lock":
        place = lock.environment or None
        longer = render(LockVerb(lock.service, place, seconds, reason=lock.reason))
        release = render(Unlock(lock.service, place))
    else:
        longer = render(Freeze(lock.environment, seconds, lock.reason))
        release = render(Thaw(lock.environment))
    return [Offer("Extend 1 h", longer), Offer("Release", release)]
