"""CPU per request of both variants, compared five minutes at a time.

A gauge has no counts that say how sure it is; how much its logarithm of B/A differs from one five minutes to the next
does. Only its mean and its spread are kept, and the five minutes that are still open: bounded however long it runs.
"""

import math
from dataclasses import dataclass, field, replace

SPAN = 300.0
"""Seconds: long enough for two neighbours to have little to do with each other."""
_ASSUMED = 3
"""So many pairs' worth of assumed noise are mixed in: two pairs that happen to agree prove nothing."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one variant used between two looks."""

    cpu: float
    """Seconds of CPU."""
    requests: float

    def __add__(self, other: "Use") -> "Use":
        """Return both together."""
        return Use(self.cpu + other.cpu, self.requests + other.requests)


_NOTHING = Use(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Open:
    """The five minutes that are not over."""

    seconds: float = 0.0
    a: Use = _NOTHING
    b: Use = _NOTHING
    gap: bool = False
    """A look had no numbers of one variant: there will be no pair."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is remembered of all five minutes so far; `Pairs()` at the start of a test."""

    count: int = 0
    mean: float = 0.0
    """Of ln(B/A)."""
    squares: float = 0.0
    """Squared distances from the mean, summed up."""
    skipped: int = 0
    """Five minutes in which there was no pair."""
    open: Open = field(default_factory=Open)

    @property
    def known(self) -> bool:
        """Whether there is a pair at all, and every number of it is one."""
        return self.count > 0 and math.isfinite(self.mean) and math.isfinite(self.squares)

    def variance(self, noise: float) -> float:
        """Return the variance of the mean, where `noise` is the spread of a pair as long as little is known."""
        spread = (self.squares + _ASSUMED * noise**2) / (self.count - 1 + _ASSUMED)
        return spread / self.count


def paired(pairs: Pairs, seconds: float, a: Use | None, b: Use | None, span: float = SPAN) -> Pairs:
    """Return the pairs after one more look over so many seconds; `None`: that variant's use is not known."""
    if not (math.isfinite(seconds) and seconds > 0):
        return pairs
    grown = replace(pairs, open=_longer(pairs.open, seconds, a, b))
    return _closed(grown) if grown.open.seconds >= span else grown


def _longer(span: Open, seconds: float, a: Use | None, b: Use | None) -> Open:
    longer = replace(span, seconds=span.seconds + seconds)
    if a is None or b is None or not (_counts(a) and _counts(b)):
        return replace(longer, gap=True)
    return replace(longer, a=span.a + a, b=span.b + b)


def _counts(use: Use) -> bool:
    return 0 <= use.cpu < math.inf and 0 <= use.requests < math.inf


def _closed(pairs: Pairs) -> Pairs:
    """Return the pairs with the open five minutes among them (Welford's update)."""
    a, b = pairs.open.a, pairs.open.b
    fresh = replace(pairs, open=Open())
    if pairs.open.gap or min(a.cpu, a.requests, b.cpu, b.requests) <= 0:
        return replace(fresh, skipped=pairs.skipped + 1)
    log = math.log(b.cpu / b.requests) - math.log(a.cpu / a.requests)
    count, off = pairs.count + 1, log - pairs.mean
    mean = pairs.mean + off / count
    return replace(fresh, count=count, mean=mean, squares=pairs.squares + off * (log - mean))
