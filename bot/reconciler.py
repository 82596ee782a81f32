"""Observe, advance, save, apply: one rollout at a time, until nothing changes.

Level-triggered: a turn may run at any time and any number of times. The row is saved before the world is touched, and
the next turn reads the world back, so that a crash, a lost timer and a foreign edit are all the same path. A command
interrupts the turn that is running: a rollback never waits for a slow query.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias
from weakref import WeakValueDictionary

from bot.applying import put_fleet, put_lane, put_led, put_weight, writes
from bot.ledgers import Ledgers
from bot.observing import Target, observe, trouble_of
from bot.rollout import advance
from bot.rollout.intents import intent_state
from bot.rollout.pace import need, patient, wake_at
from bot.rollout.part import Trouble
from bot.rollout.parts import view, views
from bot.rollout.seen import Afresh, Need, Seen
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.wanted import PutFleet, PutLane, PutLed, PutWeight
from bot.schedule import Timers
from bot.store import (
    BarredError,
    BusyError,
    FullError,
    NoRowError,
    PoisonedRowError,
    StaleError,
    Store,
)
from integrations.base import ConflictError, IntegrationError

log = logging.getLogger("sluice.reconciler")

_TURNS = 40
"""Turns without a rest; a row that keeps changing longer than this rests until its next timer."""
_CONFLICTS = 5
_AFTER_FAILURE = timedelta(seconds=1)
"""Before a turn that failed by itself (a locked database, a bug) is tried again; doubled up to `_SLOWEST`."""
_SLOWEST = timedelta(seconds=30)
_TOO_MANY = 5
"""Failed turns in a row after which people are called."""

_Troubles: TypeAlias = dict[str, Trouble]
"""What could not be written, by the name of the target; `""` where there is only one."""


class Reconciler:
    """Makes the world match the rows."""

    def __init__(
        self,
        store: Store,
        target_of: Callable[[Rollout], Awaitable[Target]],
        now: Callable[[], datetime],
        touched: Callable[[str], None],
    ) -> None:
        """`touched` is called with the id of a row that was saved, for those who show or announce it."""
        self._store = store
        self._target_of = target_of
        self._now = now
        self._touched = touched
        self._timers: Timers | None = None
        self._afresh: Callable[[Rollout], Awaitable[Afresh]] | None = None
        self._after: Callable[[Rollout], None] = lambda _: None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """Turns that were interrupted and may need a moment to end."""
        self._looked: dict[str, datetime] = {}
        # What the last turn left: one that changes nothing is not taken again at once.
        self._revisions: dict[str, int] = {}
        self._ledgers = Ledgers()
        self._failures: dict[str, int] = {}
        # A lock lives as long as a turn holds it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def use(self, timers: Timers) -> None:
        """Set who rings when a rollout is due."""
        self._timers = timers

    def consult(self, afresh: Callable[[Rollout], Awaitable[Afresh]]) -> None:
        """Set who says what a scheduled rollout would be if it were asked for now."""
        self._afresh = afresh

    def afterwards(self, after: Callable[[Rollout], None]) -> None:
        """Set who is told of a row once what it wants was written, or there was nothing to write. Must not wait."""
        self._after = after

    def ring(self, rollout: str) -> None:
        """Take a turn because a timer is due, unless one is being taken."""
        if rollout not in self._tasks:
            self._begin(rollout)

    def wake(self, r: Rollout) -> None:
        """Begin a new turn because a command committed this row, in place of the one that is running."""
        self._touched(r.id)
        running = self._tasks.get(r.id)
        if running is not None:
            # At once, and not by the next turn: that one may itself be interrupted before it has begun.
            running.cancel()
            self._ending.add(running)
            running.add_done_callback(self._ending.discard)
        self._begin(r.id, r)

    def _begin(self, rollout: str, committed: Rollout | None = None) -> None:
        task = asyncio.create_task(self._run(rollout, committed), name=f"reconcile {rollout}")
        self._tasks[rollout] = task
        task.add_done_callback(lambda done: self._ended(rollout, done))

    def _ended(self, rollout: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(rollout) is task:
            del self._tasks[rollout]

    async def _run(self, rollout: str, committed: Rollout | None) -> None:
        lock = self._locks.setdefault(rollout, asyncio.Lock())
        try:
            # Single flight: the interrupted turn must be over before the next one begins.
            async with lock:
                await self._turn(rollout, committed)
        except Exception as error:
            log.exception("rollout %s: the turn failed; it is tried again", rollout)
            tries = self._failures.get(rollout, 0)
            self._failures[rollout] = tries + 1
            pause = min(_SLOWEST, _AFTER_FAILURE * (1 << min(tries, 5)))
            self._again(rollout, self._now() + pause)
            if tries + 1 == _TOO_MANY:
                await self._call_people(rollout, error)

    async def _turn(self, rollout: str, committed: Rollout | None) -> None:
        try:
            r = await self.reconcile(rollout, committed)
        except PoisonedRowError:
            await self._set_aside(rollout)
        except NoRowError:
            log.warning("rollout %s is not there", rollout)
        else:
            self._failures.pop(rollout, None)
            if r.phase.final:
                await self._ring_queue(r)
            now, changed = self._now(), self._revisions.get(rollout) != r.revision
            self._revisions[rollout] = r.revision
            at = wake_at(r, now, self._looked.get(rollout))
            self._again(rollout, patient(at, now, changed=changed))

    async def _ring_queue(self, r: Rollout) -> None:
        """Let what waits for this target look at once whether it is its turn."""
        for waiting in await self._store.scheduled(r.service, r.environment):
            if waiting.after:
                self.ring(waiting.id)

    async def _call_people(self, rollout: str, error: Exception) -> None:
        """Say that a rollout does not move because its turns fail: nobody looks at a log file at night."""
        text = (
            f"The bot fails at this rollout ({type(error).__name__}); nothing moves until that ends. It is tried again "
            "every half minute. The log says more; the traffic can be moved by hand meanwhile."
        )
        entry = Entry(
            "turn_failed",
            "sluice",
            text,
            code="internal_error",
            event="rollout.needs_attention",
            tell="broadcast",
        )
        with suppress(Exception):  # a database that is away cannot be told, and is why
            async with self._store.writing() as writing:
                await writing.note(rollout, [entry], self._now())
            self._touched(rollout)

    async def _set_aside(self, rollout: str) -> None:
        """Page once for a row that cannot be read; the others go on."""
        async with self._store.writing() as writing:
            first = await writing.poison(rollout, self._now())
        if first:
            log.error("rollout %s cannot be read; it needs a person", rollout)
            self._touched(rollout)

    def _again(self, rollout: str, at: datetime | None) -> None:
        if self._timers is None:
            return
        if at is None:
            self._timers.drop(rollout)
            self._looked.pop(rollout, None)
            self._revisions.pop(rollout, None)
            self._ledgers.forget(rollout)
        else:
            self._timers.wake(rollout, at)

    async def settled(self) -> None:
        """Wait until no turn is being taken."""
        while turns := [*self._tasks.values(), *self._ending]:
            await asyncio.wait(turns)
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Interrupt all turns; the rows remember."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks or self._ending:
            await asyncio.wait([*tasks, *self._ending])

    async def boot(self) -> int:
        """Take up every rollout that may have something to do; returns how many."""
        ids = await self._store.live_ids()
        for rollout in ids:
            self.ring(rollout)
        return len(ids)

    async def sweep(self, has_timer: Callable[[str], bool]) -> None:
        """Ring for rollouts whose timer was lost."""
        for rollout in await self._store.live_ids():
            if rollout not in self._tasks and not has_timer(rollout):
                self.ring(rollout)

    async def reconcile(self, rollout: str, committed: Rollout | None = None) -> Rollout:
        """Take turns until the row and the world agree as far as they can now.

        `committed` is the row as a command just committed it, which saves a rollback the time to read it; were it
        stale, its save would be refused and its write fenced off.
        """
        r = committed or await self._store.get(rollout)
        troubles: _Troubles = {}
        conflicts = 0
        for _ in range(_TURNS):
            seen = await self._observe(r, troubles)
            try:
                r, changed = await self._advance(r, seen)
            except (StaleError, BusyError, FullError, BarredError):
                # At a start another rollout, or a lock, may have been first; the next look says so.
                r, troubles = await self._store.get(rollout), {}
                continue
            if seen.look is not None or any(one.look is not None for one in seen.parts.values()):
                self._looked[r.id] = seen.now
                self._ledgers.carry(r, seen)
            blind = any(one.trouble is not None for one in (seen, *seen.parts.values()))
            if blind and r.phase is not Phase.ROLLING_BACK:
                break
            wrote, troubles = await self._apply(r, seen)
            if wrote or not changed:
                self._after(r)
            if blind and not wrote:
                # Going home goes as far as can be seen: the weights are written even where the pods cannot be read.
                break
            if any(one.code == "conflict" for one in troubles.values()):
                conflicts += 1
                troubles = _without_conflicts(troubles) if conflicts <= _CONFLICTS else troubles
                continue
            if not (changed or wrote or troubles):
                break
        return r

    async def _observe(self, r: Rollout, troubles: _Troubles) -> Seen:
        now = self._now()
        wanted = need(r, now, self._looked.get(r.id))
        if not r.parts or wanted.afresh:
            return await self._look(r, wanted, troubles.get(r.place), now)
        places = {part.name: part for part in r.parts}
        names = [name for name in places if name in wanted.parts or name in troubles]
        seen = await asyncio.gather(
            *(
                self._look(
                    view(r, places[name]), wanted.parts.get(name, Need()), troubles.get(name), now
                )
                for name in names
            )
        )
        later = max([now, *(one.now for one in seen)])
        # One moment for all of them: deadlines and looks are held against the same clock.
        parts = {name: replace(one, now=later) for name, one in zip(names, seen, strict=True)}
        return Seen(now=later, parts=parts)

    async def _look(self, r: Rollout, wanted: Need, trouble: Trouble | None, now: datetime) -> Seen:
        """Look at one target, as far as it is wanted."""
        if trouble is not None:
            return Seen(now=now, trouble=trouble)
        if wanted == Need():
            return Seen(now=now)
        if wanted.afresh and self._afresh is not None:
            return Seen(now=now, afresh=await self._afresh(r))
        try:
            target = await self._target_of(r)
        except (KeyError, IndexError):
            raise  # a slip of ours in connecting, not a target that is gone
        except LookupError:
            what = f"{r.target} ({r.place})" if r.place else r.target
            sentence = f"{what} is no longer configured. Put it back into the configuration."
            return Seen(
                now=now, trouble=Trouble("target_not_configured", sentence, now, final=True)
            )
        except IntegrationError as error:
            return Seen(now=now, trouble=trouble_of(error, now))
        before = self._ledgers.of(r) if wanted.window else None
        seen = await observe(r, target, wanted, now, before)
        # Reading took time: deadlines are held against the moment after it.
        return replace(seen, now=max(now, self._now()))

    async def _advance(self, r: Rollout, seen: Seen) -> tuple[Rollout, bool]:
        after = advance(r, seen)
        if after == r:
            return r, False
        saved = await self._store.save(after, seen.now)
        self._touched(r.id)
        if saved.phase.final and after.keeper:
            # What it had taken over goes on where it was.
            self.ring(after.keeper)
        return saved, True

    async def _apply(self, r: Rollout, seen: Seen) -> tuple[bool, _Troubles]:
        """Write the open intents that are not there yet. Returns whether one was, and what went wrong where."""
        if not writes(r):
            return False, {}
        each = views(r)
        done = await asyncio.gather(
            *(self._put(one, seen.parts.get(one.place, seen)) for one in each)
        )
        wrote = any(written for written, _ in done)
        went = zip(each, done, strict=True)
        return wrote, {one.place: trouble for one, (_, trouble) in went if trouble is not None}

    async def _put(self, r: Rollout, seen: Seen) -> tuple[bool, Trouble | None]:
        if r.intent is None or intent_state(r, seen) != "pending":
            return False, None
        try:
            return await self._write(r, seen), None
        except ConflictError as error:
            return False, trouble_of(error, seen.now)
        except IntegrationError as error:
            log.warning("rollout %s: %s (%s)", r.id, error, error.code)
            return False, trouble_of(error, seen.now)

    async def _write(self, r: Rollout, seen: Seen) -> bool:
        match r.intent:
            case PutWeight() as intent if seen.split is not None:
                await put_weight(await self._target_of(r), intent, seen.split.token, r.fence)
            case PutLane() as intent if seen.lanes is not None:
                await put_lane(await self._target_of(r), intent, seen.lanes[intent.lane], r.fence)
            case PutFleet() as intent if seen.fleet is not None:
                await put_fleet(await self._target_of(r), intent, seen.fleet.token, r.fence)
            case PutLed() as intent if seen.led is not None:
                await put_led(await self._target_of(r), intent, seen.led.token, r.fence)
            case _:
                return False
        return True


def _without_conflicts(troubles: _Troubles) -> _Troubles:
    return {place: one for place, one in troubles.items() if one.code != "conflict"}
