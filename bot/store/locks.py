"""Locks as they are kept: taken, changed and released in the transaction that answers for it.

A row stays when it is over: who kept others out, how long and why, is history.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.rollout.locks import Lock, against, quarantine
from bot.rollout.values import Phase, Rollout
from bot.store.rows import epoch, moment
from bot.store.tables import LOCKS


class BarredError(Exception):
    """Something keeps the version out of the target; `lock` says what."""

    def __init__(self, lock: Lock) -> None:
        """Keep what was there first."""
        super().__init__(lock.id)
        self.lock = lock


class LockReading:
    """The part of a `Store` that reads locks."""

    _reader: AsyncEngine

    async def locks(self) -> list[Lock]:
        """Return what was not released yet, oldest first; what has run out may be among it."""
        async with self._reader.connect() as connection:
            return await open_locks(connection)


class LockWriting:
    """The part of one transaction that takes and releases locks."""

    _db: AsyncConnection

    async def locks(self) -> list[Lock]:
        """Return what was not released yet, oldest first, as this transaction sees it."""
        return await open_locks(self._db)

    async def put_lock(self, lock: Lock) -> None:
        """Take a lock, or change the one with its id."""
        changed = await self._db.execute(
            update(LOCKS)
            .where(LOCKS.c.id == lock.id, LOCKS.c.released.is_(None))
            .values(**_columns(lock))
        )
        if changed.rowcount == 0:
            await self._db.execute(insert(LOCKS).values(**_columns(lock), released_by=""))

    async def release_lock(self, lock: str, by: str, now: datetime) -> bool:
        """End a lock; False when that was done before."""
        return await _release(self._db, lock, by, now)

    async def nagged_lock(self, lock: Lock, now: datetime) -> None:
        """Remember that the owner was asked about this end of a lock; another end is asked about again."""
        expires = epoch(lock.expires) if lock.expires else None
        await self._db.execute(
            update(LOCKS)
            .where(LOCKS.c.id == lock.id, LOCKS.c.expires == expires)
            .values(nagged=epoch(now))
        )


async def refuse_barred(db: AsyncConnection, r: Rollout, now: datetime) -> None:
    """Keep a rollout that begins out of its target where something bars it. Raises `BarredError`.

    In the transaction that would let it begin: a lock that landed after its check must win.
    """
    bar = against(r, await open_locks(db), now)
    if bar is not None:
        raise BarredError(bar)


async def keep_out(db: AsyncConnection, r: Rollout, now: datetime) -> None:
    """Quarantine a version that turns around by itself; let it go when it has succeeded after all."""
    lock = quarantine(r)
    if lock is not None:
        await _quarantine(db, lock)
    if r.phase is Phase.SUCCEEDED and r.live_changed:
        for one in await open_locks(db):
            # What came after this rollout had begun is about another attempt.
            tried = one.kind == "quarantine" and one.at <= r.created
            if tried and one.covers(r.service, r.environment, r.version):
                await _release(db, one.id, "sluice", now)


async def open_locks(db: AsyncConnection) -> list[Lock]:
    """Return what was not released yet, oldest first."""
    rows = await db.execute(select(LOCKS).where(LOCKS.c.released.is_(None)).order_by(LOCKS.c.at))
    return [_lock(row) for row in rows]


async def _quarantine(db: AsyncConnection, lock: Lock) -> None:
    # The id is that of the rollout: it happens once, whatever was released meanwhile.
    found = await db.execute(select(LOCKS.c.id).where(LOCKS.c.id == lock.id))
    if found.scalar_one_or_none() is None:
        await db.execute(insert(LOCKS).values(**_columns(lock), released_by=""))


async def _release(db: AsyncConnection, lock: str, by: str, now: datetime) -> bool:
    changed = await db.execute(
        update(LOCKS)
        .where(LOCKS.c.id == lock, LOCKS.c.released.is_(None))
        .values(released=epoch(now), released_by=by)
    )
    return changed.rowcount == 1


def _lock(row: Any) -> Lock:
    return Lock(
        id=row.id,
        kind=row.kind,
        service=row.service,
        environment=row.environment,
        version=row.version,
        owner=row.owner,
        reason=row.reason,
        at=moment(row.at),
        rollout=row.rollout,
        expires=moment(row.expires) if row.expires else None,
        nagged=moment(row.nagged) if row.nagged else None,
    )


def _columns(lock: Lock) -> dict[str, Any]:
    return {
        "id": lock.id,
        "kind": lock.kind,
        "service": lock.service,
        "environment": lock.environment,
        "version": lock.version,
        "owner": lock.owner,
        "reason": lock.reason,
        "rollout": lock.rollout,
        "at": epoch(lock.at),
        "expires": epoch(lock.expires) if lock.expires else None,
        "nagged": epoch(lock.nagged) if lock.nagged else None,
    }
