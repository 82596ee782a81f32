"""Which variant runs better: the seeds' weighted score, with its uncertainty.

Each metric is measured in a unit of its own (see `UNITS`), positive where B is better, and weighed as the seeds do.
The half-widths add up: the score is as unsure as its parts may all be at once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from strategies.experiment.policy import ExperimentPolicy
from strategies.experiment.tallies import Assigned, shares
from strategies.experiment.width import Ratio, half_width, ratio

UNITS: Mapping[str, float] = {"errors": 0.7, "slow": 0.7, "good": 0.1, "cpu": 0.2}
"""The ln-ratio that scores 1: errors halved, slow requests halved, a tenth more good answers, a fifth less CPU."""
_MARGINS: Mapping[str, float] = {"errors": 0.0005, "slow": 0.002}
"""Shares that do not matter, as in `strategies.evidence`: 3 errors in a million are not three times 1 in a million."""

_MINUTE = 60.0

Operations = Literal["better", "worse", "undecided"]
"""How B runs."""


@dataclass(frozen=True, slots=True)
class Score:
    """The weighted score, positive where B is better."""

    value: float
    half: float

    def standing(self, worth: float) -> Operations:
        """Tell how B runs, where a score of at most `worth` either way means nothing."""
        if self.value - self.half > worth:
            return "better"
        return "worse" if self.value + self.half < -worth else "undecided"


def scale(metric: str) -> float:
    """Return the size of ln-ratio that the interval of a metric is sharpest for."""
    return UNITS[metric] / 3


def measured(tallies: Assigned, policy: ExperimentPolicy) -> dict[str, Ratio | None]:
    """Return by metric that is weighed its ln(B/A); None where it is not known."""
    return {metric: _measured(metric, tallies, policy) for metric in policy.weighed}


def score(ratios: Mapping[str, Ratio], policy: ExperimentPolicy) -> Score:
    """Return the score of all metrics that are weighed."""
    value = half = 0.0
    for metric, one in ratios.items():
        weight = policy.weights.share(metric) / UNITS[metric]
        value += weight * (one.log if metric == "good" else -one.log)
        half += weight * half_width(one.variance, scale(metric), policy.level(metric))
    return Score(value, half)


def _measured(metric: str, tallies: Assigned, policy: ExperimentPolicy) -> Ratio | None:
    if metric == "cpu":
        pairs = tallies.cpu
        return Ratio(pairs.mean, pairs.variance(policy.noise)) if pairs.known else None
    counts = shares(tallies, metric)
    if counts is None:
        return None
    clump = tallies.clumps.slow if metric == "slow" else tallies.clumps.errors
    found = ratio(counts, clump, _MARGINS.get(metric, 0.0))
    if metric == "good":
        return found
    # However many requests: what wobbles from minute to minute is not known better than by so many minutes.
    minutes = tallies.seconds / _MINUTE
    wobble = policy.noise**2 / minutes if 0 < minutes < math.inf else math.inf
    return Ratio(found.log, found.variance + wobble)
