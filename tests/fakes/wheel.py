"""Virtual time: a clock that stands still until a test moves it, and a wheel that rings in order."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


class VirtualClock:
    """A clock for the bot, its fakes and its tests alike."""

    breath = 0.0

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def __call__(self) -> datetime:
        return self.at

    def wall(self, at: datetime) -> datetime:
        return at


class VirtualWheel:
    """Timers that ring when the test turns the clock."""

    def __init__(self, clock: VirtualClock, ring: Callable[[str], None]) -> None:
        self.clock = clock
        self.due: dict[str, datetime] = {}
        self._ring = ring

    def wake(self, rollout: str, at: datetime) -> None:
        self.due[rollout] = at

    def drop(self, rollout: str) -> None:
        self.due.pop(rollout, None)

    async def turn(self, seconds: float, settled: Callable[[], Awaitable[None]]) -> None:
        """Let `seconds` pass; whatever is due on the way happens at its own time."""
        end = self.clock.at + timedelta(seconds=seconds)
        await settled()
        while (first := min(self.due.values(), default=None)) is not None and first <= end:
            self.clock.at = max(self.clock.at, first)
            for name in [n for n, at in self.due.items() if at <= self.clock.at]:
                del self.due[name]
                self._ring(name)
            await settled()
        self.clock.at = end
