"""The one clock. Deadlines are in its time; `speed` makes that time run faster than the wall's (the sandbox)."""

import time
from datetime import UTC, datetime, timedelta

FASTEST = 3600.0


def _wall() -> datetime:
    return datetime.fromtimestamp(time.time(), tz=UTC)


class SystemClock:
    """Wall time, or a multiple of it counted from the start of the process."""

    def __init__(self, speed: float = 1.0) -> None:
        """`speed` 60 lets a minute pass every second."""
        self.speed = 1.0
        self.breath = 0.03
        self._began = _wall()
        self._mark: float | None = None
        if speed != 1.0:
            self.run_at(speed)

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        if self._mark is None:
            return _wall()
        return self._began + timedelta(seconds=(time.monotonic() - self._mark) * self.speed)

    def wall(self, at: datetime) -> datetime:
        """Return when `at` comes on the wall clock."""
        if self._mark is None:
            return at
        left = (at - self.now()).total_seconds() / self.speed
        return _wall() + timedelta(seconds=max(0.0, left))

    def run_at(self, speed: float) -> None:
        """Let time pass `speed` times as fast from now on. Raises `ValueError` outside of 0.1 to 3600."""
        if not 0.1 <= speed <= FASTEST:
            raise ValueError(f"The speed must lie between 0.1 and {FASTEST:g}.")
        self._began, self._mark, self.speed = self.now(), time.monotonic(), speed
