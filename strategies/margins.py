"""What a plan leaves of its time for the checks that compare a number with stable's. Pure.

The one rule: what is certain needs some pairs, and a pair takes its time beside stable, behind the warm-up of a stage.
"""

import math
from collections.abc import Iterator, Sequence

from strategies.evidence import Policy
from strategies.evidence.gauges import PAIRS, minutes, span_of, warm
from strategies.expecting import Stage, stages
from strategies.experiment import SPAN
from strategies.plan import Plan, Soak

_LONGEST = 3600


def span_in(plan: Plan) -> float:
    """Return the seconds of one pair in a plan: its shortest soak says it."""
    soaks = [step.duration for step in plan.steps if isinstance(step, Soak)]
    return span_of(min(soaks)) if soaks else SPAN


def too_short(plan: Plan) -> Iterator[str]:
    """Yield which checks with a margin find too little time in the soaks of a plan, and how long would do."""
    beside = [one for one in stages(plan) if isinstance(one.step, Soak) and not one.alone]
    checks = dict.fromkeys(
        check
        for stage in beside
        for check in stage.step.checks
        if check.margin is not None and check.then != "warn"
    )
    span = span_in(plan)
    for check in checks:
        own = [one for one in beside if check in one.step.checks]
        fitting = _pairs([one.step.duration for one in own], span, own)
        if fitting < PAIRS:
            yield (
                f"The soaks beside stable have room for {fitting} of the {PAIRS} comparisons that {check.metric} "
                f"needs to be certain: until then it holds where it is beyond its margin.{_better(own)}"
            )


def _better(own: Sequence[Stage]) -> str:
    """Return how long each of the soaks would have to be; `""` where an hour is not enough."""
    for length in range(60, _LONGEST + 1, 60):
        if _pairs([length] * len(own), span_of(length), own) >= PAIRS:
            return f" {'Soaks' if len(own) > 1 else 'A soak'} of {minutes(length)} would do."
    return ""


def _pairs(lengths: Sequence[float], span: float, own: Sequence[Stage]) -> int:
    seconds = sum(
        length - warm(_policy(stage).warmup, length)
        for length, stage in zip(lengths, own, strict=True)
    )
    return math.floor(seconds / span + 1e-9)


def _policy(stage: Stage) -> Policy:
    return (stage.step.evidence if isinstance(stage.step, Soak) else None) or Policy()
