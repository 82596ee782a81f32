"""Fixed limits held against what stable does by itself: broken already, or nearer than twice. Pure.

The one rule: a limit says something about a version only where stable is far from it. One that stable breaks rolls
back every version that is as good; one nearer than twice what stable does rolls some back by chance.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from strategies.doing import Doing
from strategies.limits import beyond
from strategies.plan import Check, Plan, Watch

_TWICE = 2.0
_PERCENT = frozenset({"error_rate", "success_rate", "connection_failures"})
_DOUBLES = _PERCENT | {"latency_avg", "latency_p50", "latency_p95", "latency_p99"}
"""What may be twice as bad and still be a number: a CPU at 60 % may not."""
_FIGURES = 10.0
"""From which number on people write two digits of it; below it they write halves."""


@dataclass(frozen=True, slots=True)
class Close:
    """A limit, and what stable does."""

    check: Check
    value: float
    broken: bool
    proposal: float | None
    """A limit that leaves stable its room, in the unit of the check; None where there is none that makes sense."""


def close(plan: Plan, doing: Doing) -> tuple[Close, ...]:
    """Return the fixed limits of a plan that roll back and that stable breaks, or is nearer to than twice.

    Nothing is said of what stable has too few requests for.
    """
    return tuple(
        found
        for check, least in dict.fromkeys(_fixed(plan))
        if doing.requests >= max(1, least) and (found := _held(check, doing)) is not None
    )


def fixed(plan: Plan) -> bool:
    """Whether a plan has a fixed limit that rolls back."""
    return any(True for _ in _fixed(plan))


def _fixed(plan: Plan) -> Iterator[tuple[Check, int]]:
    """Yield the fixed limits that roll back, with the requests that each needs; who asks by a query is not known."""
    for step in plan.steps:
        if isinstance(step, Watch):
            for check in step.checks:
                absolute = check.bound[0] in {"above", "below"} and not check.query
                if absolute and check.then == "rollback":
                    yield check, step.min_requests


def _held(check: Check, doing: Doing) -> Close | None:
    value = doing.numbers.get(check.metric)
    if value is None:
        return None
    broken = beyond(check, value, None)
    worse = "below" if check.metric == "success_rate" else "above"
    if check.metric not in _DOUBLES or check.bound[0] != worse:
        return Close(check, value, broken=True, proposal=None) if broken else None
    if not broken and _badness(check, check.bound[1]) >= _TWICE * _badness(check, value):
        return None
    return Close(check, value, broken, _proposed(check, value))


def _badness(check: Check, value: float) -> float:
    return 100 - value if check.metric == "success_rate" else value


def _proposed(check: Check, value: float) -> float | None:
    """Return twice what stable does, as somebody would write it; None where that leaves no limit."""
    wanted = written(_TWICE * _badness(check, value))
    if check.metric in _PERCENT and wanted >= 100:
        return None
    return _badness(check, wanted)


def written(value: float) -> float:
    """Return a number, rounded up to one that people write: 12.4 is 13, 6.2 is 6.5, 1241 is 1300, 0.086 is 0.09."""
    if value <= 0:
        return 0.0
    power = math.floor(math.log10(value))
    step = 10.0 ** (power - 1) * (1 if value >= _FIGURES else 5)
    return round(math.ceil(round(value / step, 9)) * step, max(0, 2 - power))
