"""Verdicts: one look against the checks. No number is never good news and never bad news."""

from datetime import UTC, datetime

import pytest

from strategies.limits import judge, limit_words
from strategies.plan import Check
from strategies.verdict import Look, Sample, Verdict, number

AT = datetime(2026, 11, 21, tzinfo=UTC)


def look(stable=1.0, canary=1.0, requests=1000.0, problem="") -> Look:
    samples = (
        Sample("requests", 1000.0, requests),
        Sample("error_rate", stable, canary, "no data", "no data"),
    )
    return Look(AT, 60, samples, problem)


def verdict(check: Check, weight: float = 50, **numbers) -> Verdict:
    judgement, _ = judge(look(**numbers), (check,), min_requests=100, fails=(), weight=weight)
    return judgement.verdict


PASS, FAIL, UNCLEAR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE

TABLE = [
    (Check("error_rate", above=5), {"canary": 5.0}, PASS),
    (Check("error_rate", above=5), {"canary": 5.01}, FAIL),
    (Check("error_rate", below=5), {"canary": 5.0}, PASS),
    (Check("error_rate", below=5), {"canary": 4.99}, FAIL),
    (Check("error_rate", above_baseline=5), {"stable": 2.0, "canary": 7.0}, PASS),
    (Check("error_rate", above_baseline=5), {"stable": 2.0, "canary": 7.1}, FAIL),
    (Check("error_rate", times_baseline=1.5), {"stable": 2.0, "canary": 3.0}, PASS),
    (Check("error_rate", times_baseline=1.5), {"stable": 2.0, "canary": 3.1}, FAIL),
    (Check("error_rate", above=5), {"canary": None}, UNCLEAR),
    (Check("error_rate", above=5), {"canary": 90.0, "requests": 99.0}, UNCLEAR),
    (Check("error_rate", above=5), {"canary": 90.0, "requests": None}, UNCLEAR),
    (Check("error_rate", above_baseline=5), {"stable": None, "canary": 90.0}, UNCLEAR),
    (Check("latency_p95", above=5), {}, UNCLEAR),
    (Check("error_rate", above=5, then="warn"), {"canary": 90.0}, PASS),
    (Check("error_rate", above=5, then="ask"), {"canary": 90.0}, PASS),
]


@pytest.mark.parametrize(("check", "numbers", "expected"), TABLE)
def test_one_check_against_one_look(check, numbers, expected):
    assert verdict(check, **numbers) is expected


@pytest.mark.parametrize(
    ("check", "numbers", "expected"),
    [
        (Check("error_rate", above=5), {"stable": 7.5, "canary": 7.2}, UNCLEAR),
        (Check("error_rate", above=5), {"stable": 7.5, "canary": 14.9}, UNCLEAR),
        (Check("error_rate", above=5), {"stable": 7.5, "canary": 70.0}, FAIL),
        (Check("error_rate", above=5), {"stable": 4.0, "canary": 7.9}, PASS),
        (Check("error_rate", above=5), {"stable": 4.0, "canary": 8.1}, FAIL),
        (Check("error_rate", above=5), {"stable": 0.0, "canary": 5.1}, FAIL),
        (Check("error_rate", above=5), {"stable": None, "canary": 5.1}, FAIL),
        (Check("error_rate", above=5, then="warn"), {"stable": 7.5, "canary": 7.2}, PASS),
        (Check("error_rate", above=5), {"stable": 7.5, "canary": 7.2, "weight": 100}, FAIL),
    ],
)
def test_a_limit_is_never_closer_than_twice_what_stable_itself_does(check, numbers, expected):
    assert verdict(check, **numbers) is expected


def test_the_success_rate_is_held_by_what_is_missing_of_it():
    check = Check("success_rate", below=95)

    def said(stable, canary):
        samples = (Sample("requests", 1000.0, 1000.0), Sample("success_rate", stable, canary))
        at = Look(AT, 60, samples)
        return judge(at, (check,), min_requests=100, fails=(), weight=50)[0].verdict

    assert [said(96, 93), said(96, 91), said(94, 93), said(99.9, 94)] == [PASS, FAIL, UNCLEAR, FAIL]


