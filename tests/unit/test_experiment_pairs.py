"""CPU per request in pairs of five minutes: looks of any length, gaps, and that it stays small."""

from dataclasses import asdict
from math import log, nan
from statistics import variance

import pytest

from strategies.experiment import Pairs, Use, paired

A, B = Use(10, 100), Use(12, 100)


def looked(*looks):
    pairs = Pairs()
    for seconds, a, b in looks:
        pairs = paired(pairs, seconds, a, b)
    return pairs


def test_short_looks_make_one_pair_of_five_minutes():
    pairs = looked(*[(15, A, B)] * 19)
    assert (pairs.count, pairs.known) == (0, False)
    pairs = paired(pairs, 15, A, B)
    assert (pairs.count, pairs.known) == (1, True)
    assert pairs.mean == pytest.approx(log(1.2))


def test_more_traffic_is_not_more_cpu_per_request():
    pairs = looked((300, Use(10, 100), Use(50, 500)))
    assert pairs.mean == pytest.approx(0)


@pytest.mark.parametrize("gone", [None, Use(nan, 100), Use(10, nan), Use(-1, 100), Use(0, 0)])
def test_five_minutes_without_numbers_of_one_variant_are_no_pair(gone):
    looks = [(150, A, B), (150, A, gone)] if gone != Use(0, 0) else [(300, A, gone)]
    pairs = looked((300, A, B), *looks, (300, A, B))
    assert (pairs.count, pairs.skipped) == (2, 1)
    assert pairs.mean == pytest.approx(log(1.2))


@pytest.mark.parametrize("seconds", [0, -5, nan])
def test_a_look_over_no_time_says_nothing(seconds):
    assert looked((seconds, A, B)) == Pairs()


def test_the_variance_of_the_mean_becomes_that_of_the_pairs():
    logs = [0.05 * (-1) ** n for n in range(2000)]
    pairs = looked(*[(300, Use(1, 1), Use(2.718281828459045**each, 1)) for each in logs])
    assert pairs.variance(0.1) == pytest.approx(variance(logs) / 2000, rel=0.01)


def test_two_pairs_that_happen_to_agree_prove_little():
    pairs = looked(*[(300, A, B)] * 2)
    assert pairs.squares == 0
    assert pairs.variance(0.1) > 0.05**2


def test_a_month_is_remembered_in_as_little_as_an_hour():
    hour, month = (looked(*[(300, A, B)] * count) for count in (12, 8640))
    assert asdict(hour).keys() == asdict(month).keys()
    assert len(str(asdict(month))) < 400
