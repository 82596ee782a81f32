"""Draw off the event loop: one picture at a time, in a thread, and never for long.

A drawing that fails or takes too long is logged, and there is no picture; nothing waits for it.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from bot.slack.charts.drawing import can_draw, draw
from bot.slack.charts.series import Chart

log = logging.getLogger("sluice.pictures")

PATIENCE = 5.0
"""Seconds that a picture may take, waiting for the one before it included."""


class Painter:
    """Draws charts."""

    def __init__(
        self, draw: Callable[[Chart], bytes] | None = None, patience: float = PATIENCE
    ) -> None:
        """Draw with `draw`; None: with the library, where it is installed."""
        self._draw = draw or _with_the_library()
        self._patience = patience
        # One thread: a drawing that hangs holds up the pictures behind it, and nothing else.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="picture")

    async def paint(self, chart: Chart) -> bytes | None:
        """Return the picture; None where there is none."""
        if self._draw is None:
            return None
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._draw, chart)
        try:
            return await asyncio.wait_for(running, self._patience)
        except TimeoutError:
            log.warning("a picture took longer than %g s and was given up", self._patience)
        except Exception:
            log.exception("a picture could not be drawn")
        return None

    def stop(self) -> None:
        """Draw no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _with_the_library() -> Callable[[Chart], bytes] | None:
    if can_draw():
        return draw
    log.info("pictures are drawn in text: pip install -e '.[charts]' for real ones")
    return None
