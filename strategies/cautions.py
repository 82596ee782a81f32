"""What a requester should know before a plan runs. Pure.

A caution never stops anything: what must not run is refused by `strategies.soundness`.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from strategies.request import Request

PRODUCTION = ("production", "prod")
_SETTLE = 300
"""Seconds that metrics need to stabilise (seed 003, best practice 4)."""
_LARGEST_JUMP = 75
"""Points of traffic in one step; the aggressive preset (25 to 100) just passes (seed 003, best practice 3)."""

_LOOK = 15
"""Seconds between two looks; in a soak of less than 150 s there are ten."""


def watching(request: Request, soaks: Iterable[int], after: str) -> Iterator[str]:
    """Yield what is thin about the watching: stages that are short, none at all, or nothing to look at."""
    shortest = min(soaks, default=0)
    if shortest == 0:
        yield f"Nothing is watched {after}: a bad version is noticed by people only."
    elif request.environment in PRODUCTION and shortest < _SETTLE:
        yield f"A soak of {shortest} s is short for production; metrics need about 5 minutes to settle."
    if not request.checks:
        yield "No checks are configured: only time and people decide."
    for check in request.checks:
        if shortest and check.failures > _looks(shortest):
            yield (
                f"{check.metric} never acts in a soak of {shortest} s: {check.failures} looks must fail, "
                f"and there are about {_looks(shortest)}."
            )


def _looks(soak: int) -> int:
    """Return how often the metrics are looked at in a soak of so many seconds (`bot.rollout.pace.cadence`)."""
    return max(min(10, soak), soak // _LOOK)


def late_writes() -> str:
    """Return what is uncertain about going back where no write can be held against what was there before it."""
    return (
        "This target takes no write with a precondition: after going back it is read for a quiet period, "
        "and written again where an update came late."
    )


def slow_ways() -> str:
    """Return what is slow where clients remember the answer that they got."""
    return (
        "Each weight reaches everybody only after about twice the TTL of the records, going back included: resolvers "
        "keep the answers that they have."
    )


def jumps(request: Request) -> Iterator[str]:
    """Yield the steps that raise the traffic by too much at once."""
    for before, after in pairwise((0.0, *request.steps)):
        if after - before > _LARGEST_JUMP:
            yield (
                f"{before:g} % straight to {after:g} % is a large jump; a step between would limit the damage."
            )


def unused_audience(request: Request) -> Iterator[str]:
    """Yield that nobody gets the new version first, where a strategy has no place for that."""
    if request.match:
        names = ", ".join(rule.header for rule in request.match)
        yield f"The audience ({names}) is not used: {request.strategy} sends no requests ahead of the others."
