"""Old versions that are kept ready after a success: a rollout that takes the target ends that, in its own commit.

One that ends before it has written anything gives it back: it would run for ever otherwise.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.rollout.values import Phase, Rollout
from bot.store.rows import PoisonedRowError, dump, load
from bot.store.tables import ROLLOUTS

KEPT = '"retire_at":"'
"""What the stored body of a row that keeps an old version contains."""
KEEPING = (Phase.SUCCEEDED.value, Phase.ROLLED_BACK.value)
"""The phases in which a row may keep one."""


async def end_keeping(db: AsyncConnection, r: Rollout) -> Rollout:
    """Take the pending scale-downs on the target of `r` back.

    One whose write may be on its way already cannot be taken back: then `r` has to fence its own lane off from it.
    """
    rows = await db.execute(
        select(ROLLOUTS.c.body).where(
            ROLLOUTS.c.service == r.service,
            ROLLOUTS.c.environment == r.environment,
            ROLLOUTS.c.phase.in_(KEEPING),
            ROLLOUTS.c.body.contains(KEPT),
        )
    )
    for body in rows.scalars().all():
        kept = _kept(body)
        if kept is None:
            continue
        wary = r.wary or kept.writing
        r = replace(r, wary=wary, keeper=kept.id, kept_until=kept.retire_at)
        parts = tuple(replace(part, intent=None) for part in kept.parts)
        await _put(db, replace(kept, retire_at=None, intent=None, parts=parts))
    return r


async def keep_again(db: AsyncConnection, r: Rollout, now: datetime) -> None:
    """Give the old version back to the rollout that kept it, when this one has ended before it wrote anything."""
    if r.phase is not Phase.CANCELLED or r.armed is not None or not r.keeper or not r.kept_until:
        return
    row = await db.execute(select(ROLLOUTS.c.body).where(ROLLOUTS.c.id == r.keeper))
    kept = load(row.scalar_one())
    if kept.retire_at is None:
        await _put(db, replace(kept, retire_at=max(r.kept_until, now)))


async def _put(db: AsyncConnection, kept: Rollout) -> None:
    after = replace(kept, revision=kept.revision + 1)
    await db.execute(
        update(ROLLOUTS)
        .where(ROLLOUTS.c.id == kept.id, ROLLOUTS.c.revision == kept.revision)
        .values(revision=after.revision, body=dump(after))
    )


def _kept(body: str) -> Rollout | None:
    """Read a row that keeps an old version; None for one that only quotes the key, or cannot be read."""
    try:
        r = load(body)
    except PoisonedRowError:
        return None
    return r if r.retire_at is not None else None
