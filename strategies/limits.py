"""Hold the fixed limits of a plan against one look. Pure: numbers and limits in, a judgement with its sentence out.

The one rule: a limit that rolls back is never closer than twice what stable does at the same time, and one that both
versions break about equally says nothing about the change: it holds.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from strategies.evidence.gauges import Standing, incomparable, said, usable
from strategies.figures import fixed_limits, told_apart
from strategies.plan import Check
from strategies.verdict import (
    Fails,
    Judgement,
    Look,
    Result,
    Verdict,
    metric_label,
    number,
    unit,
)

_THROTTLES = "throttles"
FEW = 30
"""Requests of stable from which it says whether both versions have the same trouble."""


def judge(
    look: Look,
    checks: tuple[Check, ...],
    *,
    min_requests: int,
    fails: Fails,
    weight: float,
    compared: Mapping[Check, Standing] = MappingProxyType({}),
    failing: float | None = None,
) -> tuple[Judgement, Fails]:
    """Hold every check against one look; `fails` is what earlier looks said, and comes back one look longer.

    `compared` is what all looks together say of the checks that have a margin. `failing` is the percentage of stable's
    requests that failed in this stage, where that was counted: the window of a look may reach back behind it.
    """
    results: list[Result] = []
    memory: list[tuple[bool, ...]] = []
    for index, check in enumerate(checks):
        past = fails[index] if index < len(fails) else ()
        if check.margin is not None:
            results.append(_compare(check, look, compared.get(check), weight))
            memory.append(past)
            continue
        beside = _stable_beside(check, look, min_requests, weight, failing)
        result, kept = _hold(
            check, look, min_requests=min_requests, past=past, weight=weight, beside=beside
        )
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
    """Return what is known of a number beside stable's.

    It needs no proof to pass, but both numbers once; while it is measured beyond the margin and not for certain, the
    stage waits for more.
    """
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
    elif known.beyond and counts:
        sentence = f"{sentence}, limit {limit}, but not for certain yet"
    elif known.pairs:
        verdict = Verdict.PASS
    return Result(
        check.metric, limit, sample.canary, sample.stable, verdict, check.then, sentence, counts
    )


def _hold(
    check: Check,
    look: Look,
    *,
    min_requests: int,
    past: tuple[bool, ...],
    weight: float,
    beside: float | None,
) -> tuple[Result, tuple[bool, ...]]:
    """Return what one fixed limit says, and how often it has failed by now."""
    without = _without_number(check, look, weight) or _thin(check, look, min_requests)
    if without is not None:
        return without, past
    sample = look.get(check.metric)
    assert sample.canary is not None, "a look without the number was told apart"
    measured = _measured(check, sample.canary)
    broken = beyond(check, sample.canary, sample.stable)
    if broken and beside is not None:
        told = f"{measured}, and {_beside_limit(check, beside)} on stable"
        broken = _badness(check, sample.canary) > _TWICE * _badness(check, beside)
        if beyond(check, beside, beside) and not broken:
            why = f"both versions are beyond it: {told}; probably not this change"
            return _result(check, look, Verdict.INCONCLUSIVE, why), past
        measured = measured if broken else f"{told}: not twice as bad"
    kept = (*past, broken)[-check.of :]
    if sum(kept) < check.failures:
        return _result(check, look, Verdict.PASS, measured), kept
    often = f" in {sum(kept)} of {len(kept)} looks" if check.of > 1 else ""
    return _result(check, look, Verdict.FAIL, f"{measured}{often}"), kept


def _result(check: Check, look: Look, verdict: Verdict, sentence: str) -> Result:
    sample = look.get(check.metric)
    limit = limit_words(check)
    return Result(check.metric, limit, sample.canary, sample.stable, verdict, check.then, sentence)


def _without_number(check: Check, look: Look, weight: float) -> Result | None:
    """Return what is said where there is nothing to hold; None where there is."""
    sample, label = look.get(check.metric), metric_label(check.metric)
    relative = check.bound[0].endswith("baseline")
    if sample.canary is None:
        why = f"{label}: {sample.why_canary or 'no data'}"
    elif relative and weight >= 100:
        found = _result(check, look, Verdict.INCONCLUSIVE, "no baseline at 100 %")
        return replace(found, counts=False)
    elif relative and sample.stable is None:
        why = f"{label} of stable: {sample.why_stable or 'no data'}"
    else:
        return None
    return _result(check, look, Verdict.INCONCLUSIVE, why)


def _thin(check: Check, look: Look, min_requests: int) -> Result | None:
    """Return what is said where there are too few requests; None where there are enough."""
    seen = look.tried if check.metric == _THROTTLES else look.requests
    if seen >= min_requests:
        return None
    sample = look.get(check.metric)
    why = f"{seen:,} of {min_requests:,} requests needed to judge"
    over = sample.canary is not None and beyond(check, sample.canary, sample.stable)
    if over and sample.canary is not None:
        why = f"{_measured(check, sample.canary)}, on {why}"
    found = _result(check, look, Verdict.INCONCLUSIVE, why)
    return replace(found, thin=True, over=over)


def _measured(check: Check, value: float) -> str:
    shown = _beside_limit(check, value)
    return f"{metric_label(check.metric)} {shown} (limit {limit_words(check)})"


_SHARED = frozenset(
    {"error_rate", "success_rate", "connection_failures"}
    | {"latency_avg", "latency_p50", "latency_p95", "latency_p99"}
)
"""What a dependency, or the hour of the day, does to both versions at once."""
_TWICE = 2.0


def _stable_beside(
    check: Check, look: Look, min_requests: int, weight: float, failing: float | None
) -> float | None:
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
    asked, beside = look.get("requests").stable or 0, look.get(check.metric).stable
    if beside is None or asked < max(1, min(min_requests, FEW)):
        return None
    match failing, check.metric:
        case float(), "error_rate":
            return max(beside, failing)
        case float(), "success_rate":
            return min(beside, 100 - failing)
        case _:
            return beside


def _beside_limit(check: Check, value: float) -> str:
    """Return a number with as many digits as set it apart from the limit that stands beside it."""
    return told_apart(value, fixed_limits((check,), check.metric), unit(check.metric))


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
