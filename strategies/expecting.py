"""How often a version that is as good as stable would be rolled back by its own plan. Pure.

The one rule: what is counted is one rollout, not one look. A soak judges all that came since the weight changed, so its
looks are one growing sum, not so many trials: a random walk that starts at the first look and never again crosses a
line through its origin more than twice as often as it is beyond it at that look (time inversion and the reflection
principle; Durrett, "Probability: Theory and Examples", on Brownian motion). The sum over the looks is a bound as well,
and the smaller one is taken. Requests are taken to fail independently; bursts make it more.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from strategies.doing import Doing
from strategies.evidence import Policy
from strategies.evidence.gauges import PART
from strategies.plan import (
    Batch,
    Check,
    Compare,
    Plan,
    Replace,
    SetWeight,
    Soak,
    Step,
    Switch,
    Watch,
)
from strategies.questions import counted
from strategies.tails import more_than, times_as_often

ALARMING = 0.05
"""From which share of the rollouts on the requester is warned."""
_TWICE = 2.0
"""Beside stable a limit is never nearer than that to what stable does; see `strategies.verdict`."""
_THIN = 3
"""A soak with too few requests lasts up to so many times as long, and judges all of it."""
_LONG = 3600
"""Seconds from which on an A/B test is looked at once a minute."""
_CROSSINGS = 2.0
_NOTHING_MORE = 1e-3
"""A look that adds less than this part is the last that is asked about; those behind it add even less."""
_SHARES = frozenset({"error_rate", "connection_failures"})
_PERCENTILES = {"latency_p50": 0.50, "latency_p95": 0.05, "latency_p99": 0.01}
"""By metric: the share of the requests that may be slower."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A step that watches, and what it sees of the traffic."""

    share: float
    """Percent of the traffic that the new version has."""
    step: Watch
    alone: bool = False
    """Whether stable has no numbers of its own beside it."""
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class Culprit:
    """The check that rolls back most often by chance, and where."""

    check: Check
    share: float
    probability: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """The shares of rollouts of a version as good as stable that would be rolled back; as fractions."""

    limits: float = 0.0
    """By the fixed limits, about."""
    counts: float = 0.0
    """By the counts, at most."""
    culprit: Culprit | None = None
    alone: bool = False
    """Whether the counts decide somewhere without a control: what hits both versions there is not in `counts`."""

    @property
    def total(self) -> float:
        """By either."""
        return min(1.0, self.limits + self.counts)


def stages(plan: Plan) -> Iterator[Stage]:
    """Yield every step of a plan that watches, with its share of the traffic."""
    share, alone = 0.0, False
    for index, step in enumerate(plan.steps):
        share = share_after(step, share)
        alone = alone or isinstance(step, Batch | Replace)
        if isinstance(step, Watch):
            repeated = plan.repeated is not None and plan.repeated < index < plan.repeats_until
            batch = plan.steps[plan.repeated] if repeated and plan.repeated is not None else None
            rounds = batch.rounds if isinstance(batch, Batch) else 1
            yield Stage(share, step, alone or share >= 100, rounds or 1)


def share_after(step: Step, share: float) -> float:
    """Return the percent of the traffic that the new version has after a step; `share` is that before it."""
    match step:
        case SetWeight(percent=percent):
            return percent
        case Switch() | Replace():
            return 100.0
        case Batch(instances=str(percent)):
            return min(100.0, share + float(percent.rstrip("%")))
        case Batch(instances=int(count), total=int(total)):
            return min(100.0, share + 100 * count / total)
        case _:
            return share


def bound(plan: Plan) -> float:
    """Return the most that the counts of a plan roll back of what is as good as stable; 0 where they do not decide."""
    return max((policy.alpha for _, policy in _decided(plan)), default=0.0)


def unaccompanied(plan: Plan) -> bool:
    """Whether the counts of a plan decide where nothing runs beside the new version: there `bound` is no promise."""
    return any(stage.alone for stage, _ in _decided(plan))


def _decided(plan: Plan) -> Iterator[tuple[Stage, Policy]]:
    """Yield the stages in which the counts decide, and how."""
    for stage in () if _in_one_place(plan) else stages(plan):
        if isinstance(stage.step, Soak | Compare):
            policy = stage.step.evidence or Policy()
            if policy.mode == "decide" and counted(stage.step.checks, policy):
                yield stage, policy


def by_margin(plan: Plan) -> float:
    """Return the most that the checks with a margin roll back of what is within it."""
    parts = {
        check: PART
        * ((step.evidence if isinstance(step, Soak | Compare) else None) or Policy()).alpha
        for step in plan.steps
        if isinstance(step, Watch)
        for check in step.checks
        if check.margin is not None and check.then == "rollback"
    }
    return 0.0 if _in_one_place(plan) else sum(parts.values())


