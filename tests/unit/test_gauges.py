"""A number beside stable's: no look decides, what is no number is no data, and what is certain stays so."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.evidence.gauges import Gauge, Guard, Standing, looked, said, standing
from strategies.limits import judge
from strategies.plan import Check
from strategies.verdict import Look, Sample, Verdict

AT = datetime(2026, 11, 22, tzinfo=UTC)
LAG = Guard("lower", 10, 0.001)
PAID = Guard("higher", 10, 0.001)
PASS, FAIL, UNCLEAR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def seen(numbers, guard=LAG, *, every=60, gauge=None) -> Gauge:
    """Look at (stable, canary) once a minute; five such looks are one pair."""
    gauge = gauge or looked(Gauge(), AT - timedelta(seconds=every), 1, 1, guard)
    at = gauge.at or AT
    for index, (stable, canary) in enumerate(numbers, 1):
        gauge = looked(gauge, at + timedelta(seconds=index * every), stable, canary, guard)
    return gauge


def pairs(*ratios) -> list[tuple[float, float]]:
    return [(50.0, 50.0 * ratio) for ratio in ratios for _ in range(5)]


@pytest.mark.parametrize(
    ("guard", "ratio"), [(LAG, 3.0), (PAID, 0.3), (Guard("lower", 100, 0.001), 9.0)]
)
def test_what_is_far_worse_is_certain_after_three_pairs_and_not_before(guard, ratio):
    assert not seen(pairs(ratio, ratio), guard).proven
    assert not seen(pairs(ratio, ratio, ratio)[:-1], guard).proven
    assert seen(pairs(ratio, ratio, ratio), guard).proven


@pytest.mark.parametrize(("guard", "ratio"), [(LAG, 0.2), (PAID, 5.0), (LAG, 1.08), (PAID, 0.92)])
def test_what_is_better_or_within_the_margin_is_never_worse(guard, ratio):
    found = seen(pairs(*[ratio] * 40), guard)
    assert (found.pairs.count, found.proven) == (40, False)


def test_twice_as_much_is_found_within_half_an_hour():
    assert seen(pairs(*[2.0] * 5)).proven


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf, 0.0, -3.0])
@pytest.mark.parametrize("side", ["stable", "canary"])
def test_what_is_no_number_or_has_no_share_is_in_no_pair(bad, side):
    look = (bad, 9000.0) if side == "stable" else (1.0, bad)
    found = seen([look] * 500)
    assert (found.pairs.count, found.proven) == (0, False)
    mixed = seen([*pairs(1.0)[:3], look, *pairs(1.0)[:3]])
    assert mixed.pairs.count == 1
    assert mixed.pairs.mean == pytest.approx(0)


def test_one_look_that_is_a_thousand_times_as_bad_proves_nothing():
    for where in range(20):
        numbers = pairs(1, 1, 1, 1)
        numbers[where] = (50.0, 50_000.0)
        assert not seen(numbers).proven


def test_hours_in_which_nobody_looked_are_no_evidence():
    assert seen([(1.0, 5.0)] * 4, every=7200).pairs.count == 0


def test_what_was_certain_once_stays_so():
    assert seen(pairs(*[1.0] * 30), gauge=seen(pairs(3, 3, 3))).proven


def test_neighbours_that_are_alike_count_for_less():
    slow = [math.exp(0.7 + 0.4 * math.sin(index / 4)) for index in range(12)]
    mixed = slow[::2] + slow[1::2][::-1]
    shuffled = [mixed[index * 5 % 12] for index in range(12)]
    assert standing(seen(pairs(*slow)), LAG).certain < standing(seen(pairs(*shuffled)), LAG).certain


@given(
    st.lists(st.floats(0.5, 4), min_size=3, max_size=8),
    st.floats(1, 5),
    st.sampled_from([1, 10, 80]),
)
def test_worse_by_another_factor_never_turns_certain_into_uncertain(ratios, factor, margin):
    guard = Guard("lower", margin, 0.001)
    if seen(pairs(*ratios), guard).proven:
        assert seen(pairs(*(factor * ratio for ratio in ratios)), guard).proven


@given(st.lists(st.floats(0.3, 3), min_size=3, max_size=8))
def test_a_number_and_its_inverse_are_judged_alike(ratios):
    guard = Guard("higher", 100 * (1 - 1 / 1.1), 0.001)
    inverse = seen([(canary, stable) for stable, canary in pairs(*ratios)], guard)
    assert seen(pairs(*ratios)).proven == inverse.proven


def wobbling(rng, rollouts, looks, spread, minutes, every=60):
    """Return canary/stable, look by look; neighbours are alike for so many minutes."""
    keeps = math.exp(-every / 60 / minutes) if minutes else 0.0
    log, ratios = rng.normal(size=rollouts) * spread, []
    for _ in range(looks):
        fresh = rng.normal(size=rollouts) * spread * math.sqrt(1 - keeps**2)
        log = keeps * log + fresh
        ratios.append(log)
    return np.exp(np.array(ratios).T)


def rolled_back(ratios) -> float:
    gone = [seen([(1.0, one) for one in rollout]).proven for rollout in ratios.tolist()]
    return sum(gone) / len(gone)


@pytest.mark.parametrize(("spread", "minutes"), [(0.3, 0), (0.3, 1), (0.15, 5), (0.1, 15)])
def test_what_wobbles_like_stable_is_not_rolled_back(spread, minutes):
    rng = np.random.default_rng(11)
    assert rolled_back(wobbling(rng, 60, 120, spread, minutes)) == 0


@pytest.mark.sweep
@pytest.mark.parametrize("true", [1.0, 1.1])
@pytest.mark.parametrize(
    ("spread", "minutes", "most"),
    [(0.3, 0, 0.001), (0.6, 0, 0.001), (0.3, 1, 0.001), (0.15, 5, 0.001), (0.3, 5, 0.01)],
)
def test_no_more_is_rolled_back_at_the_margin_than_is_promised(true, spread, minutes, most):
    ratios = wobbling(np.random.default_rng(5), 1000, 240, spread, minutes)
    assert rolled_back(true * ratios / ratios.mean()) <= most


@pytest.mark.sweep
@pytest.mark.parametrize("span", [60, 100])
@pytest.mark.parametrize(
    ("spread", "minutes", "most"),
    [(0.3, 0, 0.001), (0.3, 1, 0.001), (0.15, 5, 0.001), (0.3, 5, 0.015)],
)
def test_shorter_pairs_keep_it_though_they_are_more_alike(span, spread, minutes, most):
    ratios = wobbling(np.random.default_rng(5), 400, 180, spread, minutes, every=20)
    worse = (1.1 * ratios / ratios.mean()).tolist()
    guard = replace(LAG, span=span)
    gone = [seen([(1.0, one) for one in rollout], guard, every=20).proven for rollout in worse]
    assert sum(gone) / len(gone) <= most


@pytest.mark.parametrize(("span", "needed"), [(60, 4), (100, 3), (300, 3)])
def test_ten_times_as_much_is_certain_after_three_pairs_or_four_of_a_minute(span, needed):
    guard, looks = replace(LAG, span=span), needed * span // 20
    assert not seen([(1.0, 10.0)] * (looks - 1), guard, every=20).proven
    assert seen([(1.0, 10.0)] * looks, guard, every=20).proven


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("spread", "minutes", "least"), [(0.3, 0, 1.0), (0.3, 1, 1.0), (0.3, 5, 0.75)]
)
def test_twice_as_much_is_found_within_an_hour_however_it_wobbles(spread, minutes, least):
    ratios = wobbling(np.random.default_rng(6), 300, 60, spread, minutes)
    assert rolled_back(2 * ratios) >= least


# ---- what a look comes to ------------------------------------------------------------------------


def check(then="rollback", better="lower") -> Check:
    return Check("kafka_lag", better=better, margin=10, then=then, query="lag{w='$workload'}")


def judgement(known: Standing | None, *, stable=1.0, canary=2.0, then="rollback", weight=25):
    look = Look(AT, 60, (Sample("kafka_lag", stable, canary, "no data", "stale"),))
    compared = {} if known is None else {check(then): known}
    return judge(
        look, (check(then),), min_requests=1000, fails=(), weight=weight, compared=compared
    )[0]


EQUAL = Standing(1, 3.0, -20.0, proven=False)
BEYOND = Standing(2, 98.0, -20.0, proven=False, beyond=True)
WORSE = Standing(4, 98.0, 41.0, proven=True, beyond=True)


@pytest.mark.parametrize(
    ("then", "known", "numbers", "verdict"),
    [
        ("rollback", None, {}, UNCLEAR),
        ("ask", None, {}, UNCLEAR),
        ("warn", None, {}, PASS),
        ("rollback", EQUAL, {}, PASS),
        ("rollback", EQUAL, {"canary": None}, UNCLEAR),
        ("rollback", EQUAL, {"stable": 0.0}, UNCLEAR),
        ("warn", EQUAL, {"stable": None}, PASS),
        ("rollback", BEYOND, {}, UNCLEAR),
        ("ask", BEYOND, {}, UNCLEAR),
        ("warn", BEYOND, {}, PASS),
        ("rollback", BEYOND, {"weight": 100}, PASS),
        ("rollback", WORSE, {}, FAIL),
        ("ask", WORSE, {}, PASS),
        ("warn", WORSE, {}, PASS),
        ("rollback", None, {"weight": 100}, PASS),
    ],
)
def test_a_stage_waits_for_the_first_comparison_and_for_numbers_but_for_no_proof(
    then, known, numbers, verdict
):
    found = judgement(known, then=then, **numbers)
    assert found.verdict is verdict
    assert found.asks is (then == "ask" and known is WORSE)


def test_it_is_said_with_what_is_certain_and_how_much_was_compared():
    assert judgement(WORSE).sentence == (
        "kafka_lag is 98 % higher than on stable, by 41 % or more for certain (4 × 5 min compared), "
        "limit ≤ stable + 10 %"
    )
    assert judgement(BEYOND).sentence == (
        "kafka_lag is 98 % higher than on stable (2 × 5 min compared), limit ≤ stable + 10 %, "
        "but not for certain yet"
    )
    assert said(EQUAL) == "is 3 % higher than on stable (1 × 5 min compared)"
    assert "has no opinion yet" in judgement(None).sentence
    assert "is 0, of which no share can be taken" in judgement(EQUAL, stable=0.0).sentence
    assert judgement(EQUAL, canary=None).sentence == "kafka_lag: stale"
