"""How the database is opened: one process, one writer, many readers, nothing lost by a power cut.

SQLite: WAL, synchronous=FULL, and a single writing connection that begins IMMEDIATE. Several writing connections starve
each other, and the driver's own transaction mode silently loses updates on Python 3.11.
"""

import asyncio
import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_DRIVER = "sqlite+aiosqlite"
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000")


class OpenError(Exception):
    """The database cannot be used. `str()` is a sentence without the address; `code` names it for machines."""

    def __init__(self, sentence: str, *, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def cannot_open(why: object) -> OpenError:
    """Return the error for a file that SQLite, or the system, does not open; `why` is their word for it."""
    return OpenError(
        f"The database that SLUICE_DATABASE_URL names cannot be opened ({why}). Check that its folder exists, that "
        "this user may write there, and that the file is a SQLite database.",
        code="cannot_open_database",
    )


def refuse_missing(url: str) -> None:
    """Raise `OpenError` where there is no database to read: opening it would make an empty one."""
    file = _file(_sqlite(url))
    if file is not None and not file.exists():
        raise OpenError(
            "There is no database at SLUICE_DATABASE_URL, so there is nothing to read. Check its path, and from where "
            "it is seen: a relative one begins in the folder that this was started in.",
            code="no_database",
        )


def open_engines(url: str) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the writing and the reading engine for a database URL. Raises `OpenError`."""
    checked = _sqlite(url)
    writer = create_async_engine(checked, pool_size=1, max_overflow=0, pool_timeout=10)
    _prepare(writer, begin="BEGIN IMMEDIATE", pragmas=_PRAGMAS)
    reader = create_async_engine(checked, pool_size=4, max_overflow=0, pool_timeout=10)
    _prepare(reader, begin="BEGIN", pragmas=("busy_timeout=5000", "query_only=1"))
    return writer, reader


@contextmanager
def held_alone(url: str) -> Iterator[None]:
    """Keep every other process that asks for the same database out while the block lasts. Raises `OpenError`.

    The system lets go of the lock when the process ends, however it ends; the empty file stays.
    """
    file = _file(_sqlite(url))
    if file is None:
        yield
        return
    try:
        lock = Path(f"{file}.lock").open("a")  # noqa: SIM115 - closed below, after the block
    except OSError as error:
        raise cannot_open(error.strerror) from error
    with lock:
        _take(lock.fileno())
        yield


def _take(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OpenError(
            "Another Sluice is running on the database that SLUICE_DATABASE_URL names, and two would move the same "
            "traffic. Stop that one first, or name another database.",
            code="database_in_use",
        ) from error
    except OSError as error:
        raise cannot_open(error.strerror) from error


def _sqlite(url: str) -> URL:
    scheme = url.partition("://")[0]
    if scheme != _DRIVER:
        name = "PostgreSQL" if scheme.startswith("postgres") else f"`{scheme}`"
        raise OpenError(
            f"{name} is not available in this version; use {_DRIVER} in SLUICE_DATABASE_URL.",
            code="database_not_available",
        )
    try:
        return make_url(url)
    except ArgumentError:
        # Its text repeats the address.
        raise cannot_open("the address cannot be read") from None


def _file(url: URL) -> Path | None:
    """Return the file of a database, one path however it is spelled; None when it lives in memory."""
    name = (url.database or "").removeprefix("file:")
    if name in {"", ":memory:"} or url.query.get("mode") == "memory":
        return None
    return Path(name).resolve()


def _prepare(engine: AsyncEngine, *, begin: str, pragmas: tuple[str, ...]) -> None:
    def on_connect(dbapi: Any, _record: object) -> None:
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", on_begin)


async def try_file(engine: AsyncEngine) -> None:
    """Open the file once and read its header. Raises `OpenError`.

    Not through the pool: the driver's thread outlives a connection that fails to open, and when the loop is closed by
    then it prints a traceback behind our sentence.
    """
    (file,), options = engine.dialect.create_connect_args(engine.url)

    def run() -> None:
        with closing(sqlite3.connect(file, **options)) as connection:
            connection.execute("PRAGMA schema_version")

    try:
        await asyncio.to_thread(run)
    except sqlite3.Error as error:
        raise cannot_open(error) from error


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to the newest revision, in one transaction."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade())


def _upgrade() -> Callable[[Connection], None]:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", "migrations:")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    return run
