"""How much traffic a service gets now: a hint for the warnings of a plan, so nobody waits for it twice.

What was answered, or that nothing was, is remembered for a minute: a metric source that is down delays one start, not
each.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.app.targets import Targets

_REMEMBERED = timedelta(minutes=1)
_WINDOW = 300
"""Seconds that the rate is taken over: a start must not hang on one quiet moment."""


class Traffic:
    """Requests per second by target."""

    def __init__(self, targets: Targets, now: Callable[[], datetime]) -> None:
        """Ask the metric sources of `targets`."""
        self._targets = targets
        self._now = now
        self._known: dict[tuple[str, str], tuple[datetime, float | None]] = {}

    async def of(self, service: str, environment: str) -> float | None:
        """Return the requests per second of both lanes together; None when nobody knows.

        Raises what finding the target raises: `LookupError`, `IntegrationError`.
        """
        key, now = (service, environment), self._now()
        at, known = self._known.get(key, (None, None))
        if at is not None and now - at < _REMEMBERED:
            return known
        # Noted before it is asked: who comes meanwhile, or after a caller that gave up, goes on without the hint.
        self._known[key] = (now, None)
        self._known[key] = (now, await self._ask(service, environment))
        return self._known[key][1]

    async def _ask(self, service: str, environment: str) -> float | None:
        """Ask every target; evidence is wanted from each of them, so the one with the least traffic counts."""
        places = self._targets.places(service, environment)
        rates = [await self._rate(service, environment, place) for place in places]
        known = [rate for rate in rates if rate is not None]
        return min(known, default=None)

    async def _rate(self, service: str, environment: str, place: str) -> float | None:
        target = await self._targets.find(service, environment, place)
        snapshot = await target.metrics.look(window=_WINDOW, custom={}, variables=target.variables)
        reading = snapshot.readings.get("rps")
        lanes = (reading.stable, reading.canary) if reading is not None else ()
        numbers = [lane for lane in lanes if isinstance(lane, float | int)]
        return sum(numbers) if numbers else None
