"""What a decision rests on, as a table: both versions, how far they are apart, the limit, the verdict. Pure.

No data is a verdict of its own and never “ok”; a limit that only warns says so.
"""

import re
from collections.abc import Sequence

from bot.rollout.grounds import planned_policy
from bot.rollout.question import Gate
from bot.rollout.values import Rollout
from bot.slack.blocks import Block, clip, context, escape, hour, section, table_text
from bot.slack.changing import changes_line
from bot.slack.matrix import whose
from bot.slack.numbers import delta
from bot.slack.wording import shown_metrics, window_words
from strategies.evidence.saying import safe, unproven
from strategies.figures import told_apart
from strategies.limits import limit_words
from strategies.plan import Check, Then
from strategies.verdict import Judgement, Look, Result, Sample, Verdict, metric_label, number, unit

_THEN: dict[Then, str] = {"warn": "only warns", "ask": "asks people"}
_NONE = "–"
_WIDE, _LABEL = 46, 10
"""Characters of a line on a phone that is held upright, and the least of them that are a metric's name."""
_UNIT = re.compile(r"^([≤≥] [\d.,]+) \S+$")
_WITHOUT_LIMITS = ("error_rate", "latency_p95")
"""What is shown where nothing has a limit."""


def evidence(r: Rollout, gate: Gate) -> list[Block]:
    """Return the numbers of a gate, over which window they are, and what the version changes."""
    return [*_numbers(r, gate), *[context(line) for line in _beside(r, gate)]]


def _numbers(r: Rollout, gate: Gate) -> list[Block]:
    if gate.look is None:
        return []
    if gate.look.problem:
        return [section(f"⚠ No metrics: {escape(gate.look.problem)}")]
    as_of = f"as of {hour(gate.look.at)}"
    about = (window_words(gate.look), as_of, escape(whose(r)), _in_all(gate.judgement))
    rows = evidence_rows(r, gate.look, gate.judgement)
    beside = _apart(r, gate.look, gate.judgement), _softly(r)
    lines = [" · ".join(filter(None, line)) for line in (about, map(escape, beside))]
    return [
        section(table_text(rows)),
        *(context(line) for line in lines if line),
        *_by_counts(r, gate),
    ]


def _by_counts(r: Rollout, gate: Gate) -> list[Block]:
    """Return what the counts say; where the question itself says that, not once more."""
    ruling = gate.judgement.ruling if gate.judgement is not None else None
    if gate.judgement is None or ruling is None or ruling.verdict is not gate.judgement.verdict:
        return []
    told = gate.kind == "ask" and ruling.verdict is Verdict.INCONCLUSIVE
    if told or ruling.verdict is Verdict.FAIL:
        return []
    say = safe if ruling.verdict is Verdict.PASS else unproven
    said = say(ruling, planned_policy(r))
    counted = said.removeprefix("all checks pass").lstrip("; ")
    return [context(f"Counted: {escape(counted)}")] if counted else []


def _in_all(judgement: Judgement | None) -> str:
    if judgement is None:
        return "nothing judged yet"
    match judgement.verdict:
        case Verdict.PASS if judgement.asks:
            return "a check asks for a decision"
        case Verdict.PASS:
            return "all checks pass"
        case Verdict.FAIL:
            return "a check FAILED"
        case Verdict.INCONCLUSIVE:
            return "the checks cannot decide"


def _beside(r: Rollout, gate: Gate) -> list[str]:
    """Return the lines beside the numbers: that they moved since it was asked, and what the version changes."""
    moved = ""
    if gate.refreshed is not None:
        moved = f"⚠ The numbers moved at {hour(gate.refreshed)}: {escape(gate.moved)}"
    return [line for line in (moved, changes_line(r.changes)) if line]


def evidence_rows(
    r: Rollout, look: Look, judgement: Judgement | None, *, every: bool = False
) -> list[list[str]]:
    """Return the table: what has a limit, and with `every` the rest behind it.

    Where all instances are in one place there is nothing to hold their numbers against.
    """
    both = _both(r, look)
    rows = [["Metric", "verdict", *(["canary", "stable"] if both else ["instances"]), "limit"]]
    for metric, limits in _judged(r, look, judgement, every=every).items():
        sample = look.get(metric)
        values = _values(sample, _bounds(r, sample), both=both)
        (limit, verdict), *more = limits or [(_NONE, _lone_verdict(sample))]
        rows.append([metric_label(metric), verdict, *values, limit])
        rows += [["", other, *([""] * len(values)), one] for one, other in more]
    return rows if every else _narrow(rows)


def _both(r: Rollout, look: Look) -> bool:
    return r.lanes != "one" and (r.lanes != "led" or look.beside)


