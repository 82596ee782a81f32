"""The only SQL: compare-and-swap on rollouts, the journal, the inbox, what was posted and what was delivered.

Everything that must be true together is one transaction of `Store.writing()`. A save names the revision it was made
from; whoever comes second gets `StaleError` and reads again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any, Self, TypeVar

from alembic.util import CommandError
from sqlalchemy import and_, func, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.rollout.kept import KeptLook
from bot.rollout.values import Phase, Rollout
from bot.settings.limits import LimitsBlock
from bot.store import telling
from bot.store.alarms import ALARM, alarms
from bot.store.deliveries import closed, deliveries
from bot.store.engine import (
    OpenError,
    cannot_open,
    migrate,
    open_engines,
    refuse_missing,
    try_file,
)
from bot.store.keeping import KEEPING, KEPT
from bot.store.locks import BarredError, LockReading
from bot.store.looks import drop_looks, looks, looks_read, outlived
from bot.store.notices import NoticeReading
from bot.store.outcomes import BUCKETS, Durations, OutcomeReading, Totals
from bot.store.room import BusyError, FullError, TwinError, holder, in_flight_count
from bot.store.rows import (
    Inbound,
    JournalRow,
    PoisonedRowError,
    Post,
    Token,
    as_json,
    epoch,
    in_flight,
    inbound_row,
    journal_row,
    moment,
    readable,
)
from bot.store.tables import IN_FLIGHT, INBOX, JOURNAL, POSTS, ROLLOUTS
from bot.store.tokens import TokenReading
from bot.store.writing import NoRowError, StaleError, Writing, get

__all__ = [
    "ALARM",
    "BUCKETS",
    "BarredError",
    "BusyError",
    "Durations",
    "FullError",
    "Inbound",
    "JournalRow",
    "NoRowError",
    "OpenError",
    "PoisonedRowError",
    "Post",
    "StaleError",
    "Store",
    "Token",
    "Totals",
    "TwinError",
    "Writing",
    "as_json",
    "in_flight",
    "refuse_missing",
]


Found = TypeVar("Found")


class Store(LockReading, NoticeReading, OutcomeReading, TokenReading):
    """The database of one bot."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        """Use engines that are already open; see `Store.open`."""
        self._writer = writer
        self._reader = reader
        self._on_event: Callable[[], None] = lambda: None
        self.limits = LimitsBlock()
        """How much there may be at once; the configuration says."""

    def on_event(self, ring: Callable[[], None]) -> None:
        """Call `ring` after each commit that journalled an event for sinks."""
        self._on_event = ring

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open a database by URL and migrate it. Raises `OpenError`."""
        store = cls(*open_engines(url))
        async with AsyncExitStack() as undo:
            undo.push_async_callback(store.close)
            await try_file(store._writer)
            try:
                await migrate(store._writer)
            except DBAPIError as error:
                raise cannot_open(error.orig) from error
            except CommandError as error:
                raise cannot_open("it was written by another version of Sluice") from error
            undo.pop_all()
        return store

    async def close(self) -> None:
        """Give the connections back."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """Open one transaction; it commits when the block ends well."""
        async with self._writer.begin() as connection:
            writing = Writing(connection, self.limits)
            yield writing
        if writing.eventful:
            self._on_event()

    async def save(self, r: Rollout, now: datetime) -> Rollout:
        """Save one row in a transaction of its own. Raises `StaleError`."""
        async with self.writing() as writing:
            return await writing.save(r, now)

    async def get(self, rollout: str) -> Rollout:
        """Return one rollout. Raises `NoRowError`, `PoisonedRowError`."""
        async with self._reader.connect() as connection:
            return await get(connection, rollout)

    async def live_ids(self) -> list[str]:
        """Return the ids of all rollouts that may still have something to do."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(ROLLOUTS.c.id).where(
                    or_(
                        IN_FLIGHT,
                        ROLLOUTS.c.phase == Phase.SCHEDULED.value,
                        and_(
                            ROLLOUTS.c.phase == Phase.ROLLED_BACK.value,
                            ROLLOUTS.c.body.contains('"recheck_at":"'),
                        ),
                        and_(
                            ROLLOUTS.c.phase.in_(KEEPING),
                            ROLLOUTS.c.body.contains(KEPT),
                        ),
                    )
                )
            )
            return [row.id for row in rows]

    async def untold(self) -> list[JournalRow]:
        """Return the journal lines that Slack does not show yet, oldest first; of ended rollouts as well."""
        async with self._reader.connect() as connection:
            return await telling.untold(connection)

    async def ended_since(self, at: datetime) -> list[str]:
        """Return the ids of the rollouts that ended since then."""
        async with self._reader.connect() as connection:
            return await telling.ended_since(connection, epoch(at))

    async def in_flight(
        self, service: str | None = None, environment: str | None = None
    ) -> list[Rollout]:
        """Return the rollouts that hold their target, oldest first."""
        where = [IN_FLIGHT, *_of(service, environment)]
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(ROLLOUTS.c.body).where(*where).order_by(ROLLOUTS.c.created)
            )
            return readable(row.body for row in rows)

    async def in_flight_count(self) -> int:
        """Return how many rollouts hold a target."""
        async with self._reader.connect() as connection:
            return await in_flight_count(connection)

    async def holder(self, service: str, environment: str) -> str:
        """Return the id of the rollout that holds a target, readable or not; `""` where none does."""
        async with self._reader.connect() as connection:
            return await holder(connection, service, environment)

    async def scheduled(
        self, service: str | None = None, environment: str | None = None
    ) -> list[Rollout]:
        """Return the rollouts that wait for their time, the next one first."""
        where = [ROLLOUTS.c.phase == Phase.SCHEDULED.value, *_of(service, environment)]
        async with self._reader.connect() as connection:
            rows = await connection.execute(select(ROLLOUTS.c.body).where(*where))
            found = readable(row.body for row in rows)
        return sorted(found, key=lambda r: (r.due or r.created, r.created))

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
            return readable(row.body for row in rows)

    async def journal(self, rollout: str) -> list[JournalRow]:
        """Return what happened to one rollout, in order."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(JOURNAL).where(JOURNAL.c.rollout == rollout).order_by(JOURNAL.c.id)
            )
            return [journal_row(row) for row in rows]

    async def to_tell(self, rollout: str, last: int) -> list[JournalRow]:
        """Return the entries behind `last` that Slack shows, and every broadcast: another channel may lack it."""
        async with self._reader.connect() as connection:
            return await telling.to_tell(connection, rollout, last)

    async def events_since(self, last: int, limit: int = 200) -> list[JournalRow]:
        """Return the journal entries behind `last` that are events for sinks, oldest first."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(JOURNAL)
                .where(JOURNAL.c.id > last, JOURNAL.c.event != "")
                .order_by(JOURNAL.c.id)
                .limit(limit)
            )
            return [journal_row(row) for row in rows]

    async def newest_entry(self) -> int:
        """Return the id of the newest journal entry, 0 when there is none."""
        async with self._reader.connect() as connection:
            found = await connection.execute(select(func.max(JOURNAL.c.id)))
            return int(found.scalar_one() or 0)

    async def deliveries(
        self, sink: str, since: int = 0
    ) -> dict[int, tuple[str, int, datetime | None]]:
        """Return how deliveries to one sink stand: entry -> (state, attempts, due).

        Entries up to `since` are left out; negative ones, which are the sink's own marks, never are.
        """
        async with self._reader.connect() as connection:
            return await deliveries(connection, sink, since)

    async def delivered(self) -> dict[tuple[str, str], int]:
        """Return how many alerts are not tried any more, by sink and by how that ended (`delivered`, `dead`)."""
        async with self._reader.connect() as connection:
            return await closed(connection)

    async def posts(self, rollout: str) -> dict[str, Post]:
        """Return the messages of one rollout by key."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(select(POSTS).where(POSTS.c.rollout == rollout))
            return {
                row.key: Post(row.rollout, row.key, row.channel, row.ts, row.digest, moment(row.at))
                for row in rows
            }

    async def looks(self, rollout: str, until: datetime | None = None) -> Sequence[KeptLook]:
        """Return the numbers that one rollout was judged by, oldest first."""
        async with self._reader.connect() as connection:
            return await looks(connection, rollout, until)

    async def looks_read(self, rollout: str) -> tuple[Sequence[KeptLook], int]:
        """Return the same, and how many more are kept that cannot be read."""
        async with self._reader.connect() as connection:
            return await looks_read(connection, rollout)

    async def forget_looks(self, now: datetime) -> None:
        """Drop the looks of rollouts that ended long ago, one rollout a transaction."""
        while True:
            async with self._reader.connect() as connection:
                rollout = await outlived(connection, now)
            if rollout is None:
                return
            async with self._writer.begin() as connection:
                await drop_looks(connection, rollout)

    async def inbound(self, key: str) -> Inbound | None:
        """Return something received, by its key."""
        async with self._reader.connect() as connection:
            found = await connection.execute(select(INBOX).where(INBOX.c.key == key))
            row = found.one_or_none()
            return None if row is None else inbound_row(row)

    async def unsettled(self) -> list[Inbound]:
        """Return what was received and has no answer yet, oldest first."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(INBOX).where(INBOX.c.answer.is_(None)).order_by(INBOX.c.at)
            )
            return [inbound_row(row) for row in rows]

    async def alarms(self) -> dict[str, int]:
        """Return how many alerts from outside were taken, by what became of them."""
        async with self._reader.connect() as connection:
            return await alarms(connection)

    async def counts(self) -> dict[str, int]:
        """Return how many rollouts are in each phase."""
        async with self._reader.connect() as connection:
            rows = await connection.execute(
                select(ROLLOUTS.c.phase, func.count()).group_by(ROLLOUTS.c.phase)
            )
            return {str(phase): int(count) for phase, count in rows}

    async def ask(self, question: Callable[[AsyncConnection], Awaitable[Found]]) -> Found:
        """Return the answer to a question of `bot.store.tracing`."""
        async with self._reader.connect() as connection:
            return await question(connection)

    async def ping(self) -> None:
        """Ask the database for a sign of life."""
        async with self._reader.connect() as connection:
            await connection.execute(select(1))


def _of(service: str | None, environment: str | None) -> list[Any]:
    where: list[Any] = []
    if service is not None:
        where.append(ROLLOUTS.c.service == service)
    if environment is not None:
        where.append(ROLLOUTS.c.environment == environment)
    return where
