"""Whose events they are: evidence that one variant has another share of them than it should.

Exact at every look, however few events there are: the likelihood of all other shares, mixed, against that of the right
one (Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022).
"""

import math


def mismatch(a: float, b: float, share: float, concentration: float) -> float:
    """Return the logarithm of the evidence that B's events are not `share` of all.

    Reaching `ln(1/p)` at any look has a probability of at most p. Events that come in clumps of n, all to the same
    variant, are to be divided by n: then it still holds (Jensen). The other shares that are thought of lie around the
    right one as after `concentration` events: much is sharp for small differences, 2 for large ones.
    """
    for_b, for_a = concentration * share, concentration * (1 - share)
    others = _log_beta(for_b + b, for_a + a) - _log_beta(for_b, for_a)
    return others - b * math.log(share) - a * math.log1p(-share)


def _log_beta(x: float, y: float) -> float:
    return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)
