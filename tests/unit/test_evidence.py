"""Evidence from counts: what is promised of it, and what the guards around it do."""

import math
import random
from itertools import product

import pytest

from strategies.evidence import (
    Ahead,
    Both,
    Memory,
    Policy,
    Question,
    Tally,
    Window,
    affordable,
    alone,
    harm,
    needed,
    remember,
    rule,
    slow_rule,
)
from strategies.evidence.memory import BETS, bet_on
from strategies.evidence.policy import ERROR_LIMIT, ERRORS
from strategies.verdict import Verdict

POLICY = Policy()
STAGES = 4


def window(canary, stable, *, name="errors", stage=0, age=1e6):
    both = Both(canary and Tally(*canary), stable and Tally(*stable))
    return Window(15.0, stage, 5.0, age, {name: both})


def after(windows, questions=(ERRORS,), policy=POLICY):
    memory = Memory()
    for one in windows:
        memory = remember(memory, one, questions, policy, STAGES)
    return memory


def binomial(n, p):
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


@pytest.mark.parametrize("bet", BETS)
@pytest.mark.parametrize(("canary", "stable"), [(1, 1), (3, 9), (6, 6), (9, 3)])
@pytest.mark.parametrize("rate", [0.01, 0.2, 0.6])
@pytest.mark.parametrize("ratio", [0.0, 1.0, 1.5])
def test_a_bet_on_a_canary_at_its_tolerance_wins_nothing_on_average(
    bet, canary, stable, rate, ratio
):
    question = Question("errors", ratio, 0.05, 0.4)
    bad = min(1.0, ratio * rate + 0.05)
    mean = sum(
        p * q * math.exp(bet_on(Both(Tally(x, canary), Tally(y, stable)), question, bet))
        for (x, p), (y, q) in product(
            enumerate(binomial(canary, bad)), enumerate(binomial(stable, rate))
        )
    )
    assert mean <= 1 + 1e-12


def test_without_requests_on_either_lane_there_is_no_evidence():
    for none in (window((0, 0), (5, 100)), window((3, 10), (0, 0)), window(None, (1, 9))):
        assert harm(after([none] * 5), (ERRORS,), STAGES) == 1.0


def test_a_canary_that_fails_more_is_found_and_stays_found():
    bad = [window((12, 100), (20, 2000))] * 4
    memory = after(bad)
    assert rule(memory, (ERRORS,), POLICY, STAGES, None).verdict is Verdict.FAIL
    well = after([*bad, *[window((1, 100), (20, 2000))] * 200])
    assert harm(well, (ERRORS,), STAGES) < 1 / POLICY.alpha
    assert rule(well, (ERRORS,), POLICY, STAGES, None).verdict is Verdict.FAIL


def test_one_window_alone_is_never_enough_however_bad():
    for windows, verdict in ((1, False), (2, False), (3, True)):
        memory = after([window((1000, 1000), (0, 100_000))] * windows)
        assert (memory.most >= 1 / POLICY.alpha) is verdict


def test_what_hits_both_versions_is_no_evidence():
    storm = [window((2, 100), (40, 2000)), window((60, 100), (1200, 2000))] * 10
    assert harm(after(storm), (ERRORS,), STAGES) < 2


def test_bursts_weigh_less_than_as_many_single_events():
    even = [window((4, 400), (20, 8000))] * 10
    burst = [window((20, 400), (20, 8000)), *[window((0, 400), (20, 8000))] * 4] * 2
    assert after(burst).trials["errors"].burst.inflation > 2
    assert after(even).trials["errors"].burst.inflation == 1.0
    assert harm(after(burst), (ERRORS,), STAGES) < harm(after(even), (ERRORS,), STAGES)


def test_a_limit_that_stable_breaks_too_is_not_held_against_the_canary():
    both = [window((20, 200), (200, 2000), name="error_limit")] * 20
    alone = [window((20, 200), (2, 2000), name="error_limit")] * 20
    assert after(both, (ERROR_LIMIT,)).most < 1.1
    assert harm(after(alone, (ERROR_LIMIT,)), (ERROR_LIMIT,), STAGES) > 100


@pytest.mark.parametrize(
    ("whole", "recent", "worst"),
    [
        ((100, 10_000), (0, 100), (100 + 2.25 + 3 * math.sqrt(101)) / 10_000),
        ((100, 10_000), (30, 600), (30 + 2.25 + 3 * math.sqrt(31)) / 600),
        ((0, 0), (0, 0), 1.0),
    ],
)
def test_without_a_control_it_is_held_against_twice_what_stable_ever_did(whole, recent, worst):
    asked = alone(ERRORS, Tally(*whole), Tally(*recent))
    assert (asked.name, asked.ratio) == ("errors", 0.0)
    recent_worst = (0 + 2.25 + 3) / 100 if recent == (0, 100) else 0.0
    assert asked.margin == pytest.approx(2 * 1.05 * max(worst, recent_worst) + 0.0005)
    assert alone(ERROR_LIMIT, Tally(*whole), Tally(*recent)) == ERROR_LIMIT


