"""A number that is no count, beside the same number of stable: worse by more than is tolerated, for certain, or not.

The one rule: no look decides. Looks are put together to pairs of some minutes, and what is known is how much the
logarithm of canary/stable differs from one pair to the next: an interval around its mean that holds at every look of
the rollout. A missing number, one that is not finite, zero or less is no data: it is in no pair. How much neighbours
are alike is estimated, so the promise is exact only for numbers that wobble faster than a few minutes. Pure.

Sources: Robbins' normal mixture as in `strategies.experiment.width`; Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences", AoS 2024 (what a variance that is estimated is
worth); von Neumann, "Distribution of the ratio of the mean square successive difference to the variance", 1941 (how
much neighbours are alike).
"""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from strategies.experiment.pairs import SPAN, Pairs, Use, paired
from strategies.experiment.width import half_width

PAIRS = 3
"""So many pairs have to be known before they prove anything."""
PART = 0.1
"""Of alpha: what each of these checks may roll back by chance, besides alpha."""
_SHORTEST = 60.0
_STANDS_FOR = 60.0
"""Seconds that one look stands for at most: of the time in which nobody looked nothing is known."""
_NOISE = 0.25
"""How much ln(canary/stable) is taken to wobble from pair to pair, as long as little is known."""
_ALIKE = 0.5
"""How much neighbours five minutes apart are taken to be alike until then: what wobbles slowly looks calm at first."""
_ASSUMED = 3
"""So many pairs' worth of that are mixed in."""
_MOST_ALIKE = 0.9
_SCALE = 0.25
"""The size of ln(canary/stable) that the interval is sharpest for: about a quarter more."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What is asked of one number."""

    better: Literal["lower", "higher"]
    margin: float
    """Percent of stable that the canary may be worse by."""
    level: float
    """How often it may be called worse by chance, in a whole rollout."""
    span: float = SPAN
    """Seconds of one pair."""

    @property
    def tolerated(self) -> float:
        """Return the margin as ln of a factor, in the direction that is worse."""
        share = self.margin / 100
        return math.log1p(share) if self.better == "lower" else -math.log1p(-share)

    def worse(self, log: float) -> float:
        """Return ln(canary/stable) so that more of it is worse."""
        return log if self.better == "lower" else -log


@dataclass(frozen=True, slots=True)
class Gauge:
    """What is remembered of one number; `Gauge()` at the start of a rollout."""

    pairs: Pairs = field(default_factory=Pairs)
    newest: float = 0.0
    """ln(canary/stable) of the newest pair."""
    apart: float = 0.0
    """Squared differences of neighbours, summed up."""
    at: datetime | None = None
    """When both versions had a number last."""
    proven: bool = False
    """It was worse for certain; that stays so."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one number by now, as the verdict takes it."""

    pairs: int
    change: float
    """Percent by which the canary is above stable, on average; below: negative."""
    certain: float
    """Percent by which it is worse at least; negative: it may be better."""
    proven: bool
    span: float = SPAN
    beyond: bool = False
    """What was measured is worse than the margin allows, for certain or not."""


def span_of(soak: float) -> float:
    """Return the seconds of one pair: five minutes, or a third of the shortest soak, but a minute at least."""
    return min(SPAN, max(_SHORTEST, soak / PAIRS))


def warm(warmup: float, soak: float) -> float:
    """Return the seconds of a stage that are not compared: cold caches, but never more than a third of its soak."""
    return min(warmup, soak / PAIRS)


def usable(value: float | None) -> bool:
    """Whether a share can be taken of a number."""
    return value is not None and math.isfinite(value) and value > 0


def looked(
    gauge: Gauge, now: datetime, stable: float | None, canary: float | None, guard: Guard
) -> Gauge:
    """Return the gauge after one more look; one without both numbers belongs to no pair."""
    if stable is None or canary is None or not (usable(stable) and usable(canary)):
        return gauge
    passed = (now - gauge.at).total_seconds() if gauge.at is not None else 0.0
    seconds = min(max(passed, 0.0), _STANDS_FOR)
    there, here = Use(stable * seconds, seconds), Use(canary * seconds, seconds)
    pairs = paired(gauge.pairs, seconds, there, here, span=guard.span)
    after = replace(gauge, pairs=pairs, at=now)
    return _with_pair(after, gauge, guard) if pairs.count > gauge.pairs.count else after


def _with_pair(after: Gauge, before: Gauge, guard: Guard) -> Gauge:
    """Return the gauge with its newest pair held against the one before it, and what all of them prove."""
    count, mean = before.pairs.count, before.pairs.mean
    log = mean + (after.pairs.mean - mean) * (count + 1)
    step = (log - after.newest) ** 2 if count else 0.0
    grown = replace(after, newest=log, apart=after.apart + step)
    return replace(grown, proven=before.proven or _least(grown, guard) > guard.tolerated)


def _least(gauge: Gauge, guard: Guard) -> float:
    """Return how much worse the canary is at least, as ln of a factor; minus infinity: nothing is known yet."""
    pairs = gauge.pairs
    if pairs.count < PAIRS or not pairs.known:
        return -math.inf
    alike = _alike(gauge, guard.span)
    variance = pairs.variance(_NOISE) * (1 + alike) / (1 - alike)
    return guard.worse(pairs.mean) - half_width(variance, _SCALE, guard.level)


def _alike(gauge: Gauge, span: float) -> float:
    """Return how much a pair has in common with the one before it: 0 nothing, 1 all.

    The variance of a mean grows by (1 + a)/(1 - a) where each number keeps the part `a` of the one before it. The same
    wobble makes shorter pairs more alike.
    """
    part = span / SPAN
    assumed = _ASSUMED / part * _NOISE**2
    squares = gauge.pairs.squares + assumed
    steps = gauge.apart + 2 * (1 - math.pow(_ALIKE, part)) * assumed
    most = math.pow(_MOST_ALIKE, part)
    return min(most, max(0.0, 1 - steps / (2 * squares)))


def standing(gauge: Gauge, guard: Guard) -> Standing:
    """Return what is known of a number by now."""
    change = 100 * math.expm1(gauge.pairs.mean) if gauge.pairs.known else 0.0
    least = _least(gauge, guard)
    certain = 100 * (math.expm1(least) if guard.better == "lower" else -math.expm1(-least))
    beyond = gauge.pairs.known and guard.worse(gauge.pairs.mean) > guard.tolerated
    return Standing(gauge.pairs.count, change, certain, gauge.proven, guard.span, beyond)


def said(now: Standing) -> str:
    """Return it as the second half of a sentence, behind the name of the number."""
    times = f"{now.pairs} × {minutes(now.span)} compared"
    if not now.pairs:
        return f"has no opinion yet: both have to be compared for {minutes(now.span)} once"
    how = f"is {abs(now.change):.0f} % {'higher' if now.change >= 0 else 'lower'} than on stable"
    if now.proven and now.certain > 0:
        return f"{how}, by {now.certain:.0f} % or more for certain ({times})"
    return f"{how} ({times})"


def incomparable(stable: float | None, canary: float | None, why: tuple[str, str]) -> str:
    """Return why two numbers cannot be compared, to stand behind the name; `why` says it of those that are missing."""
    if canary is None:
        return f": {why[1] or 'no data'}"
    if stable is None:
        return f" of stable: {why[0] or 'no data'}"
    least = min(stable, canary)
    return f" is {least:g}, of which no share can be taken: add a constant in its query"


def minutes(span: float) -> str:
    """Return so many seconds as people say them."""
    return f"{span / 60:g} min" if span % 60 == 0 else f"{span:g} s"
