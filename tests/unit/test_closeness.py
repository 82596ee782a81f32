"""Fixed limits held against what stable does by itself, and what is proposed in their place."""

import math

import pytest

from strategies.closeness import close, fixed, written
from strategies.doing import Doing
from strategies.expecting import Expectation, expected
from strategies.foretelling import foretold, stands, unheld
from strategies.plan import Check, Plan, SetWeight, Soak

ABOVE_5 = Check("error_rate", above=5)


def plan(*checks: Check, least: int = 1000, share: float = 100) -> Plan:
    steps = (SetWeight(share), Soak(300, least, checks))
    return Plan("app", "production", "v2", "canary", steps)


def found(check: Check, value: float, requests: float = 30_000, least: int = 1000):
    doing = Doing(100, requests, {check.metric: value})
    return [(one.broken, one.proposal) for one in close(plan(check, least=least), doing)]


@pytest.mark.parametrize(
    ("check", "value", "told"),
    [
        (ABOVE_5, 2.5, []),
        (ABOVE_5, 4.5, [(False, 9)]),
        (ABOVE_5, 5.0, [(False, 10)]),
        (ABOVE_5, 6.2, [(True, 13)]),
        (ABOVE_5, 50.0, [(True, None)]),
        (Check("success_rate", below=95), 97.6, []),
        (Check("success_rate", below=95), 93.8, [(True, 87)]),
        (Check("latency_p95", above=500), 250, []),
        (Check("latency_p95", above=500), 300, [(False, 600)]),
        (Check("latency_p99", above=500), 620.5, [(True, 1300)]),
        (Check("cpu", above=80), 60, []),
        (Check("cpu", above=80), 91, [(True, None)]),
        (Check("user_engagement", below=40), 30, [(True, None)]),
        (Check("error_rate", above_baseline=5), 50, []),
        (Check("error_rate", above=5, then="warn"), 50, []),
        (Check("error_rate", above=5, then="ask"), 50, []),
        (Check("error_rate", above=5, query="up"), 50, []),
    ],
)
def test_a_limit_that_rolls_back_wants_to_be_twice_what_stable_does(check, value, told):
    assert found(check, value) == [(broken, pytest.approx(p) if p else p) for broken, p in told]


@pytest.mark.parametrize(
    ("requests", "least", "says"), [(999, 1000, 0), (1000, 1000, 1), (0, 0, 0), (1, 0, 1)]
)
def test_a_few_requests_say_nothing(requests, least, says):
    assert len(found(ABOVE_5, 50, requests, least)) == says


def test_a_metric_without_a_number_says_nothing():
    assert close(plan(ABOVE_5), Doing(100, 30_000, {})) == ()


@pytest.mark.parametrize(
    ("number", "said"),
    [(12.4, 13), (6.2, 6.5), (1241, 1300), (0.086, 0.09), (9, 9), (13, 13), (0, 0), (999, 1000)],
)
def test_a_proposal_is_a_number_that_people_write(number, said):
    assert written(number) == said


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (Expectation(), ""),
        (Expectation(0.0, 0.01), "at most 1 of 100 rollouts."),
        (Expectation(0.003, 0.01), "at most 1 of 75 rollouts."),
        (Expectation(0.0001, 0.01), "at most 1 of 100 rollouts."),
        (Expectation(0.04, 0.03), "at most 1 of 14 rollouts."),
        (Expectation(0.33, 0.01), "about 1 of 3 rollouts."),
        (Expectation(0.66, 0.01), "about 7 of 10 rollouts."),
        (Expectation(0.99, 0.01), "almost every rollout."),
    ],
)
def test_a_chance_is_told_as_so_many_rollouts(expectation, said):
    told = foretold(expectation)

    assert told == (said and f"A version as good as stable would be rolled back in {said}")


@pytest.mark.parametrize(
    ("share", "counts", "said"), [(100, True, True), (95, True, False), (100, False, False)]
)
def test_without_a_control_nothing_is_promised_of_what_hits_both_versions(share, counts, said):
    calm = Doing(100, 30_000, {"error_rate": 0.1})

    told = foretold(expected(plan(ABOVE_5, share=share), calm, counts=counts))

    assert ("apart from what hits both versions while it runs alone" in told) is said


def test_an_alarming_chance_names_the_check_and_the_stage():
    told = foretold(expected(plan(ABOVE_5), Doing(100, 30_000, {"error_rate": 4.5})))

    assert told == (
        "A version as good as stable would be rolled back in about 1 of 3 rollouts, most often by Error rate ≤ 5 % "
        "at 100 %."
    )


def test_without_numbers_it_is_said_that_the_limits_were_not_held():
    held = "The fixed limits were not held against what stable does now."
    counts = "A version as good as stable would be rolled back in at most 1 of 100 rollouts by what is counted."

    alone = f"{counts[:-1]}, apart from what hits both versions while it runs alone at 100 %."
    assert unheld(plan(ABOVE_5, share=95), counts=True) == f"{counts} {held}"
    assert unheld(plan(ABOVE_5), counts=True) == f"{alone} {held}"
    assert unheld(plan(ABOVE_5), counts=False) == held
    assert unheld(plan(Check("error_rate", above_baseline=5), share=95), counts=True) == counts
    assert unheld(plan(), counts=True) == ""
    assert not fixed(plan(Check("cpu", above=80, then="ask")))


def test_a_limit_stands_beside_what_stable_does():
    (one,) = close(plan(ABOVE_5), Doing(100, 30_000, {"error_rate": 6.2}))

    assert stands(one) == "Error rate 6.20 % on stable, limit ≤ 5 %"


def test_a_limit_that_is_just_broken_does_not_read_as_if_it_were_kept():
    (one,) = close(plan(ABOVE_5), Doing(100, 30_000, {"error_rate": 5.003}))

    assert stands(one) == "Error rate 5.003 % on stable, limit ≤ 5 %"


@pytest.mark.parametrize(
    ("limit", "share"),
    [
        (0, 0.0),
        (50, 0.75),
        (100, 0.5),
        (400, 0.05),
        (580, 0.01),
        (1160, 0.01 * 5 ** -(math.log(2) / math.log(1.45))),
    ],
)
def test_the_tail_goes_through_the_percentiles_and_on(limit, share):
    doing = Doing(1, 1, {"latency_p50": 100, "latency_p95": 400, "latency_p99": 580})

    assert doing.slower(limit) == pytest.approx(share)


@pytest.mark.parametrize(
    ("limit", "share"), [(0, 1.0), (50, 0.75), (100, 0.5), (150, 0.3), (200, 0.0), (500, 0.0)]
)
def test_a_histogram_is_read_as_the_percentiles_are(limit, share):
    doing = Doing(1, 1, {"latency_p50": 1}, {100: 50, 200: 90, math.inf: 100})

    assert doing.slower(limit) == pytest.approx(share)


def test_who_knows_no_latency_knows_no_tail():
    assert Doing(1, 1).slower(100) == 0
    assert Doing(1, 1, {"latency_p95": 400, "latency_p99": 400}).slower(500) == 0
