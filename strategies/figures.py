"""How many digits a number needs beside its limits. Pure.

The one rule: what is over a limit never reads as if it were at it. Two places behind the point are enough for people
until the number and its limit look the same; then as many more as set them apart, at most four.
"""

from collections.abc import Iterable

from strategies.plan import Check

_MOST = 4
_FIXED = frozenset({"above", "below"})


def told_apart(value: float, limits: Iterable[float], unit: str) -> str:
    """Return a number with its unit (`" %"`), on the side of each limit on which it really is."""
    digits = max((_digits(value, limit) for limit in limits), default=usual_digits(value))
    return f"{value:,.{digits}f}{unit}"


def usual_digits(value: float) -> int:
    """Return how many places behind the point people want to read of a number that stands alone."""
    return 0 if abs(value) >= 100 or value == int(value) else 2


def fixed_limits(checks: Iterable[Check], metric: str) -> tuple[float, ...]:
    """Return the limits of a metric that are numbers by themselves."""
    bounds = (check.bound for check in checks if check.metric == metric)
    return tuple(limit for name, limit in bounds if name in _FIXED)


def _digits(value: float, limit: float) -> int:
    """Return the fewest places that do; the usual where four are too few."""
    usual, shown = usual_digits(value), round(limit, usual_digits(limit))
    enough = (
        places
        for places in range(usual, _MOST + 1)
        if _side(round(value, places), shown) == _side(value, limit)
    )
    return next(enough, usual)


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)