def test_what_needs_warm_caches_is_not_asked_before():
    question = Question("slow", 1.5, 0.002, 0.3, warms=True)
    cold = [window((50, 100), (50, 1000), name="slow", age=120.0)] * 8
    warm = [window((50, 100), (50, 1000), name="slow", age=121.0)] * 8
    assert harm(after(cold, (question,)), (question,), STAGES) == 1.0
    assert after(warm, (question,)).most >= 100


def test_a_stage_is_safe_once_what_the_next_may_cost_is_ruled_out():
    ahead = Ahead(share=0.25, requests=7500)
    well = window((1, 100), (19, 1900))
    short = rule(after([well]), (ERRORS,), POLICY, STAGES, ahead)
    assert (short.verdict, short.unproven) == (Verdict.INCONCLUSIVE, ("errors",))
    assert short.missing > 0
    long = rule(after([well] * 10), (ERRORS,), POLICY, STAGES, ahead)
    assert (long.verdict, long.missing) == (Verdict.PASS, 0)
    assert 0 < long.ruled_out < 0.04


def test_nothing_seen_is_neither_safe_nor_worse():
    for memory in (Memory(), after([window(None, None)] * 9)):
        ruling = rule(memory, (ERRORS,), POLICY, STAGES, None)
        assert (ruling.verdict, ruling.chance) == (Verdict.INCONCLUSIVE, 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 11.0])
def test_what_no_counter_says_is_refused(bad):
    with pytest.raises(ValueError, match="cannot be counted"):
        Tally(bad, 10.0)


@pytest.mark.parametrize(
    ("share", "requests", "margin"),
    [(0.25, 7500, 0.04), (0.5, 15_000, 0.02), (1.0, 30_000, 0.01), (0.25, 75, 10 / 75)],
)
def test_the_next_stage_may_cost_a_percent_of_all_traffic_or_ten_requests(share, requests, margin):
    got = affordable(POLICY, next_share=share, next_requests=requests, slow=False)
    assert got == pytest.approx(margin)


def test_as_many_requests_are_named_as_the_formula_says():
    assert needed(POLICY, margin=0.04, rate=0.0, share=0.0) == pytest.approx(math.log(100) / 0.04)
    assert needed(POLICY, margin=0.01, rate=0.01, share=0.05) == pytest.approx(1580, rel=0.01)


def test_slow_means_the_same_for_any_layout_of_buckets():
    def tail(seconds):
        return 0.5 * math.erfc(math.log(seconds / 0.1) / 0.6 / math.sqrt(2))

    def histogram(bounds):
        return {b: 1e6 * (1 - tail(b)) for b in bounds} | {math.inf: 1e6}

    coarse = slow_rule(histogram((0.05, 0.1, 0.25, 0.5, 1.0, 2.5)))
    fine = slow_rule(histogram([0.01 * k for k in range(1, 200)]))
    assert coarse.boundary == 0.25
    for found in (coarse, fine):
        true = tail(found.boundary / 1.15) / tail(found.boundary)
        assert found.ratio == pytest.approx(true, rel=0.15)


def test_a_histogram_that_tells_nothing_makes_no_rule():
    assert slow_rule({}) is None
    assert slow_rule({0.1: 0.0, math.inf: 0.0}) is None
    assert slow_rule({0.1: 50.0, math.inf: 50.0}) is None


def test_a_version_that_turns_bad_after_a_calm_night_is_found_within_two_minutes():
    night = [window((5, 500), (5, 500))] * 720
    bad = [window((100, 500), (5, 500))] * 6
    memory = after(night)
    assert memory.most < 5
    for count, one in enumerate(bad, start=1):  # noqa: B007 - how many it took is the result
        memory = remember(memory, one, (ERRORS,), POLICY, STAGES)
        if memory.most >= 1 / POLICY.alpha:
            break
    assert 3 <= count <= 7
    assert len(memory.trials["errors"].late) <= 12


def test_a_limit_that_both_break_is_no_fault_of_the_canary_however_little_stable_is_left_with():
    """With 5 % of the traffic stable often has no error at all; its lucky windows must not be the ones that count."""
    drawn, rolled = random.Random(3), 0
    for _ in range(40):
        memory = Memory()
        for _ in range(80):
            canary, stable = (sum(drawn.random() < 0.08 for _ in range(n)) for n in (285, 15))
            both = window((canary, 285), (stable, 15), name="error_limit")
            memory = remember(memory, both, (ERROR_LIMIT,), POLICY, STAGES)
        rolled += memory.most >= 1 / POLICY.alpha
    assert rolled == 0


def test_the_copies_that_begin_late_are_few_and_reach_far_back():
    memory = after([window((1, 100), (1, 100))] * 2000)
    numbers = [number for number, _ in memory.trials["errors"].late]
    assert len(numbers) <= 12
    assert numbers[0] < 20
    assert numbers[-1] >= 99
