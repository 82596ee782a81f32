"""The one clock. Deadlines are in its time; `speed` makes that time run faster than the wall's (the sandbox)."""

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Wall time, or a multiple of it counted from the start of the process."""

    def __init__(self, speed: float = 1.0) -> None:
        """`speed` 60 lets a minute pass every second."""
        self.speed = speed
        self._began = datetime.fromtimestamp(time.time(), tz=UTC)
        self._mark = time.monotonic()

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        if self.speed == 1.0:
            return datetime.fromtimestamp(time.time(), tz=UTC)
        return self._began + timedelta(seconds=(time.monotonic() - self._mark) * self.speed)

    def wall(self, at: datetime) -> datetime:
        """Return when `at` comes on the wall clock."""
        if self.speed == 1.0:
            return at
        left = (at - self.now()).total_seconds() / self.speed
        return datetime.fromtimestamp(time.time() + max(0.0, left), tz=UTC)