def _judged(
    r: Rollout, look: Look, judgement: Judgement | None, *, every: bool
) -> dict[str, list[tuple[str, str]]]:
    """Return the metrics that are shown, those with a limit first; with each limit and its verdict."""
    checks = r.watched.checks if r.watched is not None else ()
    results = judgement.results if judgement is not None else ()
    limited = {check.metric for check in checks} | {result.metric for result in results}
    usual = shown_metrics(look, limited)
    order = [*(m for m in usual if m in limited), *sorted(limited - set(usual))]
    order += [m for m in usual if m not in limited] if every else []
    return {m: _limits(look.get(m), results, checks) for m in order or _WITHOUT_LIMITS}


def _narrow(rows: list[list[str]]) -> list[list[str]]:
    """Return the table as wide as a phone shows it: limits go without their unit, then long names give way."""
    longest = max(len(row[0]) for row in rows)
    if _room(rows) < min(longest, _LABEL):
        rows = [[*cells, _UNIT.sub(r"\1", limit)] for *cells, limit in rows]
    return [[clip(label, max(_LABEL, _room(rows))), *cells] for label, *cells in rows]


def _room(rows: list[list[str]]) -> int:
    """Return how many characters are left for the names of metrics."""
    _, *columns = zip(*rows, strict=True)
    return _WIDE - sum(max(map(len, column)) + 2 for column in columns)


def _apart(r: Rollout, look: Look, judgement: Judgement | None) -> str:
    """Return how far both versions are apart, for the line below the table; `""` where there is nothing to compare."""
    if not _both(r, look):
        return ""
    shown = [
        (metric_label(metric), delta(metric, sample.stable, sample.canary))
        for metric in _judged(r, look, judgement, every=False)
        for sample in (look.get(metric),)
    ]
    apart = ", ".join(f"{label} {words}" for label, words in shown if words)
    return f"Δ {apart}" if apart else ""


def _softly(r: Rollout) -> str:
    """Return which limits do not roll back when they are broken."""
    checks = r.watched.checks if r.watched is not None else ()
    said = []
    for then, words in _THEN.items():
        which = dict.fromkeys(metric_label(c.metric) for c in checks if c.then == then)
        said += [f"{', '.join(which)}: {words}"] if which else []
    return " · ".join(said)


def _values(sample: Sample, bounds: Sequence[float], *, both: bool) -> list[str]:
    lanes = [(sample.canary, sample.why_canary)]
    lanes += [(sample.stable, sample.why_stable)] if both else []
    return [
        told_apart(value, bounds, unit(sample.metric)) if value is not None else (why or "no data")
        for value, why in lanes
    ]


def _bounds(r: Rollout, sample: Sample) -> list[float]:
    """Return the limits of a metric as the table shows them."""
    checks = r.watched.checks if r.watched is not None else ()
    found = (_bound(check, sample) for check in checks if check.metric == sample.metric)
    return [bound for bound in found if bound is not None]


def _limits(
    sample: Sample, results: Sequence[Result], checks: Sequence[Check]
) -> list[tuple[str, str]]:
    """Return limit and verdict of every check of a metric."""
    own = [check for check in checks if check.metric == sample.metric]
    known = {limit_words(check): _limit(check, sample) for check in own}
    found = [
        (known.get(one.limit, one.limit), _verdict(one))
        for one in results
        if one.metric == sample.metric
    ]
    # Where nothing was judged yet, what it will be held against is known all the same.
    return found or [(limit, _lone_verdict(sample)) for limit in known.values()]


def _lone_verdict(sample: Sample) -> str:
    return "no data" if sample.canary is None else _NONE


def _limit(check: Check, sample: Sample) -> str:
    """Return a limit as a number: one that goes by stable is worked out where there is one."""
    name, _ = check.bound
    bound = _bound(check, sample)
    if bound is None or name in {"above", "below"}:
        return limit_words(check)
    sign = "≥" if name == "margin" and check.better == "higher" else "≤"
    return f"{sign} {number(bound, check.metric)}"


def _bound(check: Check, sample: Sample) -> float | None:
    """Return where a limit is; None for one that goes by stable where stable has no number."""
    name, value = check.bound
    if name in {"above", "below"}:
        return value
    if sample.stable is None:
        return None
    if name == "margin":
        part = -value if check.better == "higher" else value
        return sample.stable * (1 + part / 100)
    return sample.stable + value if name == "above_baseline" else sample.stable * value


def _verdict(result: Result) -> str:
    if result.canary is None:
        return "no data"
    if not result.counts:
        return "too few" if result.thin else "no baseline"
    match result.verdict:
        case Verdict.PASS:
            return "ok"
        case Verdict.INCONCLUSIVE:
            return "unclear"
        case Verdict.FAIL:
            return "warning" if result.then == "warn" else "FAILED"
