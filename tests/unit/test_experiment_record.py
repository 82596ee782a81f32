"""What is remembered of an A/B test: each window once, both variants over the same time, nothing that is not known."""

from dataclasses import replace
from math import inf, log

import pytest

from strategies.evidence import Policy, SlowRule, Window
from strategies.experiment import foreseen
from strategies.experiment.policy import ExperimentPolicy, Split, Weights
from strategies.experiment.tallies import Arm, Assigned
from strategies.record import Record, Served, Totals, grown, told, used

RULE = SlowRule(250.0, 1.5)
POLICY = Policy(warmup=120.0)


def served(requests=1000.0, errors=10.0, slow=50.0, pods=4):
    return Served(
        requests, errors, {100.0: requests / 2, 250.0: requests - slow, inf: requests}, pods
    )


def after(*windows, rule=RULE, age=600.0, seconds=15.0):
    record = Record()
    for a, b in windows:
        record = grown(record, a, b, Window(seconds, 0, 50, age), rule, POLICY)
    return record


def test_windows_add_up_for_both_variants():
    record = after((served(), served(900.0, 8.0)), (served(), served(1100.0, 9.0)))
    assert (record.seconds, record.a.requests, record.b.requests) == (30, 2000, 2000)
    assert (record.a.failed.bad, record.b.failed.bad) == (20, 17)
    assert (record.a.slower(250.0).bad, record.a.slower(250.0).of) == (100, 2000)
    assert record.a.slower(300.0) is None


def test_only_the_bounds_that_every_window_had_are_known():
    coarse = Served(1000.0, 10.0, {250.0: 900.0, inf: 1000.0}, 4)
    record = after((served(), served()), (coarse, coarse))
    assert record.a.slower(100.0) is None
    assert record.a.slower(250.0).bad == 150


def test_errors_that_were_once_not_known_are_not_known():
    unknown = replace(served(), errors=None)
    record = after((served(), served()), (unknown, served()), (served(), served()))
    assert record.a.failed is None
    assert record.b.failed.bad == 30


def test_while_caches_are_cold_nobody_is_held_to_how_long_requests_take():
    record = after((served(), served(slow=900.0)), age=60.0)
    assert record.timed
    assert record.b.slower(250.0) is None
    assert "slow" not in record.b_harm.trials


@pytest.mark.parametrize(
    ("a", "b", "harmed"),
    [
        (served(), served(errors=300.0), "b"),
        (served(errors=300.0), served(), "a"),
        (served(), served(slow=500.0), "b"),
        (served(slow=500.0), served(), "a"),
        (served(), served(), ""),
    ],
)
def test_harm_is_seen_in_both_directions_from_three_windows_on(a, b, harmed):
    needed = 1 / POLICY.alpha
    two, three = after(*[(a, b)] * 2), after(*[(a, b)] * 3)
    assert max(two.a_harm.most, two.b_harm.most) < needed
    assert (three.b_harm.most >= needed) is (harmed == "b")
    assert (three.a_harm.most >= needed) is (harmed == "a")


def test_cpu_is_held_against_the_pods_that_used_it_and_the_requests_they_answered():
    record = Record()
    for _ in range(3):
        before = record
        record = grown(
            record, served(3000.0), served(1000.0, pods=2), Window(300, 0, 25, 600), RULE, POLICY
        )
        record = used(record, before, (30.0, 30.0))
    assert record.cpu.count == 3
    # Half the pods, a third of the requests: half as much again for each of them.
    assert record.cpu.mean == pytest.approx(log(1.5))


@pytest.mark.parametrize("cpu", [(None, 30.0), (30.0, float("nan")), (0.0, 30.0)])
def test_cpu_that_is_not_known_is_no_pair(cpu):
    record = used(after((served(), served()), seconds=300.0), Record(), cpu)
    assert (record.cpu.count, record.cpu.skipped) == (0, 1)


def test_totals_count_from_the_first_look_at_them():
    record = told(Record(), Totals((500.0, 400.0), (5.0, 4.0)))
    assert (record.users, record.conversions) == ((0, 0), (0, 0))
    record = told(record, Totals((600.0, 450.0), (9.0, 5.0)))
    assert (record.users, record.conversions) == ((100, 50), (4, 1))


def test_a_total_that_falls_is_a_pod_that_is_gone_and_nothing_is_counted():
    record = told(told(Record(), Totals((500.0, 400.0))), Totals((600.0, 500.0)))
    record = told(record, Totals((300.0, 520.0)))
    assert record.users == (100, 100)
    assert told(record, Totals((310.0, 540.0))).users == (110, 120)


def tallies(requests=50_000.0, users=5_000.0):
    arm = Arm(users, requests, 0.01 * requests, 0.05 * requests, 0.03 * users)
    return Assigned(600.0, arm, arm)


@pytest.mark.parametrize(
    ("seconds", "business", "sentence"),
    [
        (3600.0, False, "In 60 min at this traffic it can see errors that are 18 % fewer or 21 % more; slow requests"),
        (3600.0, True, "In 60 min at this traffic it can see conversions that change by"),
        (86_400.0, True, "In 24 h at this traffic it can see conversions that change by"),
    ],
)  # fmt: skip
def test_what_can_be_seen_is_said_before_anybody_waits_for_it(seconds, business, sentence):
    policy = ExperimentPolicy(seconds, business=business, weights=Weights(cpu=0))
    assert foreseen(tallies(), Split(50), policy).startswith(sentence)


def test_with_few_requests_hardly_anything_can_be_seen_and_that_is_said():
    policy = ExperimentPolicy(600.0, business=True, weights=Weights(cpu=0))
    few = foreseen(tallies(100.0, 10.0), Split(50), policy)
    assert few == "In 10 min at this traffic it can see no change of conversion with so few users"
