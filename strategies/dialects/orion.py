"""Seed 003, the canary guide of ORION: a `successCriteria` block. The options of its script are words of the grammar.

Pure. Limits carry their unit; `minimumDuration` is minutes.
"""

from strategies.dialects.block import Block
from strategies.plan import Check
from strategies.scalars import shown
from strategies.wish import Wish

_KEYS = ("errorRate", "latencyP95", "minimumDuration", "minimumRequests")
_PERCENT = {"percent": 1.0, "fraction": 100.0}
_MILLISECONDS = {"milliseconds": 1.0, "seconds": 1000.0}


def read(body: Block) -> Wish:
    """Return what the criteria ask for. Raises `WishError`."""
    body.only(("successCriteria",), "a file with successCriteria")
    criteria = body.options("successCriteria")
    criteria.only(_KEYS, "successCriteria")
    if not criteria.body:
        sentence = f"There is nothing in it. Known are {', '.join(_KEYS)}."
        raise body.wrong("successCriteria", sentence, code="empty_value")
    checks = (
        _limit(criteria, "errorRate", "error_rate", _PERCENT, 100),
        _limit(criteria, "latencyP95", "latency_p95", _MILLISECONDS, 3_600_000),
    )
    return Wish(
        checks=tuple(check for check in checks if check is not None) or None,
        min_soak=criteria.seconds("minimumDuration", "minutes"),
        min_requests=criteria.whole("minimumRequests", 1, 1_000_000_000),
    )


def _limit(
    criteria: Block, key: str, metric: str, units: dict[str, float], most: float
) -> Check | None:
    limit = criteria.inside(key)
    if limit is None:
        return None
    limit.only(("threshold", "unit"), key)
    unit = limit.required("unit")
    if unit not in units:
        sentence = f"{shown(unit)} is no unit of {key}. Take {' or '.join(units)}."
        raise limit.wrong("unit", sentence, code="bad_value")
    threshold = limit.number("threshold", 0, most / units[unit])
    if threshold is None:
        sentence = "This key is missing. Add it."
        raise limit.wrong("threshold", sentence, code="missing_key")
    return Check(metric, above=round(threshold * units[unit], 9))
