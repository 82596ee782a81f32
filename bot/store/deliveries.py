"""How deliveries to sinks stand, for the outbox and for `/metrics`. Entries below 0 are marks of the sink itself."""

from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.rows import moment
from bot.store.tables import DELIVERIES


async def deliveries(
    connection: AsyncConnection, sink: str, since: int
) -> dict[int, tuple[str, int, datetime | None]]:
    """Return those behind `since` and the marks: entry -> (state, attempts, due)."""
    wanted = or_(DELIVERIES.c.entry > since, DELIVERIES.c.entry < 0)
    rows = await connection.execute(select(DELIVERIES).where(DELIVERIES.c.sink == sink, wanted))
    return {
        row.entry: (row.state, row.attempts, moment(row.due) if row.due else None) for row in rows
    }


async def closed(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """Return how many are not tried any more, by sink and by how they ended (`delivered`, `dead`)."""
    rows = await connection.execute(
        select(DELIVERIES.c.sink, DELIVERIES.c.state, func.count())
        .where(DELIVERIES.c.entry > 0, DELIVERIES.c.state != "open")
        .group_by(DELIVERIES.c.sink, DELIVERIES.c.state)
    )
    return {(str(sink), str(state)): int(count) for sink, state, count in rows}


async def rename(connection: AsyncConnection, old: str, new: str) -> None:
    """Take over what is open and done under the name that a sink had, unless it has begun under the new one."""
    begun = await connection.execute(
        select(DELIVERIES.c.entry).where(DELIVERIES.c.sink == new).limit(1)
    )
    if begun.first() is None:
        await connection.execute(
            update(DELIVERIES).where(DELIVERIES.c.sink == old).values(sink=new)
        )
