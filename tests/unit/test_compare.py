"""A/B tests: the tables of the seeds, ties, missing numbers, too few requests."""

from datetime import UTC, datetime
from math import nan

import pytest

from strategies.compare import compare
from strategies.plan import Compare, Yardstick
from strategies.verdict import Look, Sample
from strategies.yardsticks import yardsticks

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MESH = yardsticks(())
FUNCTIONS = yardsticks(
    tuple(
        Yardstick(name)
        for name in ("latency_avg", "error_rate", "conversion_rate", "user_engagement")
    )
)


def look(*samples, requests=(5000.0, 5000.0)) -> Look:
    return Look(NOW, 3600, (Sample("requests", *requests), *(Sample(*s) for s in samples)))


def test_the_table_of_the_mesh_guide():
    table = compare(
        look(
            ("error_rate", 0.5, 0.3), ("latency_p95", 120.0, 150.0), ("rps", 1200.0, 1250.0), ("cpu", 60.0, 55.0)
        ),
        Compare(MESH, 3600),
    )  # fmt: skip
    assert [(line.metric, line.weight, line.winner) for line in table.lines] == [
        ("error_rate", 40, "B"), ("latency_p95", 30, "A"), ("rps", 20, "B"), ("cpu", 10, "B"),
    ]  # fmt: skip
    assert (table.score_a, table.score_b, table.winner) == (30, 70, "B")
    assert table.sentence == "B leads 70 : 30 (error_rate, rps, cpu)"


def test_the_table_of_the_functions_guide():
    table = compare(
        look(
            ("latency_avg", 145.0, 132.0), ("error_rate", 0.2, 0.3), ("conversion_rate", 2.5, 2.8),
            ("user_engagement", 65.0, 70.0),
        ),
        Compare(FUNCTIONS, 3600, score="wins"),
    )  # fmt: skip
    assert [line.winner for line in table.lines] == ["B", "A", "B", "B"]
    assert (table.score_a, table.score_b, table.winner) == (1, 3, "B")
    assert table.sentence == "B wins 3 of 4 metrics (latency_avg, conversion_rate, user_engagement)"


def test_equal_values_count_for_nobody():
    table = compare(
        look(("error_rate", 0.3, 0.3), ("latency_p95", 9.0, 8.0), ("rps", 5.0, 4.0)),
        Compare(MESH[:3], 60),
    )
    assert [(line.winner, line.why) for line in table.lines] == [
        ("", "a tie"),
        ("B", ""),
        ("A", ""),
    ]
    assert table.sentence == "B leads 33.3 : 22.2 (latency_p95)"


def test_a_metric_without_numbers_is_shown_with_why_and_leaves_the_total():
    table = compare(
        look(
            ("error_rate", 0.5, 0.3), ("latency_p95", None, 150.0, "no answer"),
            ("rps", 10.0, 9.0), ("cpu", None, nan, "stale"),
        ),
        Compare(MESH, 60),
    )  # fmt: skip
    assert [(line.weight, line.winner, line.why) for line in table.lines] == [
        (66.67, "B", ""), (0, "", "A: no answer"), (33.33, "A", ""), (0, "", "A: stale; B: no data"),
    ]  # fmt: skip
    assert (table.lines[1].a, table.lines[1].b, table.lines[3].b) == (None, 150, None)
    assert table.sentence == "B leads 66.7 : 33.3 (error_rate)"


def test_a_metric_that_was_not_looked_at_is_not_available():
    (line,) = compare(look(), Compare(MESH[:1], 60)).lines
    assert (line.winner, line.why) == ("", "not available")


@pytest.mark.parametrize(
    ("requests", "missing"),
    [
        ((400.0, 5000.0), "A has 400 of 1,000 requests, 600 are missing"),
        ((5000.0, 999.0), "B has 999 of 1,000 requests, 1 are missing"),
        ((0.0, None), "A has 0 of 1,000 requests, 1,000 are missing; B has 0 of 1,000 requests, 1,000 are missing"),
    ],
)  # fmt: skip
def test_nobody_wins_before_both_variants_were_asked_often_enough(requests, missing):
    table = compare(look(("error_rate", 9.0, 0.1), requests=requests), Compare(MESH, 60))
    assert (table.winner, table.score_b) == ("", 100)
    assert table.sentence == f"No winner yet: {missing}"


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        ((), "No clear winner: no metric has numbers for both variants"),
        ((("error_rate", 1.0, 1.0),), "No clear winner: both variants are equal in every metric"),
        ((("error_rate", 1.0, 2.0), ("latency_p95", 2.0, 1.0)), "No clear winner: 1 : 1"),
    ],
)
def test_there_may_be_no_clear_winner(samples, sentence):
    table = compare(look(*samples), Compare(MESH, 60, score="wins"))
    assert (table.winner, table.sentence) == ("", sentence)


def test_an_equal_score_has_no_winner():
    halves = (Yardstick("error_rate", weight=50), Yardstick("cpu", weight=50))
    table = compare(look(("error_rate", 1.0, 2.0), ("cpu", 9.0, 8.0)), Compare(halves, 60))
    assert (table.winner, table.sentence) == ("", "No clear winner: 50 : 50")


@pytest.mark.parametrize(("b", "winner"), [(290.0, "A"), (310.0, "B"), (300.0, "")])
def test_throughput_is_held_against_the_share_of_the_traffic(b, winner):
    (line,) = compare(look(("rps", 700.0, b)), Compare(MESH[2:3], 60, split=30)).lines
    assert (line.a, line.b, line.winner) == (700, b, winner)
