"""When pods are why a rollout turned back or holds: the last lines that they wrote, once, for its thread.

The log is asked for after the write that takes the traffic home and beside everything else: nothing waits for it, and
where it cannot be had only the log file says so.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from bot.errands import Errands
from bot.observing import Target
from bot.rollout.parts import views
from bot.rollout.values import Entry, Phase, Rollout
from bot.store import JournalRow, PoisonedRowError, Store
from integrations.base import IntegrationError, Lane

log = logging.getLogger("sluice.tailing")

_PODS = frozenset(
    {
        "canary_not_ready",
        "container_config",
        "crash_loop",
        "deadline",
        "not_ready_in_time",
        "out_of_memory",
        "promote_failed",
    }
)
"""Why a rollout failed, where a container may have said more. One whose image cannot be pulled never said anything."""
_FAILED = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.PAUSED})
_TURNS = frozenset({"rollback_started", "held"})
"""Entries with which a failure begins."""


class Tails:
    """Reads the logs of failed pods into the journal."""

    def __init__(
        self,
        store: Store,
        target_of: Callable[[Rollout], Awaitable[Target]],
        now: Callable[[], datetime],
        touched: Callable[[str], None],
    ) -> None:
        """`touched` is called with the id of a rollout whose journal has a log now."""
        self._store = store
        self._target_of = target_of
        self._now = now
        self._touched = touched
        self._errands = Errands("tail of", self._read)
        self._asked: dict[str, int] = {}
        """By rollout: the failure whose log was asked for."""

    def touch(self, r: Rollout) -> None:
        """Read the log soon, if this rollout failed because of pods and none was read yet."""
        if r.code in _PODS and r.phase in _FAILED:
            self._errands.soon(r.id)

    async def settled(self) -> None:
        """Wait until nothing is being read."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Break off what is being read; after the next start it is read again, as far as it is still there."""
        await self._errands.stop()

    async def _read(self, rollout: str) -> None:
        try:
            await self._tell(rollout)
        except (IntegrationError, LookupError, PoisonedRowError) as error:
            log.warning("rollout %s: the log of its pods could not be read: %s", rollout, error)
        except Exception:
            log.exception("rollout %s: reading the log of its pods failed", rollout)

    async def _tell(self, rollout: str) -> None:
        failure = untold_failure(await self._store.journal(rollout))
        if failure is None or self._asked.get(rollout) == failure:
            return
        # Asked once, whatever comes of it: what is not there now will not be there later.
        self._asked[rollout] = failure
        r = await self._store.get(rollout)
        entries = [entry for one in views(r) if (entry := await self._tail(one)) is not None]
        if entries:
            async with self._store.writing() as writing:
                await writing.note(rollout, entries, self._now())
            self._touched(rollout)

    async def _tail(self, r: Rollout) -> Entry | None:
        target = await self._target_of(r)
        if target.controller is not None:
            return None
        if target.fleet is not None:
            text = await target.fleet.tail()
        else:
            assert target.workload is not None
            text = await target.workload.tail(failing_lane(r))
        place = f"{r.place}: " if r.place else ""
        return Entry("log", "sluice", f"{place}{text}", code=r.code) if text else None


def untold_failure(journal: Sequence[JournalRow]) -> int | None:
    """Return the entry with which the newest failure of pods began, unless its log stands behind it. Pure."""
    for row in reversed(journal):
        if row.entry.verb == "log":
            return None
        if row.entry.verb in _TURNS:
            return row.id if row.entry.code in _PODS else None
    return None


def failing_lane(r: Rollout) -> Lane:
    """Return where the pods of the new version failed. Pure."""
    return Lane.STABLE if r.in_place or r.code == "promote_failed" else Lane.CANARY
