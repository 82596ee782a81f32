"""One rollout again, look by look, up to where it was rolled back, to see where another judge would have gone back.

Every window is held against the questions of the new judge as far as what was counted answers them: bad events are
counted by their bound (a failed request, or so many ms exceeded), and the same bound answers any question.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.replaying.values import Case, Judge, Played, Stop, Wanted
from bot.rollout.grounds import grounded
from bot.rollout.judging import by_limits
from bot.rollout.kept import KeptLook
from bot.rollout.ledger import Ledger, asked, policy_of, remembered, ruled
from bot.rollout.ledger_text import ledger_from_text
from bot.rollout.parts import views
from bot.rollout.values import Rollout
from strategies.evidence import Both, Memory, Policy, SlowRule, Verdict, Window
from strategies.evidence.saying import worse
from strategies.plan import Compare, Plan, Soak, Step, Watch
from strategies.verdict import Fails


def played(case: Case, wanted: Wanted) -> Played:
    """Return where a rollout would have been rolled back; the first of its targets decides."""
    judge = None
    if wanted.judges is not None:
        judge = wanted.judges.get((case.row.service, case.row.environment))
    plan = _rejudged(case.row.plan, judge, wanted)
    courses = [_course(own, plan, case) for own in views(case.row)]
    stops = [one.stop for one in courses if one.stop is not None]
    return Played(
        replace(case, looks=()),
        min(stops, key=lambda stop: stop.at, default=None),
        sum(len(kept.counted(own.place)) for own in views(case.row) for kept in case.looks),
        frozenset().union(*(one.unanswered for one in courses)),
        _unmeasured(plan, case),
        sum(kept.lost for kept in case.looks),
    )


def _unmeasured(plan: Plan, case: Case) -> frozenset[str]:
    """Return the metrics that are to be judged, and that no look has; what is compared over time is in none either."""
    watching = [step for step in plan.steps if isinstance(step, Watch)]
    checks = [check for step in watching for check in step.checks]
    measured = {one.metric for kept in case.looks for one in kept.look.samples}
    return frozenset(
        one.metric for one in checks if one.metric not in measured or one.margin is not None
    )


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


def _course(own: Rollout, plan: Plan, case: Case) -> _Course:
    ledger = _stored(own)
    anew = replace(own, plan=plan)
    slow = _rescaled(ledger.slow, _tolerated(own), _tolerated(anew))
    course = _Course(ledger, replace(ledger, slow=slow))
    until = case.row.back.at if case.row.back is not None else None
    for kept in case.looks:
        if course.stop is not None or (until is not None and kept.look.at > until):
            break
        course = _looked(course, own, anew, kept)
    return course


def _stored(own: Rollout) -> Ledger:
    """Return what stable did, and what slow meant, without what was made of it."""
    try:
        ledger = ledger_from_text(own.ledger)
    except ValueError:
        return Ledger()
    return replace(ledger, memory=Memory(), windows=())


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
    counted = {
        one.bound: window.tallies[one.question.name]
        for one in asked(course.before, own)
        if one.question.name in window.tallies
    }
    wanted = asked(course.ledger, anew)
    tallies: dict[str, Both] = {
        one.question.name: counted[one.bound] for one in wanted if one.bound in counted
    }
    lacking = frozenset(one.question.name for one in wanted) - tallies.keys()
    told = replace(window, tallies=tallies)
    memory = remembered(course.ledger, told, wanted, anew, policy)
    ledger = replace(course.ledger, memory=memory, counted=at, lacking=tuple(lacking))
    course = replace(course, ledger=ledger, unanswered=course.unanswered | lacking)
    if memory.most < 1 / policy.alpha:
        return course
    ruling = ruled(ledger, anew, at)
    if ruling is None or ruling.verdict is not Verdict.FAIL:
        return course
    return replace(
        course, stop=Stop(at, window.weight, "counts", worse(grounded(ruling, ledger, anew)))
    )


def _limited(course: _Course, anew: Rollout, kept: KeptLook) -> _Course:
    windows = kept.counted(anew.place)
    weight = windows[-1].weight if windows else kept.weight
    fails = course.fails if kept.cursor == course.cursor else ()
    r = replace(anew, cursor=kept.cursor, weight=weight)
    r = replace(r, progress=replace(r.progress, fails=fails))
    if r.watched is None:
        return course
    judgement, fails = by_limits(r, r.watched, kept.look)
    course = replace(course, fails=fails, cursor=kept.cursor)
    if judgement.verdict is not Verdict.FAIL:
        return course
    return replace(course, stop=Stop(kept.look.at, weight, "limits", judgement.sentence))
