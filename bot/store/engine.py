"""How the database is opened: one writer, many readers, nothing lost by a power cut.

SQLite: WAL, synchronous=FULL, and a single writing connection that begins IMMEDIATE. Several writing connections starve
each other, and the driver's own transaction mode silently loses updates on Python 3.11.
"""

from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000")


def open_engines(url: str) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the writing and the reading engine for a database URL."""
    if not url.startswith("sqlite"):
        engine = create_async_engine(url, pool_pre_ping=True)
        return engine, engine
    writer = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=10)
    _prepare(writer, begin="BEGIN IMMEDIATE", pragmas=_PRAGMAS)
    reader = create_async_engine(url, pool_size=4, max_overflow=0, pool_timeout=10)
    _prepare(reader, begin="BEGIN", pragmas=("busy_timeout=5000", "query_only=1"))
    return writer, reader


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
