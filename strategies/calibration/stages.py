"""The stages of a plan as they are replayed: how much traffic, for how long, held against what."""

from dataclasses import dataclass, replace
from math import ceil

from strategies.evidence import Policy
from strategies.plan import Check, Compare, Plan, SetWeight, Soak, Switch
from strategies.questions import counted

_COUNTABLE = frozenset(
    {"requests", "error_rate", "success_rate", "latency_p50", "latency_p95", "latency_p99"}
)
_MINUTELY = 45
"""Seconds from which on two windows are enough, as in a rollout."""
_MOST_WINDOWS = 2


@dataclass(frozen=True, slots=True)
class Stage:
    """One weight and the watching behind it."""

    number: int
    """Among the weights of the plan, from 0."""
    weight: float
    duration: int
    """Seconds."""
    min_requests: int
    checks: tuple[Check, ...]
    """Those that a record of counters can answer."""
    policy: Policy

    def canaries(self, pods: int) -> int:
        """Return how many of so many pods a canary gets; less than all of the traffic leaves one to compare with."""
        wanted = max(1, ceil(round(pods * self.weight / 100, 9)))
        return wanted if self.weight >= 100 else min(wanted, pods - 1)


def stages_of(plan: Plan, step: int) -> tuple[Stage, ...]:
    """Return the stages that are judged, over windows of `step` seconds; none where nothing is counted."""
    stages: list[Stage] = []
    number, weight = -1, 0.0
    for one in plan.steps:
        if isinstance(one, SetWeight | Switch):
            number += 1
            weight = 100.0 if isinstance(one, Switch) else one.percent
        elif isinstance(one, Soak | Compare) and weight > 0 and one.duration > 0:
            stages.append(_stage(one, number, weight, step))
    return tuple(stages)


def _stage(soak: Soak | Compare, number: int, weight: float, step: int) -> Stage:
    policy = replace(soak.evidence or Policy(), mode="decide")
    # As in a rollout: a short soak forgives cold caches for at most half of it.
    policy = replace(policy, warmup=min(policy.warmup, soak.duration / 2))
    if step >= _MINUTELY:
        policy = replace(policy, windows=min(policy.windows, _MOST_WINDOWS))
    checks = tuple(one for one in soak.checks if one.metric in _COUNTABLE and not one.query)
    return Stage(number, weight, soak.duration, soak.min_requests, checks, policy)


def asks(stage: Stage) -> bool:
    """Whether the counts decide anything in a stage."""
    return counted(stage.checks, stage.policy)
