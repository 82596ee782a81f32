"""What the counts say to people: never more than is certain, and never without its numbers."""

from dataclasses import replace

import pytest

from strategies.deciding import decided
from strategies.evidence import Both, Case, Memory, Policy, Ruling, Tally, Window, remember, rule
from strategies.evidence.policy import ERROR_LIMIT, ERRORS, slow
from strategies.evidence.saying import (
    both_fail,
    counted_lines,
    doubt,
    lasting,
    misrouted,
    percent,
    safe,
    times,
    unanswered,
    unproven,
    unserved,
    worse,
)
from strategies.verdict import Judgement, Result, Verdict

POLICY = Policy()


def case(canary=(45, 2909), stable=(191, 32821), name="errors", **changes):
    beside = Tally(*stable) if stable else None
    made = Case(name, Tally(*canary), beside, 1.05, 0.0005)
    return replace(made, **changes)


def ruling(*cases, verdict=Verdict.FAIL, **changes):
    made = Ruling(verdict, 640.0, 0.0016, cases[0].name if cases else "", cases=cases)
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            case(at_least=1.39),
            ("the new version fails 2.7× more often (1.55 % vs 0.58 %; 45 of 2,909 vs 191 of 32,821 requests, "
            "at least 1.3× is certain)"),
        ),
        (
            case(),
            "the new version fails 2.7× more often (1.55 % vs 0.58 %; 45 of 2,909 vs 191 of 32,821 requests)",
        ),
        (
            case(stable=(0, 32821), at_least=9.96),
            ("the new version fails, stable does not (1.55 % vs 0 %; 45 of 2,909 vs 0 of 32,821 requests, "
            "at least 9.9× is certain)"),
        ),
        (
            case((10, 1000), (20, 1000)),
            ("the new version fails more often than stable at the same time (1.00 % vs 2.0 %; 10 of 1,000 vs 20 of "
            "1,000 requests)"),
        ),
        (
            case((190, 1000), (60, 1000), "slow", bound=250.0, at_least=1.53),
            ("19 % of the new version's requests take longer than 250 ms, stable 6.0 % (190 of 1,000 vs 60 of 1,000 "
            "requests, at least 1.5× is certain)"),
        ),
        (
            case((76, 1240), (5, 9000), "error_limit", ratio=0.0, margin=0.05),
            "6.1 % of 1,240 requests failed, over the limit of 5 % for certain",
        ),
        (
            case((76, 1240), (5, 9000), "slow_limit", ratio=0.0, margin=0.01, bound=1000.0),
            "6.1 % of 1,240 requests took longer than 1,000 ms, over the limit of 1 % for certain",
        ),
        (
            case((384, 12000), None, ratio=0.0, margin=0.02, before=Tally(1500, 300_000)),
            ("3.2 % of the new version's requests fail (384 of 12,000 requests), for certain more than twice as many "
            "as on stable before (0.50 % of 300,000); nothing ran beside it to compare with"),
        ),
    ],
)  # fmt: skip
def test_a_rollback_is_explained_by_its_numbers(told, sentence):
    assert worse(ruling(told)) == sentence


@pytest.mark.parametrize(("chance", "often"), [(0.0016, 2), (0.01, 11), (0.0099, 10), (1e-9, 1)])
def test_how_likely_it_is_a_mistake_is_rounded_up(chance, often):
    assert f"in fewer than {often} of 1,000 rollouts" in doubt(ruling(case(), chance=chance))


def test_what_is_ruled_out_is_said_with_its_certainty_and_its_requests():
    fine = ruling(case((12, 1500), (90, 9000)), verdict=Verdict.PASS, ruled_out=0.0161)
    assert safe(fine, POLICY) == (
        "all checks pass; more than 1.6 points of additional errors are ruled out (95 %, 1,500 requests)"
    )
    assert "(90 %, " in safe(fine, Policy(beta=0.1))
    assert safe(replace(fine, ruled_out=None), POLICY) == "all checks pass"


@pytest.mark.parametrize(
    ("ruled_out", "said"),
    [
        (9.1e-13, "0.01"),
        (0.00009, "0.01"),
        (0.000123, "0.012"),
        (0.02, "2"),
        (0.1, "10"),
        (0.999, "100"),
    ],
)
def test_what_is_ruled_out_is_a_number_that_people_write(ruled_out, said):
    fine = ruling(case((12, 1500), (90, 9000)), verdict=Verdict.PASS, ruled_out=ruled_out)

    assert f"; more than {said} points of additional errors" in safe(fine, POLICY)


