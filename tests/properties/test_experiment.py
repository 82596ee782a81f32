"""A/B tests, whatever was counted: B gets no advantage from its letter, nothing unknown wins, more data says more."""

from dataclasses import fields, replace
from math import comb, exp, log

from hypothesis import given
from hypothesis import strategies as st

from strategies.experiment import Arm, Assigned, ExperimentPolicy, Pairs, Split, Use, paired, weigh
from strategies.experiment.owners import mismatch
from strategies.experiment.width import half_width

OPERATIONS = ExperimentPolicy(86_400, business=False)
BUSINESS = ExperimentPolicy(86_400)
SHARE = st.floats(0, 0.3)
CONCENTRATION = st.sampled_from([2.0, 200.0])


@st.composite
def arms(draw, users=None):
    many = draw(st.integers(0, 10**6)) if users is None else users
    requests = many * draw(st.integers(1, 20))
    parts = [draw(SHARE), draw(SHARE), draw(SHARE)]
    errors, slow = (int(part * requests) for part in parts[:2])
    return Arm(many, requests, errors, slow, int(parts[2] * many))


@st.composite
def counted(draw):
    users = draw(st.integers(0, 10**6))
    factors = draw(st.lists(st.floats(0.3, 3), min_size=1, max_size=20))
    pairs = Pairs()
    for factor in factors:
        pairs = paired(pairs, 300, Use(1, 1), Use(factor, 1))
    return Assigned(3600, draw(arms(users)), draw(arms(users)), pairs)


def swapped(test):
    return replace(test, a=test.b, b=test.a, cpu=replace(test.cpu, mean=-test.cpu.mean))


@given(counted())
def test_swapping_the_variants_swaps_who_runs_better(test):
    here, there = (weigh(each, Split(50), OPERATIONS) for each in (test, swapped(test)))
    assert (here.winner, there.winner) in {("A", "B"), ("B", "A"), (None, None)}
    assert here.broken is there.broken


@given(counted())
def test_where_b_wins_it_would_have_won_as_a_too(test):
    if weigh(test, Split(50), BUSINESS).winner == "B":
        assert weigh(swapped(test), Split(50), BUSINESS).winner == "A"


@given(counted(), st.integers(0, 10**6))
def test_more_conversions_never_turn_a_win_of_b_into_one_of_a(test, more):
    before = weigh(test, Split(50), BUSINESS)
    more = min(more, test.b.assigned - test.b.converted)
    after = weigh(
        replace(test, b=replace(test.b, converted=test.b.converted + more)), Split(50), BUSINESS
    )
    order = {"A": 0, None: 1, "B": 2}
    assert order[after.winner] >= order[before.winner]


@given(
    counted(),
    st.sampled_from([field.name for field in fields(Arm) if field.name != "timed"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from([None, float("nan"), float("inf"), -1.0]),
)
def test_what_is_not_known_never_wins(test, field, which, value):
    gap = replace(test, **{which: replace(getattr(test, which), **{field: value})})
    seen = weigh(gap, Split(50), BUSINESS)
    assert seen.winner is None
    assert seen.missing


@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e3), st.floats(0.01, 1), st.floats(1e-4, 0.2))
def test_an_interval_shrinks_with_the_data(variance, more, scale, level):
    assert half_width(variance / more, scale, level) < half_width(variance, scale, level)


@given(st.floats(1e-9, 1e9), st.floats(0.01, 1), st.floats(1e-4, 0.2))
def test_an_interval_for_all_looks_is_wider_than_one_for_one_look(variance, scale, level):
    assert half_width(variance, scale, level) ** 2 > 2 * variance * log(1 / level)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.floats(0.01, 0.99), CONCENTRATION)
def test_a_split_looks_the_same_from_both_sides(a, b, share, concentration):
    here, there = mismatch(a, b, share, concentration), mismatch(b, a, 1 - share, concentration)
    assert abs(here - there) < 1e-3 * (1 + abs(here))


@given(st.integers(1, 12), st.floats(0.05, 0.95), CONCENTRATION)
def test_the_evidence_against_a_right_split_is_one_on_average(users, share, concentration):
    expected = sum(
        comb(users, b)
        * share**b
        * (1 - share) ** (users - b)
        * exp(mismatch(users - b, b, share, concentration))
        for b in range(users + 1)
    )
    assert abs(expected - 1) < 1e-9
