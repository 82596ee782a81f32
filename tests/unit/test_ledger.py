"""The ledger: which windows count, what is carried over a save and a restart, and what the counts then say."""

import math
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.rollout.ledger import Ledger, fold, policy_of, ruled, silence, stage_of
from bot.rollout.ledger_text import anew, closed, ledger_from_text, ledger_to_text
from bot.rollout.part import Part
from bot.rollout.parts import views
from bot.rollout.values import Phase, Rollout
from integrations.counters import Counted, Counters, LaneCount
from integrations.metric import Missing
from strategies.evidence import Policy, Verdict
from strategies.evidence.saying import unproven
from strategies.plan import Check, Plan, Prepare, Promote, SetWeight, Soak, Switch

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
CHECKS = (
    Check("error_rate", above=5.0),
    Check("latency_p95", times_baseline=1.5),
)
SOAK = Soak(300, checks=CHECKS)
CANARY = (
    Prepare(),
    *(step for percent in (5, 25, 50, 100) for step in (SetWeight(percent), SOAK)),
    Promote(),
)
NOBODY = LaneCount(Missing.NO_DATA, Missing.NO_DATA)


def row(weight=5.0, cursor=2, steps=CANARY, **changes) -> Rollout:
    plan = Plan("checkout", "production", "v2", "canary", steps)
    return Rollout(
        "r-1", "checkout", "production", "v2", plan, "U0BOB", NOW, 1,
        cursor=cursor, weight=weight, weight_at=NOW, **changes,
    )  # fmt: skip


def lane(requests, errors, slow=None) -> LaneCount:
    slow = requests / 20 if slow is None else slow
    half = min(requests / 2, requests - slow)
    buckets = {100.0: half, 250.0: requests - slow, math.inf: requests}
    return LaneCount(requests, errors, buckets)


PAST = lane(100_000.0, 1000.0)


class Looks:
    """Looks at one rollout, 15 seconds apart."""

    def __init__(self, r: Rollout, *, interval=0.0) -> None:
        self.r, self.now, self.interval = r, NOW, interval
        self.ledger = Ledger()
        self.at = 1000.0
        self.see(Counted(NOW, 0.0, NOBODY, NOBODY, closed=False))

    def see(self, told: Counted) -> None:
        self.now += timedelta(seconds=15)
        self.at += 15
        counters = Counters(self.at, self.interval)
        self.ledger = fold(self.ledger, told, counters, PAST, self.r, self.now)

    def count(self, canary, stable, times=1) -> None:
        for _ in range(times):
            self.see(Counted(self.now, 15.0, stable, canary))

    def to(self, weight: float, cursor: int) -> None:
        self.r = replace(self.r, weight=weight, cursor=cursor, weight_at=self.now)

    @property
    def ruling(self):
        return ruled(self.ledger, self.r, self.now)


def test_a_bad_version_is_told_after_three_windows_and_not_before():
    looks = Looks(row())
    bad = (lane(100.0, 50.0), lane(1900.0, 19.0))
    looks.count(*bad, times=2)
    assert looks.ruling.verdict is not Verdict.FAIL
    looks.count(*bad)
    assert (looks.ruling.verdict, looks.ruling.worst) == (Verdict.FAIL, "errors")


def test_a_version_like_stable_passes_once_the_next_stage_is_affordable():
    looks = Looks(row())
    looks.count(lane(100.0, 1.0), lane(1900.0, 19.0), times=20)
    assert looks.ruling.verdict is Verdict.PASS
    looks = Looks(row())
    looks.count(lane(1.0, 0.0), lane(19.0, 0.0), times=20)
    assert looks.ruling.verdict is Verdict.INCONCLUSIVE
    assert looks.ruling.missing > 20


def test_the_window_in_which_the_weight_changed_counts_for_no_stage():
    looks = Looks(row())
    looks.count(lane(100.0, 1.0), lane(1900.0, 19.0), times=3)
    before = looks.ledger.memory
    looks.now += timedelta(seconds=5)
    looks.to(25, 4)
    looks.count(lane(500.0, 500.0), lane(1500.0, 0.0))
    assert looks.ledger.memory == before
    looks.count(lane(500.0, 5.0), lane(1500.0, 15.0))
    assert looks.ledger.memory != before


