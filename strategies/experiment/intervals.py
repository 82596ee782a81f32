"""What is shown of a metric: both shares with their sample sizes, the change, and between which bounds it lies."""

import math
from dataclasses import dataclass

from strategies.experiment.business import business_half
from strategies.experiment.operations import scale
from strategies.experiment.policy import ExperimentPolicy
from strategies.experiment.tallies import Assigned, shares
from strategies.experiment.width import Ratio, half_width


@dataclass(frozen=True, slots=True)
class Interval:
    """One metric of both variants. The bounds hold at every look; no value is infinite, so that it survives JSON."""

    metric: str
    """`conversion`, or one of `errors slow good cpu`."""
    a: float | None
    """Of variant A, as a fraction of `of_a`; None for CPU, which is compared in pairs."""
    of_a: float | None
    b: float | None
    of_b: float | None
    change: float | None
    """Of B against A: 0.1 is 10 % more. None: there is nothing to compare yet."""
    low: float | None
    """None: no bound yet."""
    high: float | None


def interval(metric: str, one: Ratio, tallies: Assigned, policy: ExperimentPolicy) -> Interval:
    """Return what is shown of a metric whose ln(B/A) is known."""
    if metric == "conversion":
        half = business_half(one, policy)
    else:
        half = half_width(one.variance, scale(metric), policy.level(metric))
    change = one.log if math.isfinite(one.variance) else math.nan
    bounds = (_relative(change), _relative(one.log - half), _relative(one.log + half))
    counts = None if metric == "cpu" else shares(tallies, metric)
    if counts is None:
        return Interval(metric, None, None, None, None, *bounds)
    a, b = _share(counts.a, counts.of_a), _share(counts.b, counts.of_b)
    return Interval(metric, a, counts.of_a, b, counts.of_b, *bounds)


def _share(hits: float, of: float) -> float | None:
    return hits / of if of else None


def _relative(log: float) -> float | None:
    """Return a ln-ratio as a relative change; beyond a factor of e**50 there is no bound worth a number."""
    return math.expm1(log) if abs(log) < 50 else None
