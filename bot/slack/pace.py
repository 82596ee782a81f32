"""How often a channel may be spoken in: Slack takes one message a second per channel, and short bursts.

Only the story in the threads is paced; a gate, an alert and an answer never wait. Pure but for the clock it is given.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

BURST = 12
REFILL = timedelta(seconds=1)


class Pace:
    """A bucket of messages per channel."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Count in the time of `now`."""
        self._now = now
        self._spent: dict[str, tuple[float, datetime]] = {}

    def _left(self, channel: str) -> float:
        spent, at = self._spent.get(channel, (0.0, self._now()))
        return BURST - max(0.0, spent - (self._now() - at) / REFILL)

    def wait(self, channel: str) -> datetime | None:
        """Return when the channel may be spoken in again; None: now."""
        left = self._left(channel)
        return None if left >= 1 else self._now() + REFILL * (1 - left)

    def spend(self, channel: str) -> None:
        """Count one message."""
        self._spent[channel] = (BURST - self._left(channel) + 1, self._now())
