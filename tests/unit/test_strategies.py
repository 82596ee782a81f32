"""Every strategy on every shape of target: its steps in their order, its gates, its warnings."""

import pytest

from strategies import compile_plan
from strategies.plan import (
    Approve,
    Batch,
    Check,
    Compare,
    Rule,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Switch,
    Yardstick,
    plan_to_json,
)
from strategies.request import PlanError, Request

CHECKS = (Check("error_rate", above=5),)
BETA = (Rule("x-user-tier", equals="beta"),)


def request(strategy, **changes) -> Request:
    values = {
        "steps": (10.0, 50.0, 100.0), "soak": (600, 600, 300), "checks": CHECKS,
        "approvals": 0, "approvers": ("S0SRE",), "smoke": (SmokeTest("http://{env}/health"),), "retention": 3600,
        **changes,
    }  # fmt: skip
    return Request("app", "production", "v2", strategy, **values)


def word(step) -> str:
    match step:
        case SetWeight(percent=percent):
            return f"{percent:g}"
        case Batch(instances=instances):
            return f"Batch({instances})"
        case _:
            return type(step).__name__


def names(strategy, **changes) -> str:
    return " ".join(word(step) for step in compile_plan(request(strategy, **changes)).steps)


def only(kind, strategy, **changes):
    (step,) = [s for s in compile_plan(request(strategy, **changes)).steps if isinstance(s, kind)]
    return step


GATED = {"approvals": 1}
WEAK = {"approvals": 1, "weakened": ("direct instead of canary",)}
AUTO = {"approvals": 1, "auto_promote": True}
ONE = {"lanes": "one"}
SWAP = {"lanes": "swap"}
SWITCH = {"lanes": "swap", "weights": "switch"}
FUNCTION = {"lanes": "swap", "has_instances": False}


@pytest.mark.parametrize(
    ("strategy", "changes", "steps"),
    [
        ("direct", {}, "Prepare Switch Soak Retire Promote"),
        ("direct", GATED, "Prepare Approve Switch Soak Retire Promote"),
        ("direct", GATED | SWITCH, "Prepare Approve Switch Soak Promote Retire"),
        ("direct", AUTO, "Prepare Switch Soak Retire Promote"),
        ("direct", {"retention": 0, "soak": (0,)}, "Prepare Switch Promote"),
        ("direct", ONE, "Batch(100%) Soak"),
        ("direct", ONE | GATED, "Approve Batch(100%) Soak"),
        ("recreate", {}, "Replace Soak"),
        ("recreate", GATED | ONE, "Approve Replace Soak"),
        ("recreate", WEAK | SWITCH, "Approve Replace Soak"),
        ("recreate", {"soak": ()}, "Replace"),
        ("canary", {}, "Prepare 10 Soak 50 Soak 100 Soak Retire Promote"),
        ("canary", {"match": BETA, **WEAK, **AUTO}, "Prepare Approve Match 10 Soak 50 Soak 100 Soak Retire Promote"),
        ("canary", SWAP, "Prepare 10 Soak 50 Soak 100 Soak Promote Retire"),
        ("canary", GATED | {"steps": (100.0,), "soak": (0,), "retention": 0}, "Prepare 100 Approve Promote"),
        ("canary", ONE, "Batch(10%) Soak Batch(40%) Soak Batch(50%) Soak"),
        ("canary", ONE | GATED, "Batch(10%) Soak Approve Batch(40%) Soak Approve Batch(50%) Soak Approve"),
        ("canary", ONE | WEAK | AUTO, "Approve Batch(10%) Soak Batch(40%) Soak Batch(50%) Soak"),
        ("canary", ONE | {"keep_baseline": 5}, "Batch(10%) Soak Batch(40%) Soak Batch(45%) Soak Batch(5%)"),
        ("canary", ONE | {"steps": (100.0,), "soak": (60,)}, "Batch(100%) Soak"),
        ("blue-green", {}, "Prepare Smoke Switch Soak Retire Promote"),
        ("blue-green", SWITCH, "Prepare Smoke Switch Soak Promote Retire"),
        ("blue-green", GATED | SWAP, "Prepare Smoke Approve Switch Soak Promote Retire"),
        ("blue-green", WEAK | AUTO, "Prepare Smoke Approve Switch Soak Retire Promote"),
        ("blue-green", {"keep_baseline": 5}, "Prepare Smoke 95 Soak 100 Retire Promote"),
        ("blue-green", GATED | SWAP | {"keep_baseline": 0.5}, "Prepare Smoke Approve 99.5 Soak 100 Promote Retire"),
        ("blue-green", {"keep_baseline": 5, "soak": (0,)}, "Prepare Smoke 95 100 Retire Promote"),
        ("rolling", {}, "Batch(25%) Soak"),
        ("rolling", GATED | ONE, "Approve Batch(25%) Soak"),
        ("rolling", WEAK | AUTO | {"batch": 2}, "Approve Batch(2) Soak"),
        ("rolling", {"batch_delay": 0}, "Batch(25%)"),
        ("rolling", FUNCTION, "Prepare 25 Soak 50 Soak 75 Soak 100 Soak Promote Retire"),
        ("rolling", FUNCTION | GATED | {"batch": "40%"}, "Prepare Approve 40 Soak 80 Soak 100 Soak Promote Retire"),
        ("rolling", FUNCTION | {"batch": 4, "instances": 8}, "Prepare 50 Soak 100 Soak Promote Retire"),
        ("ab-test", {}, "Prepare 50 Compare 100 Retire Promote"),
        ("ab-test", GATED | SWAP | {"split": 30}, "Prepare 30 Compare Approve 100 Promote Retire"),
        ("ab-test", {"match": BETA, "retention": 0}, "Prepare Match 50 Compare 100 Promote"),
        ("ab-test", WEAK | AUTO, "Prepare Approve 50 Compare 100 Retire Promote"),
    ],
)  # fmt: skip
def test_the_order_of_the_steps(strategy, changes, steps):
    assert names(strategy, **changes) == steps


