"""The numbers of every look, for the picture of a stage and for judging again what was judged.

A look is kept in the save that brings it, whole: every metric of both lanes, and why a number is missing. What is kept
is bounded twice: old looks of one rollout are thinned out, and those of rollouts that ended long ago are dropped.
"""

import json
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.rollout.kept import KeptLook
from bot.rollout.values import Rollout
from bot.store.rows import epoch, moment
from bot.store.tables import LOOKS, OUTCOMES
from strategies.verdict import Look, Sample

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
    place = next((part.name for part in r.parts if part.look == r.look), "")
    return {
        "rollout": r.id,
        "at": epoch(r.look.at),
        "cursor": r.cursor,
        "weight": r.weight,
        "body": _dump(r.look, place),
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
    older = await db.execute(
        select(LOOKS.c.at).where(LOOKS.c.rollout == rollout).order_by(LOOKS.c.at).limit(MOST // 2)
    )
    # Not the first one: it says when the story begins.
    going = list(older.scalars())[1::2]
    await db.execute(delete(LOOKS).where(LOOKS.c.rollout == rollout, LOOKS.c.at.in_(going)))


async def looks(
    db: AsyncConnection, rollout: str, until: datetime | None = None
) -> Sequence[KeptLook]:
    """Return the looks of one rollout, oldest first; those that cannot be read are left out."""
    where = [LOOKS.c.rollout == rollout]
    if until is not None:
        where.append(LOOKS.c.at <= epoch(until))
    rows = await db.execute(select(LOOKS).where(*where).order_by(LOOKS.c.at))
    return [kept for row in rows if (kept := _load(row)) is not None]


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


def _dump(look: Look, place: str) -> str:
    samples = []
    for sample in look.samples:
        lanes = {"stable": _finite(sample.stable), "canary": _finite(sample.canary)}
        why = {"why_stable": sample.why_stable, "why_canary": sample.why_canary}
        said = {name: text for name, text in why.items() if text}
        samples.append({"metric": sample.metric, **lanes, **said})
    body = {"window": look.window, "samples": samples}
    extra = {"problem": look.problem, "beside": look.beside, "place": place}
    body |= {name: value for name, value in extra.items() if value}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _load(row: Any) -> KeptLook | None:
    try:
        body = json.loads(row.body)
        samples = tuple(Sample(**sample) for sample in body["samples"])
        problem, beside = body.get("problem", ""), body.get("beside", False)
        look = Look(moment(row.at), body["window"], samples, problem, beside)
        return KeptLook(row.cursor, row.weight, body.get("place", ""), look)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