def test_a_window_that_may_hold_samples_from_before_the_change_is_dropped_too():
    looks = Looks(row(), interval=30.0)
    looks.count(lane(100.0, 100.0), lane(1900.0, 0.0))
    assert looks.ledger.memory.trials == {}
    looks.count(lane(100.0, 100.0), lane(1900.0, 0.0))
    assert looks.ledger.memory.trials != {}


def test_what_nobody_could_read_proves_nothing_and_old_counts_say_nothing_about_now():
    looks = Looks(row())
    looks.count(lane(100.0, 1.0), lane(1900.0, 19.0), times=20)
    for _ in range(8):
        looks.see(Counted(looks.now, 0.0, NOBODY, NOBODY, closed=False, problem="It is down."))
    assert looks.ruling.verdict is Verdict.PASS
    assert looks.ledger.problem == "It is down."
    looks.see(Counted(looks.now, 0.0, NOBODY, NOBODY, closed=False))
    assert looks.ruling is None


def test_a_canary_without_requests_never_passes_and_its_silence_is_counted():
    looks = Looks(row())
    looks.count(lane(0.0, 0.0), lane(1900.0, 19.0), times=10)
    assert looks.ruling is None
    assert looks.ledger.unserved == 150
    looks.count(lane(10.0, 0.0), lane(1900.0, 19.0))
    assert looks.ledger.unserved == 0


def test_a_latency_that_no_common_bucket_tells_is_not_compared_and_said():
    looks = Looks(row())
    other = LaneCount(100.0, 1.0, {300.0: 100.0, math.inf: 100.0})
    looks.count(other, LaneCount(1900.0, 19.0, {300.0: 1900.0, math.inf: 1900.0}), times=20)
    assert looks.ledger.lacking == ("slow",)
    assert looks.ruling.verdict is Verdict.PASS


def test_slower_requests_are_told_behind_the_warm_up_only():
    looks = Looks(row())
    slow = (lane(100.0, 1.0, slow=60.0), lane(1900.0, 19.0))
    looks.count(*slow, times=7)
    assert "slow" not in looks.ledger.memory.trials
    looks.count(*slow, times=4)
    assert (looks.ruling.verdict, looks.ruling.worst) == (Verdict.FAIL, "slow")


def test_without_a_control_it_is_held_against_what_stable_did_before():
    looks = Looks(row())
    looks.count(lane(100.0, 1.0), lane(1900.0, 19.0), times=20)
    looks.to(100, 8)
    well = deepcopy(looks)
    well.count(lane(2000.0, 30.0), NOBODY, times=20)
    assert well.ruling.verdict is Verdict.PASS
    looks.count(lane(2000.0, 200.0), NOBODY, times=4)
    assert looks.ruling.verdict is Verdict.FAIL


def test_colours_are_held_against_what_the_old_one_did_before_the_switch():
    steps = (Prepare(), Switch(), SOAK, Promote())
    looks = Looks(row(100.0, 2, steps, lanes="swap"))
    looks.count(lane(2000.0, 200.0), NOBODY, times=4)
    assert looks.ruling.verdict is Verdict.FAIL
    looks = Looks(row(100.0, 2, steps, lanes="swap"))
    looks.count(lane(2000.0, 20.0), NOBODY, times=10)
    assert looks.ruling.verdict is Verdict.PASS


def test_a_source_without_counters_is_never_waited_for():
    nothing = Counted(NOW, 0.0, NOBODY, NOBODY, closed=False, problem="There are none.")
    ledger = fold(Ledger(), nothing, Counters(), NOBODY, row(), NOW)
    assert (ledger.opened, silence(ledger, NOW)) == (None, "")
    begun = Looks(row())
    assert silence(begun.ledger, begun.now) == "nothing has been counted yet"
    begun.count(lane(100.0, 1.0), lane(1900.0, 19.0))
    assert silence(begun.ledger, begun.now) == ""
    late = begun.now + timedelta(minutes=7)
    assert silence(begun.ledger, late) == "nothing was counted for 7 min"


