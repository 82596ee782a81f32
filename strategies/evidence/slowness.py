"""Latency as a count: which bucket boundary tells slow requests, and how many more of them "15 % slower" means.

A fixed "half as many again" means 12 % slower for one service and 45 % for another; the ratio is read off the stable
histogram instead, so that the tolerance means the same for any distribution and any layout of buckets.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

TYPICAL = 0.05
"""The share of slow requests that the boundary is chosen for."""
SLOWER = 1.15


@dataclass(frozen=True, slots=True)
class SlowRule:
    """What counts as slow, and how much more of it is tolerated."""

    boundary: float
    """In the unit of the buckets."""
    ratio: float


def slow_rule(buckets: Mapping[float, float], *, slower: float = SLOWER) -> SlowRule | None:
    """Return the rule for a histogram of stable: cumulative counts by upper boundary, with `inf` for all.

    None where it says nothing: no requests, or no boundary that some but not all requests exceed.
    """
    total = buckets.get(math.inf, 0.0)
    if total <= 0:
        return None
    tails = {b: 1 - count / total for b, count in sorted(buckets.items()) if 0 < b < math.inf}
    telling = {b: tail for b, tail in tails.items() if 0 < tail < 1}
    if not telling:
        return None
    boundary = min(telling, key=lambda b: abs(math.log(telling[b] / TYPICAL)))
    return SlowRule(boundary, _growth(tails, boundary, slower))


def _growth(tails: Mapping[float, float], boundary: float, slower: float) -> float:
    """Return how many times as many requests are above the boundary if everything is `slower` times slower."""
    point = boundary / slower
    for low, high in pairwise(sorted(tails)):
        if low <= point < high:
            part = math.log(high / point) / math.log(high / low)
            return math.exp(
                (1 - part) * math.log(tails[high])
                + part * math.log(tails[low])
                - math.log(tails[boundary])
            )
    # Below the lowest boundary nothing is known: all of its requests may be that slow.
    return 1.0 / tails[boundary]
