"""A/B tests by what is certain: what their plan prints, what cannot be counted is refused, seeds stay literal."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from bot.settings.ways import AbTestBlock
from strategies import compile_plan
from strategies.plan import Compare, Rule, Yardstick, plan_from_json, plan_to_json
from strategies.request import PlanError, Request
from strategies.yardsticks import weights_of, yardsticks

REQUEST = Request("checkout", "staging", "v2", "ab-test", (100.0,), (300,), score="sequential")
USERS = 'sum(users{workload="$workload"})'


def test_what_is_certain_is_printed_in_the_plan_and_read_back_and_a_usual_test_prints_nothing_new():
    plan = compile_plan(replace(REQUEST, users=USERS))
    (step,) = [one for one in plan_to_json(plan)["steps"] if one["step"] == "Compare"]
    assert (step["score"], step["users"]) == ("sequential", USERS)
    assert plan_from_json(plan_to_json(plan)) == plan
    usual = plan_to_json(compile_plan(replace(REQUEST, score="weighted")))
    (step,) = [one for one in usual["steps"] if one["step"] == "Compare"]
    assert step.keys() == {"step", "metrics", "duration", "winner", "min_requests", "checks"}


def test_the_usual_metrics_keep_their_weights():
    weights = weights_of(yardsticks(()))
    assert (weights.errors, weights.slow, weights.good, weights.cpu) == (40, 30, 20, 10)


@pytest.mark.parametrize(
    "changes",
    [
        {"compare": (Yardstick("revenue", query="revenue"),)},
        {"compare": (Yardstick("memory"),)},
        {"match": (Rule("x-user", present=True),)},
    ],
)
def test_what_nobody_could_be_sure_of_is_refused(changes):
    with pytest.raises(PlanError, match="take score: weighted"):
        compile_plan(replace(REQUEST, **changes))
    plan = compile_plan(replace(REQUEST, score="weighted", **changes))
    assert any(isinstance(step, Compare) for step in plan.steps)


@pytest.mark.parametrize(
    "query", ["sum(users)", "sum(users{lane='lane'})", "sum(users{a='$lanes'})"]
)
def test_a_query_that_is_the_same_for_both_variants_is_refused(query):
    with pytest.raises(ValidationError, match="same answer for both variants"):
        AbTestBlock(users=query)
    assert AbTestBlock(users=USERS).users == USERS
