"""Both variants of an A/B test as a ledger counts them: what belongs to it, what is kept, who wins for certain."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bot.rollout import variants
from bot.rollout.ledger import Ledger, fold, policy_of
from bot.rollout.ledger_text import ledger_from_text, ledger_to_text
from bot.rollout.values import Rollout
from integrations.counters import Counted, Counters, LaneCount
from integrations.metric import Missing
from strategies.plan import Check, Compare, Plan, Prepare, Promote, Rule, SetWeight, Yardstick
from strategies.verdict import Look, Sample

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
METRICS = (Yardstick("error_rate", "lower", 60), Yardstick("latency_p95", "lower", 40))
TEST = Compare(METRICS, 3600, "auto", "sequential", checks=(Check("error_rate", above=5.0),))
PEOPLE = replace(TEST, users="u{$lane}", conversions="c{$lane}")
NOBODY = LaneCount(Missing.NO_DATA, Missing.NO_DATA)


def row(step=TEST, **changes) -> Rollout:
    steps = (Prepare(), SetWeight(50), step, SetWeight(100), Promote())
    plan = Plan("checkout", "production", "v2", "ab-test", steps)
    values = {"cursor": 2, "weight": 50.0, "weight_at": NOW - timedelta(hours=1), **changes}
    return Rollout("r-1", "checkout", "production", "v2", plan, "U0BOB", NOW, 1, **values)


def lane(requests=3000.0, errors=30.0, slow=150.0, pods=4) -> LaneCount:
    buckets = {100.0: requests / 2, 250.0: requests - slow, math.inf: requests}
    return LaneCount(requests, errors, buckets, (), pods)


def look(users=(0.0, 0.0), converted=(0.0, 0.0), cpu=(30.0, 30.0)) -> Look:
    samples = (Sample("users", *users), Sample("conversions", *converted), Sample("cpu", *cpu))
    return Look(NOW + timedelta(hours=1), 60, samples)


class Looks:
    """Looks at one test, a minute apart."""

    def __init__(self, r: Rollout) -> None:
        self.r, self.now, self.at = r, NOW, 1000.0
        self.ledger = Ledger()
        self.see(NOBODY, NOBODY, closed=False)

    def see(self, a=None, b=None, seen=None, *, closed=True, times=1) -> None:
        for _ in range(times):
            self.now, self.at = self.now + timedelta(minutes=1), self.at + 60
            told = Counted(self.now, 60.0, a or lane(), b or lane(), closed)
            before = self.ledger
            folded = fold(
                before, told, Counters(self.at), lane(100_000.0, 1000.0, 5000.0), self.r, self.now
            )
            record = variants.beside(folded.record, before.record, seen or look(), self.r)
            self.ledger = replace(folded, record=record)

    def weighed(self, *, over=False):
        step = variants.tested(self.r)
        return variants.weighed(self.ledger.record, self.ledger.slow, look(), step, over=over)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"weight": 0.0}, False),
        ({"weight": 100.0, "cursor": 3}, False),
        ({"cursor": 1}, False),
        ({"audience": (Rule("x-user", present=True),)}, False),
        ({"lanes": "one"}, False),
    ],
)
def test_only_what_is_counted_under_the_split_of_the_test_is_part_of_it(changes, counts):
    looks = Looks(row(**changes))
    looks.see(times=2)
    assert (looks.ledger.record.seconds > 0) is counts


def test_in_an_ab_test_the_fixed_limits_alone_are_failures():
    assert policy_of(row()) is None
    assert policy_of(row(replace(TEST, score="weighted"))) is None


def test_a_restart_in_the_middle_reads_back_what_was_counted():
    looks = Looks(row(PEOPLE))
    looks.see(seen=look((10, 10), (1, 1)), times=2)
    looks.see(seen=look((50, 40), (4, 5)), times=3)
    kept = ledger_from_text(ledger_to_text(looks.ledger))
    assert kept.record == looks.ledger.record
    assert (kept.record.users, kept.record.conversions) == ((40, 30), (3, 4))


def test_a_window_of_which_one_variant_is_not_known_belongs_to_neither():
    looks = Looks(row())
    looks.see(times=2)
    before = looks.ledger.record
    looks.see(b=LaneCount(Missing.NO_DATA, Missing.NO_DATA))
    looks.see(a=lane(math.nan))
    assert looks.ledger.record == before


@pytest.mark.parametrize(
    ("a", "b", "winner"),
    [
        (lane(), lane(), None),
        (lane(), lane(errors=300.0), "A"),
        (lane(errors=300.0), lane(), "B"),
        (lane(), lane(slow=900.0), "A"),
    ],
)
def test_a_variant_that_fails_or_is_slow_for_certain_loses_at_once(a, b, winner):
    looks = Looks(row())
    looks.see(a, b, times=15)
    assert looks.weighed().winner == winner


def test_a_guardrail_is_said_with_its_numbers_where_no_score_has_decided():
    looks = Looks(
        row(replace(TEST, metrics=(Yardstick("cpu", "lower", 50), Yardstick("rps", "higher", 50))))
    )
    looks.see(lane(), lane(errors=90.0), times=9)
    assert looks.weighed().winner is None
    looks.see(lane(), lane(errors=90.0), times=3)
    said = looks.weighed().sentence
    assert said.startswith("A wins after 12 min: B fails more often for certain")


def retrying(seed: int, clump: int) -> Looks:
    """Two hours of equal variants whose failed requests are tried again so many times; until somebody has lost."""
    rng = np.random.default_rng(seed)
    looks = Looks(row(replace(PEOPLE, duration=7200)))

    def some() -> LaneCount:
        requests = float(rng.poisson(1000))
        failed = min(requests, float(clump * rng.poisson(0.01 * requests / clump)))
        return lane(requests, failed, float(rng.binomial(int(requests), 0.05)))

    for _ in range(120):
        looks.see(some(), some())
        record, policy = looks.ledger.record, variants.policy_of(looks.r)
        if max(record.a_harm.most, record.b_harm.most) >= 1 / policy.alpha:
            break
    return looks


def lost(looks: Looks) -> bool:
    return "for certain" in looks.weighed().sentence


@pytest.mark.sweep
def test_clients_that_retry_end_no_test_of_equal_variants():
    assert not any(lost(retrying(seed, 10)) for seed in range(8))


@pytest.mark.sweep
@pytest.mark.parametrize(("clump", "most"), [(5, 1), (10, 3)])
def test_of_equal_variants_with_retries_hardly_any_is_called_worse(clump, most):
    assert sum(lost(retrying(seed, clump)) for seed in range(100)) <= most


def test_requests_of_one_user_prove_as_much_as_one():
    plain, told = Looks(row()), Looks(row(replace(TEST, requests_per_user=10.0)))
    for looks in (plain, told):
        looks.see(lane(), lane(errors=45.0), times=12)
    every = [one.ledger.record.b_harm.most for one in (plain, told)]
    assert every[0] > 100 > every[1]
    record, slow = told.ledger.record, told.ledger.slow
    assert variants.experiment(record, slow, None, told.r.step).tallies.clumps.errors >= 10


def test_a_hiccup_of_the_first_minute_makes_nobody_win():
    looks = Looks(row(replace(TEST, metrics=METRICS[:1])))
    looks.see(times=1)
    looks.see(lane(), lane(errors=1500.0))
    assert looks.weighed().winner is None


def test_where_latency_and_cpu_are_not_measured_the_rest_decides():
    step = replace(TEST, metrics=(*METRICS, Yardstick("cpu", "lower", 10)))
    looks = Looks(row(step))
    plain = replace(lane(), buckets={}, processes=0)
    looks.see(plain, replace(lane(errors=3.0), buckets={}, processes=0), times=30)
    seen = looks.weighed()
    assert (seen.winner, seen.missing) == ("B", ())


def test_cpu_that_is_missing_for_now_makes_nobody_win():
    step = replace(TEST, metrics=(*METRICS, Yardstick("cpu", "lower", 10)))
    looks = Looks(row(step))
    looks.see(lane(), lane(), times=10)
    assert looks.weighed(over=True).missing == ("CPU per request",)
    looks.see(lane(), lane(), times=10)
    assert looks.weighed(over=True).missing == ()


@pytest.mark.parametrize(("each", "broken"), [(None, False), (1.0, True)])
def test_requests_stand_for_so_many_fewer_users(each, broken):
    looks = Looks(row(replace(TEST, requests_per_user=each)))
    looks.see(lane(3000.0), lane(2850.0), times=20)
    assert looks.weighed().broken is broken


def test_more_conversions_of_as_many_users_win():
    looks = Looks(row(PEOPLE))
    for minute in range(30):
        n = 30_000.0 * minute
        looks.see(seen=look((n, n), (0.03 * n, 0.033 * n)))
    seen = looks.weighed()
    assert seen.winner == "B"
    assert "B converts 3.30 % of 870,000 users" in seen.sentence
