"""The newest numbers of a rollout as lines: both lanes, how far they are apart, the limit, a verdict in a word. Pure.

No data is a verdict of its own and never “ok”. What has neither a number nor a check is left out.
"""

from collections.abc import Sequence

from bot.rollout.values import Rollout
from bot.slack.blocks import Block, context, date, escape, section
from bot.slack.wording import limits_and_verdict, window_words
from strategies.figures import fixed_limits, told_apart
from strategies.verdict import Look, Result, Sample, metric_label, unit

_ALWAYS = ("error_rate", "latency_p95")
_MOST = 6


def number_blocks(r: Rollout) -> list[Block]:
    """Return the numbers of the current stage; nothing before the first look."""
    if r.look is None:
        return []
    if r.look.problem:
        return [context(blind_line(r, r.look))]
    lines = number_lines(r, r.look)
    over = [window_words(r.look), escape(r.judgement.sentence) if r.judgement else ""]
    return [section("\n".join(lines)), context(" · ".join(filter(None, over)))]


def blind_line(r: Rollout, look: Look) -> str:
    """Return that the metrics cannot be asked, since when, and what that means."""
    since = r.trail.blind_since or look.at
    return (
        f"⚠ metrics unavailable since {date(since)}: {escape(look.problem)} — holding at {r.weight:g} %, no automatic "
        "promotion; rollback still works"
    )


def number_lines(r: Rollout, look: Look) -> list[str]:
    """Return a line for each metric that is judged, the usual two first."""
    results: dict[str, list[Result]] = {metric: [] for metric in _ALWAYS}
    for result in r.judgement.results if r.judgement else ():
        results.setdefault(result.metric, []).append(result)
    # In one place both versions are mostly in the same numbers.
    beside = not r.one_place or look.beside
    checks = r.watched.checks if r.watched is not None else ()
    lines = [
        _line(look.get(metric), found, fixed_limits(checks, metric), beside=beside)
        for metric, found in results.items()
    ]
    more = [f"+ {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return [*lines[:_MOST], *more]


def _line(sample: Sample, results: list[Result], bounds: Sequence[float], *, beside: bool) -> str:
    metric = sample.metric
    label = escape(metric_label(metric))
    about = []
    if beside:
        old = sample.stable
        stable = told_apart(old, bounds, unit(metric)) if old is not None else sample.why_stable
        about.append(f"stable {escape(stable or 'no data')}")
        apart = delta(metric, sample.stable, sample.canary)
        about += [apart] if apart else []
    limits, verdict = limits_and_verdict(results)
    about += [f"limit {escape(limit)}" for limit in limits]
    base = f" ({', '.join(about)})" if about else ""
    if sample.canary is None:
        why = sample.why_canary if sample.why_canary not in {"", "no data"} else ""
        return f"{label}: *no data*{f', {escape(why)}' if why else ''}{base}"
    return f"{label} {told_apart(sample.canary, bounds, unit(metric))}{base}{f' – *{verdict}*' if verdict else ''}"


def delta(metric: str, stable: float | None, canary: float | None) -> str:
    """Return how far the new version is from the old one: points of percentages, percent of all else; `""` unknown."""
    if stable is None or canary is None:
        return ""
    if unit(metric) == " %":
        apart = round(canary - stable, 2)
        return f"{apart:+g} points" if apart else "the same"
    if stable == 0:
        return "the same" if canary == 0 else ""
    apart = round(100 * (canary - stable) / abs(stable))
    return f"{'↑' if apart > 0 else '↓'} {abs(apart)} %" if apart else "the same"
