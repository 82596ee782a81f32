"""The numbers of a look on the card and at a question: what keeps a check from an opinion, and how near a limit is."""

from dataclasses import replace

import pytest

from bot.rollout.judging import recovered
from bot.rollout.values import Back
from bot.slack.evidence import evidence_rows
from bot.slack.numbers import number_lines
from strategies.plan import Check, SetWeight, Soak
from strategies.verdict import Judgement, Look, Result, Sample, Verdict
from tests.fakes.rollouts import NOON, rollout

ABOVE_5 = Check("error_rate", above=5)
SILENT = Result(
    "error_rate", "≤ 5 %", 0.2, 0.2, Verdict.INCONCLUSIVE, "rollback", "26 of 50", counts=False
)


def look(canary, stable=0.2):
    return Look(NOON, 60, (Sample("error_rate", stable, canary),))


def row(*results, check=ABOVE_5, **changes):
    judgement = Judgement(Verdict.INCONCLUSIVE, results) if results else None
    steps = (SetWeight(25), Soak(300, checks=(check,)))
    return rollout(steps, "Soak", weight=25.0, judgement=judgement, **changes)


@pytest.mark.parametrize(("thin", "said"), [(True, "too few"), (False, "no baseline")])
def test_a_check_without_an_opinion_says_which_of_two_it_lacks(thin, said):
    r = row(replace(SILENT, thin=thin))

    _, shown = evidence_rows(r, look(0.2), r.judgement)

    assert shown == ["Error rate", said, "0.20 %", "0.20 %", "≤ 5 %"]
    assert number_lines(r, look(0.2))[0].endswith(f" – *{said}*")


def test_of_two_limits_the_one_that_lacks_requests_says_why_nothing_is_judged():
    relative = replace(SILENT, limit="≤ stable × 2")
    r = row(relative, replace(SILENT, thin=True))

    assert number_lines(r, look(0.2))[0].endswith(" – *too few*")


@pytest.mark.parametrize(
    ("check", "canary", "shown", "limit"),
    [
        (ABOVE_5, 5.001, "5.001 %", "≤ 5 %"),
        (ABOVE_5, 6.5, "6.50 %", "≤ 5 %"),
        (Check("error_rate", above_baseline=1), 1.204, "1.204 %", "≤ 1.20 %"),
        (Check("error_rate", times_baseline=2), 0.4012, "0.401 %", "≤ 0.40 %"),
    ],
)
def test_a_number_over_its_limit_does_not_read_as_if_it_were_at_it(check, canary, shown, limit):
    _, cells = evidence_rows(row(check=check), look(canary), None)

    assert cells[2:] == [shown, "0.20 %", limit]


def test_the_card_sets_a_number_apart_from_its_limit_too():
    failed = replace(SILENT, canary=5.004, verdict=Verdict.FAIL, counts=True)

    (line, _) = number_lines(row(failed), look(5.004))

    assert line == "Error rate 5.004 % (stable 0.20 %, +4.8 points, limit ≤ 5 %) – *FAILED*"


def test_after_a_rollback_what_was_over_the_limit_is_still_over_it():
    failed = replace(SILENT, canary=5.004, verdict=Verdict.FAIL, counts=True)
    back = Back("check_failed", "x", "sluice", NOON, True, 25.0, Judgement(Verdict.FAIL, (failed,)))

    said = recovered(row(back=back), look(None, 4.999))

    assert "Error rate 4.999 % on v1 now, 5.004 % on v2 then (limit ≤ 5 %)" in said