@pytest.mark.parametrize(
    "strategy", ["direct", "recreate", "canary", "blue-green", "rolling", "ab-test"]
)
def test_what_was_weakened_stands_on_the_first_gate_only(strategy):
    steps = compile_plan(request(strategy, **WEAK)).steps
    gates = [s.weakened for s in steps if isinstance(s, Approve)]
    assert gates[0] == WEAK["weakened"]
    assert not any(gates[1:])


# The table of seed 001: runners, size of a batch, batches, minutes at 5 min per batch.
@pytest.mark.parametrize(
    ("runners", "batch", "batches", "minutes"),
    [(4, "25%", 4, 20), (8, "25%", 4, 20), (16, "25%", 4, 20), (8, "50%", 2, 10), (8, "12.5%", 8, 40), (8, 3, 3, 15)],
)  # fmt: skip
def test_rolling_takes_as_long_as_the_table_says(runners, batch, batches, minutes):
    plan = compile_plan(request("rolling", batch=batch, batch_delay=300, instances=runners))
    (step,) = [s for s in plan.steps if isinstance(s, Batch)]
    assert (step.rounds, plan.estimate_s) == (batches, minutes * 60)


def test_how_long_is_unknown_where_nobody_says_how_many_there_are():
    assert compile_plan(request("rolling", batch=2)).estimate_s is None


def test_a_batch_carries_the_limits_of_the_request():
    asked = {"batch": 2, "max_concurrent": 1, "batch_timeout": 30, "batch_rollback": "none"}
    assert only(Batch, "rolling", instances=9, **asked) == Batch(2, 1, 30, 9, "none")
    assert only(Batch, "direct", lanes="one", **asked) == Batch("100%", 1, 30)


def test_smoke_tests_and_times_reach_their_steps():
    tests = (SmokeTest("http://{env}.app/health", requests=100, max_errors=1),)
    asked = {"smoke": tests, "smoke_for": 120, "switch_timeout": 30}
    assert only(Smoke, "blue-green", **asked) == Smoke(tests, 120)
    assert only(Switch, "blue-green", **asked) == Switch(30)
    assert only(Soak, "blue-green", **asked).duration == 300


def test_an_ab_test_compares_by_the_table_when_nothing_is_said():
    step = only(Compare, "ab-test", split=30, winner="auto", test_duration=7200)
    assert step.metrics == (
        Yardstick("error_rate", "lower", 40),
        Yardstick("latency_p95", "lower", 30),
        Yardstick("rps", "higher", 20),
        Yardstick("cpu", "lower", 10),
    )
    assert (step.duration, step.winner, step.checks, step.split) == (7200, "auto", CHECKS, 30)