@pytest.mark.parametrize(("requests", "expected"), [(29.0, FAIL), (30.0, UNCLEAR)])
def test_a_handful_of_requests_of_stable_excuses_nothing(requests, expected):
    samples = (Sample("requests", requests, 1000.0), Sample("error_rate", 7.5, 7.2))
    at = Look(AT, 60, samples)
    judgement, _ = judge(at, (Check("error_rate", above=5),), min_requests=100, fails=(), weight=95)
    assert judgement.verdict is expected


def test_a_number_just_beyond_its_limit_is_told_with_the_digits_that_show_it():
    at = look(stable=0.2, canary=5.003)
    check = (Check("error_rate", above=5),)
    judgement, _ = judge(at, check, min_requests=100, fails=(), weight=25)
    assert "5.003 % (limit ≤ 5 %)" in judgement.sentence


def test_when_both_versions_fail_it_is_said():
    judgement, fails = judge(
        look(stable=7.5, canary=7.2), (Check("error_rate", above=5),), min_requests=100,
        fails=((True,),), weight=25,
    )  # fmt: skip
    assert "both versions are beyond it" in judgement.sentence
    assert "7.20 %" in judgement.sentence
    assert "7.50 % on stable" in judgement.sentence
    assert fails == ((True,),)


@pytest.mark.parametrize("bound", ["above_baseline", "times_baseline"])
def test_at_100_percent_there_is_no_baseline_and_nobody_waits_for_one(bound):
    check = Check("error_rate", **{bound: 2.0})
    assert verdict(check, weight=100, stable=None, canary=90.0) is PASS
    (result,) = judge(look(), (check,), min_requests=1, fails=(), weight=100)[0].results
    assert not result.counts


def test_a_failure_outweighs_what_is_unclear():
    checks = (Check("latency_p95", above=5), Check("error_rate", above=5))
    judgement, _ = judge(look(canary=9.0), checks, min_requests=1, fails=(), weight=50)
    assert judgement.verdict is FAIL
    assert judgement.sentence == "Error rate 9 % (limit ≤ 5 %)"


def test_so_many_failed_looks_among_so_many_are_needed():
    check = Check("error_rate", above=5, failures=2, of=3)
    fails, verdicts = (), []
    for canary in (9.0, 1.0, 9.0, 1.0, 1.0, 9.0):
        judgement, fails = judge(
            look(canary=canary), (check,), min_requests=1, fails=fails, weight=50
        )
        verdicts.append(judgement.verdict)
    assert verdicts == [PASS, PASS, FAIL, PASS, PASS, PASS]


def test_a_look_without_numbers_is_not_counted_among_the_failures():
    check = Check("error_rate", above=5, failures=2, of=2)
    _, fails = judge(look(canary=9.0), (check,), min_requests=1, fails=(), weight=50)
    judgement, kept = judge(look(canary=None), (check,), min_requests=1, fails=fails, weight=50)
    assert judgement.verdict is UNCLEAR
    assert kept == fails


def test_ask_is_said_apart_from_the_verdict():
    check = Check("error_rate", above=5, then="ask")
    judgement, _ = judge(look(canary=9.0), (check,), min_requests=1, fails=(), weight=50)
    assert (judgement.verdict, judgement.asks) == (PASS, True)


def test_the_reason_of_the_source_comes_first():
    judgement, _ = judge(
        look(canary=None, problem="Prometheus does not answer."), (Check("error_rate", above=5),),
        min_requests=1, fails=(), weight=50,
    )  # fmt: skip
    assert judgement.sentence == "Prometheus does not answer"


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Check("error_rate", above=5), "≤ 5 %"),
        (Check("success_rate", below=99.5), "≥ 99.50 %"),
        (Check("error_rate", above_baseline=5), "≤ stable + 5 points"),
        (Check("latency_p95", above_baseline=50), "≤ stable + 50 ms"),
        (Check("latency_p95", times_baseline=1.5), "≤ stable × 1.5"),
        (Check("kafka_lag", above=1000), "≤ 1,000"),
    ],
)
def test_limits_in_words(check, words):
    assert limit_words(check) == words


@pytest.mark.parametrize(
    ("value", "metric", "shown"),
    [(None, "rps", "–"), (0.256, "error_rate", "0.26 %"), (1234.5, "latency_p95", "1,234 ms"), (7.0, "rps", "7/s")],
)  # fmt: skip
def test_numbers_as_people_read_them(value, metric, shown):
    assert number(value, metric) == shown
