"""How rollouts ended, one narrow row each: written with the last revision, summed up by the database.

An outcome is written once and never changed, so a counter made of them never goes down.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.rollout.accounting import Outcome, outcome_of
from bot.rollout.values import Rollout
from bot.store.rows import epoch, journal_row, moment
from bot.store.tables import JOURNAL, OUTCOMES

BUCKETS = (30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200)
"""Upper bounds in seconds: half a minute to three days, for machines and for people alike."""

_TIMED = ("succeeded", "rolled_back", "resolved")


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the rollouts of one strategy and outcome took."""

    strategy: str
    outcome: str
    within: tuple[int, ...]
    """How many took at most `BUCKETS[n]` seconds."""
    total: float
    count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything since the first rollout, for counters."""

    rollouts: Sequence[tuple[str, str, str, int]]
    """Strategy, environment, outcome, how many."""
    rollbacks: Sequence[tuple[str, str, int]]
    """Strategy, kind, how many."""
    machine: Sequence[Durations]
    waited: Sequence[Durations]


async def outcome_columns(db: AsyncConnection, r: Rollout) -> dict[str, Any] | None:
    """Return the row to write about a rollout, None where there is nothing to count."""
    outcome = outcome_of(r)
    if outcome is None:
        return None
    if r.rollback_of:
        outcome = replace(outcome, strategy=await _undone(db, r) or outcome.strategy)
    found = await db.execute(
        select(func.count()).where(JOURNAL.c.rollout == r.id, JOURNAL.c.code == "check_warned")
    )
    return {
        "rollout": outcome.rollout,
        "service": outcome.service,
        "environment": outcome.environment,
        "strategy": outcome.strategy,
        "outcome": outcome.end,
        "rollback": outcome.rollback,
        "code": outcome.code,
        "winner": outcome.winner,
        "ended": epoch(outcome.ended),
        "machine_s": outcome.machine_s,
        "waited_s": outcome.waited_s,
        "warnings": int(found.scalar_one()),
        "observed": outcome.observed,
        "undid": outcome.undid,
    }


async def _undone(db: AsyncConnection, r: Rollout) -> str | None:
    found = await db.execute(select(OUTCOMES.c.strategy).where(OUTCOMES.c.rollout == r.rollback_of))
    return found.scalar_one_or_none()


async def newest(
    db: AsyncConnection, since: datetime, service: str | None, limit: int
) -> list[Outcome]:
    """Return what ended since then, newest first."""
    rows = await db.execute(
        select(OUTCOMES)
        .where(_since(since, service))
        .order_by(OUTCOMES.c.ended.desc())
        .limit(limit)
    )
    return [
        Outcome(
            row.rollout, row.service, row.environment, row.strategy, row.outcome, moment(row.ended),
            row.rollback, row.code, row.winner, row.machine_s, row.waited_s, row.warnings,
            row.observed, row.undid,
        )
        for row in rows
    ]  # fmt: skip


async def approvals(
    db: AsyncConnection, since: datetime, service: str | None, limit: int
) -> list[tuple[str, float]]:
    """Return how many seconds each gate was open until people let it pass, with the strategy, newest first."""
    rows = await db.execute(
        select(OUTCOMES.c.strategy, *JOURNAL.c)
        .join(JOURNAL, JOURNAL.c.rollout == OUTCOMES.c.rollout)
        .where(_since(since, service), JOURNAL.c.verb == "promoted")
        .order_by(OUTCOMES.c.ended.desc())
        .limit(limit)
    )
    waits = ((row.strategy, journal_row(row).entry.data.get("waited_s")) for row in rows)
    return [(strategy, float(wait)) for strategy, wait in waits if isinstance(wait, int | float)]


def _since(since: datetime, service: str | None) -> ColumnElement[bool]:
    recent = OUTCOMES.c.ended >= epoch(since)
    return recent if service is None else and_(recent, OUTCOMES.c.service == service)


async def totals(db: AsyncConnection) -> Totals:
    """Return the sums over everything that ever ended."""
    by_outcome = (OUTCOMES.c.strategy, OUTCOMES.c.environment, OUTCOMES.c.outcome)
    rollouts = await db.execute(
        select(*by_outcome, func.count())
        .where(OUTCOMES.c.outcome != "undo")
        .group_by(*by_outcome)
        .order_by(*by_outcome)
    )
    by_kind = (OUTCOMES.c.strategy, OUTCOMES.c.rollback)
    rollbacks = await db.execute(
        select(*by_kind, func.count())
        .where(OUTCOMES.c.rollback != "")
        .group_by(*by_kind)
        .order_by(*by_kind)
    )
    return Totals(
        rollouts=[(s, e, o, int(count)) for s, e, o, count in rollouts],
        rollbacks=[(s, kind, int(count)) for s, kind, count in rollbacks],
        machine=await _durations(db, OUTCOMES.c.machine_s),
        waited=await _durations(db, OUTCOMES.c.waited_s),
    )


async def _durations(db: AsyncConnection, took: ColumnElement[float | None]) -> list[Durations]:
    by = (OUTCOMES.c.strategy, OUTCOMES.c.outcome)
    within = [func.sum(case((took <= bound, 1), else_=0)) for bound in BUCKETS]
    rows = await db.execute(
        select(*by, func.sum(took), func.count(took), *within)
        .where(OUTCOMES.c.outcome.in_(_TIMED), took.is_not(None))
        .group_by(*by)
        .order_by(*by)
    )
    return [
        Durations(strategy, outcome, tuple(map(int, counts)), float(total), int(count))
        for strategy, outcome, total, count, *counts in rows
    ]


class OutcomeReading:
    """The part of a `Store` that reads how rollouts ended."""

    _reader: AsyncEngine

    async def outcomes(
        self, since: datetime, service: str | None = None, *, limit: int
    ) -> list[Outcome]:
        """Return how the rollouts that ended since then ended, newest first."""
        async with self._reader.connect() as connection:
            return await newest(connection, since, service, limit)

    async def approvals(
        self, since: datetime, service: str | None = None, *, limit: int
    ) -> list[tuple[str, float]]:
        """Return the strategy and the open seconds of every gate that people let pass since then, newest first."""
        async with self._reader.connect() as connection:
            return await approvals(connection, since, service, limit)

    async def totals(self) -> Totals:
        """Return the sums over every rollout that ever ended."""
        async with self._reader.connect() as connection:
            return await totals(connection)
