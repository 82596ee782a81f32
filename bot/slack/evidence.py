"""What a decision rests on, as a table: both versions, how far they are apart, the limit, the verdict. Pure.

No data is a verdict of its own and never “ok”; a limit that only warns says so.
"""

from collections.abc import Sequence

from bot.rollout.question import Gate
from bot.rollout.values import Rollout
from bot.slack.blocks import Block, context, escape, hour, section, table_text
from bot.slack.changing import changes_line
from bot.slack.matrix import whose
from bot.slack.numbers import delta
from bot.slack.wording import metric_label, shown_metrics, window_words
from strategies.plan import Check, Then
from strategies.verdict import Judgement, Look, Result, Sample, Verdict, limit_words, number

_THEN = {"rollback": "", "warn": " (warns)", "ask": " (asks)"}
_NONE = "–"


def evidence(r: Rollout, gate: Gate) -> list[Block]:
    """Return the numbers of a gate, over which window they are, and what the version changes."""
    return [*_numbers(r, gate), *[context(line) for line in _beside(r, gate)]]


def _numbers(r: Rollout, gate: Gate) -> list[Block]:
    if gate.look is None:
        return []
    if gate.look.problem:
        return [section(f"⚠ No metrics: {escape(gate.look.problem)}")]
    verdict = f"verdict {gate.judgement.verdict.value}" if gate.judgement else "no verdict"
    about = (window_words(gate.look), escape(whose(r)), verdict)
    rows = evidence_rows(r, gate.look, gate.judgement)
    return [section(table_text(rows)), context(" · ".join(filter(None, about)))]


def _beside(r: Rollout, gate: Gate) -> list[str]:
    """Return the lines beside the numbers: that they moved since it was asked, and what the version changes."""
    moved = ""
    if gate.refreshed is not None:
        moved = f"⚠ The numbers moved at {hour(gate.refreshed)}: {escape(gate.moved)}"
    return [line for line in (moved, changes_line(r.changes)) if line]


def evidence_rows(r: Rollout, look: Look, judgement: Judgement | None) -> list[list[str]]:
    """Return the table. Where all instances are in one place there is nothing to hold their numbers against."""
    both = r.lanes != "one" and (r.lanes != "led" or look.beside)
    head = ["canary", "baseline", "Δ"] if both else ["instances"]
    rows = [["Metric", *head, "limit", "verdict"]]
    checks = r.watched.checks if r.watched is not None else ()
    checked = {check.metric for check in checks}
    results = judgement.results if judgement is not None else ()
    for metric in shown_metrics(look, checked | {one.metric for one in results}):
        sample = look.get(metric)
        first, *more = _limits(sample, metric, results, checks)
        rows.append([metric_label(metric), *_values(sample, both=both), *first])
        rows += [["", *([""] * len(head)), *one] for one in more]
    return rows


def _values(sample: Sample, *, both: bool) -> list[str]:
    canary = _value(sample.canary, sample.why_canary, sample.metric)
    if not both:
        return [canary]
    stable = _value(sample.stable, sample.why_stable, sample.metric)
    return [canary, stable, delta(sample.metric, sample.stable, sample.canary) or _NONE]


def _value(value: float | None, why: str, metric: str) -> str:
    return number(value, metric) if value is not None else (why or "no data")


def _limits(
    sample: Sample, metric: str, results: Sequence[Result], checks: Sequence[Check]
) -> list[list[str]]:
    """Return limit and verdict of every check of a metric; a metric without one has neither."""
    found = [
        [_limit(one.limit, one.then), _verdict(one)] for one in results if one.metric == metric
    ]
    if not found:
        # Nothing was judged yet: what it will be held against is known all the same.
        word = "no data" if sample.canary is None else _NONE
        found = [
            [_limit(limit_words(check), check.then), word]
            for check in checks
            if check.metric == metric
        ]
    return found or [[_NONE, "no data" if sample.canary is None else _NONE]]


def _limit(words: str, then: Then) -> str:
    return f"{words}{_THEN[then]}"


def _verdict(result: Result) -> str:
    if result.canary is None:
        return "no data"
    if not result.counts:
        return "no baseline"
    match result.verdict:
        case Verdict.PASS:
            return "ok"
        case Verdict.INCONCLUSIVE:
            return "unclear"
        case Verdict.FAIL:
            return "warning" if result.then == "warn" else "FAILED"
