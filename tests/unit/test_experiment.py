"""A/B tests: who wins, what is not known, what broke, and the sentence that says it."""

import json
from dataclasses import asdict, replace
from math import inf, nan

import pytest

from strategies.experiment import (
    Arm,
    Assigned,
    Clumps,
    ExperimentPolicy,
    Pairs,
    Split,
    Use,
    Weights,
    paired,
    visible,
    weigh,
)

HOUR, DAY = 3600.0, 86_400.0
POLICY = ExperimentPolicy(DAY)
OPERATIONS = replace(POLICY, business=False)
EVEN = Split(50)


def pairs(factor=1.0, count=100):
    """CPU of B against A, wobbling by 2 %."""
    seen = Pairs()
    for index in range(count):
        wobble = 1 + 0.02 * (-1) ** index
        seen = paired(seen, 300, Use(50, 1000), Use(50 * factor * wobble, 1000))
    return seen


def arm(users, *, converts=0.03, errors=0.01, slow=0.05):
    requests = 10 * users
    return Arm(users, requests, errors * requests, slow * requests, converts * users)


def tallies(a=None, b=None, *, users=100_000, seconds=9.5 * HOUR, cpu=None, **b_differs):
    return Assigned(
        seconds, a or arm(users), b or arm(users, **b_differs), pairs() if cpu is None else cpu
    )


@pytest.mark.parametrize(
    ("b", "operations", "winner"),
    [
        ({}, "undecided", None),
        ({"errors": 0.005}, "better", "B"),
        ({"slow": 0.03}, "better", "B"),
        ({"errors": 0.02}, "worse", "A"),
        ({"slow": 0.1}, "worse", "A"),
        ({"errors": 0.0097}, "undecided", None),
        ({"errors": 0.0097, "users": 100_000_000}, "undecided", None),
        ({"errors": 0.0090, "users": 100_000_000}, "better", "B"),
        ({"cpu": pairs(0.7)}, "better", "B"),
        ({"cpu": pairs(1.4)}, "worse", "A"),
        ({"converts": 0.06}, "undecided", None),
    ],
)
def test_without_conversions_whoever_runs_better_wins(b, operations, winner):
    seen = weigh(tallies(**b), EVEN, OPERATIONS)
    assert (seen.operations, seen.winner) == (operations, winner)


@pytest.mark.parametrize(
    ("b", "winner"),
    [
        ({}, None),
        ({"converts": 0.036}, "B"),
        ({"converts": 0.024}, "A"),
        ({"converts": 0.036, "errors": 0.02}, "A"),
        ({"converts": 0.024, "errors": 0.005}, "A"),
        ({"errors": 0.005}, None),
        ({"errors": 0.02}, "A"),
        ({"errors": 0.005, "users": 400_000}, "B"),
        ({"users": 400_000}, None),
    ],
)
def test_b_has_to_be_better_in_one_thing_and_not_worse_in_the_other(b, winner):
    assert weigh(tallies(**b), EVEN, POLICY).winner == winner


@pytest.mark.parametrize(
    ("a", "b", "winner"),
    [(0, 0, None), (9, 0, None), (20, 0, "A"), (0, 20, "B"), (90, 40, "A"), (90, 60, None)],
)
def test_a_variant_that_converts_nobody_loses_after_a_handful_of_conversions(a, b, winner):
    counted = tallies(arm(1000, converts=a / 1000), arm(1000, converts=b / 1000))
    assert weigh(counted, EVEN, POLICY).winner == winner
    retried = replace(counted, clumps=Clumps(assigned=10))
    assert weigh(retried, EVEN, POLICY).winner is None


@pytest.mark.parametrize(
    ("users", "margin", "winner"),
    [(2_000_000, 0.05, "B"), (2_000_000, 0.02, None), (10_000_000, 0.05, "A")],
)
def test_a_variant_that_runs_better_may_convert_less_within_the_margin_as_long_as_it_is_not_proven(
    users, margin, winner
):
    a_little_less = tallies(users=users, converts=0.0297, errors=0.005)
    assert weigh(a_little_less, EVEN, replace(POLICY, margin=margin)).winner == winner


