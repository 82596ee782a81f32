"""A/B test: the live version (A) and the new one (B) share the traffic until one of them is shown to be better."""

from collections.abc import Iterator

from strategies import cautions
from strategies.plan import Compare, Plan, SetWeight
from strategies.request import PlanError, Request
from strategies.yardsticks import not_countable, uncountable, yardsticks


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `Prepare [Match] SetWeight(split) Compare [Approve] SetWeight(100) Promote Retire`.

    Behind a manual winner the gate is the same question. Raises `PlanError` when a metric is compared twice, or has to
    be counted and cannot be.
    """
    if request.score == "sequential":
        _refuse_unsure(request)
    test = Compare(
        metrics=yardsticks(request.compare),
        duration=request.test_duration,
        winner=request.winner,
        score=request.score,
        min_requests=request.min_requests,
        checks=request.checks,
        split=request.split,
        evidence=request.evidence,
        users=request.users,
        conversions=request.conversions,
        requests_per_user=request.requests_per_user,
    )
    gate = (request.approve(),) if request.gated else ()
    steps = (SetWeight(request.split), test, *gate, SetWeight(100))
    return request.plan(request.opening(), steps, request.ending(), warnings=_warnings(request))


def _refuse_unsure(request: Request) -> None:
    """Refuse what nobody could be sure of: numbers that are not counted, people who were not assigned by chance."""
    if asked := not_countable(request.compare):
        raise PlanError(uncountable(asked), code="bad_value", key="metrics")
    if request.match:
        raise PlanError(
            "score: sequential compares people who were assigned by chance, and an audience gets B whatever the split. "
            "Leave the audience out, or take score: weighted.",
            code="bad_value",
            key="match",
        )


def _warnings(request: Request) -> Iterator[str]:
    if request.winner == "auto" and request.score != "sequential":
        yield "The winner is chosen by the score alone, also when the variants hardly differ."
    if request.split > 50:
        yield f"B gets {request.split:g} % of the traffic before anything is known about it."
    yield from cautions.watching(request, (request.test_duration,), "during the test")
