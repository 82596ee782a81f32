"""What others than the one who asked should hear: committed with what it is about, and kept until it was said."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.store.rows import epoch
from bot.store.tables import NOTICES


class NoticeReading:
    """The part of a `Store` that reads notices."""

    _reader: AsyncEngine

    async def notices(self) -> list[tuple[int, dict[str, Any]]]:
        """Return what was not said yet, by number, oldest first."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(NOTICES).where(NOTICES.c.told.is_(None)).order_by(NOTICES.c.id)
            )
            return [(row.id, json.loads(row.body)) for row in rows]


class NoticeWriting:
    """The part of one transaction that keeps notices."""

    _db: AsyncConnection

    async def keep_notices(self, bodies: Sequence[Mapping[str, Any]], now: datetime) -> None:
        """Keep what is to be said, in this order."""
        for body in bodies:
            columns = {"at": epoch(now), "body": json.dumps(dict(body))}
            await self._db.execute(insert(NOTICES).values(**columns))

    async def told_notice(self, notice: int, now: datetime) -> None:
        """Record that it was said, or that there is nobody whom it can be said to."""
        await self._db.execute(
            update(NOTICES).where(NOTICES.c.id == notice).values(told=epoch(now))
        )
