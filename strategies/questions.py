"""From the checks of a plan to what is asked of the counts: one question for each kind of harm that may roll back.

Pure. Only a check that rolls back asks; what merely warns does not become a reason to go back by being counted. Two
families: failed requests, and slow ones. In each stable at the same time is what the canary is held against, and a
fixed limit is one more question.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from strategies.evidence import Policy, Question, SlowRule
from strategies.evidence.policy import error_limit, errors, slow, slow_limit
from strategies.steps import Check

_ERRORS = frozenset({"error_rate", "success_rate"})
_PERCENTILES: Mapping[str, float] = {"latency_p99": 99, "latency_p95": 95, "latency_p50": 50}
_LATENCY = frozenset({*_PERCENTILES, "latency_avg"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and what counts as its bad event: a failed request, or one that took longer than a bound."""

    question: Question
    bound: float | None = None
    """Milliseconds; None: a failed request."""


def counted(checks: Iterable[Check], policy: Policy) -> bool:
    """Whether any check is about what can be counted, and rolls back; who only observes asks about every check."""
    return any(_asks(check, policy) for check in checks)


def questions(checks: Iterable[Check], policy: Policy, rule: SlowRule | None) -> tuple[Asked, ...]:
    """Return what is asked; latency beside stable needs the rule that its histogram gives."""
    rolling = [check for check in checks if _asks(check, policy)]
    return (
        *_about_errors([one for one in rolling if one.metric in _ERRORS], policy),
        *_about_latency([one for one in rolling if one.metric in _LATENCY], rule),
    )


def _asks(check: Check, policy: Policy) -> bool:
    decides = check.then == "rollback" or policy.mode == "observe"
    return decides and check.metric in _ERRORS | _LATENCY and not check.query


def _about_errors(checks: list[Check], policy: Policy) -> Iterable[Asked]:
    if not checks:
        return
    yield Asked(errors(policy.tolerate_errors))
    limits = [limit for check in checks if (limit := _percent(check)) is not None]
    if limits:
        yield Asked(error_limit(min(limits)))


def _percent(check: Check) -> float | None:
    """Return the percentage of failed requests that a fixed limit allows; one of nothing or everything asks nothing."""
    name, value = check.bound
    limit = {"above": value, "below": 100 - value}.get(name)
    return limit if limit is not None and 0 < limit < 100 else None


def _about_latency(checks: list[Check], rule: SlowRule | None) -> Iterable[Asked]:
    if not checks:
        return
    if rule is not None:
        yield Asked(slow(rule.ratio), rule.boundary)
    fixed = [one for one in checks if one.bound[0] == "above" and one.metric in _PERCENTILES]
    if fixed:
        # The furthest out in the tail sees a regression first.
        furthest = max(fixed, key=lambda one: (_PERCENTILES[one.metric], -one.bound[1]))
        yield Asked(slow_limit(_PERCENTILES[furthest.metric]), furthest.bound[1])
