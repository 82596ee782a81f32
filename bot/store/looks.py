"""The numbers of every look, for the picture of a stage and for judging again what was judged.

A look is kept in the save that brings it, whole: every metric of both lanes, why a number is missing, and what was
counted since the look before. What is kept is bounded twice: old looks of one rollout are thinned out, which hands what
they had counted on to the next, and those of rollouts that ended long ago are dropped.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.rollout.kept import KeptLook
from bot.rollout.values import Rollout
from bot.store.looking import dump_look, handed_on, load_look, once
from bot.store.rows import epoch
from bot.store.tables import LOOKS, OUTCOMES

MOST = 2_000
"""Looks of one rollout; before there are more, every second of the older half goes."""
EVERY = 64
"""Saves between two counts; each brings one look at most."""
KEPT_FOR = timedelta(days=30)
"""How long the looks of a rollout stay behind its end."""


def look_columns(r: Rollout) -> dict[str, Any] | None:
    """Return what is kept of the look on a row; None where there is none."""
    if r.look is None:
        return None
    return {
        "rollout": r.id,
        "at": epoch(r.look.at),
        "cursor": r.cursor,
        "weight": r.weight,
        "body": dump_look(r),
    }


async def keep_look(db: AsyncConnection, adding: Any, r: Rollout) -> None:
    """Keep the look on a row, unless it is kept; `adding` is an insert that can be told what to do about that."""
    columns = look_columns(r)
    if columns is None:
        return
    key = [LOOKS.c.rollout, LOOKS.c.at]
    await db.execute(adding.values(**columns).on_conflict_do_nothing(index_elements=key))
    if r.revision % EVERY == 0:
        await _thin_out(db, r.id)


async def _thin_out(db: AsyncConnection, rollout: str) -> None:
    """Drop every second look of the older half, where there are too many of one rollout."""
    kept = await db.execute(select(func.count()).where(LOOKS.c.rollout == rollout))
    if kept.scalar_one() <= MOST - EVERY:
        return
    found = await db.execute(
        select(LOOKS.c.at, LOOKS.c.body)
        .where(LOOKS.c.rollout == rollout)
        .order_by(LOOKS.c.at)
        .limit(MOST // 2 + 1)
    )
    # Not the first one: it says when the story begins.
    older = found.all()
    going, heirs = older[1:-1:2], older[2::2]
    richer = [
        {"heir": heir.at, "more": body}
        for gone, heir in zip(going, heirs, strict=True)
        if (body := handed_on(gone.body, heir.body)) != heir.body
    ]
    if richer:
        here = (LOOKS.c.rollout == rollout, LOOKS.c.at == bindparam("heir"))
        await db.execute(update(LOOKS).where(*here).values(body=bindparam("more")), richer)
    gone_at = [one.at for one in going]
    await db.execute(delete(LOOKS).where(LOOKS.c.rollout == rollout, LOOKS.c.at.in_(gone_at)))


async def looks(
    db: AsyncConnection, rollout: str, until: datetime | None = None
) -> Sequence[KeptLook]:
    """Return the looks of one rollout, oldest first; those that cannot be read are left out."""
    return (await looks_read(db, rollout, until))[0]


async def looks_read(
    db: AsyncConnection, rollout: str, until: datetime | None = None
) -> tuple[Sequence[KeptLook], int]:
    """Return the looks of one rollout, oldest first, and how many of them cannot be read."""
    where = [LOOKS.c.rollout == rollout]
    if until is not None:
        where.append(LOOKS.c.at <= epoch(until))
    rows = await db.execute(select(LOOKS).where(*where).order_by(LOOKS.c.at))
    every = [load_look(row) for row in rows]
    return once(kept for kept in every if kept is not None), every.count(None)


async def outlived(db: AsyncConnection, now: datetime) -> str | None:
    """Return one rollout that ended too long ago for its looks to be kept; None when there is none left."""
    found = await db.execute(
        select(OUTCOMES.c.rollout)
        .where(
            OUTCOMES.c.ended < epoch(now - KEPT_FOR),
            exists().where(LOOKS.c.rollout == OUTCOMES.c.rollout),
        )
        .limit(1)
    )
    return found.scalar_one_or_none()


async def drop_looks(db: AsyncConnection, rollout: str) -> None:
    """Forget the looks of one rollout."""
    await db.execute(delete(LOOKS).where(LOOKS.c.rollout == rollout))
