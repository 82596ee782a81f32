"""The only SQL: compare-and-swap on rollouts, the journal, the inbox, what was posted and what was delivered.

Everything that must be true together is one transaction of `Store.writing()`. A save names the revision it was made
from; whoever comes second gets `StaleError` and reads again.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.rollout.values import Entry, Phase, Rollout
from bot.store.engine import migrate, open_engines
from bot.store.rows import (
    Inbound,
    JournalRow,
    PoisonedRowError,
    Post,
    Token,
    as_json,
    dump,
    epoch,
    in_flight,
    load,
    moment,
)
from bot.store.tables import (
    DELIVERIES,
    IN_FLIGHT,
    INBOX,
    JOURNAL,
    POSTS,
    ROLLOUTS,
    TARGETS,
    TOKENS,
)

__all__ = [
    "BusyError",
    "Inbound",
    "JournalRow",
    "PoisonedRowError",
    "Post",
    "StaleError",
    "Store",
    "Token",
    "Writing",
    "as_json",
    "in_flight",
]


class StaleError(Exception):
    """Somebody saved the row in between; read it again."""


class BusyError(Exception):
    """The target already has a rollout in flight; `rollout` is its id."""

    def __init__(self, rollout: str) -> None:
        """Keep the id of the rollout that was first."""
        super().__init__(rollout)
        self.rollout = rollout


class Writing:
    """One transaction. Everything done through it is committed together, or not at all."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work on an open transaction."""
        self._db = connection

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
        """Insert a new rollout with the next fence counter of its target. Raises `BusyError`."""
        held = await self._db.execute(
            select(ROLLOUTS.c.id).where(
                ROLLOUTS.c.service == r.service,
                ROLLOUTS.c.environment == r.environment,
                IN_FLIGHT,
            )
        )
        busy = held.scalar_one_or_none()
        if busy is not None:
            raise BusyError(busy)
        r = replace(r, counter=await self.next_counter(r.service, r.environment))
        await self._db.execute(insert(ROLLOUTS).values(**_columns(r)))
        return await self._note(r)

    async def save(self, r: Rollout, now: datetime) -> Rollout:
        """Replace the row that `r` was made from, and write its news. Raises `StaleError`."""
        base = r.revision
        r = replace(r, revision=base + 1)
        changed = await self._db.execute(
            update(ROLLOUTS)
            .where(ROLLOUTS.c.id == r.id, ROLLOUTS.c.revision == base)
            .values(**_columns(r))
        )
        if changed.rowcount != 1:
            raise StaleError(r.id)
        await self._raise_counter(r)
        return await self._note(r, now)

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
        rows = [_journal_columns(r, n, entry, at) for n, entry in enumerate(r.news)]
        if rows:
            await self._db.execute(insert(JOURNAL), rows)
        return replace(r, news=())

    async def load(self, rollout: str) -> Rollout:
        """Read one row inside the transaction. Raises `KeyError`."""
        return await _get(self._db, rollout)

    async def receive(self, inbound: Inbound) -> bool:
        """Keep a command or a click; False when it has been received before (a retry, a second delivery)."""
        known = await self._db.execute(select(INBOX.c.key).where(INBOX.c.key == inbound.key))
        if known.scalar_one_or_none() is not None:
            return False
        await self._db.execute(
            insert(INBOX).values(
                key=inbound.key,
                at=epoch(inbound.at),
                door=inbound.door,
                actor=inbound.actor,
                body=json.dumps(dict(inbound.body)),
                rollout=inbound.rollout,
                answer=None if inbound.answer is None else json.dumps(dict(inbound.answer)),
            )
        )
        return True

    async def settle(self, key: str, answer: Mapping[str, Any]) -> None:
        """Record what became of something received."""
        await self._db.execute(
            update(INBOX).where(INBOX.c.key == key).values(answer=json.dumps(dict(answer)))
        )

    async def put_post(self, post: Post) -> None:
        """Record a message, or that it is about to be sent (`ts` empty)."""
        key = and_(POSTS.c.rollout == post.rollout, POSTS.c.key == post.key)
        values = {
            "channel": post.channel,
            "ts": post.ts,
            "digest": post.digest,
            "at": epoch(post.at),
        }
        changed = await self._db.execute(update(POSTS).where(key).values(**values))
        if changed.rowcount == 0:
            await self._db.execute(
                insert(POSTS).values(rollout=post.rollout, key=post.key, **values)
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
        key = and_(DELIVERIES.c.entry == entry, DELIVERIES.c.sink == sink)
        values = {
            "attempts": attempts,
            "due": epoch(due) if due else None,
            "state": state,
            "problem": problem,
        }
        changed = await self._db.execute(update(DELIVERIES).where(key).values(**values))
        if changed.rowcount == 0:
            await self._db.execute(insert(DELIVERIES).values(entry=entry, sink=sink, **values))

    async def put_token(self, name: str, digest: str, owner: str, now: datetime) -> None:
        """Keep a new token. Raises `KeyError` when the name is taken."""
        try:
            await self._db.execute(
                insert(TOKENS).values(name=name, digest=digest, owner=owner, created=epoch(now))
            )
        except IntegrityError as error:
            raise KeyError(name) from error

    async def revoke_token(self, name: str, now: datetime) -> bool:
        """Revoke a token, effective at once; False when there is none of that name."""
        changed = await self._db.execute(
            update(TOKENS)
            .where(TOKENS.c.name == name, TOKENS.c.revoked.is_(None))
            .values(revoked=epoch(now))
        )
        return changed.rowcount == 1


class Store:
    """The database of one bot."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        """Use engines that are already open; see `Store.open`."""
        self._writer = writer
        self._reader = reader

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open a database by URL and migrate it."""
        writer, reader = open_engines(url)
        await migrate(writer)
        return cls(writer, reader)

    async def close(self) -> None:
        """Give the connections back."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """Open one transaction; it commits when the block ends well."""
        async with self._writer.begin() as connection:
            yield Writing(connection)

    async def save(self, r: Rollout, now: datetime) -> Rollout:
        """Save one row in a transaction of its own. Raises `StaleError`."""
        async with self.writing() as writing:
            return await writing.save(r, now)

    async def get(self, rollout: str) -> Rollout:
        """Return one rollout. Raises `KeyError`, `PoisonedRowError`."""
        async with self._reader.connect() as connection:
            return await _get(connection, rollout)

    async def live_ids(self) -> list[str]:
        """Return the ids of all rollouts that may still have something to do."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(ROLLOUTS.c.id).where(
                    or_(IN_FLIGHT, ROLLOUTS.c.body.contains('"recheck_at":"'))
                )
            )
            return [row.id for row in rows]

    async def in_flight(
        self, service: str | None = None, environment: str | None = None
    ) -> list[Rollout]:
        """Return the rollouts that hold their target, oldest first."""
        where = [IN_FLIGHT, *_of(service, environment)]
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(ROLLOUTS.c.body).where(*where).order_by(ROLLOUTS.c.created)
            )
            return _readable(row.body for row in rows)

    async def history(
        self,
        service: str | None = None,
        environment: str | None = None,
        *,
        before: datetime | None = None,
        limit: int = 50,
    ) -> list[Rollout]:
        """Return rollouts, newest first."""
        where = _of(service, environment)
        if before is not None:
            where.append(ROLLOUTS.c.created < epoch(before))
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(ROLLOUTS.c.body)
                .where(*where)
                .order_by(ROLLOUTS.c.created.desc())
                .limit(limit)
            )
            return _readable(row.body for row in rows)

    async def poison(self, rollout: str, now: datetime) -> None:
        """Take a row that cannot be read out of the machine's way: it needs a person."""
        async with self._writer.begin() as connection:
            await connection.execute(
                update(ROLLOUTS)
                .where(ROLLOUTS.c.id == rollout)
                .values(phase=Phase.NEEDS_ATTENTION.value, ended=epoch(now))
            )

    async def journal(self, rollout: str) -> list[JournalRow]:
        """Return what happened to one rollout, in order."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(JOURNAL).where(JOURNAL.c.rollout == rollout).order_by(JOURNAL.c.id)
            )
            return [_journal_row(row) for row in rows]

    async def events_since(self, last: int, limit: int = 200) -> list[JournalRow]:
        """Return the journal entries behind `last` that are events for sinks, oldest first."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(JOURNAL)
                .where(JOURNAL.c.id > last, JOURNAL.c.event != "")
                .order_by(JOURNAL.c.id)
                .limit(limit)
            )
            return [_journal_row(row) for row in rows]

    async def newest_entry(self) -> int:
        """Return the id of the newest journal entry, 0 when there is none."""
        async with self._reader.connect() as connection:
            found = await connection.execute(select(func.max(JOURNAL.c.id)))
            return int(found.scalar_one() or 0)

    async def deliveries(self, sink: str) -> dict[int, tuple[str, int, datetime | None]]:
        """Return how deliveries to one sink stand: entry -> (state, attempts, due)."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(select(DELIVERIES).where(DELIVERIES.c.sink == sink))
            return {
                row.entry: (row.state, row.attempts, moment(row.due) if row.due else None)
                for row in rows
            }

    async def posts(self, rollout: str) -> dict[str, Post]:
        """Return the messages of one rollout by key."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(select(POSTS).where(POSTS.c.rollout == rollout))
            return {
                row.key: Post(row.rollout, row.key, row.channel, row.ts, row.digest, moment(row.at))
                for row in rows
            }

    async def inbound(self, key: str) -> Inbound | None:
        """Return something received, by its key."""
        async with self._reader.connect() as connection:
            found = await connection.execute(select(INBOX).where(INBOX.c.key == key))
            row = found.one_or_none()
            return None if row is None else _inbound(row)

    async def unsettled(self) -> list[Inbound]:
        """Return what was received and has no answer yet, oldest first."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(INBOX).where(INBOX.c.answer.is_(None)).order_by(INBOX.c.at)
            )
            return [_inbound(row) for row in rows]

    async def token(self, digest: str) -> Token | None:
        """Return the token with this digest, also when it is revoked."""
        async with self._reader.connect() as connection:
            found = await connection.execute(select(TOKENS).where(TOKENS.c.digest == digest))
            row = found.one_or_none()
        if row is None:
            return None
        revoked = moment(row.revoked) if row.revoked else None
        return Token(row.name, row.owner, moment(row.created), revoked)

    async def counts(self) -> dict[str, int]:
        """Return how many rollouts are in each phase."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(ROLLOUTS.c.phase, func.count()).group_by(ROLLOUTS.c.phase)
            )
            return {str(phase): int(count) for phase, count in rows}

    async def ping(self) -> None:
        """Ask the database for a sign of life."""
        async with self._reader.connect() as connection:
            await connection.execute(select(1))


