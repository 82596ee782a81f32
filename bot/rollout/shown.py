"""What people were shown at a gate, and whether the numbers have moved since: then it shows the new ones. Pure.

A yes is given to a picture. While people think, judging goes on; a picture that has become wrong is replaced, and a
click on the old one does not count.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout.values import Entry, Phase, Rollout
from strategies.verdict import Judgement, Look, Result, Verdict, metric_label, number

CALM = timedelta(minutes=1)
"""Between two replacements of one question's numbers."""
POINTS, SHARE, SLOWER = 0.5, 1.25, 1.2
"""From when on an error rate has moved (percentage points, and times as much), and a p95 (times as long)."""

_HAIR = 1e-9
_BACK = "the metrics are back"
_BADNESS = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


def renewed(r: Rollout, look: Look | None, judgement: Judgement | None, now: datetime) -> Rollout:
    """Return the row with the newest numbers on its open gate, where those that are shown have become wrong."""
    gate, step = r.gate, r.watched
    if gate is None or gate.kind == "winner" or r.phase is not Phase.WAITING or step is None:
        return r
    if look is None or judgement is None or gate.look is None or gate.judgement is None:
        return r
    if r.weight_at is not None and gate.look.at < r.weight_at:
        # Where another controller leads, a question may open before the numbers of its weight are there.
        return r
    if gate.refreshed is not None and now - gate.refreshed < CALM:
        return r
    what = moved((gate.look, gate.judgement), (look, judgement), step.min_requests)
    if not what:
        return r
    look = _as_kept(r, look)
    if gate.moved == _BACK and _filled(gate.judgement, judgement):
        # The first numbers after an outage are the same piece of news.
        filled = replace(gate, look=look, judgement=judgement, shown=gate.shown + 1, refreshed=now)
        return replace(r, gate=filled, look=look, judgement=judgement)
    fresh = replace(
        gate, look=look, judgement=judgement, shown=gate.shown + 1, refreshed=now, moved=what
    )
    votes = " The votes that were cast stay." if gate.votes else ""
    text = f"The numbers moved while the decision at {r.weight:g} % is open: {what}. The question shows them.{votes}"
    entry = Entry("numbers_moved", "sluice", text, data={"gate": gate.id, "shown": fresh.shown})
    return replace(r, gate=fresh, look=look, judgement=judgement).tell(entry)


def _as_kept(r: Rollout, look: Look) -> Look:
    """Return the look of this turn with what was counted in it, where the row has kept it already."""
    kept = r.look
    return kept if kept is not None and replace(kept, windows=look.windows) == look else look


def _filled(before: Judgement, after: Judgement) -> bool:
    return before.verdict is Verdict.INCONCLUSIVE and after.verdict is Verdict.PASS


def moved(shown: tuple[Look, Judgement], newest: tuple[Look, Judgement], min_requests: int) -> str:
    """Return what has moved so far that a decision would rest on a wrong picture, as a clause; `""`: nothing has.

    Too few requests say nothing; that the numbers are gone, or back, or enough at last, does.
    """
    (before, _), (after, _) = shown, newest
    if bool(before.problem) != bool(after.problem):
        return "there are no metrics now" if after.problem else _BACK
    if after.problem or after.requests < min_requests:
        return ""
    return "; ".join(dict.fromkeys([*_verdicts(shown[1], newest[1]), *_values(before, after)]))


def _verdicts(shown: Judgement, newest: Judgement) -> Iterator[str]:
    known = {(one.metric, one.limit): one for one in shown.results}
    for result in newest.results:
        before = known.get((result.metric, result.limit))
        if before is None or _BADNESS[before.verdict] == _BADNESS[result.verdict]:
            continue
        if not (before.counts and result.counts):
            continue
        worse = _BADNESS[result.verdict] > _BADNESS[before.verdict]
        yield f"{_named(before, result)}, {_judged(result, worse=worse)}"


def _named(before: Result, after: Result) -> str:
    return _from_to(after.metric, before.canary, after.canary)


def _judged(result: Result, *, worse: bool) -> str:
    if result.canary is None:
        return "no data"
    if result.verdict is Verdict.INCONCLUSIVE:
        return "unclear"
    return f"over its limit ({result.limit})" if worse else f"within its limit ({result.limit})"


def _values(before: Look, after: Look) -> Iterator[str]:
    for metric, far in (("error_rate", _errors_moved), ("latency_p95", _slower)):
        old, new = before.get(metric).canary, after.get(metric).canary
        if old is not None and new is not None and (far(old, new) or far(new, old)):
            yield _from_to(metric, old, new)


def _errors_moved(low: float, high: float) -> bool:
    return high - low >= POINTS - _HAIR and high >= low * SHARE


def _slower(low: float, high: float) -> bool:
    return high > low and high >= low * SLOWER


def _from_to(metric: str, old: float | None, new: float | None) -> str:
    return f"{metric_label(metric)} {number(old, metric)} → {number(new, metric)}"
