"""Both variants of an A/B test as they are counted: from the windows of a ledger to who wins for certain. Pure.

The one rule: only what was counted under the split of the test, while it compares, is part of it. It is kept with the
ledger, so a restart loses nothing and adds nothing twice.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from bot.rollout.values import Rollout
from integrations.counters import Counted, LaneCount
from integrations.metric import Missing
from strategies.evidence import Memory, Policy, SlowRule, Window, harm
from strategies.experiment import (
    SPAN,
    Arm,
    Assigned,
    Clumps,
    ExperimentPolicy,
    Pairs,
    Split,
    Weighed,
    Weights,
    failing,
    weigh,
)
from strategies.plan import Compare
from strategies.record import Record, Served, Totals, grown, guards, told, used
from strategies.verdict import Look
from strategies.yardsticks import weights_of

USERS, CONVERSIONS = "users", "conversions"
"""By what names the two queries of a test are asked."""
_PER_USER = 10.0
"""Requests that one user is taken to send, where nobody says it."""
_ENOUGH = 200
"""Requests of each variant from which on it is known what can be measured here."""
FIRST = 300.0
"""Seconds after which there is enough to go by; a tenth of a short test."""
_PAIRS = 3
"""So many times five minutes of CPU have to be known before it counts: the first of them may be warming up."""
_WINDOWS = 10
"""Evidence of a guardrail has to come from at least so many windows: before, it is not known how much of it comes at
once, and a few clients that retry would end a test of equal variants."""
_SAME = 0.005
"""Points of traffic: finer than any router."""


def tested(r: Rollout) -> Compare | None:
    """Return the test that this row is counted for; None where there is none, or nobody is assigned by chance.

    An audience gets B whatever the split: its requests say nothing about chance.
    """
    step = r.step
    apart = not (r.one_place or r.in_place or r.audience)
    split = isinstance(step, Compare) and abs(r.weight - step.split) < _SAME
    return step if isinstance(step, Compare) and apart and split else None


def queries(step: Compare) -> dict[str, str]:
    """Return the queries of one's own that a test asks besides its metrics, by name."""
    asked = {USERS: step.users, CONVERSIONS: step.conversions}
    return {name: query for name, query in asked.items() if query}


def counted(
    record: Record, of: Counted, window: Window, rule: SlowRule | None, r: Rollout
) -> Record:
    """Return the record with one more window."""
    step = tested(r)
    a, b = _served(of.stable), _served(of.canary)
    if step is None or a is None or b is None:
        return record
    return grown(record, a, b, window, rule, careful(step), step.requests_per_user or 1.0)


def policy_of(r: Rollout) -> Policy:
    """Return how sure the guardrails of the test that this row is counted for want to be."""
    step = tested(r)
    return Policy() if step is None else careful(step)


def careful(step: Compare) -> Policy:
    """Return how sure the guardrails of a test want to be."""
    policy = step.evidence or Policy()
    windows = max(policy.windows, _WINDOWS)
    return replace(policy, warmup=min(policy.warmup, step.duration / 2), windows=windows)


def _served(lane: LaneCount) -> Served | None:
    if isinstance(lane.requests, Missing) or not 0 <= lane.requests < math.inf:
        return None
    failed = None if isinstance(lane.errors, Missing) else min(lane.errors, lane.requests)
    if failed is not None and not 0 <= failed < math.inf:
        return None
    return Served(lane.requests, failed, lane.buckets, lane.processes)


def beside(record: Record, before: Record, look: Look, r: Rollout) -> Record:
    """Return the record with what a look says besides the counts, where a window was counted since `before`."""
    step = tested(r)
    if step is None or record.seconds <= before.seconds:
        return record
    measured = _used(record, before, look, r, step)
    asked = queries(step)
    read = Totals(*(_total(look, name, asked) for name in (USERS, CONVERSIONS)))
    complete = (read.users is not None) + (read.conversions is not None) == len(asked)
    return told(measured, read) if asked and complete else measured


def _used(record: Record, before: Record, look: Look, r: Rollout, step: Compare) -> Record:
    warm = r.weight_at is None or (look.at - r.weight_at).total_seconds() <= careful(step).warmup
    cpu = look.get("cpu")
    return record if warm else used(record, before, (cpu.stable, cpu.canary))


