"""Plans: the order of the steps, the digest that a person approves, the JSON that everybody sees."""

import pytest

from strategies import compile_plan
from strategies.plan import Check, SetWeight, plan_from_json, plan_to_json
from strategies.request import PlanError, Request


def request(strategy="canary", **changes) -> Request:
    values = {
        "steps": (5.0, 100.0), "soak": (60, 60), "approvals": 1, "approvers": ("S0SRE",),
        "checks": (Check("error_rate", above=5),), **changes,
    }  # fmt: skip
    return Request("app", "production", "v2", strategy, **values)


def names(**changes) -> str:
    plan = compile_plan(request(**changes))
    return " ".join(
        f"{s.percent:g}" if isinstance(s, SetWeight) else type(s).__name__ for s in plan.steps
    )


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, "Prepare 5 Soak Approve 100 Soak Approve Promote"),
        ({"approvals": 0}, "Prepare 5 Soak 100 Soak Promote"),
        ({"auto_promote": True, "weakened": ("no decision",)}, "Prepare Approve 5 Soak 100 Soak Promote"),
        ({"retention": 60}, "Prepare 5 Soak Approve 100 Soak Approve Retire Promote"),
        ({"retention": 60, "lanes": "swap"}, "Prepare 5 Soak Approve 100 Soak Approve Promote Retire"),
        ({"keep_baseline": 10}, "Prepare 5 Soak Approve 90 Soak Approve 100 Promote"),
        ({"strategy": "direct", "steps": (100.0,), "soak": (60,)}, "Prepare Approve Switch Soak Promote"),
        ({"strategy": "direct", "soak": ()}, "Prepare Approve Switch Promote"),
        ({"strategy": "direct", "approvals": 0}, "Prepare Switch Soak Promote"),
        ({"strategy": "direct", "weakened": ("direct instead of canary",)}, "Prepare Approve Switch Soak Promote"),
    ],
)  # fmt: skip
def test_the_order_of_the_steps(changes, steps):
    assert names(**changes) == steps


def test_what_was_weakened_stands_on_the_first_gate_only():
    plan = compile_plan(request(weakened=("soak 10 s instead of 60 s",)))
    gates = [s for s in plan.steps if type(s).__name__ == "Approve"]
    assert [bool(g.weakened) for g in gates] == [True, False, False]


@pytest.mark.parametrize("keep", [5, 20, 20.5, 96, -1])
def test_a_baseline_that_does_not_fit_is_refused(keep):
    with pytest.raises(PlanError) as caught:
        compile_plan(request(steps=(80.0, 95.0, 100.0), soak=(60, 60, 60), keep_baseline=keep))
    assert (caught.value.code, caught.value.key) == ("bad_value", "keep-baseline")


def test_an_unknown_strategy_is_refused_with_those_that_are_there():
    with pytest.raises(
        PlanError, match="direct, recreate, canary, blue-green, rolling, ab-test"
    ) as e:
        compile_plan(request(strategy="yolo"))
    assert (e.value.code, e.value.key) == ("unknown_strategy", "strategy")


def test_json_and_back_is_the_same_plan():
    plan = compile_plan(request(weakened=("x",), retention=60))
    assert plan_from_json(plan_to_json(plan)) == plan


def test_json_says_each_step_by_its_name_first():
    body = plan_to_json(compile_plan(request()))
    assert body["steps"][0] == {"step": "Prepare", "lane": "canary", "timeout": 600}
    assert body["steps"][1] == {"step": "SetWeight", "percent": 5}
    assert list(body["steps"][2]) == ["step", "duration", "min_requests", "checks"]
    assert body["steps"][2]["checks"] == [{"metric": "error_rate", "above": 5, "then": "rollback"}]
    assert body["estimate_s"] == 120
    assert len(body["digest"]) == 16


def test_the_digest_knows_what_is_done_and_not_what_is_said_about_it():
    plan = compile_plan(request())
    assert compile_plan(request()).digest == plan.digest
    assert compile_plan(request(soak=(60, 61))).digest != plan.digest
    assert compile_plan(request(approvers=("U0BEN",))).digest != plan.digest
    assert request().environment == "production"
    assert plan.warnings
    assert plan_from_json({**plan_to_json(plan), "warnings": []}).digest == plan.digest


def test_rubbish_is_no_plan():
    with pytest.raises(ValueError):
        plan_from_json({"service": "app", "steps": [{"step": "Explode"}]})
