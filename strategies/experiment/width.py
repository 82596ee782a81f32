"""How far a measured difference may be from the true one, whenever one looks.

Everything is ln(B/A) with a variance. The half-width is that of Robbins' normal mixture: like a confidence interval,
but it holds for all looks together, so that peeking costs nothing. It needs samples large enough for a normal
approximation; where there are few, the mixture (`scale`) is so narrow that the interval is very wide.
"""

import math
from dataclasses import dataclass

from strategies.experiment.tallies import Shares

_LEAST = 1e-300
"""A variance below this is rounding."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """ln(B/A) of one metric as measured."""

    log: float
    variance: float
    """Infinite where nothing can be said yet."""

    def after(self, more: float) -> "Ratio":
        """Return the same difference measured with so many times the data."""
        return Ratio(self.log, self.variance / more)


def half_width(variance: float, scale: float, level: float) -> float:
    """Return how far the truth may be away; at most `level` of all tests ever have it further away.

    `scale` is the size of difference that it is sharpest for. sqrt(v (v + t²)/t² ln((v + t²)/(v a²))), Robbins 1970,
    in Howard et al. 2021.
    """
    if not math.isfinite(variance):
        return math.inf
    v, mixed = max(variance, _LEAST), variance + scale**2
    surprise = math.log(mixed) - math.log(v) - 2 * math.log(level)
    return math.sqrt(v * (mixed / scale**2) * surprise)


def ratio(counts: Shares, clump: float = 1.0, margin: float = 0.0) -> Ratio:
    """Return ln(B/A) of two shares.

    `margin` (a share) is added to both: differences far below it do not matter, and two shares of nothing are equal.
    Events that come in clumps of `clump` say so many times less.
    """
    if not (counts.of_a and counts.of_b):
        return Ratio(0.0, math.inf)
    a, b = counts.a / counts.of_a + margin, counts.b / counts.of_b + margin
    if not (a and b):
        return Ratio(0.0, math.inf)
    variance = _spread(counts.a, counts.of_a) / a**2 + _spread(counts.b, counts.of_b) / b**2
    return Ratio(math.log(b) - math.log(a), clump * variance)


def _spread(hits: float, of: float) -> float:
    """Return the variance of a share; none and all of them are taken for one more or less."""
    return max(hits, 1.0) / of * (max(of - hits, 1.0) / of) / of