def test_where_nothing_is_known_of_stable_before_no_share_of_it_is_made_up():
    alone = ruling(case((12, 1500), None, before=Tally(0, 0)), verdict=Verdict.PASS)

    assert safe(alone, POLICY) == (
        "all checks pass; nothing runs beside it to compare with, and nothing is known of stable before: the fixed "
        "limits alone would see harm"
    )
    assert "stable before" not in counted_lines(alone)[0]


def test_what_is_known_of_stable_before_is_told_although_something_is_not():
    unknown = case((12, 1500), None, before=Tally(0, 0))
    slow_before = case((12, 1500), None, "slow", bound=250.0, before=Tally(60, 1000))

    said = safe(ruling(unknown, slow_before, verdict=Verdict.PASS), POLICY)

    assert said.endswith("only more than twice what stable did before (6.0 %) would be seen")


@pytest.mark.parametrize(
    ("evidence", "said"),
    [(0.0, "0.01"), (1.0, "1"), (1.23, "1.2"), (640.0, "640"), (1e9, "over 1,000,000")],
)
def test_the_strength_of_evidence_is_a_number_that_people_write(evidence, said):
    told = ruling(case(), verdict=Verdict.PASS, evidence=evidence)

    assert counted_lines(told)[-1] == f"evidence of harm {said} (1 is none)"


def test_without_a_control_a_pass_says_what_would_not_be_seen():
    alone = case((12, 1500), None, before=Tally(50, 10_000))
    said = safe(ruling(alone, verdict=Verdict.PASS, ruled_out=0.01), POLICY)
    assert "nothing runs beside it" in said
    assert "more than twice what stable did before (0.50 %)" in said
    assert "ruled out" not in said


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            {"evidence": 1.2, "unproven": ("errors",), "missing": 140, "wait": 170},
            "14 requests of the new version are too few; 140 more requests needed, about 3 min at this rate",
        ),
        (
            {"evidence": 1.2, "unproven": ("errors",), "missing": 140},
            "14 requests of the new version are too few; 140 more requests needed",
        ),
        (
            {"evidence": 40.0},
            ("the new version fails 7.1× more often so far (7.1 % vs 1.00 %; 1 of 14 vs 10 of 1,000 requests); that is "
            "not certain yet"),
        ),
        ({"evidence": 1.2, "unproven": ("slow",), "missing": 1}, "latency is not counted yet (120 s of warm-up)"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_with_how_long_it_takes(told, sentence):
    few = ruling(case((1, 14), (10, 1000)), verdict=Verdict.INCONCLUSIVE)
    assert unproven(replace(few, **told), POLICY) == sentence


def test_before_anything_was_counted_no_number_is_made_up():
    nothing = ruling(verdict=Verdict.INCONCLUSIVE, evidence=1.0, unproven=("errors",), missing=1)
    assert unproven(nothing, POLICY) == "nothing is counted yet"


def test_what_keeps_the_counts_from_telling_names_where_to_look():
    assert both_fail(case((72, 1000), (75, 1000))) == (
        "both versions fail (7.2 % and 7.5 % of 1,000 and 1,000 requests): probably a dependency, not this change"
    )
    assert "check the route" in unserved(135)
    assert "no request for 3 min" in unserved(135)
    assert "no bucket of its histogram ends at 300 ms" in unanswered([300.0])
    assert "no count of its errors" in unanswered([None])


@pytest.mark.parametrize(
    ("canary", "stable", "weight", "warned"),
    [
        (120, 880, 25, False),
        (121, 880, 25, True),
        (200, 900, 25, False),
        (3, 1000, 1, False),
        (0, 5000, 1, True),
        (4000, 1000, 50, True),
        (5000, 0, 100, False),
    ],
)
def test_a_share_is_off_by_a_third_of_a_thousand_requests_and_not_by_chance(
    canary, stable, weight, warned
):
    assert (misrouted(canary, stable, weight) is not None) is warned


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (0, "0 %"),
        (1e-7, "0.00001 %"),
        (0.00004, "0.004 %"),
        (0.0155, "1.55 %"),
        (0.072, "7.2 %"),
        (0.19, "19 %"),
    ],
)
def test_shares_have_as_many_digits_as_they_need(rate, shown):
    assert percent(rate) == shown


