"""What many rollouts come to: how many were rolled back, when, and at what price; and whether two such figures differ.

A difference counts from three standard deviations of both samples on, order statistics for medians: with a hundred
cells in a table, less would mark rows by chance.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from tests.bench.verdicts.counts import Ints
from tests.bench.verdicts.limits import NEVER
from tests.bench.verdicts.weather import LOOK, Floats

SIGMAS = 3.0
_CELL = re.compile(r"([\d.]+) %(?:, ([\d.—]+)/([\d.—]+) s, ([\d.]+) ([er]))?")


@dataclass(frozen=True, slots=True)
class Figure:
    """What is printed in a cell; delays in seconds, infinite where that share of the rollouts is never rolled back."""

    share: float
    """Of the rollouts, a fraction."""
    digit: float
    """The last digit that was printed of the share."""
    median: float | None = None
    late: float | None = None
    """The 95th percentile."""
    price: float | None = None
    """Median of what the canary failed (or answered) until the rollback, or to the end."""


def read(cell: str) -> Figure:
    """Return the figure of a printed cell (`ValueError` when it is none)."""
    found = _CELL.fullmatch(cell)
    if found is None:
        raise ValueError(f"{cell!r} is not a figure of the reference")
    share, median, late, price, _ = found.groups()
    digit = 0.001 if "." in share else 0.01
    if median is None:
        return Figure(float(share) / 100, digit)
    return Figure(float(share) / 100, digit, _seconds(median), _seconds(late), float(price))


def _seconds(text: str) -> float:
    return math.inf if text == "—" else float(text)


@dataclass(frozen=True, slots=True)
class Sample:
    """Rollouts of one row by one judge, both by rollout."""

    delays: Floats
    """Seconds until the rollback, infinite where there was none."""
    prices: Floats

    @classmethod
    def of(cls, looks: Ints, sums: Ints) -> "Sample":
        """Return what first looks (from 1, or `NEVER`) mean, with the canary's sums by rollout and look."""
        last = np.minimum(looks, sums.shape[1]).astype(int) - 1
        delays = np.where(looks < NEVER, looks * float(LOOK), np.inf)
        return cls(delays, np.take_along_axis(sums, last[:, None], 1)[:, 0].astype(float))

    def __add__(self, other: "Sample") -> "Sample":
        both = ((self.delays, other.delays), (self.prices, other.prices))
        return Sample(*(np.concatenate(pair) for pair in both))

    @property
    def share(self) -> float:
        return float(np.isfinite(self.delays).mean())

    def short(self) -> str:
        """Return the share alone."""
        return percent(self.share, 0.001)

    def full(self, unit: str) -> str:
        """Return share, median and late delay, and the price, as the reference prints them."""
        median, late = (quantile(self.delays, q) for q in (0.5, 0.95))
        price = quantile(self.prices, 0.5)
        return f"{percent(self.share, 0.01)}, {_shown(median)}/{_shown(late)} s, {price:.0f} {unit}"


def percent(share: float, digit: float) -> str:
    """Return a share as people read it; what is not quite all is never printed as all."""
    if digit >= 0.01 and not 0 < share < 0.01 and not 0.99 < share < 1:
        return f"{share:.0%}".replace("%", " %")
    return f"{100 * share:.1f} %"


def _shown(seconds: float) -> str:
    return f"{seconds:.0f}" if math.isfinite(seconds) else "—"


def quantile(values: Floats, share: float) -> float:
    """Return the value that `share` of the values do not exceed (nearest rank)."""
    ordered = np.sort(values)
    return float(ordered[max(0, math.ceil(share * len(ordered)) - 1)])


def shares_differ(ours: float, count: int, theirs: float, others: int, digit: float) -> bool:
    """Whether two shares of so many rollouts differ beyond noise; `digit` is how theirs was rounded."""
    pooled = (ours * count + theirs * others) / (count + others)
    noise = SIGMAS * math.sqrt(pooled * (1 - pooled) * (1 / count + 1 / others))
    return abs(ours - theirs) > noise + digit / 2


def beside(values: Floats, share: float, theirs: float, others: int, digit: float = 0.0) -> int:
    """Return whether a quantile lies above (1) or below (-1) that of another sample beyond noise, or not (0)."""
    ordered, count = np.sort(values), len(values)
    noise = SIGMAS * math.sqrt(count * share * (1 - share) * (1 + count / others))
    below, above = math.floor(share * count - noise), math.ceil(share * count + noise)
    low = ordered[below] if below >= 0 else -math.inf
    high = ordered[above] if above < count else math.inf
    if low > theirs + digit:
        return 1
    return -1 if high < theirs - digit else 0


def mark(ours: Sample, theirs: Figure, others: int, *, found: bool) -> str:
    """Return ▲ where ours is better beyond noise, ▼ where worse; `found`: the canary is to be rolled back."""
    if shares_differ(ours.share, len(ours.delays), theirs.share, others, theirs.digit):
        return "▲ " if (ours.share > theirs.share) is found else "▼ "
    if not found or theirs.median is None or theirs.late is None or theirs.price is None:
        return ""
    signs = {
        beside(ours.delays, 0.5, theirs.median, others),
        beside(ours.delays, 0.95, theirs.late, others),
        beside(ours.prices, 0.5, theirs.price, others, digit=1.0),
    }
    return "▼ " if 1 in signs else "▲ " if -1 in signs else ""
