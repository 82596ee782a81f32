"""What stable does now, as far as numbers tell: its rates, its traffic, and how many requests are slower than a limit.

Pure. A histogram says how many are slower than a limit, read as the percentiles of the checks are: straight lines
between its bounds. Where there is none the tail is drawn through the percentiles, which every metric source has, by
straight lines in logarithms: exact for a power law and near enough for what services do.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

_POINTS = (("latency_p50", 0.50), ("latency_p95", 0.05), ("latency_p99", 0.01))


@dataclass(frozen=True, slots=True)
class Doing:
    """What one target's stable version did in the last window."""

    rps: float
    """Requests a second of the whole service."""
    requests: float
    """That stable answered in the window."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """By metric, in its own unit: percent, milliseconds."""

    buckets: Mapping[float, float] = field(default_factory=dict)
    """How many of stable's requests took at most so many ms, the last bound infinite. Empty: not known."""

    def slower(self, limit: float) -> float:
        """Return the share of the requests (a fraction) that take longer than `limit` ms; 0 where nobody knows."""
        if self.buckets.get(math.inf, 0.0) > 0:
            return self._of_histogram(limit)
        points = [
            (value, share) for name, share in _POINTS if (value := self.numbers.get(name, 0.0)) > 0
        ]
        if not points or limit <= 0:
            return 0.0
        if limit <= points[0][0]:
            # Below the lowest point nothing is known, and it may be all of them.
            return 1 - (1 - points[0][1]) * limit / points[0][0]
        for low, high in pairwise(points):
            if limit <= high[0] or high == points[-1]:
                return _between(limit, low, high)
        return 0.0

    def _of_histogram(self, limit: float) -> float:
        low, below = 0.0, 0.0
        for high, count in sorted(self.buckets.items()):
            if limit < high:
                if math.isinf(high):
                    break  # no percentile is ever estimated beyond the last bound
                within = below + (limit - low) / (high - low) * (count - below)
                return 1 - within / self.buckets[math.inf]
            low, below = high, count
        return 0.0


def _between(limit: float, low: tuple[float, float], high: tuple[float, float]) -> float:
    """Return the share at a limit on the line through two points, or on its way on."""
    if high[0] <= low[0]:
        return high[1] if limit <= high[0] else 0.0
    part = math.log(limit / low[0]) / math.log(high[0] / low[0])
    return math.exp(math.log(low[1]) + part * math.log(high[1] / low[1]))
