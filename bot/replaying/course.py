"""One rollout again, look by look, up to where it was rolled back, to see where another judge would have gone back.

Every window is held against the questions of the new judge as far as what was counted answers them: bad events are
counted by their bound (a failed request, or so many ms exceeded), and the same bound answers any question.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.replaying.values import Case, Judge, Played, Stop, Wanted
from bot.rollout.gauging import comparing, gauged
from bot.rollout.grounds import grounded
from bot.rollout.judging import by_limits
from bot.rollout.kept import KeptLook
from bot.rollout.ledger import Ledger, asked, policy_of, remembered, ruled
from bot.rollout.ledger_text import ledger_from_text
from bot.rollout.parts import views
from bot.rollout.values import Phase, Rollout
from strategies.evidence import Both, Memory, Policy, SlowRule, Verdict, Window
from strategies.evidence.saying import worse
from strategies.plan import Check, Compare, Plan, Soak, Step, Watch
from strategies.questions import Asked, questions
from strategies.verdict import Fails


def played(case: Case, wanted: Wanted) -> Played:
    """Return where a rollout would have been rolled back; the first of its targets decides."""
    judge = None
    if wanted.judges is not None:
        judge = wanted.judges.get((case.row.service, case.row.environment))
    plan = _rejudged(case.row.plan, judge, wanted)
    courses = [_course(own, plan, case) for own in views(case.row)]
    stops = [one.stop for one in courses if one.stop is not None]
    stop = min(stops, key=lambda stop: stop.at, default=None)
    return Played(
        replace(case, looks=()),
        stop,
        sum(len(kept.counted(own.place)) for own in views(case.row) for kept in case.looks),
        frozenset().union(*(one.unanswered for one in courses)),
        _unmeasured(plan, case),
        sum(kept.lost for kept in case.looks),
        forgotten=any(_stored(own) is None for own in views(case.row)),
        observed=any(one.observed for one in courses),
        compared=any(one.ledger.gauges for one in courses),
        unprovable=stop is None and _by_comparison(case.row, plan),
    )


def _by_comparison(r: Rollout, plan: Plan) -> bool:
    """Whether a row was rolled back by a number beside stable's that is compared still."""
    judgement = r.back.judgement if r.back is not None else None
    failed = {one.metric for one in judgement.failed("rollback")} if judgement else set()
    before, now = (
        {check.metric for check in _checks(one) if check.margin is not None}
        for one in (r.plan, plan)
    )
    return bool(failed & before & now)


def _checks(plan: Plan) -> list[Check]:
    return [check for step in plan.steps if isinstance(step, Watch) for check in step.checks]


def _unmeasured(plan: Plan, case: Case) -> frozenset[str]:
    """Return the metrics that are to be judged, and that no look has."""
    measured = {one.metric for kept in case.looks for one in kept.look.samples}
    return frozenset(one.metric for one in _checks(plan) if one.metric not in measured)


def _rejudged(plan: Plan, judge: Judge | None, wanted: Wanted) -> Plan:
    return replace(plan, steps=tuple(_held(step, judge, wanted) for step in plan.steps))


def _held(step: Step, judge: Judge | None, wanted: Wanted) -> Step:
    if not isinstance(step, Watch):
        return step
    if judge is not None:
        step = replace(step, checks=judge.checks, min_requests=judge.min_requests)
    if not isinstance(step, Soak | Compare):
        return step
    evidence = step.evidence if judge is None else judge.evidence
    if wanted.changes:
        evidence = replace(evidence or Policy(), **wanted.changes)
    return replace(step, evidence=evidence)


@dataclass(frozen=True, slots=True)
class _Course:
    """How far one target has come."""

    before: Ledger
    """With what slow meant when it was counted."""
    ledger: Ledger
    """With what slow means for the new judge, and what it has in mind."""
    fails: Fails = ()
    cursor: int = -1
    stop: Stop | None = None
    unanswered: frozenset[str] = field(default_factory=frozenset)
    observed: bool = False


def _course(own: Rollout, plan: Plan, case: Case) -> _Course:
    ledger = _stored(own) or Ledger()
    anew = replace(own, plan=plan)
    slow = _rescaled(ledger.slow, _tolerated(own), _tolerated(anew))
    course = _Course(ledger, replace(ledger, slow=slow))
    until = case.row.back.at if case.row.back is not None else None
    for kept in case.looks:
        if course.stop is not None or (until is not None and kept.look.at > until):
            break
        course = _looked(course, own, anew, kept)
    return course


def _stored(own: Rollout) -> Ledger | None:
    """Return what stable did, and what slow meant, without what was made of it; None where that cannot be read."""
    try:
        ledger = ledger_from_text(own.ledger)
    except (ValueError, OverflowError, RecursionError):
        return None
    return replace(ledger, memory=Memory(), windows=(), gauges={})