def expected(plan: Plan, doing: Doing, *, counts: bool = True) -> Expectation:
    """Return how often the plan rolls back a version that does what stable does now; `counts`: whether they decide."""
    survives, culprit = 1.0, None
    for stage in stages(plan):
        for check in stage.step.checks:
            if check.then != "rollback":
                continue
            once = by_chance(check, stage, doing)
            survives *= (1 - once) ** stage.rounds
            if once > (culprit.probability if culprit is not None else 0.0):
                culprit = Culprit(check, stage.share, once)
    counted_out = (bound(plan) if counts else 0.0) + by_margin(plan)
    return Expectation(1 - survives, counted_out, culprit, alone=counts and unaccompanied(plan))


def by_chance(check: Check, stage: Stage, doing: Doing) -> float:
    """Return how probable it is that a check rolls a stage back although the canary does what stable does.

    0 for what cannot be known: a gauge that is within its limit now, a number that stable does not have.
    """
    first, total = 0.0, 0.0
    for here, there in _looks(check, stage, doing):
        once = _once(check, here, there, doing)
        first = first or once
        total += once
        if once <= total * _NOTHING_MORE or total >= _CROSSINGS * first:
            break
    return min(1.0, total, _CROSSINGS * first)


def _looks(check: Check, stage: Stage, doing: Doing) -> Iterator[tuple[float, float]]:
    """Yield the requests of both lanes at every look at which so many have failed that it rolls back.

    Where several of the last looks have to fail, the first that can be the last of them is what counts.
    """
    step = stage.step
    here, there = doing.rps * stage.share / 100, doing.rps * (1 - stage.share / 100)
    if stage.alone:
        here, there = doing.rps, 0.0
    every = cadence(step)
    enough = step.min_requests
    longest = step.duration * (1 if here * step.duration >= enough else _THIN)
    judged = 0
    for look in range(1, max(1, math.floor(longest / every + 1e-9)) + 1):
        seconds = max(look * every, 5 if step.duration < 60 else 15)
        judged += here * seconds >= max(enough, 1)
        if judged >= check.failures:
            # With too little beside it, stable is nothing to hold a limit against.
            yield here * seconds, there * seconds if there * seconds >= max(enough, 1) else 0.0


def cadence(step: Watch) -> float:
    """Return the seconds between two looks, as the rollout takes them."""
    if isinstance(step, Compare) and step.duration >= _LONG:
        return 60.0
    return min(15.0, max(1.0, step.duration / 10))


def _once(check: Check, here: float, there: float, doing: Doing) -> float:
    """Return how probable it is that one look fails."""
    shape = _as_above(check)
    value = doing.numbers.get(check.metric)
    if shape is None or value is None:
        return 0.0
    if check.metric == "success_rate":
        value = 100 - value
    if shape.metric in _SHARES:
        return _of_share(shape, value / 100, here, there)
    if shape.metric in _PERCENTILES:
        return _of_percentile(shape, value, here, there, doing)
    return 1.0 if shape.above is not None and value > shape.above and not there else 0.0


def _as_above(check: Check) -> Check | None:
    """Return a check with a limit from above; None where less of it is what is feared, and nobody knows its chance."""
    if check.metric == "success_rate":
        least = check.below
        if least is None:
            return None
        return replace(check, metric="error_rate", above=100 - least, below=None)
    return None if check.below is not None else check


def _of_share(check: Check, share: float, here: float, there: float) -> float:
    match check.bound:
        case "above", limit:
            over = more_than(limit / 100 * here, here, share)
            if not there:
                return over
            held = 1 - more_than(limit / 100 * there, there, share)
            return min(over * held, times_as_often(_TWICE, here, there, share))
        case "above_baseline", points if there:
            both = here * there / (here + there)
            return more_than((share + points / 100) * both, both, share)
        case "times_baseline", factor if there:
            return times_as_often(factor, here, there, share)
        case _:
            return 0.0


def _of_percentile(check: Check, value: float, here: float, there: float, doing: Doing) -> float:
    """Return it for a percentile: p99 is above a second where more than 1 % take longer than a second."""
    allowed = _PERCENTILES[check.metric]
    both = here * there / (here + there) if there else 0.0

    def slower(limit: float, requests: float) -> float:
        return more_than(allowed * requests, requests, doing.slower(limit))

    match check.bound:
        case "above", limit:
            over = slower(limit, here)
            held = 1 - slower(limit, there) if there else 1.0
            return min(over * held, slower(_TWICE * value, both)) if there else over
        case "above_baseline", more if there:
            return slower(value + more, both)
        case "times_baseline", factor if there:
            return slower(value * factor, both)
        case _:
            return 0.0


def _in_one_place(plan: Plan) -> bool:
    return any(isinstance(step, Batch | Replace) for step in plan.steps)
