"""How often a plan rolls back a version as good as stable: what is computed, held against what is simulated."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rollout import pace
from bot.rollout.values import Phase, Rollout
from strategies.doing import Doing
from strategies.evidence import Policy
from strategies.expecting import Stage, bound, by_chance, cadence, expected, stages
from strategies.plan import (
    Batch,
    Check,
    Compare,
    Plan,
    Prepare,
    SetWeight,
    Soak,
    Switch,
    Yardstick,
)
from strategies.tails import more_than, times_as_often

ABOVE_5 = Check("error_rate", above=5)
P95 = Check("latency_p95", above=500)


def plan(*steps) -> Plan:
    return Plan("app", "production", "v2", "canary", steps)


def failing(percent: float, rps: float = 100) -> Doing:
    return Doing(rps, 100_000, {"error_rate": percent, "success_rate": 100 - percent})


def alone(check: Check, least: int = 1000, seconds: int = 300) -> Stage:
    return Stage(100, Soak(seconds, least, (check,)), alone=True)


def beside(share: float, check: Check, least: int = 50, seconds: int = 300) -> Stage:
    return Stage(share, Soak(seconds, least, (check,)))


def simulated(stage: Stage, doing: Doing, runs: int = 20_000) -> float:
    """Return how many of so many rollouts of the same version are rolled back, look by look as the product does it."""
    (check,), step = stage.step.checks, stage.step
    part = 1 if stage.alone else stage.share / 100
    share = doing.numbers["error_rate"] / 100
    looks = int(step.duration // cadence(step))
    here, there = (round(doing.rps * p * cadence(step)) for p in (part, 1 - part))
    rng = np.random.default_rng(7)
    canary = rng.binomial(here, share, (runs, looks)).cumsum(axis=1)
    stable = rng.binomial(there, share, (runs, looks)).cumsum(axis=1)
    nth = np.arange(1, looks + 1)
    worse, control = canary / (nth * here), stable / np.maximum(nth * there, 1)
    name, value = check.bound
    match name:
        case "above":
            bad = worse > value / 100
            held = nth * there < max(step.min_requests, 1)
            bad &= held | ((control <= value / 100) & (worse > 2 * control))
        case "above_baseline":
            bad = worse > control + value / 100
        case _:
            bad = worse > value * control
    bad = bad[:, nth * here >= step.min_requests]
    often = bad.cumsum(axis=1)
    often[:, check.of :] -= bad.cumsum(axis=1)[:, : -check.of]
    return float((often >= check.failures).any(axis=1).mean())


@pytest.mark.parametrize(
    ("stage", "doing"),
    [
        (alone(ABOVE_5), failing(4.5)),
        (alone(ABOVE_5), failing(4.5, rps=10)),
        (alone(ABOVE_5), failing(4.5, rps=1000)),
        (alone(ABOVE_5), failing(4.0)),
        (alone(ABOVE_5), failing(5.5)),
        (alone(Check("error_rate", above=5, failures=3, of=5)), failing(4.8)),
        (beside(50, ABOVE_5, least=1000), failing(4.5, rps=10)),
        (beside(5, ABOVE_5), failing(4.5)),
        (beside(5, ABOVE_5), failing(1.0)),
        (beside(25, ABOVE_5), failing(1.0, rps=10)),
        (beside(5, ABOVE_5, least=100, seconds=60), failing(2.0, rps=40)),
        (beside(5, Check("error_rate", times_baseline=2.0)), failing(1.0)),
        (beside(5, Check("error_rate", above_baseline=2.0)), failing(1.0)),
    ],
)
def test_what_is_computed_is_what_happens_within_a_factor_of_two_and_a_half(stage, doing):
    (check,) = stage.step.checks
    told, happens = by_chance(check, stage, doing), simulated(stage, doing)

    assert happens / 1.5 <= told <= max(happens * 2.5, 1e-4)


@pytest.mark.parametrize(("often", "of"), [(2, 3), (5, 10)])
def test_several_looks_that_have_to_fail_are_told_as_a_bound_that_is_not_far_off(often, of):
    stage = alone(Check("error_rate", above=5, failures=often, of=of))
    told = by_chance(stage.step.checks[0], stage, failing(4.5))

    assert simulated(stage, failing(4.5)) <= told <= 5 * simulated(stage, failing(4.5))


def test_a_limit_that_is_far_away_rolls_back_nobody_and_one_that_is_broken_everybody():
    climb = (SetWeight(5), Soak(300, 1000, (ABOVE_5,)), SetWeight(100), Soak(300, 1000, (ABOVE_5,)))

    calm = expected(plan(Prepare(), *climb), failing(1.0))
    assert calm.limits < 1e-6
    assert calm.total == pytest.approx(0.01)
    assert expected(plan(Prepare(), *climb), failing(6.2)).limits > 0.99


def test_the_check_that_does_most_of_it_is_named_with_its_stage():
    steps = (
        SetWeight(50),
        Soak(300, 1000, (ABOVE_5, P95)),
        SetWeight(100),
        Soak(300, 1000, (ABOVE_5,)),
    )

    culprit = expected(plan(*steps), failing(4.5)).culprit

    assert (culprit.check, culprit.share) == (ABOVE_5, 100)


@pytest.mark.parametrize(
    ("check", "same"),
    [
        (Check("success_rate", below=95), ABOVE_5),
        (Check("connection_failures", above=5), ABOVE_5),
    ],
)
def test_a_share_that_is_told_the_other_way_round_is_the_same_share(check, same):
    numbers = Doing(100, 1e5, {"success_rate": 95.5, "error_rate": 4.5, "connection_failures": 4.5})

    assert by_chance(check, alone(check), numbers) == by_chance(same, alone(same), numbers) > 0.1


@pytest.mark.parametrize(
    ("check", "most", "least"),
    [
        (Check("latency_p95", above=410), 1.0, 0.1),
        (Check("latency_p95", above=900), 1e-6, 0.0),
        (Check("latency_p99", above=590), 1.0, 0.1),
        (Check("latency_avg", above=100), 1.0, 1.0),
        (Check("latency_avg", above=300), 0.0, 0.0),
        (Check("latency_p95", times_baseline=1.5), 0.0, 0.0),
        (Check("cpu", below=20), 0.0, 0.0),
        (Check("revenue", above=1), 0.0, 0.0),
    ],
)
def test_a_percentile_is_the_share_that_is_slower_and_a_gauge_is_broken_or_not(check, most, least):
    numbers = {
        "latency_p50": 100,
        "latency_p95": 400,
        "latency_p99": 580,
        "latency_avg": 150,
        "cpu": 9,
    }

    assert least <= by_chance(check, alone(check), Doing(20, 6000, numbers)) <= most


def test_what_only_warns_or_asks_rolls_back_nobody():
    steps = (SetWeight(100), Soak(300, 0, (Check("error_rate", above=5, then="ask"),)))

    assert expected(plan(*steps), failing(50)).total == 0


def test_every_batch_is_one_more_chance():
    def of(size: str) -> float:
        return expected(plan(Batch(size), Soak(300, 1000, (ABOVE_5,))), failing(4.2)).limits

    assert of("50%") == pytest.approx(1 - (1 - of("100%")) ** 2)


def test_a_stage_that_is_never_judged_rolls_back_nobody_and_a_thin_one_is_judged_when_it_was_extended():
    assert by_chance(ABOVE_5, alone(ABOVE_5), failing(50, rps=1)) == 0
    assert by_chance(ABOVE_5, alone(ABOVE_5), failing(50, rps=2)) > 0.99


@pytest.mark.parametrize(
    ("steps", "most"),
    [
        ((SetWeight(50), Soak(300, checks=(ABOVE_5,))), 0.01),
        ((SetWeight(50), Soak(300, checks=(ABOVE_5,), evidence=Policy(alpha=0.05))), 0.05),
        ((SetWeight(50), Soak(300, checks=(ABOVE_5,), evidence=Policy(mode="observe"))), 0.0),
        ((SetWeight(50), Soak(300, checks=(Check("cpu", above=80),))), 0.0),
        ((Batch("25%"), Soak(300, checks=(ABOVE_5,))), 0.0),
        ((SetWeight(50), Compare((Yardstick("rps"),), 3600, checks=(ABOVE_5,))), 0.01),
    ],
)
def test_the_counts_promise_their_alpha_where_they_decide(steps, most):
    assert bound(plan(*steps)) == most


def test_a_stage_knows_its_share_and_whether_stable_is_beside_it():
    steps = (SetWeight(5), Soak(60), SetWeight(95), Soak(60), Switch(), Soak(60))

    assert [(s.share, s.alone) for s in stages(plan(*steps))] == [
        (5, False), (95, False), (100, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "step", [Soak(300), Soak(60), Soak(5), Compare((), 600), Compare((), 7200)]
)
def test_looks_come_as_often_as_the_rollout_takes_them(step):
    at = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    row = Rollout("r-1", "app", "production", "v2", plan(SetWeight(50), step), "U0ANA", at, 1)

    watching = replace(row, phase=Phase.RUNNING, cursor=1, weight=50)

    assert pace.cadence(watching) == timedelta(seconds=cadence(step))


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.integers(-1, 61))
def test_the_tail_is_that_of_the_binomial_distribution(of, share, limit):
    exact = sum(
        math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(of + 1) if k > limit
    )

    assert more_than(limit, of, share) == pytest.approx(exact, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("share", "told"), [(0.0, 0.0), (1.0, 1.0)])
def test_what_never_or_always_happens_has_no_tail(share, told):
    assert more_than(5, 10, share) == told
    assert more_than(10, 10, share) == 0
    assert more_than(-1, 10, share) == 1


def test_the_same_lane_twice_is_as_often_ahead_as_behind():
    assert times_as_often(1.0, 1000, 1000, 0.05) == pytest.approx(0.5, abs=0.05)
    assert times_as_often(2.0, 1000, 1000, 0.0) == 0