def _tolerated(r: Rollout) -> float:
    """Return how many percent slower than stable the plan of a row tolerates."""
    steps = (step for step in r.plan.steps if isinstance(step, Soak | Compare))
    first = next(steps, None)
    policy = first.evidence if first is not None else None
    return (policy or Policy()).tolerate_latency


def _rescaled(rule: SlowRule | None, before: float, after: float) -> SlowRule | None:
    """Return what slow means with another tolerance.

    The tail of a histogram is interpolated log-log, so its growth is a power of how much slower everything is, exactly
    so within one bucket. A tolerance of nothing says nothing about another.
    """
    if rule is None or before == after:
        return rule
    if before <= 0:
        return None
    return replace(rule, ratio=rule.ratio ** (math.log1p(after / 100) / math.log1p(before / 100)))


def _looked(course: _Course, own: Rollout, anew: Rollout, kept: KeptLook) -> _Course:
    """Take one look, as it was taken then: the windows that it closed, then the limits."""
    for at, window in _moments(kept.counted(own.place), kept.look.at):
        course = _weighed(course, _then(own, kept, window), _then(anew, kept, window), at, window)
        if course.stop is not None:
            break
    if course.stop is not None and course.stop.at < kept.look.at:
        return course
    return _limited(course, anew, kept) if kept.place == own.place else course


def _then(r: Rollout, kept: KeptLook, window: Window) -> Rollout:
    """Return a row as it stood when a window was closed."""
    return replace(r, cursor=kept.cursor, weight=window.weight)


def _begun(r: Rollout, cursor: int) -> datetime | None:
    """Return since when the weight of a step was there; None where the row does not tell."""
    return next((one.began for one in reversed(r.trail.stages) if one.index <= cursor), None)


def _moments(windows: Sequence[Window], until: datetime) -> Sequence[tuple[datetime, Window]]:
    """Return the windows with the moments at which they were closed, the last one at the look."""
    closed = []
    for window in reversed(windows):
        closed.append((until, window))
        until -= timedelta(seconds=window.seconds)
    return closed[::-1]


def _weighed(course: _Course, own: Rollout, anew: Rollout, at: datetime, window: Window) -> _Course:
    policy = policy_of(anew)
    if policy is None:
        return course
    if policy.mode == "observe":
        return replace(course, observed=True)
    counted = {
        one.bound: window.tallies[one.question.name]
        for one in asked(course.before, own)
        if one.question.name in window.tallies
    }
    wanted = asked(course.ledger, anew)
    tallies: dict[str, Both] = {
        one.question.name: counted[one.bound] for one in wanted if one.bound in counted
    }
    unasked = [one for one in wanted if one.question.name not in tallies]
    lacking = tuple(one.question.name for one in unasked)
    told = replace(window, tallies=tallies)
    memory = remembered(course.ledger, told, wanted, anew, policy)
    ledger = replace(course.ledger, memory=memory, counted=at, lacking=lacking)
    unanswered = {_metric(one, course.ledger, anew, policy) for one in unasked}
    course = replace(course, ledger=ledger, unanswered=course.unanswered | unanswered)
    if memory.most < 1 / policy.alpha:
        return course
    ruling = ruled(ledger, anew, at)
    if ruling is None or ruling.verdict is not Verdict.FAIL:
        return course
    return replace(
        course, stop=Stop(at, window.weight, "counts", worse(grounded(ruling, ledger, anew)))
    )


def _metric(one: Asked, ledger: Ledger, r: Rollout, policy: Policy) -> str:
    """Return the metric that a person wrote and that asks a question."""
    checks = r.watched.checks if r.watched is not None else ()
    asking = (x.metric for x in checks if one in questions((x,), policy, ledger.slow))
    return next(asking, one.question.name)


def _limited(course: _Course, anew: Rollout, kept: KeptLook) -> _Course:
    windows = kept.counted(anew.place)
    weight = windows[-1].weight if windows else kept.weight
    fails = course.fails if kept.cursor == course.cursor else ()
    r = replace(anew, cursor=kept.cursor, weight=weight)
    r = replace(r, progress=replace(r.progress, fails=fails))
    if r.watched is None:
        return course
    ledger = _compared(course.ledger, r, kept)
    judgement, fails = by_limits(r, r.watched, kept.look, ledger)
    course = replace(course, ledger=ledger, fails=fails, cursor=kept.cursor)
    if judgement.verdict is not Verdict.FAIL:
        return course
    return replace(course, stop=Stop(kept.look.at, weight, "limits", judgement.sentence))


def _compared(ledger: Ledger, r: Rollout, kept: KeptLook) -> Ledger:
    """Return the ledger with the numbers of one more look beside stable's, as a live look adds them."""
    if not comparing(r):
        return ledger
    then = replace(r, phase=Phase.RUNNING, weight_at=_begun(r, kept.cursor))
    return gauged(ledger, ledger, kept.look, then, kept.look.at) or ledger
