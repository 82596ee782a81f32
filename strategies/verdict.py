"""Judge one look at the metrics. Pure: numbers and limits in, a verdict with its sentence out.

Three outcomes. "No data", "stale" and "unreachable" are INCONCLUSIVE: they never promote and never roll back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from strategies.evidence import Ruling, Verdict, Window
from strategies.evidence.gauges import Standing, incomparable, said, usable
from strategies.plan import Check, Then

__all__ = [
    "Fails",
    "Judgement",
    "Look",
    "Result",
    "Sample",
    "Verdict",
    "beyond",
    "judge",
    "limit_words",
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

_THROTTLES = "throttles"
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


def judge(
    look: Look,
    checks: tuple[Check, ...],
    *,
    min_requests: int,
    fails: Fails,
    weight: float,
    compared: Mapping[Check, Standing] = MappingProxyType({}),
) -> tuple[Judgement, Fails]:
    """Hold every check against one look; `fails` is what earlier looks said, and comes back one look longer.

    `compared` is what all looks together say of the checks that have a margin.
    """
    results: list[Result] = []
    memory: list[tuple[bool, ...]] = []
    for index, check in enumerate(checks):
        past = fails[index] if index < len(fails) else ()
        if check.margin is not None:
            results.append(_compare(check, look, compared.get(check), weight))
            memory.append(past)
            continue
        result, kept = _hold(check, look, min_requests=min_requests, past=past, weight=weight)
        results.append(result)
        memory.append(kept)
    return _sum_up(look, tuple(results)), tuple(memory)


def _sum_up(look: Look, results: tuple[Result, ...]) -> Judgement:
    bad = [r for r in results if r.verdict is Verdict.FAIL]
    fatal = [r for r in bad if r.then == "rollback"]
    asks = [r for r in bad if r.then == "ask"]
    thin = [r for r in results if r.verdict is Verdict.INCONCLUSIVE and r.counts]
    if fatal:
        return Judgement(Verdict.FAIL, results, sentence="; ".join(r.sentence for r in fatal))
    if thin:
        sentence = look.problem.rstrip(".") or f"{thin[0].sentence}{_throttled(look)}"
        return Judgement(Verdict.INCONCLUSIVE, results, asks=bool(asks), sentence=sentence)
    sentence = "; ".join(r.sentence for r in bad) or "all checks pass"
    return Judgement(Verdict.PASS, results, asks=bool(asks), sentence=sentence)


def _compare(check: Check, look: Look, standing: Standing | None, weight: float) -> Result:
    """Return what is known of a number beside stable's; it needs no proof to pass, but both numbers once."""
    sample, label, limit = look.get(check.metric), metric_label(check.metric), limit_words(check)
    known = standing or Standing(0, 0.0, 0.0, proven=False)
    sentence = f"{label} {said(known)}"
    counts, verdict = check.then != "warn", Verdict.INCONCLUSIVE
    if weight >= 100:
        sentence, counts = "no baseline at 100 %", False
    elif known.proven:
        verdict, sentence = Verdict.FAIL, f"{sentence}, limit {limit}"
    elif not (usable(sample.canary) and usable(sample.stable)):
        why = (sample.why_stable, sample.why_canary)
        sentence = f"{label}{incomparable(sample.stable, sample.canary, why)}"
    elif known.pairs:
        verdict = Verdict.PASS
    return Result(
        check.metric, limit, sample.canary, sample.stable, verdict, check.then, sentence, counts
    )


