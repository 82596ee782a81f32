"""Who wins, and how much longer it would take until somebody does.

Spotify's rule: B has to be better in one thing that matters and proven not to be worse in the others. A is what was
live: it wins as soon as B is proven to be worse in anything, and stays where nothing is proven.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from strategies.experiment.business import business_half
from strategies.experiment.operations import Operations, Score, score
from strategies.experiment.policy import ExperimentPolicy
from strategies.experiment.width import Ratio

Winner = Literal["A", "B"] | None
_BETTER: Mapping[Operations, Winner] = {"better": "B", "worse": "A", "undecided": None}
_MOST = 1000.0
"""A test that needs so many times its time is one that will never be decided."""


@dataclass(frozen=True, slots=True)
class Known:
    """The ln-ratios of everything that decides."""

    operations: Mapping[str, Ratio]
    business: Ratio | None
    """None: conversions do not decide."""
    ahead: Winner = None
    """Who converts so much better that no interval is needed."""

    def after(self, more: float) -> "Known":
        """Return the same differences measured with so many times the data."""
        longer = {name: one.after(more) for name, one in self.operations.items()}
        business = self.business.after(more) if self.business else None
        return Known(longer, business, self.ahead)


def running(known: Known, policy: ExperimentPolicy) -> tuple[Score | None, Operations]:
    """Return the score of operations and what it says; nothing is weighed: undecided."""
    if not known.operations:
        return None, "undecided"
    whole = score(known.operations, policy)
    return whole, whole.standing(policy.worth)


def winner(known: Known, policy: ExperimentPolicy) -> Winner:
    """Return who has won by now (Schultzberg et al. 2024)."""
    _, operations = running(known, policy)
    if known.business is None:
        return _BETTER[operations]
    change, half = known.business.log, business_half(known.business, policy)
    if change + half < 0 or known.ahead == "A" or operations == "worse":
        return "A"
    not_worse = change - half > math.log1p(-policy.margin)
    if change - half > 0 or known.ahead == "B" or (operations == "better" and not_worse):
        return "B"
    return None


def more_needed(known: Known, policy: ExperimentPolicy) -> float | None:
    """Return how many times the data would name a winner if the differences stay as they are; None: none would."""
    low, high = 1.0, 2.0
    while winner(known.after(high), policy) is None:
        low, high = high, 2 * high
        if low > _MOST:
            return None
    while high - low > 0.01 * low:
        middle = (low + high) / 2
        if winner(known.after(middle), policy) is None:
            low = middle
        else:
            high = middle
    return high
