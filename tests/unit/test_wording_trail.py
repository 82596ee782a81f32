"""What a row remembers of its way, who a bad version affected, and which versions can be gone back to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.rollout.choices import choices
from bot.rollout.impact import affected, exactly
from bot.rollout.recording import recorded
from bot.rollout.trail import Stage, Trail
from bot.rollout.values import Back, Entry, Phase
from bot.slack.numbers import delta, number_lines
from bot.slack.standing import stages
from strategies.verdict import Judgement, Look, Result, Sample, Verdict
from tests.fakes.rollouts import NOON, rollout, succeeded

PASSED = Judgement(Verdict.PASS, ())
FAILED = Result(
    "error_rate", "≤ 1 %", 4.0, 0.2, Verdict.FAIL, "rollback", "error_rate 4 % (limit ≤ 1 %)"
)


def after(minutes):
    return NOON + timedelta(minutes=minutes)


def look(errors, problem="", at=NOON):
    return Look(at, 60, (Sample("error_rate", 0.2, errors),), problem)


def test_stages_are_remembered_with_their_times_and_how_they_went():
    row = recorded(rollout("canary", "Soak", weight=25.0, judgement=PASSED, started=NOON), NOON)
    row = recorded(replace(row, cursor=5, weight=100.0, judgement=None), after(10))
    assert row.trail.stages == (Stage(1, NOON, after(10), "healthy"), Stage(4, after(10)))
    assert stages(row).splitlines() == [
        "✓ 25 % <!date^1788264000^{time}|12:00 UTC>–<!date^1788264600^{time}|12:10 UTC> healthy",
        "● 100 % since <!date^1788264600^{time}|12:10 UTC>",
    ]


def test_a_stage_that_is_left_for_home_is_no_success_and_may_be_begun_again():
    row = recorded(rollout("canary", "Soak", weight=25.0), NOON)
    row = replace(row, judgement=Judgement(Verdict.FAIL, (FAILED,)))
    home = recorded(replace(row, phase=Phase.ROLLING_BACK), after(1))
    assert home.trail.stages == (Stage(1, NOON, after(1), "failed", left=True),)
    assert stages(home).startswith("✗ 25 %")
    assert recorded(home, after(2)) == home
    again = recorded(replace(home, phase=Phase.RUNNING), after(3)).trail.stages
    assert again == (Stage(1, NOON, None, "failed"),)


def test_metrics_that_cannot_be_asked_are_no_data_and_since_when_is_kept():
    row = recorded(
        rollout("canary", "Soak", weight=25.0, look=look(None, "503"), judgement=PASSED), NOON
    )
    later = recorded(row, after(5))
    assert (later.trail.blind_since, later.trail.stages[0].how) == (NOON, "no data")
    assert recorded(replace(later, look=look(0.1)), after(6)).trail.blind_since is None


def test_pauses_approvals_and_the_worst_number_are_counted_once():
    row = recorded(rollout("canary", "Soak", weight=25.0, look=look(0.3)), NOON)
    row = recorded(replace(row, phase=Phase.PAUSED, look=look(0.1)), after(1))
    row = recorded(row, after(2))
    home = replace(
        row,
        phase=Phase.ROLLING_BACK,
        back=Back("check_failed", "x", "sluice", after(3), True, 25.0),
    )
    seen = recorded(replace(home, look=look(14.99, at=after(3))), after(3))
    assert seen.trail.worst == 14.99, "the look that turned it around"
    assert recorded(replace(home, look=look(40, at=after(4))), after(4)).trail.worst == 0.3
    yes = replace(row, cursor=4, phase=Phase.RUNNING).tell(Entry("promoted", "U0ANA", "x"))
    trail = recorded(yes, after(3)).trail
    assert (trail.pauses, trail.worst) == (1, 0.3)
    assert [(one.people, one.percent) for one in trail.approvals] == [(("U0ANA",), 100.0)]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            FAILED,
            "≈ 2 % of all requests failed (50 % of the traffic with 4 % errors), for at most 2 min 10 s "
            + "from 50 % until home",
        ),
        (
            replace(FAILED, metric="latency_p95"),
            "≈ 50 % of the requests got v2, for at most 2 min 10 s from 50 % until home",
        ),
    ],
)
def test_who_was_affected_is_weight_times_errors_until_the_traffic_was_home(result, expected):
    home = NOON + timedelta(seconds=130)
    judgement = Judgement(Verdict.FAIL, (result,))
    back = Back("check_failed", "x", "sluice", after(1), True, 50.0, judgement, home=home)
    trail = Trail((Stage(1, NOON, after(1), "failed", left=True),))
    row = rollout("canary", phase=Phase.ROLLED_BACK, back=back, trail=trail)
    assert affected(row) == expected
    assert affected(replace(row, back=replace(back, weight=0.0))) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (38, "38 s"), (60, "1 min"), (130, "2 min 10 s"), (3700, "1 h 1 min")],
)
def test_short_times_are_said_exactly(seconds, said):
    assert exactly(seconds) == said


@pytest.mark.parametrize(
    ("metric", "stable", "canary", "said"),
    [
        ("error_rate", 0.19, 0.21, "+0.02 points"),
        ("error_rate", 0.2, 0.2, "the same"),
        ("latency_p95", 400.0, 432.0, "↑ 8 %"),
        ("latency_p95", 400.0, 300.0, "↓ 25 %"),
        ("rps", 0.0, 5.0, ""),
        ("rps", None, 5.0, ""),
    ],
)
def test_the_difference_is_in_points_of_a_percentage_and_in_percent_of_all_else(
    metric, stable, canary, said
):
    assert delta(metric, stable, canary) == said


def test_no_data_is_a_verdict_of_its_own():
    result = replace(FAILED, canary=None, verdict=Verdict.INCONCLUSIVE)
    judgement = Judgement(Verdict.INCONCLUSIVE, (result,))
    line = number_lines(rollout(judgement=judgement), look(None))[0]
    assert line == "Error rate: *no data* (stable 0.20 %, limit ≤ 1 %)"


def test_versions_that_did_well_can_be_chosen_and_those_taken_back_have_their_reason():
    def shipped(version, before, minutes, **changes):
        row = succeeded(
            rollout("canary", version=version, from_version=before, started=after(minutes))
        )
        return replace(row, id=version, ended=after(minutes + 5), **changes)

    bad = replace(shipped("v4", "v3", 40), phase=Phase.ROLLED_BACK)
    bad = replace(bad, back=Back("check_failed", "errors", "sluice", after(41), True, 5.0))
    undo = shipped("v3", "v5", 60, rollback_of="v5", reason="slow")
    past = [undo, shipped("v5", "v3", 50), bad, shipped("v3", "v2", 30), shipped("v2", "v1", 20)]
    found = {one.version: one for one in choices(past)}
    assert list(found) == ["v5", "v4", "v2", "v1"]
    assert (found["v5"].bad, found["v4"].bad, found["v2"].bad) == ("slow", "errors", "")
    assert (found["v2"].since, found["v2"].until) == (after(25), after(30))
