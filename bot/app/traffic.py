"""What stable does now, and how much traffic a service gets: for the warnings of a plan, so nobody waits for it twice.

What was answered, or that nothing was, is remembered for a minute: a metric source that is down delays one start, not
each.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.app.targets import Targets
from bot.observing import Target, look_from
from integrations.base import Lane
from integrations.metric import Missing
from strategies.doing import Doing
from strategies.verdict import Look

_REMEMBERED = timedelta(minutes=1)
_WINDOW = 300
"""Seconds that the rate is taken over: a start must not hang on one quiet moment."""


class Traffic:
    """Requests per second by target, and what stable does with them."""

    def __init__(self, targets: Targets, now: Callable[[], datetime]) -> None:
        """Ask the metric sources of `targets`."""
        self._targets = targets
        self._now = now
        self._known: dict[tuple[str, str, int], tuple[datetime, Sequence[Doing] | None]] = {}

    async def of(self, service: str, environment: str) -> float | None:
        """Return the requests per second of both lanes together; None when nobody knows.

        Evidence is wanted from each target, so the one with the least traffic counts. Raises as `lately`.
        """
        doing = await self.lately(service, environment, _WINDOW)
        return min((one.rps for one in doing or ()), default=None)

    async def lately(self, service: str, environment: str, window: int) -> Sequence[Doing] | None:
        """Return what stable did in the last `window` seconds on each target that has numbers; None: nobody can say.

        Raises what finding the target raises: `LookupError`, `IntegrationError`.
        """
        key, now = (service, environment, window), self._now()
        at, known = self._known.get(key, (None, None))
        if at is not None and now - at < _REMEMBERED:
            return known
        # Noted before it is asked: who comes meanwhile, or after a caller that gave up, goes on without the hint.
        self._known[key] = (now, None)
        self._known[key] = (now, await self._ask(service, environment, window))
        return self._known[key][1]

    async def _ask(self, service: str, environment: str, window: int) -> list[Doing] | None:
        places = self._targets.places(service, environment)
        found = [await self._look(service, environment, place, window) for place in places]
        if any(look.problem for look, _ in found):
            return None
        said = (_doing(look, buckets) for look, buckets in found)
        return [one for one in said if one is not None]

    async def _look(
        self, service: str, environment: str, place: str, window: int
    ) -> tuple[Look, Mapping[float, float]]:
        target = await self._targets.find(service, environment, place)
        snapshot, buckets = await asyncio.gather(
            target.metrics.look(window=window, custom={}, variables=target.variables),
            _histogram(target, wanted=window == _WINDOW),
        )
        return look_from(snapshot), buckets


def _doing(look: Look, buckets: Mapping[float, float]) -> Doing | None:
    rps = look.get("rps")
    lanes = [lane for lane in (rps.stable, rps.canary) if lane is not None]
    if not lanes:
        return None
    numbers = _stable(look)
    return Doing(sum(lanes), numbers.get("requests", 0.0), numbers, buckets)


async def _histogram(target: Target, *, wanted: bool) -> Mapping[float, float]:
    """Return how fast stable has answered since its processes started; nothing where that is not counted."""
    if not wanted:
        return {}
    _, counters = await target.metrics.counts(None)
    for lane in Lane:
        counted = target.metrics.history(counters, lane)
        if not isinstance(counted.requests, Missing) and counted.requests > 0:
            return counted.buckets
    return {}


def _stable(look: Look) -> dict[str, float]:
    """Return the numbers of stable; where one place holds everything they come as the canary's."""
    alone = look.get("requests").stable is None
    both = ((one.metric, one.canary if alone else one.stable) for one in look.samples)
    return {metric: value for metric, value in both if value is not None}
