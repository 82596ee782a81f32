"""What cannot be is refused at plan time: requests with the option at fault, plans with the strategy at fault."""

from dataclasses import replace
from math import inf, nan

import pytest

from strategies import compile_plan
from strategies.plan import (
    Approve,
    Batch,
    Check,
    Compare,
    Match,
    Prepare,
    Promote,
    Replace,
    Retire,
    Rule,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Switch,
    Yardstick,
)
from strategies.request import PlanError, Request
from strategies.soundness import check_plan

ONE = {"lanes": "one"}
SWITCH = {"lanes": "swap", "weights": "switch"}
FUNCTION = {"lanes": "swap", "has_instances": False}
DAYS = 86_400


def request(strategy="canary", **changes) -> Request:
    values = {
        "steps": (5.0, 100.0), "soak": (300, 300), "approvers": ("S0SRE",), "checks": (Check("error_rate", above=5),),
        **changes,
    }  # fmt: skip
    return Request("app", "production", "v2", strategy, **values)


@pytest.mark.parametrize(
    ("strategy", "changes", "code", "key"),
    [
        ("canary", {"steps": (), "soak": ()}, "bad_value", "traffic-steps"),
        ("canary", {"steps": (0.0, 100.0)}, "bad_value", "traffic-steps"),
        ("canary", {"steps": (50.0, 50.0, 100.0)}, "bad_value", "traffic-steps"),
        ("canary", {"steps": (50.0, 25.0, 100.0)}, "bad_value", "traffic-steps"),
        ("canary", {"steps": (50.0, 101.0)}, "bad_value", "traffic-steps"),
        ("canary", {"steps": (nan, 100.0)}, "bad_value", "traffic-steps"),
        ("canary", {"steps": (5.0, 50.0)}, "bad_value", "traffic-steps"),
        ("canary", {"soak": (300,)}, "bad_value", "step-duration"),
        ("canary", {"soak": (300, -1)}, "bad_value", "step-duration"),
        ("canary", {"soak": (300, 31 * DAYS)}, "bad_value", "step-duration"),
        ("direct", {"soak": (-5,)}, "bad_value", "step-duration"),
        ("direct", {"keep_baseline": 5}, "bad_value", "keep-baseline"),
        ("rolling", {"keep_baseline": 5}, "bad_value", "keep-baseline"),
        (
            "blue-green",
            {"keep_baseline": 5, "lanes": "swap", "weights": "switch"},
            "weights_unreachable",
            "keep-baseline",
        ),
        ("rolling", {"batch": 0}, "bad_value", "batch-size"),
        ("rolling", {"batch": -2}, "bad_value", "batch-size"),
        ("rolling", {"batch": "0%"}, "bad_value", "batch-size"),
        ("rolling", {"batch": "101%"}, "bad_value", "batch-size"),
        ("rolling", {"batch": "many"}, "bad_value", "batch-size"),
        ("rolling", {"batch": 2} | FUNCTION, "bad_value", "batch-size"),
        ("rolling", {"batch": "0.5%"} | FUNCTION, "bad_value", "batch-size"),
        ("rolling", {"batch_delay": -1}, "bad_value", "batch-delay"),
        ("rolling", {"batch_timeout": 0}, "bad_value", "batch-timeout"),
        ("rolling", {"max_concurrent": 0}, "bad_value", "max-concurrent"),
        ("rolling", {"instances": 0}, "bad_value", "instances"),
        ("blue-green", {"smoke_for": -1}, "bad_value", "test-duration"),
        ("blue-green", {"switch_timeout": 0}, "bad_value", "switch-timeout"),
        ("blue-green", {"retention": 31 * DAYS}, "bad_value", "retention"),
        ("blue-green", {"smoke": (SmokeTest(""),)}, "bad_value", "smoke"),
        ("blue-green", {"smoke": (SmokeTest("http://x", requests=0),)}, "bad_value", "smoke"),
        ("blue-green", {"smoke": (SmokeTest("http://x", max_errors=101),)}, "bad_value", "smoke"),
        ("ab-test", {"split": 0}, "bad_value", "split"),
        ("ab-test", {"split": 100}, "bad_value", "split"),
        ("ab-test", {"test_duration": 0}, "bad_value", "test-duration"),
        ("ab-test", {"compare": (Yardstick("rps", weight=-1),)}, "bad_value", "metrics"),
        ("ab-test", {"compare": (Yardstick("rps", weight=inf),)}, "bad_value", "metrics"),
        ("canary", {"match": (Rule("x-user"),)}, "bad_value", "header"),
        ("canary", {"match": (Rule("x-user", equals="a", present=True),)}, "bad_value", "header"),
        ("canary", {"match": (Rule("X-User", equals="a"),)}, "bad_value", "header"),
        ("canary", {"match": (Rule("x-user", equals="a"),)} | ONE, "needs_two_lanes", "header"),
        ("blue-green", ONE, "needs_two_lanes", "strategy"),
        ("ab-test", ONE, "needs_two_lanes", "strategy"),
        ("canary", SWITCH, "weights_unreachable", "strategy"),
        ("rolling", SWITCH, "weights_unreachable", "strategy"),
        ("ab-test", SWITCH, "weights_unreachable", "strategy"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_is_refused_with_its_option(strategy, changes, code, key):
    with pytest.raises(PlanError) as caught:
        compile_plan(request(strategy, **changes))
    assert (caught.value.code, caught.value.key) == (code, key)
    assert str(caught.value).endswith(".")


# ---- plans that somebody else's strategy might make ------------------------------------------------------------------

ASKED = request("ours", approvals=1)
SOAK, GATE = ASKED.watch(300), ASKED.approve()
GOOD = (Prepare(), SetWeight(5.0), SOAK, GATE, SetWeight(100.0), SOAK, Promote())
WEAK = {"approvals": 1, "weakened": ("soak 1 s",)}
BATCHES = (GATE, Batch("40%"), SOAK, Batch("60%"), SOAK)
TEST = Compare((Yardstick("rps"),), 60, checks=ASKED.checks)


def refusal(steps, **changes) -> str:
    asked = request("ours", **{"approvals": 1, **changes})
    plan = asked.plan(steps)
    try:
        check_plan(plan, asked)
    except PlanError as error:
        return f"{error.code} {error.key}: {error}"
    return ""


def test_sound_plans_pass():
    assert refusal(GOOD) == ""
    assert refusal(BATCHES, lanes="one") == ""
    assert refusal((GATE, Batch(3), SOAK), lanes="one") == ""
    assert refusal((GATE, Replace())) == ""
    assert (
        refusal((Prepare(), Smoke(), GATE, Switch(), Promote(), Retire(60)), retention=60, **SWITCH)
        == ""
    )
    assert refusal((Prepare(), SetWeight(50.0), TEST, GATE, Switch(), Promote())) == ""


@pytest.mark.parametrize(
    ("steps", "changes", "fault"),
    [
        ((), {}, "moves no traffic"),
        ((GATE, SOAK), {}, "moves no traffic"),
        (("Prepare",), {}, "str is no step"),
        ((Prepare(), SetWeight("100"), GATE, Promote()), {}, "come back from storage"),
        ((Prepare(), SetWeight(nan), GATE, Promote()), {}, "does not rise"),
        ((*GOOD[:4], Promote()), {}, "ends at 5 %"),
        ((Prepare(), SetWeight(50.0), SetWeight(5.0), GATE, SetWeight(100.0), Promote()), {}, "does not rise"),
        ((Prepare(), SetWeight(0.0), GATE, SetWeight(100.0), Promote()), {}, "does not rise"),
        ((Prepare(), SetWeight(101.0), GATE, Promote()), {}, "does not rise"),
        ((Prepare(), GATE, Switch(), SetWeight(100.0), Promote()), {}, "does not rise"),
        ((Prepare(), GATE, Switch(), Replace(), Promote()), {}, "two ways"),
        ((GATE, Replace(), Replace()), {}, "two ways"),
        (GOOD[1:], {}, "Prepare comes first"),
        ((Prepare(), *GOOD), {}, "Prepare comes first"),
        ((Prepare(), GATE, Replace()), {}, "Prepare comes first"),
        ((*GOOD[:2], Smoke(), *GOOD[2:]), {}, "between Prepare and the first traffic"),
        ((*GOOD[:2], Match((Rule("x", present=True),)), *GOOD[2:]), {}, "between Prepare and the first traffic"),
        (GOOD[:-1], {}, "has to end with Promote"),
        (GOOD, {"retention": 60}, "has to end with Retire Promote"),
        (GOOD, {"retention": 60, "lanes": "swap"}, "has to end with Promote Retire"),
        ((*GOOD, Promote()), {}, "belong to its end"),
        ((GATE, Replace(), Promote()), {}, "belong to its end"),
        ((*GOOD[:3], *GOOD[4:]), {}, "has no gate"),
        ((*GOOD[:3], *GOOD[4:]), WEAK | {"auto_promote": True}, "has no gate"),
        (GOOD, WEAK, "no gate before the first traffic says so"),
        (GOOD, {"approvals": 0}, "asks for no approvals"),
        (GOOD, {"approvals": 2}, "asks other people, or fewer"),
        (GOOD, {"approvers": ("U0ME",)}, "asks other people, or fewer"),
        ((*GOOD[:3], replace(GATE, expires=60), *GOOD[4:]), {}, "asks other people, or fewer"),
        ((*GOOD[:2], Soak(300), *GOOD[3:]), {}, "does not carry the checks"),
        ((*GOOD[:2], replace(SOAK, min_requests=1), *GOOD[3:]), {}, "does not carry the checks"),
        ((Prepare(), SOAK, *GOOD[1:]), {}, "nothing to watch"),
        ((*GOOD[:2], replace(SOAK, duration=0), *GOOD[3:]), {}, "watches for no time"),
        ((*GOOD[:2], replace(SOAK, duration=31 * DAYS), *GOOD[3:]), {}, "has duration"),
        ((Prepare(timeout=0), *GOOD[1:]), {}, "Prepare has timeout 0 s"),
        ((Prepare(), SetWeight(30.0), TEST, GATE, Switch(), Promote()), {}, "divided as it says"),
        ((Prepare(), Switch(), replace(TEST, split=100), GATE, Promote()), {}, "divided as it says"),
        (GOOD, {"keep_baseline": 5}, "is not 95 %"),
        (GOOD, {"lanes": "one"}, "Prepare needs two places"),
        ((GATE, Smoke(), Batch("100%")), {"lanes": "one"}, "Smoke needs two places"),
        ((GATE, Batch("25%"), SOAK), {}, "Batch is for targets with one place"),
        ((GATE, Batch("25%"), SOAK), {"lanes": "one", "has_instances": False}, "Batch needs instances"),
        ((GATE, Batch("40%"), Batch("50%")), {"lanes": "one"}, "ends at 90 %"),
        ((GATE, Batch("60%"), Batch("50%")), {"lanes": "one"}, "does not rise"),
        ((GATE, Batch(1), Batch(2)), {"lanes": "one"}, "have to be in percent"),
        ((GATE, Batch(0)), {"lanes": "one"}, "a batch of 0 cannot be"),
        ((GATE, Batch("25%", max_concurrent=0)), {"lanes": "one"}, "cannot be"),
        (GOOD, SWITCH, "cannot send 5 %"),
    ],
)  # fmt: skip
def test_a_plan_that_must_not_run_is_refused_with_what_is_wrong(steps, changes, fault):
    said = refusal(steps, **changes)
    assert said.startswith("unsound_plan strategy: ")
    assert fault in said


@pytest.mark.parametrize("field", ["service", "environment", "version", "strategy"])
def test_a_plan_about_something_else_is_refused(field):
    plan = replace(ASKED.plan(GOOD), **{field: "other"})
    with pytest.raises(PlanError, match=f"about another {field}"):
        check_plan(plan, ASKED)


def test_a_gate_behind_promote_is_no_gate():
    assert "has to end" in refusal((*GOOD[:3], *GOOD[4:], GATE))
    assert not any(isinstance(step, Approve) for step in (*GOOD[:3], *GOOD[4:]))
