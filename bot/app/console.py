"""The console script `sluice`: hands the command line the doors that need the whole bot.

Everything heavy is imported where it is used, so that `sluice plan` starts without a web server or a cluster's client.
"""

import asyncio
import logging
import secrets
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bot import cli
from bot.app.clock import SystemClock
from bot.cli.terminal import clean
from bot.replaying import Report, Wanted
from bot.settings import Config, Settings
from strategies.calibration import Calibration
from strategies.plan import Plan

T = TypeVar("T")


def main() -> int:
    """Run `sluice`; returns the exit code."""
    doors = cli.Doors(
        serve=_serve,
        sandbox=_sandbox,
        migrate=_migrate,
        doctor=_doctor,
        preflight=_preflight,
        create_token=_create_token,
        revoke_token=_revoke_token,
        replay=_replay,
        calibrate=_calibrate,
    )
    return cli.run(sys.argv[1:], doors)


def _run(work: Coroutine[Any, Any, T]) -> T:
    from bot.store import OpenError  # noqa: PLC0415

    try:
        return asyncio.run(work)
    except OpenError as error:
        raise cli.DoorError(str(error), code=error.code) from error


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log in one line per event; foreign line breaks are escaped, so that no text can forge a line."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    for noisy in ("apscheduler", "alembic", "slack_bolt", "slack_sdk", "sluice.bolt", "aiohttp"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("sluice.bolt").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    # Bolt looks for SLACK_BOT_TOKEN in the environment by itself and cannot be told not to.
    return record.msg != "As you gave `client` as well, `token` will be unused."


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")


def _serve(settings: Settings) -> int:
    from bot.app.serving import serve  # noqa: PLC0415

    log_to_stderr()
    return _run(serve(settings))


def _sandbox(options: cli.SandboxOptions) -> int:
    from bot.app.sandbox import run  # noqa: PLC0415

    log_to_stderr(logging.WARNING)
    return _run(run(options))


def _migrate(database_url: str) -> None:
    from bot.store import Store  # noqa: PLC0415

    async def migrate() -> None:
        store = await Store.open(database_url)
        await store.close()

    _run(migrate())


def _preflight(config: Config, plan: Plan) -> Sequence[cli.Finding]:
    from bot.app.examining import preflight  # noqa: PLC0415

    return _run(preflight(config, plan, SystemClock().now))


def _doctor(path: Path) -> Sequence[cli.Health]:
    from bot.app.examining import examine  # noqa: PLC0415

    return _run(examine(path, SystemClock().now))


def _create_token(database_url: str, name: str, owner: str) -> str:
    from bot.api import token_digest  # noqa: PLC0415
    from bot.store import Store  # noqa: PLC0415

    secret = f"sluice_{secrets.token_urlsafe(32)}"

    async def create() -> None:
        store = await Store.open(database_url)
        try:
            async with store.writing() as writing:
                await writing.put_token(name, token_digest(secret), owner, SystemClock().now())
        except KeyError as error:
            raise cli.DoorError(
                f"There is a token called {name} already. Revoke it, or choose another name.",
                code="token_exists",
            ) from error
        finally:
            await store.close()

    _run(create())
    return secret


def _revoke_token(database_url: str, name: str) -> bool:
    from bot.store import Store  # noqa: PLC0415

    async def revoke() -> bool:
        store = await Store.open(database_url)
        try:
            async with store.writing() as writing:
                return await writing.revoke_token(name, SystemClock().now())
        finally:
            await store.close()

    return _run(revoke())


def _calibrate(path: Path, wanted: cli.Stretch) -> Calibration:
    from bot.app.calibrating import calibrate_stretch  # noqa: PLC0415

    def tell(sentence: str) -> None:
        sys.stderr.write(f"{clean(sentence)}\n")
        sys.stderr.flush()

    return _run(calibrate_stretch(path, wanted, SystemClock().now, tell))


def _replay(database_url: str, wanted: Wanted) -> Report:
    from bot.app.replaying import replay  # noqa: PLC0415

    return _run(replay(database_url, wanted, SystemClock().now()))
