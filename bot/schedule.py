"""When to reconcile. A timer wheel that only rings: the row says what is due, losing a timer costs one sweep.

APScheduler runs in memory and is fed from the rows at start; its job stores lose jobs on a crash, so none is used.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

SWEEP = timedelta(seconds=30)
"""How long a lost timer can go unnoticed."""


class Timers(Protocol):
    """Who rings when a rollout is due."""

    def wake(self, rollout: str, at: datetime) -> None:
        """Ring for this rollout at `at`, instead of at any earlier agreed time."""
        ...

    def drop(self, rollout: str) -> None:
        """Do not ring for this rollout any more."""
        ...


class Clock(Protocol):
    """What time it is, and when a moment of that time comes on the wall."""

    breath: float
    """Seconds of wall time that pictures wait after their rows."""

    def now(self) -> datetime:
        """Return the time that all deadlines are in, aware, in UTC."""
        ...

    def wall(self, at: datetime) -> datetime:
        """Return the wall-clock time of a moment."""
        ...


class Wheel:
    """Timers on APScheduler."""

    def __init__(self, ring: Callable[[str], None], clock: Clock) -> None:
        """Call `ring` with the id of each rollout when it is due."""
        self._ring = ring
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self, sweep: Callable[[], Awaitable[None]], every: timedelta = SWEEP) -> None:
        """Begin to ring, and sweep for lost timers from time to time."""

        # A coroutine function, whatever `sweep` is: APScheduler would call a lambda in a thread and drop its coroutine.
        async def run() -> None:
            await sweep()

        self._scheduler.add_job(run, IntervalTrigger(seconds=every.total_seconds()))
        self._scheduler.start()

    def stop(self) -> None:
        """Stop ringing; the rows remember what is due."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def wake(self, rollout: str, at: datetime) -> None:
        """See `Timers`."""
        self._scheduler.add_job(
            self._on_time,
            DateTrigger(self._clock.wall(at)),
            args=[rollout],
            id=f"rollout:{rollout}",
            replace_existing=True,
        )

    async def _on_time(self, rollout: str) -> None:
        # A coroutine, so that APScheduler runs it on the loop and not in a thread of its own.
        self._ring(rollout)

    def drop(self, rollout: str) -> None:
        """See `Timers`."""
        if self._scheduler.get_job(f"rollout:{rollout}") is not None:
            self._scheduler.remove_job(f"rollout:{rollout}")

    def has(self, rollout: str) -> bool:
        """Whether a timer is set for this rollout."""
        return self._scheduler.get_job(f"rollout:{rollout}") is not None