@pytest.mark.parametrize(
    ("a", "b", "split", "broken"),
    [
        (10_000, 10_000, 50, False),
        (10_000, 10_300, 50, False),
        (10_000, 10_800, 50, True),
        (9_000, 1_000, 10, False),
        (9_000, 1_300, 10, True),
        (5_000, 5_000, 40, True),
        (0, 80, 50, True),
        (0, 9, 50, False),
        (0, 0, 50, False),
    ],
)
def test_too_few_users_of_one_variant_break_the_experiment(a, b, split, broken):
    seen = weigh(tallies(arm(a), arm(b, errors=0.0, converts=0.3)), Split(split), POLICY)
    assert seen.broken is broken
    if broken:
        assert seen.winner is None


def test_requests_of_few_users_break_no_split_that_the_users_keep():
    counted = tallies(arm(10_000), arm(10_800))
    users = replace(counted, clumps=Clumps(assigned=20), unit="requests")
    assert weigh(counted, EVEN, POLICY).broken
    assert not weigh(users, EVEN, POLICY).broken


@pytest.mark.parametrize("value", [None, nan, inf, -1.0])
@pytest.mark.parametrize("field", ["assigned", "requests", "errors", "slow", "converted"])
@pytest.mark.parametrize("which", ["a", "b"])
def test_what_is_not_known_makes_nobody_win(value, field, which):
    wins = tallies(errors=0.005, converts=0.06)
    assert weigh(wins, EVEN, POLICY).winner == "B"
    gap = replace(wins, **{which: replace(getattr(wins, which), **{field: value})})
    seen = weigh(gap, EVEN, POLICY)
    assert (seen.winner, seen.broken) == (None, False)
    assert any(words.endswith(f"of {which.upper()}") for words in seen.missing)
    assert "not known" in seen.sentence


def test_more_errors_than_requests_are_not_known():
    seen = weigh(tallies(b=Arm(100, 1000, 1001, 10, 3)), EVEN, OPERATIONS)
    assert (seen.winner, seen.missing) == (None, ("errors of B",))


def test_a_metric_that_is_weighed_and_not_known_makes_nobody_win_and_without_weight_nobody_asks():
    blind = tallies(errors=0.005, cpu=Pairs())
    seen = weigh(blind, EVEN, OPERATIONS)
    assert (seen.winner, seen.missing) == (None, ("CPU per request",))
    assert weigh(blind, EVEN, replace(OPERATIONS, weights=Weights(cpu=0))).winner == "B"


@pytest.mark.parametrize(("errors", "winner"), [(0.005, None), (0.0, "A"), (0.2, "B")])
def test_good_answers_alone_are_better_when_there_are_more_of_them(errors, winner):
    good = replace(OPERATIONS, weights=Weights(0, 0, 20, 0))
    seen = weigh(
        tallies(arm(100_000, errors=errors), errors=0.008 if errors < 0.1 else 0.1), EVEN, good
    )
    assert (seen.winner, seen.missing) == (winner, ())
    assert " good answers instead of " in seen.sentence


def test_two_variants_without_any_error_run_the_same_and_can_still_be_told_apart_by_latency():
    spotless = arm(100_000, errors=0.0)
    assert weigh(tallies(spotless, spotless), EVEN, OPERATIONS).operations == "undecided"
    quicker = replace(spotless, slow=30_000.0)
    assert weigh(tallies(spotless, quicker), EVEN, OPERATIONS).operations == "better"


def test_retries_count_as_one_event():
    once = tallies(users=20_000, errors=0.008, slow=0.046)
    assert weigh(once, EVEN, OPERATIONS).winner == "B"
    assert weigh(replace(once, clumps=Clumps(errors=10)), EVEN, OPERATIONS).winner is None


def test_intervals_hold_the_shares_their_samples_and_bounds_around_the_change():
    conversion, errors, *_ = weigh(tallies(converts=0.033), EVEN, POLICY).intervals
    assert (conversion.metric, errors.metric) == ("conversion", "errors")
    assert (conversion.a, conversion.of_a, conversion.b) == (0.03, 100_000, 0.033)
    assert conversion.change == pytest.approx(0.1)
    assert 0 < conversion.low < 0.1 < conversion.high < 0.25
    assert errors.low < 0 < errors.high


@pytest.mark.parametrize("counts", [tallies(users=0), tallies(users=3), Assigned(0, Arm(), Arm())])
def test_every_outcome_survives_json(counts):
    text = json.dumps(asdict(weigh(counts, EVEN, POLICY)), allow_nan=False)
    assert json.loads(text)["winner"] is None


