"""One transaction: everything that must be true together is done through one `Writing`.

A save names the revision it was made from; whoever comes second gets `StaleError` and reads again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.rollout.accounting import accounted
from bot.rollout.values import Entry, Phase, Rollout
from bot.settings.limits import LimitsBlock
from bot.store.deliveries import rename
from bot.store.keeping import end_keeping, keep_again
from bot.store.locks import LockWriting, keep_out, refuse_barred
from bot.store.looks import keep_look
from bot.store.notices import NoticeWriting
from bot.store.outcomes import outcome_columns
from bot.store.room import refuse_to_begin, refuse_to_wait
from bot.store.rows import Inbound, Post, dump, epoch, in_flight, load
from bot.store.tables import (
    DELIVERIES,
    INBOX,
    JOURNAL,
    LOOKS,
    OUTCOMES,
    POSTS,
    ROLLOUTS,
    TARGETS,
)
from bot.store.telling import append
from bot.store.tokens import TokenWriting

_SCHEDULED = Phase.SCHEDULED.value


class NoRowError(KeyError):
    """There is no such rollout. A kind of its own, so that no slip elsewhere is taken for it."""


class StaleError(Exception):
    """Somebody saved the row in between; read it again."""


class Writing(LockWriting, NoticeWriting, TokenWriting):
    """One transaction. Everything done through it is committed together, or not at all."""

    def __init__(self, connection: AsyncConnection, limits: LimitsBlock) -> None:
        """Work on an open transaction; nothing begins, or waits, beyond the limits."""
        self._db = connection
        self._limits = limits
        self.eventful = False
        """Whether something was journalled that sinks may want."""

    async def next_counter(self, service: str, environment: str) -> int:
        """Return the next fence counter of a target; it only ever grows."""
        key = and_(TARGETS.c.service == service, TARGETS.c.environment == environment)
        changed = await self._db.execute(
            update(TARGETS).where(key).values(counter=TARGETS.c.counter + 1)
        )
        if changed.rowcount == 0:
            await self._db.execute(
                insert(TARGETS).values(service=service, environment=environment, counter=1)
            )
        found = await self._db.execute(select(TARGETS.c.counter).where(key))
        return int(found.scalar_one())

    async def create(self, r: Rollout) -> Rollout:
        """Insert a new rollout; one that begins at once takes its target. Raises what `bot.store.room` raises."""
        if r.phase is Phase.SCHEDULED:
            await refuse_to_wait(self._db, r, self._limits)
        r = await self._taking(r, r.created)
        r = accounted(r, r.created)
        await self._db.execute(insert(ROLLOUTS).values(**_columns(r)))
        return await self._note(r)

    async def _taking(self, r: Rollout, now: datetime) -> Rollout:
        """Give the next fence counter of its target to a row that begins to hold it.

        Not before: rollouts that ran while it was scheduled have left higher fences behind. Raises `BusyError`,
        `FullError` and `BarredError`.
        """
        if r.counter or not in_flight(r):
            return r
        await refuse_to_begin(self._db, r, self._limits)
        await refuse_barred(self._db, r, now)
        r = await end_keeping(self._db, r)
        return replace(r, counter=await self.next_counter(r.service, r.environment))

    async def save(self, r: Rollout, now: datetime) -> Rollout:
        """Replace the row that `r` was made from, and write its news. Raises `StaleError`; at a start `BusyError`."""
        base = r.revision
        r = await self._taking(r, now)
        # Here, and nowhere else: every door and every turn saves through this line.
        r = accounted(replace(r, revision=base + 1), now)
        changed = await self._db.execute(
            update(ROLLOUTS)
            .where(ROLLOUTS.c.id == r.id, ROLLOUTS.c.revision == base)
            .values(**_columns(r))
        )
        if changed.rowcount != 1:
            raise StaleError(r.id)
        await keep_look(self._db, self._insert(LOOKS), r)
        if any(entry.verb == "armed" for entry in r.news):
            # Only arming can raise the counter, over a fence that another database left on the target.
            await self._raise_counter(r)
        await keep_out(self._db, r, now)
        r = await self._note(r, now)
        if r.phase.final:
            await self._count(r)
            await keep_again(self._db, r, now)
        return r

    async def _count(self, r: Rollout) -> None:
        """Write how the rollout ended, the first time that it is seen to have ended."""
        columns = await outcome_columns(self._db, r)
        if columns is not None:
            await self._db.execute(
                self._insert(OUTCOMES)
                .values(**columns)
                .on_conflict_do_nothing(index_elements=[OUTCOMES.c.rollout])
            )

    async def _raise_counter(self, r: Rollout) -> None:
        await self._db.execute(
            update(TARGETS)
            .where(
                TARGETS.c.service == r.service,
                TARGETS.c.environment == r.environment,
                TARGETS.c.counter < r.counter,
            )
            .values(counter=r.counter)
        )

    async def _note(self, r: Rollout, now: datetime | None = None) -> Rollout:
        at = epoch(now or r.created)
        rows = [_journal_columns(r.id, r.revision, n, entry, at) for n, entry in enumerate(r.news)]
        if rows:
            await self._db.execute(insert(JOURNAL), rows)
            self.eventful = self.eventful or any(entry.event for entry in r.news)
        return replace(r, news=())

    async def note(self, rollout: str, entries: Sequence[Entry], now: datetime) -> None:
        """Write lines that explain a rollout, which take no turn: nothing of it changes. Raises `NoRowError`."""
        found = await self._db.execute(select(ROLLOUTS.c.revision).where(ROLLOUTS.c.id == rollout))
        revision = found.scalar_one_or_none()
        if revision is None:
            raise NoRowError(rollout)
        # Below those of a save, which count from 0, that of `poison`, and earlier notes.
        here = (JOURNAL.c.rollout == rollout, JOURNAL.c.revision == revision)
        noted = await self._db.execute(select(func.min(JOURNAL.c.n)).where(*here))
        lowest, at = min(noted.scalar_one_or_none() or 0, -1), epoch(now)
        lines = [
            _journal_columns(rollout, revision, lowest - 1 - n, entry, at)
            for n, entry in enumerate(entries)
        ]
        await self._db.execute(insert(JOURNAL), lines)
        self.eventful = self.eventful or any(entry.event for entry in entries)

    async def aloud(self, about: str, entry: Entry, now: datetime) -> None:
        """Write a line that is about no rollout: sinks hear it, threads do not."""
        await append(self._db, about, entry, epoch(now))
        self.eventful = self.eventful or bool(entry.event)

    async def poison(self, rollout: str, now: datetime) -> bool:
        """Take a row that cannot be read out of the machine's way; False when that was done before."""
        # What has not begun holds no target, which may be busy with another rollout.
        cancelled = await self._put(rollout, Phase.CANCELLED, ROLLOUTS.c.phase == _SCHEDULED)
        waiting = Phase.NEEDS_ATTENTION
        ended = (waiting.value, Phase.CANCELLED.value)
        row = cancelled or await self._put(rollout, waiting, ROLLOUTS.c.phase.not_in(ended))
        if row is None:
            return False
        so = (
            "this rollout will not start. Ask for it again"
            if cancelled
            else "this rollout stands still and its target is held. Look at the traffic by hand"
        )
        what = f"{row.service} {row.version} in {row.environment} ({rollout})"
        text = f"The stored row of {what} cannot be read, so {so}; the log says more."
        entry = Entry(
            "needs_attention",
            "sluice",
            text,
            code="poisoned_row",
            event="rollout.needs_attention",
            tell="broadcast",
        )
        line = _journal_columns(rollout, row.revision, -1, entry, epoch(now))
        await self._db.execute(insert(JOURNAL), line)
        self.eventful = True
        return True

    async def _put(self, rollout: str, phase: Phase, where: Any) -> Any:
        """Set the phase of a row beside what is stored in it; None where it does not fit."""
        found = await self._db.execute(
            update(ROLLOUTS)
            .where(ROLLOUTS.c.id == rollout, where)
            .values(phase=phase.value)
            .returning(ROLLOUTS)
        )
        return found.one_or_none()

    async def load(self, rollout: str) -> Rollout:
        """Read one row inside the transaction. Raises `KeyError`."""
        return await get(self._db, rollout)

    async def receive(self, inbound: Inbound) -> bool:
        """Keep a command or a click; False when it has been received before (a retry, a second delivery)."""
        # One statement: the key itself decides which delivery was first, on PostgreSQL with many writers too.
        kept = await self._db.execute(
            self._insert(INBOX)
            .values(
                key=inbound.key,
                at=epoch(inbound.at),
                door=inbound.door,
                actor=inbound.actor,
                body=json.dumps(dict(inbound.body)),
                rollout=inbound.rollout,
                answer=None if inbound.answer is None else json.dumps(dict(inbound.answer)),
            )
            .on_conflict_do_nothing(index_elements=[INBOX.c.key])
        )
        return kept.rowcount == 1

    def _insert(self, table: Table) -> Any:
        """Return an insert that can be told what to do about a row that is there already."""
        on_sqlite = self._db.dialect.name == "sqlite"
        return sqlite_insert(table) if on_sqlite else postgresql_insert(table)

    async def settle(self, key: str, answer: Mapping[str, Any]) -> None:
        """Record what became of something received."""
        await self._db.execute(
            update(INBOX).where(INBOX.c.key == key).values(answer=json.dumps(dict(answer)))
        )

    async def put_post(self, post: Post) -> None:
        """Record a message, or that it is about to be sent (`ts` empty)."""
        values = {
            "channel": post.channel,
            "ts": post.ts,
            "digest": post.digest,
            "at": epoch(post.at),
        }
        await self._db.execute(
            self._insert(POSTS)
            .values(rollout=post.rollout, key=post.key, **values)
            .on_conflict_do_update(index_elements=[POSTS.c.rollout, POSTS.c.key], set_=values)
        )

    async def forget_post(self, rollout: str, key: str) -> None:
        """Forget a message that is no longer there."""
        await self._db.execute(delete(POSTS).where(POSTS.c.rollout == rollout, POSTS.c.key == key))

    async def put_delivery(
        self,
        entry: int,
        sink: str,
        *,
        attempts: int,
        due: datetime | None,
        state: str,
        problem: str,
    ) -> None:
        """Record how the delivery of one journal entry to one sink stands."""
        values = {
            "attempts": attempts,
            "due": epoch(due) if due else None,
            "state": state,
            "problem": problem,
        }
        await self._db.execute(
            self._insert(DELIVERIES)
            .values(entry=entry, sink=sink, **values)
            .on_conflict_do_update(
                index_elements=[DELIVERIES.c.entry, DELIVERIES.c.sink], set_=values
            )
        )

    async def rename_sink(self, old: str, new: str) -> None:
        """Take over how deliveries stand under the name that a sink had."""
        await rename(self._db, old, new)


async def get(connection: AsyncConnection, rollout: str) -> Rollout:
    """Read one row. Raises `NoRowError`, `PoisonedRowError`."""
    found = await connection.execute(select(ROLLOUTS.c.body).where(ROLLOUTS.c.id == rollout))
    body = found.scalar_one_or_none()
    if body is None:
        raise NoRowError(rollout)
    return load(body)


def _columns(r: Rollout) -> dict[str, Any]:
    return {
        "id": r.id,
        "service": r.service,
        "environment": r.environment,
        "version": r.version,
        "phase": r.phase.value,
        "revision": r.revision,
        "created": epoch(r.created),
        "ended": epoch(r.ended) if r.ended else None,
        "body": dump(r),
    }


def _journal_columns(
    rollout: str, revision: int, n: int, entry: Entry, at: float
) -> dict[str, Any]:
    return {
        "rollout": rollout,
        "revision": revision,
        "n": n,
        "at": at,
        "verb": entry.verb,
        "actor": entry.actor,
        "code": entry.code,
        "text": entry.text,
        "event": entry.event,
        "tell": entry.tell,
        "data": json.dumps(dict(entry.data)),
    }
