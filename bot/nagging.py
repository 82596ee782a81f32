"""Locks do not get forgotten: before one ends its owner is asked, at its end the channel hears of it.

The rows say what was told already, so that a restart neither forgets nor repeats it. What a command wants others to
hear was committed with what it did; it is told here, at least once and in order, however long Slack is away.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.commands.answers import Notice, Offer
from bot.commands.lock_notices import channels_of, is_person
from bot.commands.lock_words import owners, still_shut
from bot.errands import Errands
from bot.grammar import render
from bot.grammar.verbs import Freeze, Thaw, Unlock
from bot.grammar.verbs import Lock as LockVerb
from bot.rollout.locks import Lock
from bot.rollout.times import clock
from bot.rollout.values import Rollout
from bot.settings.values import Config
from bot.store import Store

log = logging.getLogger("sluice.nagging")

_ALL = "all"
_HOUR = 3600
_PAUSE = timedelta(seconds=30)
"""Before what could not be said is tried again."""
_SILENT = 3
"""Places that take nothing after which no other is tried in this round: it is Slack then, and not the place."""

Say = Callable[[Notice], Awaitable[None]]
"""Say something to a person or a channel; raises where that did not arrive and may arrive later."""


class Nagger:
    """Tells people about locks."""

    def __init__(
        self,
        store: Store,
        say: Say,
        config: Config,
        now: Callable[[], datetime],
        wake: Callable[[Rollout], None],
    ) -> None:
        """Tell through `say`; the configuration says where people read. `wake` has a rollout look again."""
        self._store = store
        self._say = say
        self._config = config
        self._now = now
        self._wake = wake
        self._again: Callable[[datetime], None] = lambda _: None
        self._shut: set[str] = set()
        """Whom nothing could be said to in this round: what comes later for them waits, so that it stays in order."""
        self._errands = Errands("nag", self._look_safely)

    def use(self, again: Callable[[datetime], None]) -> None:
        """Set who calls `ring` at a moment."""
        self._again = again

    def ring(self) -> None:
        """Tell what is to be told, look at all locks now, and again when one of them is due."""
        self._errands.soon(_ALL)

    async def settled(self) -> None:
        """Wait until nothing is being told."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Break off; what was not told is told after the next start."""
        await self._errands.stop()

    async def _look_safely(self, _: str) -> None:
        try:
            due = await self._look()
        except Exception as error:  # noqa: BLE001 - whatever the database has, it is tried again
            log.warning("locks could not be looked at: %s", type(error).__name__)
            due = self._now() + _PAUSE
        if due is not None:
            self._again(due)

    async def _look(self) -> datetime | None:
        """Tell what is due; return when to look next. Raises what the database raises."""
        self._shut.clear()
        for number, body in await self._store.notices():
            if await self._said(Notice.of_body(body)):
                async with self._store.writing() as writing:
                    await writing.told_notice(number, self._now())
        locks = await self._store.locks()
        looks = [await self._look_at(lock, locks) for lock in locks]
        looks += [self._now() + _PAUSE] if self._shut else []
        return min((at for at in looks if at is not None), default=None)

    async def _said(self, notice: Notice) -> bool:
        """Say it, and return whether it arrived, or cannot arrive any more."""
        if notice.to in self._shut or len(self._shut) >= _SILENT:
            return False
        try:
            await self._say(notice)
        except Exception as error:  # noqa: BLE001 - whatever Slack has, it is tried again
            log.warning("a lock could not be told about: %s", type(error).__name__)
            self._shut.add(notice.to)
            return False
        return True

    async def _look_at(self, lock: Lock, locks: list[Lock]) -> datetime | None:
        now = self._now()
        if lock.expires is None or lock.nag_at is None:
            return None
        if not lock.holds(now):
            await self._over(lock, locks, now)
            return None
        if lock.nagged is None and now >= lock.nag_at:
            if await self._said(self._nag(lock)):
                async with self._store.writing() as writing:
                    await writing.nagged_lock(lock, now)
            return lock.expires
        return lock.expires if lock.nagged is not None else lock.nag_at

    async def _over(self, lock: Lock, locks: list[Lock], now: datetime) -> None:
        """Say once that a lock has run out, in the commit that ends its row."""
        assert lock.expires is not None
        what = (
            f"The lock of {lock.where}"
            if lock.kind == "lock"
            else f"The stop of {lock.environment}"
        )
        shut = still_shut(self._config, lock, locks, now)
        so = f". But {shut}." if shut else ": deploys start there again."
        text = f"{what} by {lock.owner} has run out (“{lock.reason}”){so}"
        notices = [Notice(at, text, owners(locks)) for at in channels_of(self._config, lock)]
        async with self._store.writing() as writing:
            if await writing.release_lock(lock.id, "sluice", lock.expires):
                await writing.keep_notices([one.as_body() for one in notices], now)
        for r in await self._store.scheduled():
            if r.gate is not None and lock.covers(r.service, r.environment, r.version):
                self._wake(r)
        self.ring()

    def _nag(self, lock: Lock) -> Notice:
        assert lock.expires is not None
        what = f"lock of {lock.where}" if lock.kind == "lock" else f"stop of {lock.environment}"
        text = f"{what} ends at {clock(lock.expires)} (“{lock.reason}”). Is it still needed?"
        channel, *_ = channels_of(self._config, lock)
        # In a channel anybody could press, and nobody would know whom it is for.
        aloud = f"{lock.owner}: your {text}"
        if not is_person(lock.owner):
            return Notice(channel, aloud)
        return Notice(
            lock.owner, f"Your {text}", (lock.owner,), _ways(lock), aloud=aloud, channel=channel
        )


def _ways(lock: Lock) -> list[Offer]:
    """Return the two answers of the owner, each as the line that it stands for, about this very lock."""
    if lock.kind == "lock":
        place = lock.environment or None
        longer = render(LockVerb(lock.service, place, _HOUR, reason=lock.reason))
        release = render(Unlock(lock.service, place))
    else:
        longer = render(Freeze(lock.environment, _HOUR, lock.reason))
        release = render(Thaw(lock.environment))
    return [Offer("Extend 1 h", longer, of=lock.id), Offer("Release", release, of=lock.id)]
