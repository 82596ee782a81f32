"""Alerts from outside as the inbox remembers them: each once, with what became of it in its answer."""

import json

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import INBOX

ALARM = "alarm:"
"""How their keys begin."""


async def alarms(connection: AsyncConnection) -> dict[str, int]:
    """Return how many there were, by what became of them."""
    rows = await connection.execute(
        select(INBOX.c.answer, func.count())
        # A stretch of the primary key: ";" comes right behind ":".
        .where(INBOX.c.key >= ALARM, INBOX.c.key < f"{ALARM[:-1]};")
        .group_by(INBOX.c.answer)
    )
    return {str(json.loads(answer)["code"]): int(count) for answer, count in rows}
