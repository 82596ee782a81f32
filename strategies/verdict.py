"""What was looked at and what came of it, as values, and how people call and write a metric. Pure.

Three outcomes. "No data", "stale" and "unreachable" are INCONCLUSIVE: they never promote and never roll back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from strategies.evidence import Ruling, Verdict, Window
from strategies.plan import Then

__all__ = [
    "Fails",
    "Judgement",
    "Look",
    "Result",
    "Sample",
    "Verdict",
    "metric_label",
    "number",
    "unit",
]


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric of both lanes. `None` means there is no number, and `why_*` says why."""

    metric: str
    stable: float | None
    canary: float | None
    why_stable: str = ""
    why_canary: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """All metrics of one moment, over one window (seconds)."""

    at: datetime
    window: int
    samples: tuple[Sample, ...]
    problem: str = ""
    beside: bool = False
    """Whether both versions have numbers of their own although the target is one place."""
    windows: tuple[Window, ...] = ()
    """What was counted since the look that was kept before, for judging again what was judged."""

    def get(self, metric: str) -> Sample:
        """Return one metric; one that was not looked at reads as not available."""
        for sample in self.samples:
            if sample.metric == metric:
                return sample
        return Sample(metric, None, None, "not available", "not available")

    @property
    def requests(self) -> int:
        """Requests that the canary answered in the window; 0 when unknown."""
        return int(self.get("requests").canary or 0)

    @property
    def tried(self) -> int:
        """Requests of both lanes: what is turned away before it has a version is a share of these."""
        return self.requests + int(self.get("requests").stable or 0)


@dataclass(frozen=True, slots=True)
class Result:
    """What one check said."""

    metric: str
    limit: str
    """The limit in words: `≤ 5 %`, `≤ stable × 1.5`."""
    canary: float | None
    baseline: float | None
    verdict: Verdict
    then: Then
    sentence: str
    counts: bool = True
    """False where the check could not have an opinion by design (no stable traffic at 100 %)."""
    thin: bool = False
    """There were fewer requests than the check needs."""
    over: bool = False
    """Those few are beyond the limit all the same."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a look says in all."""

    verdict: Verdict
    results: tuple[Result, ...]
    asks: bool = False
    """A check with `then: ask` failed."""
    sentence: str = ""
    ruling: Ruling | None = None
    """What the counts say; None where they are not asked, or there are none."""
    short: bool = False
    """Nothing but more requests is missing."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """What keeps the counts from telling more, by code: said once, whatever the verdict."""

    def failed(self, then: Then) -> tuple[Result, ...]:
        """Return the checks that failed and want `then`."""
        return tuple(r for r in self.results if r.verdict is Verdict.FAIL and r.then == then)


Fails = tuple[tuple[bool, ...], ...]
"""Per check, which of the newest looks failed, oldest first; at most `of` of them."""

_UNITS = {
    "error_rate": " %",
    "success_rate": " %",
    "cpu": " %",
    "slow_rate": " %",
    "memory": " %",
    "latency_p50": " ms",
    "latency_p95": " ms",
    "latency_p99": " ms",
    "rps": "/s",
    "latency_avg": " ms",
    "connection_failures": " %",
    "circuit_breaker_trips": "/min",
    "cold_start_rate": " %",
    "throttles": " %",
    "conversion_rate": " %",
    "user_engagement": " %",
}


_LABELS = {
    "requests": "Requests",
    "error_rate": "Error rate",
    "success_rate": "Success rate",
    "latency_p50": "p50",
    "latency_p95": "p95",
    "latency_p99": "p99",
    "rps": "Requests/s",
    "cpu": "CPU",
    "slow_rate": "Slow requests",
    "memory": "Memory",
    "latency_avg": "Average latency",
    "connection_failures": "Connection failures",
    "circuit_breaker_trips": "Breaker trips/min",
    "cold_start_rate": "Cold starts",
    "throttles": "Throttled",
    "conversion_rate": "Conversion rate",
    "user_engagement": "User engagement",
    "revenue": "Revenue",
}


def metric_label(metric: str) -> str:
    """Return how people call a metric, the same in every sentence and table; the name that a team gave its own."""
    return _LABELS.get(metric, metric)


def unit(metric: str) -> str:
    """Return the unit that stands behind a number of this metric."""
    return _UNITS.get(metric, "")


def number(value: float | None, metric: str) -> str:
    """Return a number as people read it, with its unit; a dash where there is none."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 or value == int(value) else 2
    return f"{value:,.{digits}f}{unit(metric)}"