def test_a_stage_needs_requests_of_its_own_whatever_earlier_ones_have_shown():
    looks = Looks(row())
    looks.count(lane(100.0, 1.0), lane(1900.0, 19.0), times=40)
    assert looks.ruling.verdict is Verdict.PASS
    looks.to(25, 4)
    looks.count(lane(3.0, 0.0), lane(9.0, 0.0), times=2)
    ruling = looks.ruling
    assert (ruling.verdict, ruling.own, ruling.missing) == (Verdict.INCONCLUSIVE, 6, 14)
    assert "6 requests of the new version at this weight are too few" in unproven(ruling)


def test_a_ledger_that_was_written_and_read_says_the_same():
    looks = Looks(row())
    looks.count(lane(100.0, 9.0), lane(1900.0, 19.0), times=5)
    read = ledger_from_text(ledger_to_text(looks.ledger))
    assert replace(read, windows=looks.ledger.windows) == looks.ledger
    assert ruled(read, looks.r, looks.now) == looks.ruling
    assert len(ledger_to_text(looks.ledger)) < 4000


@pytest.mark.parametrize(
    "text", ["[]", "{", "{}", ledger_to_text(Ledger()).replace('"interval"', '"pause"')]
)
def test_what_is_no_ledger_is_refused(text):
    with pytest.raises(ValueError):
        ledger_from_text(text)


def test_a_row_that_has_ended_keeps_what_was_proven_without_the_counters():
    looks = Looks(row())
    looks.count(lane(100.0, 9.0), lane(1900.0, 19.0), times=5)
    text = ledger_to_text(looks.ledger)
    assert closed(row(ledger=text)).ledger == text
    ended = ledger_from_text(closed(row(ledger=text, phase=Phase.SUCCEEDED)).ledger)
    assert (ended.memory, ended.counters) == (looks.ledger.memory, Counters())
    assert closed(row(ledger="?", phase=Phase.SUCCEEDED)).ledger == "?"


def test_what_a_person_lets_go_on_is_judged_anew():
    looks = Looks(row())
    looks.count(lane(100.0, 50.0), lane(1900.0, 19.0), times=4)
    assert looks.ruling.verdict is Verdict.FAIL
    r = anew(row(ledger=ledger_to_text(looks.ledger)))
    again = ledger_from_text(r.ledger)
    assert ruled(again, r, looks.now).verdict is Verdict.INCONCLUSIVE
    assert (again.past, again.counters) == (looks.ledger.past, looks.ledger.counters)


@pytest.mark.parametrize(
    ("cursor", "stage"), [(0, 0), (1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (8, 3), (9, 3)]
)
def test_each_weight_is_a_stage_once_it_was_read_back(cursor, stage):
    assert stage_of(row(cursor=cursor)) == stage


WARNS = (Check("error_rate", above=5.0, then="warn"),)


@pytest.mark.parametrize(
    ("changes", "soak", "asked"),
    [
        ({}, SOAK, True),
        ({"lanes": "one"}, SOAK, False),
        ({"lanes": "led"}, SOAK, False),
        ({}, Soak(60, checks=WARNS), False),
        ({}, Soak(60), False),
        ({}, Soak(60, checks=CHECKS, evidence=Policy("off")), False),
        ({}, Soak(60, checks=WARNS, evidence=Policy("observe")), True),
    ],
)
def test_the_counts_are_asked_where_both_versions_have_numbers_and_a_check_may_roll_back(
    changes, soak, asked
):
    r = row(cursor=1, steps=(SetWeight(5), soak), **changes)
    assert (policy_of(r) is not None) is asked


def test_several_targets_share_what_may_go_wrong_in_one_rollout():
    r = row(parts=(Part("us"), Part("eu")))
    assert [policy_of(own).alpha for own in views(r)] == [0.005, 0.005]
    assert policy_of(row()).alpha == 0.01


def test_a_short_soak_forgives_cold_caches_for_half_of_it():
    short = Soak(60, checks=CHECKS)
    assert policy_of(row(steps=(SetWeight(5), short), cursor=1)).warmup == 30
    assert policy_of(row()).warmup == 120
