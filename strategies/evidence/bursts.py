"""How much bad events come in bursts: evidence is divided by it. A client that retries is one event, not five.

If bad events come in independent clusters of at most `phi`, dividing by `phi` keeps the test valid exactly; that `phi`
is estimated here is a heuristic, justified by the simulation. Differences of successive windows leave out a lasting
change of level, which is the regression that is looked for; the largest jump, which is its beginning, is dropped.
"""

from dataclasses import dataclass, field, replace

from strategies.evidence.counts import NOTHING, Both, Tally

_PRIOR = 3.0
"""Weight of "no bursts", in windows: a few windows say little about variance."""
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Burst:
    """What is remembered of one question; the stage begins anew with each stage."""

    stage: int = -1
    canary: Tally = NOTHING
    stable: Tally = NOTHING
    """Sums of the stage."""
    last: Both = field(default_factory=Both)
    squares: float = 0.0
    spread: float = 0.0
    """Sums of the squared differences, and of what they would be without bursts."""
    jump: float = 0.0
    jump_spread: float = 0.0
    """The largest squared difference, and what it would be without bursts."""

    whole: Both = field(default_factory=Both)
    """Sums of the whole rollout."""

    @property
    def seen(self) -> float:
        """Exposures of the canary in the whole rollout."""
        return (self.whole.canary or NOTHING).of

    @property
    def rate(self) -> float:
        """The share of bad events on both lanes."""
        return ((self.whole.canary or NOTHING) + self.whole.control).rate

    @property
    def share(self) -> float:
        """The canary's share of the exposures, as a fraction."""
        both = self.seen + self.whole.control.of
        return self.seen / both if both else 0.0

    @property
    def inflation(self) -> float:
        """The estimated size of a burst, at least 1."""
        rest = self.squares - self.jump + _PRIOR
        return max(1.0, rest / (self.spread - self.jump_spread + _PRIOR))


def felt(burst: Burst, both: Both, stage: int, *, absolute: bool) -> Burst:
    """Return what is remembered after one more window."""
    canary, stable = both.canary or NOTHING, both.control
    whole = Both((burst.whole.canary or NOTHING) + canary, burst.whole.control + stable)
    burst = replace(burst, whole=whole)
    if stage != burst.stage:
        return replace(burst, stage=stage, canary=canary, stable=stable, last=both)
    grown = replace(burst, canary=burst.canary + canary, stable=burst.stable + stable, last=both)
    before, spread_before = _surprise(grown, burst.last, absolute=absolute)
    now, spread_now = _surprise(grown, both, absolute=absolute)
    square, spread = (now - before) ** 2, spread_now + spread_before
    grown = replace(grown, squares=burst.squares + square, spread=burst.spread + spread)
    if square > burst.jump:
        grown = replace(grown, jump=square, jump_spread=spread)
    return grown


def discount(burst: Burst, both: Both, seconds: float, noise: float, *, absolute: bool) -> float:
    """Return what the evidence of a window is divided by: bursts, and the wobble of the ratio of two lanes."""
    if not both.control.of:
        return burst.inflation
    _, variance = _surprise(burst, both, absolute=absolute)
    return burst.inflation + _MINUTE / seconds * noise**2 * variance


def _surprise(burst: Burst, both: Both, *, absolute: bool) -> tuple[float, float]:
    """Return how many more bad events the canary had than the stage lets expect, and the variance of that."""
    canary, stable = both.canary or NOTHING, both.control
    if absolute or not burst.stable.of or not stable.of:
        expected = canary.of * burst.canary.rate
        return canary.bad - expected, expected * (1 - burst.canary.rate)
    bad = canary.bad + stable.bad
    share = _share(burst, canary.of, stable.of)
    return canary.bad - bad * share, bad * share * (1 - share)


def _share(burst: Burst, canary: float, stable: float) -> float:
    """Return the canary's share of the bad events of a window, as the whole stage lets expect it."""
    here, there = canary * burst.canary.rate, stable * burst.stable.rate
    if here + there > 0:
        return here / (here + there)
    return canary / (canary + stable) if canary + stable else 0.0