def _readable(bodies: Iterable[str]) -> list[Rollout]:
    """Leave poisoned rows out of lists: one bad row must not hide the others."""
    found = []
    for body in bodies:
        with suppress(PoisonedRowError):
            found.append(load(body))
    return found


def _of(service: str | None, environment: str | None) -> list[Any]:
    where: list[Any] = []
    if service is not None:
        where.append(ROLLOUTS.c.service == service)
    if environment is not None:
        where.append(ROLLOUTS.c.environment == environment)
    return where


async def _get(connection: AsyncConnection, rollout: str) -> Rollout:
    found = await connection.execute(select(ROLLOUTS.c.body).where(ROLLOUTS.c.id == rollout))
    body = found.scalar_one_or_none()
    if body is None:
        raise KeyError(rollout)
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


def _journal_columns(r: Rollout, n: int, entry: Entry, at: float) -> dict[str, Any]:
    return {
        "rollout": r.id,
        "revision": r.revision,
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


def _journal_row(row: Any) -> JournalRow:
    entry = Entry(
        row.verb, row.actor, row.text, row.code, row.event, row.tell, json.loads(row.data)
    )
    return JournalRow(row.id, row.rollout, row.revision, moment(row.at), entry)


def _inbound(row: Any) -> Inbound:
    answer = None if row.answer is None else json.loads(row.answer)
    return Inbound(
        row.key, row.door, row.actor, json.loads(row.body), moment(row.at), row.rollout, answer
    )
