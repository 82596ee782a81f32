"""Evidence of safety: that a canary is not worse than the next stage can afford.

The same test as for harm with bets below 1 and the opposite claim, "the canary has at least M more bad events per
exposure than stable". M is what the next step may cost, so early stages need little proof and the last one the most.
"""

import math
from dataclasses import dataclass

from strategies.evidence.counts import Both
from strategies.evidence.policy import Policy

BETS = tuple(math.log(bet) for bet in (0.03, 0.15, 0.35, 0.6, 0.8))
_MOST_ERRORS, _MOST_SLOW = 0.30, 0.50
_SLOW_BLAST, _SLOW_BUDGET = 5.0, 3.0
"""A slow request hurts less than a failed one: so many times the blast, and the budget, of errors."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Sums by bet. The logarithm of a bet at a margin `M` is `gain - M * price`, so that any `M` can be asked later."""

    gains: tuple[float, ...] = (0.0,) * len(BETS)
    prices: tuple[float, ...] = (0.0,) * len(BETS)


def proven(proof: Proof, both: Both, discount: float) -> Proof:
    """Return the proof after one more window; without traffic on both lanes nothing is learnt."""
    canary, stable = both.canary, both.stable
    if canary is None or stable is None or not canary.of or not stable.of:
        return proof
    gains, prices = [], []
    whole = canary.of + stable.of
    for bet, gain, price in zip(BETS, proof.gains, proof.prices, strict=True):
        tilted = math.exp(bet) * canary.of + stable.of
        up, down = math.exp(bet) * whole / tilted, whole / tilted
        gained = canary.bad * math.log(up) + stable.bad * math.log(down)
        gains.append(gain + gained / discount)
        prices.append(price + canary.of * (up - 1) / discount)
    return Proof(tuple(gains), tuple(prices))


def assurance(proof: Proof, margin: float) -> float:
    """Return the evidence that less than `margin` (a fraction) fails additionally; safe from 1/beta."""
    logs = [gain - margin * price for gain, price in zip(proof.gains, proof.prices, strict=True)]
    return sum(math.exp(min(log, 700.0)) for log in logs) / len(logs)


def ruled_out(proof: Proof, policy: Policy) -> float | None:
    """Return the smallest additional share of bad events that is ruled out (a fraction); None while none below 1 is."""
    wanted = 1 / policy.beta
    if assurance(proof, 1.0) < wanted:
        return None
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if assurance(proof, middle) >= wanted else (middle, high)
    return high


def affordable(policy: Policy, *, next_share: float, next_requests: float, slow: bool) -> float:
    """Return the additional share of bad events that the next stage can afford.

    `next_share` of the traffic (a fraction), `next_requests` of the canary during its soak.
    """
    blast, budget, most = policy.blast / 100, policy.budget, _MOST_ERRORS
    if slow:
        blast, budget, most = blast * _SLOW_BLAST, budget * _SLOW_BUDGET, _MOST_SLOW
    if next_share <= 0 or next_requests <= 0:
        return most
    return min(most, max(blast / next_share, budget / next_requests))


def needed(policy: Policy, *, margin: float, rate: float, share: float) -> float:
    """Return about how many canary requests rule `margin` out where both lanes fail at `rate` and it gets `share`."""
    price = math.log(len(BETS) / policy.beta)
    gain = margin - rate * math.log1p(margin / rate) if rate > 0 else margin
    return price / (max(gain, 1e-12) * max(1 - share, 1e-3))
