"""Whether there is room: one rollout holds a target, so many are in flight, so many wait. Asked in the transaction.

What a command looked at before is only a courtesy; here two of them at once meet, and the second one is told.
"""

from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.rollout.queueing import in_line
from bot.rollout.values import Phase, Rollout
from bot.settings.limits import LimitsBlock
from bot.store.rows import readable
from bot.store.tables import IN_FLIGHT, ROLLOUTS
from integrations.base import version_of


class BusyError(Exception):
    """The target already has a rollout in flight; `rollout` is its id."""

    def __init__(self, rollout: str) -> None:
        """Keep the id of the rollout that was first."""
        super().__init__(rollout)
        self.rollout = rollout


class TwinError(Exception):
    """The same version waits for the target already; `rollout` is its id."""

    def __init__(self, rollout: str) -> None:
        """Keep the id of the rollout that was first."""
        super().__init__(rollout)
        self.rollout = rollout


class FullError(Exception):
    """There is no room for one more; `what` says of which kind, and `most` how many there may be."""

    def __init__(self, what: Literal["rollouts", "queue", "scheduled"], most: int) -> None:
        """Keep the limit that was met."""
        super().__init__(what)
        self.what = what
        self.most = most


async def refuse_to_begin(db: AsyncConnection, r: Rollout, limits: LimitsBlock) -> None:
    """Keep a rollout from beginning on a target that is held, or as one too many. Raises `BusyError`, `FullError`."""
    busy = await holder(db, r.service, r.environment)
    if busy:
        raise BusyError(busy)
    if not r.rollback_of and await in_flight_count(db) >= limits.rollouts:
        raise FullError("rollouts", limits.rollouts)


async def refuse_to_wait(db: AsyncConnection, r: Rollout, limits: LimitsBlock) -> None:
    """Keep a rollout from waiting twice, or with too many others. Raises `TwinError`, `FullError`."""
    found = await db.execute(
        select(ROLLOUTS.c.body).where(
            ROLLOUTS.c.service == r.service,
            ROLLOUTS.c.environment == r.environment,
            ROLLOUTS.c.phase == Phase.SCHEDULED.value,
        )
    )
    rows = readable(row.body for row in found)
    line = in_line(rows)
    if not r.after:
        if len(rows) - len(line) >= limits.scheduled:
            raise FullError("scheduled", limits.scheduled)
        return
    twin = next((one for one in line if version_of(one.version) == version_of(r.version)), None)
    if twin is not None:
        raise TwinError(twin.id)
    if len(line) >= limits.queue:
        raise FullError("queue", limits.queue)


async def in_flight_count(db: AsyncConnection) -> int:
    """Return how many rollouts hold a target."""
    found = await db.execute(select(func.count()).select_from(ROLLOUTS).where(IN_FLIGHT))
    return int(found.scalar_one())


async def holder(db: AsyncConnection, service: str, environment: str) -> str:
    """Return the id of the rollout that holds a target, readable or not; `""` where none does."""
    held = await db.execute(
        select(ROLLOUTS.c.id).where(
            ROLLOUTS.c.service == service, ROLLOUTS.c.environment == environment, IN_FLIGHT
        )
    )
    return str(held.scalar_one_or_none() or "")
