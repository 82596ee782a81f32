"""Whether B converts better: the one metric that the test was made for."""

import math
from typing import Literal

from strategies.experiment.owners import mismatch
from strategies.experiment.policy import ExperimentPolicy, Split
from strategies.experiment.tallies import Assigned, Shares, shares
from strategies.experiment.width import Ratio, half_width, ratio

SCALE = 0.05
"""The size of ln-ratio that the interval is sharpest for: changes of conversion are a few percent."""
_CONCENTRATION = 2.0
"""What lies far apart is looked for."""


def converted(tallies: Assigned) -> Ratio | None:
    """Return ln(B/A) of the conversion; None where it is not known."""
    counts = shares(tallies, "conversion")
    return None if counts is None else ratio(counts, tallies.clumps.assigned)


def far_ahead(
    tallies: Assigned, configured: Split, policy: ExperimentPolicy
) -> Literal["A", "B"] | None:
    """Return who has so many of the conversions that fewer than `mismatch` of equal tests ever show that.

    The interval is made for small changes and needs conversions on both sides: it would never see that B, whose button
    is broken, converts nobody.
    """
    counts = shares(tallies, "conversion")
    if counts is None:
        return None
    clump, share = tallies.clumps.assigned, configured.share
    a, b = counts.a / clump, counts.b / clump
    if mismatch(a, b, share, _CONCENTRATION) < -math.log(policy.mismatch):
        return None
    return "B" if b * (1 - share) > a * share else "A"


def business_half(one: Ratio, policy: ExperimentPolicy) -> float:
    """Return the half-width of a ln-ratio of conversions."""
    return half_width(one.variance, SCALE, policy.level("conversion"))


def visible(
    users: float, conversion: float, split: Split, policy: ExperimentPolicy, clump: float = 1.0
) -> float | None:
    """Return the smallest change of conversion that so many users can typically prove, as a fraction of it.

    To be said before a test begins; `conversion` is today's, as a fraction. None: so few users prove nothing.
    """
    a, b = users * (1 - split.share), users * split.share
    half = business_half(ratio(Shares(a * conversion, a, b * conversion, b), clump), policy)
    return math.expm1(half) if half < 1 else None
