"""Which rollout a message of ours belongs to, and who asked for what: questions that start from Slack's side.

Each is a value that `Store.ask` puts to a connection.
"""

from collections.abc import Awaitable, Callable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.rows import Inbound, inbound_row
from bot.store.tables import INBOX, POSTS, ROLLOUTS


def rollout_at(channel: str, *moments: str) -> Callable[[AsyncConnection], Awaitable[str]]:
    """Ask which rollout posted the first of these messages that is one of ours; `""` where none is.

    What stands in the place of a rollout (the digest of a channel, the bot's own line about Slack) is none.
    """

    async def asked(connection: AsyncConnection) -> str:
        wanted = [ts for ts in moments if ts]
        real = POSTS.c.rollout.in_(select(ROLLOUTS.c.id))
        where = POSTS.c.channel == channel, POSTS.c.ts.in_(wanted), real
        rows = await connection.execute(select(POSTS.c.ts, POSTS.c.rollout).where(*where))
        found = {str(row.ts): str(row.rollout) for row in rows}
        return next((found[ts] for ts in wanted if ts in found), "")

    return asked


def asked_of(rollout: str) -> Callable[[AsyncConnection], Awaitable[list[Inbound]]]:
    """Ask what people asked of a rollout, oldest first, as it was received."""

    async def asked(connection: AsyncConnection) -> list[Inbound]:
        rows = await connection.execute(
            select(INBOX).where(INBOX.c.rollout == rollout).order_by(INBOX.c.at)
        )
        return [inbound_row(row) for row in rows]

    return asked