@pytest.mark.parametrize(
    ("factor", "near", "below"),
    [(1.0599, "1.06×", "1.05×"), (2.66, "2.7×", "2.6×"), (12.9, "13×", "12×")],
)
def test_what_is_certain_is_never_rounded_up(factor, near, below):
    assert (times(factor), times(factor, down=True)) == (near, below)


@pytest.mark.parametrize(("seconds", "said"), [(1, "1 min"), (61, "2 min"), (7200, "2 h")])
def test_waiting_is_rounded_up(seconds, said):
    assert lasting(seconds) == said


# ---- from counts to the sentence -----------------------------------------------------------------------------------


def played(windows, questions, stage=0):
    memory = Memory()
    for canary, stable in windows:
        both = Both(Tally(*canary), stable and Tally(*stable))
        told = {one.name: both for one in questions}
        memory = remember(memory, Window(15.0, stage, 25.0, 1e6, told), questions, POLICY, 2)
    return rule(memory, questions, POLICY, 2, None)


def test_the_counts_of_a_failure_are_those_since_it_began():
    calm, storm = ((1, 100), (3, 300)), ((9, 100), (3, 300))
    told = played([calm] * 100 + [storm] * 20, (ERRORS,))
    found = told.case("errors")
    assert told.verdict is Verdict.FAIL
    assert found.canary.of < 4000, "the calm half hour before does not dilute it"
    assert 1.05 < found.at_least <= found.times


def test_of_what_is_not_the_reason_all_is_told():
    told = played([((9, 100), (3, 300))] * 10, (ERRORS, ERROR_LIMIT))
    other = next(one for one in told.cases if one.name != told.worst)
    assert other.canary == Tally(90, 1000)
    assert other.at_least is None


def test_nothing_is_certain_before_it_fails():
    told = played([((9, 100), (3, 300))], (ERRORS,))
    assert told.verdict is not Verdict.FAIL
    assert told.worst == "errors"
    assert told.case("errors").at_least is None


def test_a_line_for_each_question_has_its_counts_and_what_is_tolerated():
    told = played([((9, 100), (3, 300))] * 10, (ERRORS, slow(1.5)))
    lines = counted_lines(told)
    assert lines[0].startswith("failed requests: 9.0 % of 1,000 requests, stable 1.00 % of 3,000")
    assert "tolerated ≤ stable × 1.05 + 0.05 points" in lines[0]
    assert "worse than tolerated for certain" in lines[-1]


THIN = Result("error_rate", "≤ 5 %", 30.0, 30.0, Verdict.INCONCLUSIVE, "rollback", "few", thin=True)
FINE = replace(THIN, verdict=Verdict.PASS, thin=False, canary=0.5)


def test_what_both_versions_break_with_little_traffic_holds():
    both = played([((30, 100), (90, 300))] * 30, (ERRORS, ERROR_LIMIT))
    assert both.verdict is Verdict.PASS
    literal = Judgement(Verdict.INCONCLUSIVE, (THIN,), sentence="few")
    held = decided(literal, both, POLICY, rate=1.0)
    assert held.verdict is Verdict.INCONCLUSIVE
    assert "both versions fail (30 % and 30 %" in held.sentence
    assert not held.short
    well = played([((0, 100), (0, 300))] * 30, (ERRORS, ERROR_LIMIT))
    assert decided(literal, well, POLICY, rate=1.0).verdict is Verdict.PASS


def test_only_missing_requests_are_something_to_wait_for():
    few = replace(played([((0, 5), (0, 20))], (ERRORS,)), unproven=("errors",), missing=60)
    few = replace(few, verdict=Verdict.INCONCLUSIVE)
    literal = Judgement(Verdict.PASS, (FINE,), sentence="all checks pass")
    told = decided(literal, few, POLICY, rate=0.5)
    assert (told.short, told.ruling.wait) == (True, 120)
    assert decided(literal, few, POLICY, rate=0.0).ruling.wait == 0
    building = replace(few, unproven=(), missing=0, evidence=40.0)
    assert not decided(literal, building, POLICY, rate=0.5).short
