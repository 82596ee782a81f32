"""What a test can see at all, said before anybody waits for it: the smallest differences that its time would prove.

The first minutes tell how much comes; the rest of the test is taken to go on like that, with both variants equal.
"""

import math

from strategies.experiment.business import visible
from strategies.experiment.operations import UNITS, measured, score
from strategies.experiment.policy import ExperimentPolicy, Split
from strategies.experiment.tallies import Assigned, shares

_MOST = math.log(5)
"""A difference of more than that needs no test."""


def foreseen(tallies: Assigned, configured: Split, policy: ExperimentPolicy) -> str:
    """Return what will be seen by the end of the test, as a sentence without its full stop."""
    longer = max(1.0, policy.duration / tallies.seconds)
    parts = (
        _conversion(tallies, configured, policy, longer),
        _alone("errors", "errors", tallies, policy, longer),
        _alone("slow", "slow requests", tallies, policy, longer),
    )
    told = "; ".join(part for part in parts if part)
    minutes = policy.duration / 60
    time = f"{minutes / 60:.3g} h" if minutes >= 120 else f"{minutes:.3g} min"
    return f"In {time} at this traffic it can see {told or 'hardly any difference'}"


def _conversion(
    tallies: Assigned, configured: Split, policy: ExperimentPolicy, longer: float
) -> str:
    counts = shares(tallies, "conversion") if policy.business else None
    if counts is None or not counts.of_a + counts.of_b:
        return ""
    users = counts.of_a + counts.of_b
    share = (counts.a + counts.b) / users
    least = visible(users * longer, share, configured, policy, tallies.clumps.assigned)
    if least is None:
        return f"no change of conversion with so few {tallies.unit}"
    return f"conversions that change by {100 * least:.2g} % or more"


def _alone(
    metric: str, words: str, tallies: Assigned, policy: ExperimentPolicy, longer: float
) -> str:
    """Return by how much one metric would have to differ to decide by itself."""
    weight = policy.weights.share(metric)
    ratios = measured(tallies, policy)
    if not weight or any(one is None for one in ratios.values()):
        return ""
    later = {name: one.after(longer) for name, one in ratios.items() if one is not None}
    whole = score(later, policy)
    log = (policy.worth + whole.half) * UNITS[metric] / weight
    if not math.isfinite(log) or log > _MOST:
        return ""
    return f"{words} that are {-100 * math.expm1(-log):.2g} % fewer or {100 * math.expm1(log):.2g} % more"