def _hold(
    check: Check, look: Look, *, min_requests: int, past: tuple[bool, ...], weight: float
) -> tuple[Result, tuple[bool, ...]]:
    sample = look.get(check.metric)
    limit = limit_words(check)

    def result(
        verdict: Verdict, sentence: str, *, counts: bool = True, thin: bool = False
    ) -> Result:
        return Result(
            metric=check.metric, limit=limit, canary=sample.canary, baseline=sample.stable,
            verdict=verdict, then=check.then, sentence=sentence, counts=counts, thin=thin,
        )  # fmt: skip

    if sample.canary is None:
        why = f"{metric_label(check.metric)}: {sample.why_canary or 'no data'}"
        return result(Verdict.INCONCLUSIVE, why), past
    relative = check.bound[0].endswith("baseline")
    if relative and weight >= 100:
        return result(Verdict.INCONCLUSIVE, "no baseline at 100 %", counts=False), past
    if relative and sample.stable is None:
        why = f"{metric_label(check.metric)} of stable: {sample.why_stable or 'no data'}"
        return result(Verdict.INCONCLUSIVE, why), past
    seen = look.tried if check.metric == _THROTTLES else look.requests
    if seen < min_requests:
        why = f"{seen:,} of {min_requests:,} requests needed to judge"
        return result(Verdict.INCONCLUSIVE, why, thin=True), past
    measured = f"{metric_label(check.metric)} {number(sample.canary, check.metric)} (limit {limit})"
    broken = beyond(check, sample.canary, sample.stable)
    beside = _stable_beside(check, look, min_requests=min_requests, weight=weight)
    if broken and beside is not None:
        told = f"{measured}, and {number(beside, check.metric)} on stable"
        if beyond(check, beside, beside):
            why = f"both versions are beyond it: {told}; probably not this change"
            return result(Verdict.INCONCLUSIVE, why), past
        broken = _badness(check, sample.canary) > _TWICE * _badness(check, beside)
        measured = measured if broken else f"{told}: not twice as bad"
    kept = (*past, broken)[-check.of :]
    if sum(kept) >= check.failures:
        often = f" in {sum(kept)} of {len(kept)} looks" if check.of > 1 else ""
        return result(Verdict.FAIL, f"{measured}{often}"), kept
    return result(Verdict.PASS, measured), kept


_SHARED = frozenset(
    {"error_rate", "success_rate", "connection_failures"}
    | {"latency_avg", "latency_p50", "latency_p95", "latency_p99"}
)
"""What a dependency, or the hour of the day, does to both versions at once."""
_TWICE = 2.0


def _stable_beside(check: Check, look: Look, *, min_requests: int, weight: float) -> float | None:
    """Return what stable does at the same time, for a number that rolls back by itself; None without a control.

    A fixed limit near to what stable does rolls back every other version for nothing, and one that both break says
    nothing about the change.
    """
    worse = "below" if check.metric == "success_rate" else "above"
    if (
        check.bound[0] != worse
        or check.then != "rollback"
        or check.metric not in _SHARED
        or weight >= 100
    ):
        return None
    asked = look.get("requests").stable or 0
    return look.get(check.metric).stable if asked >= max(1, min_requests) else None


def _badness(check: Check, value: float) -> float:
    """Return how bad a number is: of a share that should be high, what is missing of it."""
    return 100 - value if check.bound[0] == "below" else value


def _throttled(look: Look) -> str:
    """Return what may be why there is too little to judge by."""
    share = look.get(_THROTTLES).canary
    return f" ({number(share, _THROTTLES)} of the calls are throttled)" if share else ""


def beyond(check: Check, canary: float, stable: float | None) -> bool:
    """Whether a number is beyond the limit of a check."""
    match check.bound:
        case "above", limit:
            return canary > limit
        case "below", limit:
            return canary < limit
        case "above_baseline", points:
            return canary > (stable or 0.0) + points
        case "margin", percent:
            lower = check.better == "higher"
            bound = (stable or 0.0) * (1 + (-percent if lower else percent) / 100)
            return canary < bound if lower else canary > bound
        case _, factor:
            return canary > (stable or 0.0) * factor


def limit_words(check: Check) -> str:
    """Return the limit of a check as people read it."""
    name, value = check.bound
    shown = number(value, check.metric)
    match name:
        case "above":
            return f"≤ {shown}"
        case "below":
            return f"≥ {shown}"
        case "above_baseline":
            points = " points" if unit(check.metric) == " %" else unit(check.metric)
            return f"≤ stable + {value:g}{points}"
        case "margin":
            return f"{'≥ stable −' if check.better == 'higher' else '≤ stable +'} {value:g} %"
        case _:
            return f"≤ stable × {value:g}"
