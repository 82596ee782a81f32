"""When the numbers of an open gate have moved so far that a decision would rest on a wrong picture: the table."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.rollout.question import Gate, Vote
from bot.rollout.shown import CALM, moved, renewed
from bot.rollout.values import Phase
from strategies.limits import judge
from strategies.plan import Check
from strategies.verdict import Look, Sample
from tests.fakes.rollouts import NOON, rollout

CHECKS = (Check("error_rate", above=5), Check("latency_p95", above=500, then="warn"))
ENOUGH = 1000


def picture(errors=0.2, p95=200.0, requests=5000, problem="", stable=0.2):
    samples = (
        Sample("requests", 5000, requests),
        Sample("error_rate", stable, errors),
        Sample("latency_p95", 200.0, p95),
    )
    look = Look(NOON, 60, samples, problem)
    return look, judge(look, CHECKS, min_requests=ENOUGH, fails=(), weight=50.0)[0]


@pytest.mark.parametrize(
    ("shown", "newest", "expected"),
    [
        # a check's verdict got worse, or came back
        ({}, {"p95": 501.0}, "p95 200 ms → 501 ms, over its limit (≤ 500 ms)"),
        ({"p95": 501.0}, {"p95": 499.0}, "p95 501 ms → 499 ms, within its limit (≤ 500 ms)"),
        # errors: half a point and a quarter more, both of them
        ({"errors": 0.2}, {"errors": 0.7}, "Error rate 0.20 % → 0.70 %"),
        ({"errors": 0.2}, {"errors": 0.69}, ""),
        ({"errors": 2.0}, {"errors": 2.5}, "Error rate 2 % → 2.50 %"),
        ({"errors": 3.0}, {"errors": 3.6}, ""),
        ({"errors": 1.2}, {"errors": 0.2}, "Error rate 1.20 % → 0.20 %"),
        ({"errors": 0.0}, {"errors": 0.5}, "Error rate 0 % → 0.50 %"),
        # p95: a fifth
        ({"p95": 200.0}, {"p95": 240.0}, "p95 200 ms → 240 ms"),
        ({"p95": 200.0}, {"p95": 239.0}, ""),
        ({"p95": 240.0}, {"p95": 200.0}, "p95 240 ms → 200 ms"),
        # no data is news, and so is its end; too few requests say nothing
        ({}, {"problem": "Prometheus is away"}, "there are no metrics now"),
        ({"problem": "Prometheus is away"}, {}, "the metrics are back"),
        ({"problem": "one"}, {"problem": "another"}, ""),
        ({}, {"errors": 9.0, "p95": 900.0, "requests": ENOUGH - 1}, ""),
        ({"requests": ENOUGH - 1}, {}, "Error rate 0.20 % → 0.20 %, within its limit (≤ 5 %)"),
        ({}, {"p95": None}, "p95 200 ms → –, no data"),
        ({}, {}, ""),
    ],
)  # fmt: skip
def test_what_counts_as_moved(shown, newest, expected):
    assert moved(picture(**shown), picture(**newest), ENOUGH).split("; ")[0] == expected


def waiting(**changes):
    look, judgement = picture()
    gate = Gate(
        "r-7f3.3.1", "approve", NOON, NOON + timedelta(hours=1), 2, ("S0SRE",),
        votes=(Vote("U0ANA", NOON),), look=look, judgement=judgement, **changes,
    )  # fmt: skip
    return replace(rollout("canary", "Approve", weight=25.0), phase=Phase.WAITING, gate=gate)


def test_the_question_gets_the_new_numbers_and_another_number_and_keeps_its_votes():
    after = renewed(waiting(), *picture(errors=2.0), NOON)
    assert (after.gate.shown, after.gate.refreshed, after.gate.look) == (2, NOON, after.look)
    assert [vote.actor for vote in after.gate.votes] == ["U0ANA"]
    assert "Error rate 0.20 % → 2 %" in after.news[-1].text
    assert "The votes that were cast stay." in after.news[-1].text


def test_it_is_replaced_once_a_minute_at_most():
    row = waiting(refreshed=NOON)
    bad = picture(errors=2.0)
    assert renewed(row, *bad, NOON + CALM - timedelta(milliseconds=1)) is row
    assert renewed(row, *bad, NOON + CALM).gate.shown == 2


def test_numbers_of_another_weight_are_not_held_against_those_of_this_one():
    row = replace(waiting(), weight_at=NOON + timedelta(seconds=1))
    assert renewed(row, *picture(errors=2.0), NOON) is row


def test_without_news_the_row_is_the_same():
    row = waiting()
    assert renewed(row, *picture(errors=0.3), NOON) is row
    assert renewed(row, None, None, NOON) is row
