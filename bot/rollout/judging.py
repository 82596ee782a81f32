"""What a look at the metrics does to a row. Pure.

An uneventful look leaves the row as it is, so that ten thousand quiet soaks write nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bot.rollout.gauging import standings
from bot.rollout.grounds import grounded, hindered
from bot.rollout.ledger import Ledger, in_stage, policy_of, ruled, silence
from bot.rollout.ledger_text import ledger_to_text
from bot.rollout.scoring import observing
from bot.rollout.seen import Seen
from bot.rollout.turning import turn
from bot.rollout.values import Entry, Phase, Rollout
from strategies.deciding import decided
from strategies.figures import fixed_limits, told_apart
from strategies.limits import FEW, beyond, judge
from strategies.plan import Approve, Watch
from strategies.verdict import Fails, Judgement, Look, Result, Verdict, metric_label, number, unit

_EVEN = 50.0
"""Percent above which stable has so little traffic that seconds from before a weight change hide what it does now."""
_REFRESH = timedelta(minutes=1)
"""How old the numbers on the card may be before an uneventful look is kept anyway."""


def look_at(r: Rollout, seen: Seen) -> tuple[Rollout, Judgement | None]:
    """Judge the look of this turn; the row changes only when it says something new. No look: no judgement."""
    soak = r.watched
    if seen.look is None or soak is None:
        return r, None
    judgement, fails = seen.judged or judged(r, soak, seen)
    known, r = r.observed, observing(r, judgement, seen.now)
    if judgement.verdict is Verdict.FAIL:
        kept = keeping(r, seen, judgement)
        return fall_back(kept, judgement, seen), judgement
    remarks = {code: said for code, said in judgement.remarks.items() if code not in r.remarked}
    # Several targets each warn by their own name (`bot.rollout.worst`).
    warnings = () if r.parts else new_warnings(r.judgement, judgement)
    news = r.observed != known or _pattern(judgement, seen.look) != _pattern(r.judgement, r.look)
    opening = r.phase is Phase.RUNNING and isinstance(r.step, Approve)
    if news or remarks or opening or fails != r.progress.fails or _old(r, seen):
        r = keeping(replace(r, progress=replace(r.progress, fails=fails)), seen, judgement)
    for warning in warnings:
        r = r.tell(Entry("warned", "sluice", f"Warning: {warning.sentence}.", code="check_warned"))
    return _remarked(r, remarks), judgement


def _remarked(r: Rollout, remarks: Mapping[str, str]) -> Rollout:
    """Say once each what keeps the counts from telling more."""
    for code, said in remarks.items():
        r = r.tell(Entry("warned", "sluice", f"Warning: {said}.", code=code))
    return replace(r, remarked=(*r.remarked, *remarks)) if remarks else r


def keeping(r: Rollout, seen: Seen, judgement: Judgement) -> Rollout:
    """Return the row with the numbers of this look, and what was counted up to it."""
    look, ledger = seen.look, seen.ledger
    if look is None or ledger is None:
        return replace(r, look=look, judgement=judgement)
    counted = replace(look, windows=ledger.windows)
    return replace(r, look=counted, judgement=judgement, ledger=ledger_to_text(ledger))


def judged(r: Rollout, soak: Watch, seen: Seen) -> tuple[Judgement, Fails]:
    """Return what a look comes to for one target, and how often each check has failed by now."""
    assert seen.look is not None
    literal, fails = by_limits(r, soak, seen.look, seen.ledger)
    policy = policy_of(r)
    if seen.ledger is None or policy is None:
        return literal, fails
    rate = seen.ledger.rate * r.weight / 100
    ruling = ruled(seen.ledger, r, seen.now)
    if ruling is not None:
        ruling = grounded(ruling, seen.ledger, r)
    judgement = decided(
        literal,
        ruling,
        policy,
        rate,
        silence(seen.ledger, seen.now),
        early=_EVEN < r.weight < 100 and not in_stage(seen.ledger, r) and _counting(seen.ledger),
    )
    turned_away = bool(seen.look.get("throttles").canary)
    return hindered(judgement, seen.ledger, r, policy, turned_away=turned_away), fails


def _counting(ledger: Ledger) -> bool:
    """Whether the counts of this stage are on their way."""
    return ledger.opened is not None and not ledger.problem


def by_limits(
    r: Rollout, soak: Watch, look: Look, ledger: Ledger | None = None
) -> tuple[Judgement, Fails]:
    """Return what the checks say about a look, and how often each has failed by now; `ledger` knows what compares."""
    return judge(
        look,
        soak.checks,
        min_requests=soak.min_requests,
        fails=r.progress.fails,
        # In one place both versions are mostly in the same numbers: there is nothing to hold them against.
        weight=100.0 if r.one_place and not look.beside else r.weight,
        compared=standings(ledger, r),
        failing=_failing(ledger, r) if ledger is not None else None,
    )


def _failing(ledger: Ledger, r: Rollout) -> float | None:
    """Return the percentage of stable's requests that failed in this stage; None while that are too few."""
    for burst in in_stage(ledger, r, "errors"):
        if burst.stable.of >= FEW:
            return 100 * burst.stable.rate
    return None


