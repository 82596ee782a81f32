"""`sluice serve`: run a bot until it is told to stop."""

import asyncio
import logging
import signal
import sys

from bot.app.clock import SystemClock
from bot.app.running import Bot
from bot.settings import Settings
from bot.store.engine import held_alone

log = logging.getLogger("sluice")


_SWITCH = 0.0002
"""Seconds after which a busy thread lets another one run. SQLite works in threads of its own, a transaction hands over
some twenty times, and at Python's default of 5 ms each hand-over may wait that long for a busy loop."""


async def serve(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; what is in flight is taken up at the next start.

    Raises `OpenError` and `DoorError` when it cannot start.
    """
    sys.setswitchinterval(_SWITCH)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, over.set)
    with held_alone(settings.database_url):
        bot = await Bot.start(settings, SystemClock())
        log.info("listening on %s port %d", settings.listen[0], bot.port)
        try:
            await over.wait()
        finally:
            await bot.stop()
    return 0