@pytest.mark.parametrize(
    ("differs", "sentence"),
    [
        (
            {"converts": 0.036},
            (
                "B wins after 9.5 h: B converts 3.60 % of 100,000 users, A 3.00 % of 100,000 (+20 %, between +11 % "
                "and +29 % whenever one looks); B has 1.00 % errors instead of 1.00 % and 5.00 % slow requests instead "
                "of 5.00 % (of 1,000,000 and 1,000,000 requests), CPU per request of B +0.0 % (in 100 times 5 "
                "minutes): which one runs better is not certain (score +0.00, between −0.05 and +0.05)"
            ),
        ),
        (
            {"users": 0, "seconds": 300.0},
            (
                "No winner yet after 5 min: no users yet; no requests yet, CPU per request of B +0.0 % (in 100 times 5 "
                "minutes): too few to tell which one runs better"
            ),
        ),
    ],
)
def test_the_sentence_has_the_numbers_and_the_sample_sizes(differs, sentence):
    assert weigh(tallies(**differs), EVEN, POLICY).sentence == sentence


def test_a_winner_by_far_is_said_without_an_interval():
    counted = tallies(arm(1000, converts=0.03), arm(1000, converts=0.0))
    seen = weigh(counted, EVEN, POLICY)
    assert (seen.winner, seen.ahead) == ("A", "A")
    assert seen.sentence.startswith(
        "A wins after 9.5 h: B converts 0.00 % of 1,000 users, A 3.00 % of 1,000 (A is far ahead: fewer than 1 in "
        "1,000 tests of equal variants look like that); "
    )


def test_the_end_without_a_winner_keeps_a_and_says_how_long_it_would_take():
    seen = weigh(tallies(converts=0.0315, seconds=DAY), EVEN, POLICY)
    assert (seen.winner, seen.over) == (None, True)
    assert seen.sentence.startswith("No clear winner after 24.0 h – keep A: B converts 3.15 %")
    assert seen.sentence.endswith("would decide, if the differences stay as they are")
    longer = 1 + seen.hours * HOUR / DAY
    again = tallies(
        arm(100_000 * longer), arm(100_000 * longer, converts=0.0315), seconds=longer * DAY
    )
    assert weigh(again, EVEN, POLICY).winner == "B"


def test_equal_variants_are_never_decided_and_that_is_said():
    seen = weigh(tallies(seconds=DAY), EVEN, POLICY)
    assert (seen.winner, seen.hours) == (None, None)
    assert seen.sentence.endswith("no amount of time would decide at these differences")


def test_a_broken_experiment_says_what_it_got_instead_of_what():
    seen = weigh(tallies(arm(10_000), arm(10_800), seconds=DAY), EVEN, POLICY)
    assert seen.hours is None
    assert seen.sentence == (
        "Experiment broken, no winner: B got 10,800 of 20,800 users, 51.92 % instead of 50 %; fewer than 1 in 1,000 "
        "tests with a right split look like that, so find out how users are assigned before you trust any number of it"
    )


def test_what_is_not_known_of_both_is_said_once():
    seen = weigh(Assigned(nan, Arm(), Arm()), EVEN, OPERATIONS)
    assert seen.sentence == (
        "No winner yet: not known: users of both, errors of both, slow requests of both, CPU per request and how long "
        "the test has run"
    )


def test_a_day_of_twenty_users_a_minute_shows_no_ten_percent_and_of_two_hundred_it_does():
    few, many = (visible(1440 * each, 0.03, EVEN, POLICY) for each in (20, 200))
    assert many < 0.1 < few < 0.5
    assert visible(0, 0.03, EVEN, POLICY) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Split(0),
        lambda: Split(100),
        lambda: Split(nan),
        lambda: Weights(errors=-1),
        lambda: Weights(cpu=nan),
        lambda: Clumps(errors=0.5),
        lambda: ExperimentPolicy(DAY, alpha=0),
        lambda: ExperimentPolicy(nan),
        lambda: ExperimentPolicy(DAY, business=False, weights=Weights(0, 0, 0, 0)),
    ],
)
def test_what_could_decide_nothing_is_refused(make):
    with pytest.raises(ValueError):
        make()
