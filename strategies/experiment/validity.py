"""Whether it is an experiment at all: as many users came to each variant as the split says.

If not, whatever made the difference (a redirect that loses users, a sticky cache, a bot) also decides which users are
compared, and every other number is worthless.
"""

import math

from strategies.experiment.owners import mismatch
from strategies.experiment.policy import ExperimentPolicy, Split
from strategies.experiment.tallies import Assigned

_CONCENTRATION = 200.0
"""Sharpest for a split that is off by a few points."""


def broken(tallies: Assigned, configured: Split, policy: ExperimentPolicy) -> bool:
    """Tell whether the users were not assigned as configured; False where it is not known how they were."""
    a, b = tallies.a.assigned, tallies.b.assigned
    if a is None or b is None or not (0 <= a < math.inf and 0 <= b < math.inf):
        return False
    clump = tallies.clumps.assigned
    evidence = mismatch(a / clump, b / clump, configured.share, _CONCENTRATION)
    return evidence >= -math.log(policy.mismatch)