def test_a_plan_says_the_split_of_a_test_only_where_it_is_uneven():
    even, uneven = (plan_to_json(compile_plan(request("ab-test", split=s))) for s in (50, 30))
    assert ["split" in even["steps"][2], uneven["steps"][2]["split"]] == [False, 30]


@pytest.mark.parametrize(
    ("asked", "weights"),
    [
        (("error_rate", "latency_p95", "rps"), (44.44, 33.33, 22.22)),
        (("conversion_rate", "revenue"), (50, 50)),
        (("latency_avg", "error_rate", "conversion_rate", "user_engagement"), (21.74, 34.78, 21.74, 21.74)),
    ],
)  # fmt: skip
def test_metrics_without_weights_share_the_score(asked, weights):
    step = only(Compare, "ab-test", compare=tuple(Yardstick(name) for name in asked))
    assert tuple(y.weight for y in step.metrics) == weights


def test_given_weights_are_kept_in_proportion_and_each_metric_knows_its_better_way():
    asked = (Yardstick("revenue", weight=3, query="q"), Yardstick("my_lag", "lower", 1))
    assert only(Compare, "ab-test", compare=asked).metrics == (
        Yardstick("revenue", "higher", 75, "q"),
        Yardstick("my_lag", "lower", 25),
    )


def test_a_metric_that_is_compared_twice_is_refused():
    with pytest.raises(PlanError, match="error_rate twice"):
        compile_plan(request("ab-test", compare=(Yardstick("error_rate"), Yardstick("error_rate"))))


# ---- warnings -----------------------------------------------------------------------------------------------------

SHORT = "A soak of 60 s is short for production; metrics need about 5 minutes to settle."


@pytest.mark.parametrize(
    ("strategy", "changes", "said"),
    [
        ("canary", {"steps": (5.0, 100.0), "soak": (300, 300)}, "5 % straight to 100 % is a large jump"),
        ("canary", {"steps": (100.0,), "soak": (300,)}, "0 % straight to 100 % is a large jump"),
        ("canary", {"steps": (20.0, 100.0), "soak": (300, 300)}, "20 % straight to 100 % is a large jump"),
        ("canary", {"soak": (60, 300, 300)}, SHORT),
        ("canary", {"checks": ()}, "No checks are configured"),
        ("direct", {}, "All traffic moves at once"),
        ("direct", {"soak": ()}, "Nothing is watched after the switch"),
        ("direct", {"match": BETA}, "The audience (x-user-tier) is not used"),
        ("recreate", {}, "nobody is served in between"),
        ("recreate", {"soak": (60,)}, SHORT),
        ("blue-green", {"smoke": ()}, "No smoke tests are configured"),
        ("blue-green", {"smoke": (), "has_instances": False}, "that the new version is ready"),
        ("blue-green", {"retention": 0}, "The old version is not kept"),
        ("rolling", {"batch_delay": 60}, SHORT),
        ("rolling", {"batch": 12, "instances": 12}, "as much as the 12 instances there are"),
        ("rolling", {"batch": "100%"}, "is everything"),
        ("rolling", {"batch_rollback": "failed-batch"}, "A failed batch undoes only itself"),
        ("rolling", {"batch_rollback": "none"}, "A failed batch undoes nothing"),
        ("rolling", {"batch_rollback": "none"} | FUNCTION, "undoes everything"),
        ("ab-test", {"winner": "auto"}, "by the score alone"),
        ("ab-test", {"split": 80}, "B gets 80 % of the traffic before anything is known"),
    ],
)  # fmt: skip
def test_the_plan_warns(strategy, changes, said):
    quiet = {"batch_delay": 300, **changes}
    assert any(said in warning for warning in compile_plan(request(strategy, **quiet)).warnings)


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [
        ("canary", {}),
        ("canary", {"steps": (25.0, 100.0), "soak": (300, 300)}),
        ("canary", {"match": BETA}),
        ("blue-green", {}),
        ("rolling", {"batch_delay": 300, "batch": 3, "instances": 12}),
        ("ab-test", {}),
    ],
)
def test_a_careful_request_has_no_warnings(strategy, changes):
    assert compile_plan(request(strategy, **changes)).warnings == ()


def test_a_short_soak_is_fine_outside_of_production():
    plan = compile_plan(Request("app", "staging", "v2", "canary", (25.0, 100.0), (60, 60), CHECKS))
    assert plan.warnings == ()