def _total(look: Look, name: str, asked: dict[str, str]) -> tuple[float, float] | None:
    sample = look.get(name)
    if name not in asked or sample.stable is None or sample.canary is None:
        return None
    return (sample.stable, sample.canary) if min(sample.stable, sample.canary) >= 0 else None


@dataclass(frozen=True, slots=True)
class Test:
    """One test as the statistics take it."""

    tallies: Assigned
    split: Split
    policy: ExperimentPolicy


def experiment(
    record: Record, rule: SlowRule | None, look: Look | None, step: Compare
) -> Test | None:
    """Return what has been counted so far; None before there is anything, or nothing that is compared is countable."""
    weights = _measurable(step, record, rule, look)
    business = step.conversions is not None
    if not record.seconds or not (business or any(weights.share(x) for x in _OPERATIONS)):
        return None
    policy = ExperimentPolicy(
        step.duration, business=business, weights=weights, least=min(FIRST, step.duration / 10)
    )
    return Test(_assigned(record, rule, step), Split(step.split), policy)


_OPERATIONS = ("errors", "slow", "good", "cpu")


def _measurable(step: Compare, record: Record, rule: SlowRule | None, look: Look | None) -> Weights:
    """Return the weights without what this target cannot measure at all; what is missing for now keeps its own."""
    weights = weights_of(step.metrics)
    served = min(record.a.requests, record.b.requests) >= _ENOUGH
    if not record.timed or (rule is None and served):
        weights = replace(weights, slow=0.0)
    sample = look.get("cpu") if look is not None else None
    absent = sample is not None and "not available" in (sample.why_stable, sample.why_canary)
    pods = bool(record.a.pods and record.b.pods)
    hasty = step.duration <= (_PAIRS + 1) * SPAN
    if hasty or (not record.cpu.count and (absent or not pods)):
        weights = replace(weights, cpu=0.0)
    return weights


def _assigned(record: Record, rule: SlowRule | None, step: Compare) -> Assigned:
    by_users = step.users is not None
    each = step.requests_per_user or _PER_USER
    a, b = (_arm(record, which, rule, step) for which in (0, 1))
    cpu = record.cpu if record.cpu.count >= _PAIRS else Pairs()
    bursts = record.b_harm.trials
    # What is told of a user's requests has been taken out already: what is seen of bursts comes on top.
    known = step.requests_per_user or 1.0
    clumps = Clumps(
        errors=known * (bursts["errors"].burst.inflation if "errors" in bursts else 1.0),
        slow=known * (bursts["slow"].burst.inflation if "slow" in bursts else 1.0),
        assigned=1.0 if by_users else each,
    )
    return Assigned(record.seconds, a, b, cpu, clumps, "users" if by_users else "requests")


def _windows(record: Record) -> int:
    return max((trial.windows for trial in record.b_harm.trials.values()), default=0)


def _arm(record: Record, which: int, rule: SlowRule | None, step: Compare) -> Arm:
    served = (record.a, record.b)[which]
    users = record.users[which] if record.users else None
    converted = record.conversions[which] if record.conversions else None
    slow = served.slower(rule.boundary) if rule is not None else None
    return Arm(
        assigned=users if step.users is not None else served.requests,
        requests=served.requests,
        errors=served.errors,
        slow=slow.bad if slow else None,
        timed=slow.of if slow else None,
        converted=converted,
    )


def weighed(
    record: Record, rule: SlowRule | None, look: Look | None, step: Compare, *, over: bool
) -> Weighed | None:
    """Return what is certain by now; None before anything was counted.

    A variant that fails more, or is slower, for certain has lost, unless people are known to prefer it.
    """
    test = experiment(record, rule, look, step)
    if test is None:
        return None
    seen = weigh(test.tallies, test.split, test.policy, over=over)
    if seen.broken or seen.winner is not None:
        return seen
    if record.seconds < test.policy.least or _windows(record) < _WINDOWS:
        return seen
    policy = careful(step)
    asked = guards(rule, policy)
    sides: tuple[tuple[Literal["A", "B"], Memory], ...] = (
        ("A", record.b_harm),
        ("B", record.a_harm),
    )
    for winner, memory in sides:
        if memory.most >= 1 / policy.alpha:
            worst = max(asked, key=lambda one: harm(memory, (one,), 1))
            return failing(seen, winner, worst.name, test.tallies)
    return seen