def fall_back(r: Rollout, judgement: Judgement, seen: Seen) -> Rollout:
    """Answer a failed look with its numbers: a rollback, or as much of it as the plan allows."""
    reason = f"{judgement.sentence} at {r.weight:g} %"
    return turn(r, seen.now, "check_failed", reason, judgement)


def recovered(r: Rollout, look: Look) -> str:
    """Return the sentence that says, some minutes after a rollback, how stable is now, and whether that helped."""
    failed = r.back.judgement.failed("rollback") if r.back and r.back.judgement else ()
    metrics = list(dict.fromkeys(result.metric for result in failed)) or [*_USUAL]
    if look.problem or all(look.get(m).stable is None for m in metrics):
        why = look.problem or look.get(metrics[0]).why_stable
        what = "whether it helped" if failed else "how stable is"
        return f"{_LATER} there are no numbers to tell {what}: {why}."
    if not failed:
        return f"{_LATER} {r.from_version or 'stable'} {_health(r, look)}."
    compared = ", ".join(_then_and_now(r, result, look) for result in _by_metric(failed))
    if any(_still_bad(one, look) for one in failed):
        return (
            f"{_LATER} the numbers have NOT recovered: {compared}. "
            "The cause is probably not this version; look further."
        )
    return f"{_LATER} the numbers have recovered: {compared}."


_LATER = "5 minutes after the rollback"
_USUAL = ("error_rate", "latency_p95")


def _by_metric(failed: tuple[Result, ...]) -> list[Result]:
    """Return one failed check for each metric, the first."""
    return list({result.metric: result for result in reversed(failed)}.values())[::-1]


def _then_and_now(r: Rollout, failed: Result, look: Look) -> str:
    now = _beside_limit(r, look.get(failed.metric).stable, failed.metric)
    was = _beside_limit(r, failed.canary, failed.metric)
    old = r.from_version or "stable"
    return f"{metric_label(failed.metric)} {now} on {old} now, {was} on {r.version} then (limit {failed.limit})"


def _beside_limit(r: Rollout, value: float | None, metric: str) -> str:
    if value is None:
        return number(value, metric)
    checks = r.watched.checks if r.watched is not None else ()
    return told_apart(value, fixed_limits(checks, metric), unit(metric))


def _health(r: Rollout, look: Look) -> str:
    """Return how stable is where nothing had failed: held against the limits that stand for themselves."""
    checks = [
        check
        for check in (r.watched.checks if r.watched is not None else ())
        if check.bound[0] in {"above", "below"} and look.get(check.metric).stable is not None
    ]
    over = [check for check in checks if beyond(check, look.get(check.metric).stable or 0.0, None)]
    metrics = dict.fromkeys([*_USUAL, *(check.metric for check in checks)])
    numbers = [
        f"{metric_label(m)} {number(look.get(m).stable, m)}"
        for m in metrics
        if look.get(m).stable is not None
    ]
    word = "is over its limits" if over else "is healthy" if checks else "has"
    return f"{word}{':' if checks else ''} {', '.join(numbers)}"


def _still_bad(result: Result, look: Look) -> bool:
    value = look.get(result.metric).stable
    if value is None or result.canary is None:
        return False
    baseline = result.baseline if result.baseline is not None else 0.0
    # Recovered means nearer to what stable did before than to what the canary did.
    return abs(value - result.canary) < abs(value - baseline)


def _pattern(judgement: Judgement | None, look: Look | None) -> object:
    if judgement is None:
        return None
    return (
        look is not None and bool(look.problem),
        judgement.verdict,
        judgement.asks,
        tuple((r.metric, r.verdict) for r in judgement.results),
    )


def _old(r: Rollout, seen: Seen) -> bool:
    return r.look is None or seen.now - r.look.at >= _REFRESH


def new_warnings(before: Judgement | None, after: Judgement) -> list[Result]:
    """Return the checks that only warn, and did not where the numbers were kept last."""
    known = {r.metric for r in before.failed("warn")} if before else set()
    return [r for r in after.failed("warn") if r.metric not in known]
