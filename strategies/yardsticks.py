"""What an A/B test measures: which way each metric is better, and how much it counts.

Pure. Names in, yardsticks out whose weights add up to 100; after it nobody has to know a metric by its name.
"""

from collections.abc import Iterable
from dataclasses import replace

from strategies.experiment import Weights
from strategies.plan import Better, Yardstick
from strategies.request import PlanError

_BETTER: dict[str, Better] = {
    "error_rate": "lower",
    "latency_avg": "lower",
    "latency_p50": "lower",
    "latency_p95": "lower",
    "latency_p99": "lower",
    "cpu": "lower",
    "memory": "lower",
    "connection_failures": "lower",
    "circuit_breaker_trips": "lower",
    "cold_start_rate": "lower",
    "throttles": "lower",
    "success_rate": "higher",
    "rps": "higher",
    "conversion_rate": "higher",
    "user_engagement": "higher",
    "revenue": "higher",
}
_COUNTS = {"error_rate": 40.0, "latency_p95": 30.0, "rps": 20.0, "cpu": 10.0}
_OTHERS = sum(_COUNTS.values()) / len(_COUNTS)
"""What any other metric counts beside those four: as much as one of them on average."""


def better_of(metric: str) -> Better | None:
    """Return which way a well-known metric is better; None for one that only its query knows."""
    return _BETTER.get(metric)


def yardsticks(asked: tuple[Yardstick, ...]) -> tuple[Yardstick, ...]:
    """Complete what was asked for: none at all means error rate, latency, throughput and CPU at 40 : 30 : 20 : 10.

    A weight of 0 means that none was given. Raises `PlanError` when a metric is there twice.
    """
    chosen = asked or tuple(Yardstick(metric) for metric in _COUNTS)
    _refuse_twins(chosen)
    counts = [one.weight or _COUNTS.get(one.metric, _OTHERS) for one in chosen]
    whole = sum(counts)
    return tuple(
        replace(
            one, better=_BETTER.get(one.metric, one.better), weight=round(100 * count / whole, 2)
        )
        for one, count in zip(chosen, counts, strict=True)
    )


_WEIGHED = {
    "error_rate": "errors",
    "success_rate": "errors",
    "latency_avg": "slow",
    "latency_p50": "slow",
    "latency_p95": "slow",
    "latency_p99": "slow",
    "rps": "good",
    "cpu": "cpu",
}
"""What is counted where a metric is weighed with its uncertainty: failed requests, slow ones, good answers, CPU."""


def not_countable(asked: Iterable[Yardstick]) -> tuple[str, ...]:
    """Return the metrics of which nothing can be counted, so that nobody knows how sure they are."""
    return tuple(one.metric for one in asked if one.query or one.metric not in _WEIGHED)


def uncountable(metrics: Iterable[str]) -> str:
    """Return the sentence about metrics that cannot be weighed with their uncertainty."""
    return (
        f"score: sequential has to know how sure each number is, and {', '.join(metrics)} cannot be counted. Compare "
        f"{', '.join(_COUNTS)}, give the queries conversions and users for what people do, or take score: weighted."
    )


def weights_of(metrics: Iterable[Yardstick]) -> Weights:
    """Return what each counted metric weighs in the score with its uncertainty; what cannot be counted is left out."""
    found = dict.fromkeys(("errors", "slow", "good", "cpu"), 0.0)
    for one in metrics:
        if not one.query and one.metric in _WEIGHED:
            found[_WEIGHED[one.metric]] += one.weight
    return Weights(**found)


def _refuse_twins(chosen: tuple[Yardstick, ...]) -> None:
    names = [one.metric for one in chosen]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PlanError(
            f"The A/B test compares {twice} twice, which would count it double. Name it once.",
            code="bad_value",
            key="metrics",
        )
