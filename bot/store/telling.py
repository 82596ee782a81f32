"""What Slack has still to be told: journal lines behind the newest that a thread shows, and cards that may be old."""

import json
from typing import Any

from sqlalchemy import Integer, cast, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.rollout.values import Entry
from bot.store.rows import JournalRow, journal_row
from bot.store.tables import JOURNAL, POSTS, ROLLOUTS


async def to_tell(connection: AsyncConnection, rollout: str, last: int) -> list[JournalRow]:
    """Return the entries behind `last` that Slack shows, and every broadcast: another channel may lack it."""
    rows = await connection.execute(
        select(JOURNAL)
        .where(
            JOURNAL.c.rollout == rollout,
            JOURNAL.c.tell != "",
            or_(JOURNAL.c.id > last, JOURNAL.c.tell.in_(("alert", "broadcast"))),
        )
        .order_by(JOURNAL.c.id)
    )
    return [journal_row(row) for row in rows]


async def untold(connection: AsyncConnection) -> list[JournalRow]:
    """Return all journal lines that no thread shows yet, oldest first; of ended rollouts as well."""
    told = (
        select(
            POSTS.c.rollout,
            # A key reads `line:<entry>`: the newest entry that the message tells.
            func.max(cast(func.substr(POSTS.c.key, 6), Integer)).label("entry"),
        )
        .where(POSTS.c.key.like("line:%"), POSTS.c.ts != "")
        .group_by(POSTS.c.rollout)
        .subquery()
    )
    rows = await connection.execute(
        select(JOURNAL)
        .outerjoin(told, told.c.rollout == JOURNAL.c.rollout)
        .where(JOURNAL.c.tell != "", JOURNAL.c.id > func.coalesce(told.c.entry, 0))
        .order_by(JOURNAL.c.id)
    )
    return [journal_row(row) for row in rows]


async def ended_since(connection: AsyncConnection, epoch: float) -> list[str]:
    """Return the ids of the rollouts that ended since then: their cards are still looked at."""
    rows = await connection.execute(select(ROLLOUTS.c.id).where(ROLLOUTS.c.ended >= epoch))
    return [row.id for row in rows]


async def append(connection: AsyncConnection, about: str, entry: Entry, at: float) -> None:
    """Write a journal line that is about no rollout."""
    counted = await connection.execute(
        select(func.count()).select_from(JOURNAL).where(JOURNAL.c.rollout == about)
    )
    line: dict[str, Any] = {
        "rollout": about,
        "revision": 0,
        "n": int(counted.scalar_one()),
        "at": at,
        "verb": entry.verb,
        "actor": entry.actor,
        "code": entry.code,
        "text": entry.text,
        "event": entry.event,
        "tell": entry.tell,
        "data": json.dumps(dict(entry.data)),
    }
    await connection.execute(insert(JOURNAL).values(**line))
