"""The metrics that can be named: those that every source knows, and those that need a query of their own.

Pure. Shared by checks and by A/B tests, so that a name means the same in both.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import PlainValidator

from bot.settings.block import Block
from bot.settings.document import Scalar
from bot.settings.fields import choice, number, refuse_at
from bot.settings.names import MetricName, RawText
from bot.settings.scalars import did_you_mean, shown
from strategies.plan import Yardstick
from strategies.yardsticks import better_of

KNOWN_METRICS = (
    "error_rate",
    "success_rate",
    "latency_avg",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "rps",
    "cpu",
    "memory",
    "requests",
    "connection_failures",
    "circuit_breaker_trips",
    "cold_start_rate",
    "throttles",
)
"""The metrics that sources know by themselves; another name needs a `query`."""

BUSINESS_METRICS = ("conversion_rate", "user_engagement", "revenue")
"""What people compare variants by, and what no source knows: without a query they are not available."""

_CALLERS = frozenset({"connection_failures", "circuit_breaker_trips"})
_FUNCTIONS = frozenset({"cold_start_rate", "throttles"})
_INSTANCES = frozenset({"cpu", "memory"})
NOT_MEASURED: Mapping[str, frozenset[str]] = {
    "istio": _FUNCTIONS,
    "linkerd": _FUNCTIONS | _CALLERS,
    "http": _FUNCTIONS | _CALLERS,
    "envoy": _FUNCTIONS,
    "knative": _FUNCTIONS | _CALLERS,
    "lambda": _INSTANCES | _CALLERS,
    "alb": _INSTANCES | _FUNCTIONS | {"circuit_breaker_trips"},
    "cloud_run": _INSTANCES | _CALLERS | _FUNCTIONS,
}
"""By template: the known metrics that it has no numbers for."""

WITHOUT_QUERIES = frozenset({"lambda", "alb"})
"""The templates of sources that take no queries of one's own."""

LATE: Mapping[str, int] = {"cloud_run": 240}
"""By template: seconds of a soak for which there are no numbers, where the platform shows them late."""

UNCOUNTED = frozenset({"cloud_run"})
"""The templates of sources without counters: what both versions answered cannot be counted from look to look."""

PERCENT_METRICS = frozenset(
    {
        "error_rate",
        "success_rate",
        "cpu",
        "memory",
        "connection_failures",
        "cold_start_rate",
        "throttles",
    }
)


def unknown_metric(metric: str) -> str:
    """Return the sentence about a name that no source knows."""
    hint = did_you_mean(metric, KNOWN_METRICS)
    return (
        f"{shown(metric)} is no built-in metric{hint}: give it a query, "
        f"or take one of {', '.join(KNOWN_METRICS)}."
    )


class YardstickBlock(Block):
    """One metric that an A/B test compares, as written."""

    metric: MetricName
    weight: Annotated[float, number(0, 100)] = 0
    better: Annotated[Literal["lower", "higher"] | None, choice("lower", "higher")] = None
    query: RawText | None = None


def _read_yardstick(value: Any) -> Yardstick:
    if isinstance(value, Yardstick):
        return value
    block = YardstickBlock.model_validate({"metric": value} if isinstance(value, Scalar) else value)
    if block.metric not in KNOWN_METRICS and block.query is None:
        at = "" if isinstance(value, Scalar) else "metric"
        raise refuse_at((at, "unknown_metric", unknown_metric(block.metric)))
    return Yardstick(
        block.metric, block.better or better_of(block.metric) or "lower", block.weight, block.query
    )


YardstickField = Annotated[Yardstick, PlainValidator(_read_yardstick)]
"""A yardstick with the type that strategies use; `YardstickBlock` is only how it is written."""


def with_queries(value: Any, queries: Mapping[str, str] | None) -> Any:
    """Return a list of checks or yardsticks, as written, where each named metric has the query kept for it."""
    if not queries or not isinstance(value, list):
        return value
    return [_with_query(item, queries) for item in value]


def _with_query(item: Any, queries: Mapping[str, str]) -> Any:
    match item:
        case Scalar(text=name) if name in queries:
            return {"metric": item, "query": queries[name]}
        case {"metric": Scalar(text=name)} if name in queries and "query" not in item:
            return {**item, "query": queries[name]}
        case _:
            return item
