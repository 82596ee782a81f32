"""How probable a bad count is by chance: exact tails of the binomial distribution. Pure, standard library only.

Exact, because a normal tail is wrong by orders of magnitude where a few failures are expected, and those are the stages
that matter.
"""

import math

_ENOUGH = 1e-12
"""What a further term has to add to the sum to be worth it."""
_ROUNDING = 1e-9
_MANY = 200.0
"""Bad events."""


def more_than(limit: float, of: float, share: float) -> float:
    """Return the probability of more than `limit` bad events in `of` independent ones that are bad with `share`."""
    exposures, first = round(of), math.floor(limit + _ROUNDING) + 1
    if first <= 0:
        return 1.0
    if first > exposures or share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    if first > exposures * share:
        return min(1.0, _upwards(first, exposures, share))
    return max(0.0, 1.0 - _downwards(first - 1, exposures, share))


def times_as_often(factor: float, here: float, there: float, share: float) -> float:
    """Return the probability that one lane fails more than `factor` times as often as the other, both with `share`.

    `here` and `there` are their requests. Of all bad events together each belongs to a lane by its part of the
    requests (Przyborowski and Wilenski, Biometrika 31, 1940). How many there are is summed over while they are few, and
    put at what is expected where that hardly wobbles.
    """
    part, threshold = here / (here + there), factor * here / (factor * here + there)
    expected = (here + there) * share
    if expected > _MANY:
        return more_than(round(expected) * threshold, round(expected), part)
    weight, total = math.exp(-expected), 0.0
    for bad in range(1, math.ceil(expected + 8 * math.sqrt(expected)) + 9):
        weight *= expected / bad
        total += weight * more_than(bad * threshold, bad, part)
    return min(1.0, total)


def _upwards(first: int, exposures: int, share: float) -> float:
    """Return the sum of the terms from `first` on; behind the peak each is smaller than the one before."""
    odds = share / (1 - share)
    total = term = math.exp(_log_of_one(first, exposures, share))
    for bad in range(first, exposures):
        term *= (exposures - bad) / (bad + 1) * odds
        total += term
        if term <= total * _ENOUGH:
            break
    return total


def _downwards(last: int, exposures: int, share: float) -> float:
    """Return the sum of the terms up to `last`, which is before the peak."""
    odds = (1 - share) / share
    total = term = math.exp(_log_of_one(last, exposures, share))
    for bad in range(last, 0, -1):
        term *= bad / (exposures - bad + 1) * odds
        total += term
        if term <= total * _ENOUGH:
            break
    return total


def _log_of_one(bad: int, exposures: int, share: float) -> float:
    """Return the logarithm of the probability of exactly so many."""
    ways = math.lgamma(exposures + 1) - math.lgamma(bad + 1) - math.lgamma(exposures - bad + 1)
    return ways + bad * math.log(share) + (exposures - bad) * math.log1p(-share)
