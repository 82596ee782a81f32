"""What is to be expected of a plan, as sentences. Pure; what can be typed to change it is the caller's to add."""

from strategies.closeness import Close, fixed
from strategies.expecting import ALARMING, Culprit, Expectation, bound, by_margin, unaccompanied
from strategies.figures import fixed_limits, told_apart
from strategies.limits import limit_words
from strategies.plan import Plan
from strategies.verdict import metric_label, unit

_AS_GOOD = "A version as good as stable would be rolled back in"
_ALONE = ", apart from what hits both versions while it runs alone at 100 %"
"""Simulated: an outage of everybody at that moment takes back every version without a control."""
_MOST = 0.9
_TENTHS = 0.4
_FIVES = 20


def foretold(expectation: Expectation) -> str:
    """Return how often a plan rolls back for nothing; `""` where nothing rolls back by itself."""
    if expectation.limits >= ALARMING:
        return f"{_AS_GOOD} {_about(expectation.total)}{_because(expectation.culprit)}."
    if expectation.total <= 0:
        return ""
    return f"{_AS_GOOD} {at_most(expectation.total)}{_ALONE if expectation.alone else ''}."


def unheld(plan: Plan, *, counts: bool) -> str:
    """Return what can be said of a plan without a number: what the counts promise, and that the limits were not held.

    `counts`: whether they decide. `""` where nothing rolls back by itself.
    """
    most = (bound(plan) if counts else 0.0) + by_margin(plan)
    but = _ALONE if counts and unaccompanied(plan) else ""
    said = [f"{_AS_GOOD} {at_most(most)} by what is counted{but}."] if most else []
    if fixed(plan):
        said.append("The fixed limits were not held against what stable does now.")
    return " ".join(said)


def at_most(share: float) -> str:
    """Return a small share of rollouts in words."""
    among = 1 / max(share, 1e-4)
    # Nobody wants to hear of one in 99.
    among = 5 * round(among / 5) if among >= _FIVES else int(among)
    return f"at most 1 of {among:,} rollouts"


def _about(share: float) -> str:
    if share >= _MOST:
        return "almost every rollout"
    if share >= _TENTHS:
        return f"about {round(share * 10)} of 10 rollouts"
    return f"about 1 of {round(1 / share)} rollouts"


def _because(culprit: Culprit | None) -> str:
    """Return which check does most of it, and where."""
    if culprit is None:
        return ""
    check = culprit.check
    return (
        f", most often by {metric_label(check.metric)} {limit_words(check)} at {culprit.share:g} %"
    )


def stands(one: Close) -> str:
    """Return a limit and what stable does, as a clause."""
    metric = one.check.metric
    value = told_apart(one.value, fixed_limits((one.check,), metric), unit(metric))
    return f"{metric_label(metric)} {value} on stable, limit {limit_words(one.check)}"
