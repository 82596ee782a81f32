"""Applied, pending or drift: what a read-back says about a write that was meant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.rollout.holding import awaited, overdue
from bot.rollout.intents import ANYTHING, fence_of, intent_state, lane_state, weight_state
from bot.rollout.pace import cadence, need, wake_at, window
from bot.rollout.part import Armed, LaneMemo, Part, Progress
from bot.rollout.past import ever_stable, newest_finished, stable_versions
from bot.rollout.seen import Seen
from bot.rollout.several import advance
from bot.rollout.values import Back, Phase, Rollout, Rules
from bot.rollout.wanted import PutLane, PutWeight
from bot.rollout.weighing import not_ready
from integrations.base import Lane, LaneState, Split
from strategies import compile_plan
from strategies.request import Request
from strategies.verdict import Look

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MEMO = LaneMemo("app:v1", 4, 4)


def rollout(**changes) -> Rollout:
    soak = changes.pop("soak", 300)
    plan = compile_plan(
        Request("app", "production", "v2", "canary", (5.0, 100.0), (soak, soak), approvals=1)
    )
    row = Rollout("r", "app", "production", "v2", plan, "U0DANA", NOW, 3, Rules(1))
    return replace(row, armed=Armed(0, MEMO, MEMO, NOW), **changes)


@pytest.mark.parametrize(
    ("shown", "fence", "state"),
    [
        (25, "3.7", "applied"),
        (25, "3.8", "applied"),
        (
            25,
            "3.6",
            "pending",
        ),  # somebody else's, or an older write of ours: the fence must land too
        (25, "2.99", "pending"),
        (25, "", "pending"),
        (5, "3.5", "pending"),
        (5, "9.9", "pending"),
        (24.97, "3.7", "applied"),  # whole numbers over an odd total
        (7, "3.5", "drift"),
        (0, "3.7", "drift"),
        (100, "", "drift"),
    ],
)
def test_a_weight_that_was_meant_against_what_is_shown(shown, fence, state):
    intent = PutWeight(25, before=5, since=7)
    assert weight_state(rollout(), intent, Split(shown, "1", fence)) == state


def test_where_a_person_said_so_anything_may_be_written_over():
    intent = PutWeight(25, before=ANYTHING, since=7)
    assert weight_state(rollout(), intent, Split(77, "1", "9.9")) == "pending"


@pytest.mark.parametrize(
    ("text", "fence"),
    [("3.7", (3, 7)), ("", (0, 0)), ("3", (0, 0)), ("a.b", (0, 0)), ("3.7.1", (0, 0)), ("-3.7", (0, 0))],
)  # fmt: skip
def test_a_fence_that_is_not_ours_counts_as_none(text, fence):
    assert fence_of(text) == fence


def test_a_promise_that_moves_by_seconds_is_told_once():
    row = rollout(intent=PutWeight(25, before=5, since=7))
    for seconds in (0, 5, 10):
        until = NOW + timedelta(seconds=120 + seconds)
        split = Split(25, "1", "9.9", waits=f"until {until}", until=until)
        row = awaited(row, Seen(NOW + timedelta(seconds=seconds), split=split))

    assert [one.verb for one in row.news] == ["arriving"]
    assert isinstance(row.intent, PutWeight)
    assert row.intent.told == f"until {NOW + timedelta(seconds=130)}"


@pytest.mark.parametrize(
    ("promised", "after", "late"),
    [(None, 29, False), (None, 30, True), (60, 89, False), (60, 90, True)],
)
def test_a_weight_is_late_half_an_hour_behind_its_promise(promised, after, late):
    until = None if promised is None else NOW + timedelta(minutes=promised)
    split = Split(25, "1", "9.9", waits="it takes its time", until=until)
    row = awaited(rollout(intent=PutWeight(25, before=5, since=7)), Seen(NOW, split=split))

    assert bool(overdue(row, Seen(NOW + timedelta(minutes=after), split=split))) is late


@pytest.mark.parametrize(
    ("image", "replicas", "state"),
    [("app:v2", 2, "applied"), ("app:v1", 2, "pending"), ("app:v2", 1, "pending")],
)
def test_a_lane_that_was_meant(image, replicas, state):
    intent = PutLane(Lane.CANARY, "app:v2", 2, NOW)
    assert lane_state(rollout(), intent, LaneState(image, replicas, 0, settled=False)) == state


def test_what_was_not_seen_is_pending():
    row = rollout(intent=PutWeight(25, before=5, since=7))
    assert intent_state(row, Seen(NOW)) == "pending"


@pytest.mark.parametrize(
    ("phase", "soak", "seconds"),
    [
        (Phase.RUNNING, 300, 15), (Phase.WAITING, 300, 15), (Phase.RUNNING, 60, 6),
        (Phase.RUNNING, 5, 1), (Phase.PAUSED, 300, 60),
    ],
)  # fmt: skip
def test_how_often_the_numbers_are_looked_at(phase, soak, seconds):
    assert cadence(rollout(phase=phase, cursor=2, soak=soak)) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("ago", "thin", "seconds"),
    [(2, False, 15), (100, False, 100), (900, False, 300), (900, True, 900), (9000, True, 900)],
)
def test_the_window_begins_with_the_weight_and_grows_when_traffic_is_thin(ago, thin, seconds):
    look = Look(NOW, 60, ()) if thin else None
    row = rollout(cursor=2, weight=5.0, weight_at=NOW - timedelta(seconds=ago), look=look)
    assert window(row, NOW) == seconds


def test_a_quiet_soak_reads_nothing_between_two_looks():
    row = rollout(cursor=2, weight=5.0, weight_at=NOW, progress=Progress(NOW, since=NOW))
    assert need(row, NOW + timedelta(seconds=5), looked=NOW) == need(
        rollout(phase=Phase.NEEDS_ATTENTION), NOW, None
    )
    due = need(row, NOW + timedelta(seconds=15), looked=NOW)
    assert (due.split, due.lanes, due.window) == (True, True, 15)


def test_what_carries_traffic_and_waits_for_pods_is_still_judged():
    row = rollout(cursor=4, weight=5.0, weight_at=NOW)
    wanted = need(row, NOW + timedelta(seconds=20), looked=NOW)
    assert wanted.window
    assert wanted.inspect


@pytest.mark.parametrize("phase", [p for p in Phase if not p.final and p is not Phase.SCHEDULED])
def test_every_live_phase_has_a_next_look(phase):
    row = rollout(phase=phase, cursor=2, weight=5.0, weight_at=NOW, reminded=NOW)
    assert wake_at(row, NOW, None) is not None


def finished(version, before="", phase=Phase.SUCCEEDED, rollback_of="") -> Rollout:
    return rollout(version=version, from_version=before, phase=phase, rollback_of=rollback_of)


V2 = finished("v2", "v1")
V3 = finished("v3", "v2")
BACK_TO_2 = finished("v2", "v3", rollback_of="r")
BACK_TO_1 = finished("v1", "v2", rollback_of="r")
FAILED = finished("v9", "v3", Phase.ROLLED_BACK)
NOT_STARTED = finished("v9", "", Phase.CANCELLED)


@pytest.mark.parametrize(
    ("newest_first", "stack"),
    [
        ([], []),
        ([V2], ["v1", "v2"]),
        ([V3, V2], ["v1", "v2", "v3"]),
        ([FAILED, V3, V2], ["v1", "v2", "v3"]),
        ([NOT_STARTED, V2], ["v1", "v2"]),
        ([BACK_TO_2, V3, V2], ["v1", "v2"]),
        ([BACK_TO_1, BACK_TO_2, V3, V2], ["v1"]),
        ([finished("v3", "v1"), BACK_TO_1, V2], ["v1", "v3"]),
    ],
)
def test_what_was_stable_before_is_read_from_what_ended_well(newest_first, stack):
    assert stable_versions(newest_first) == stack


def test_a_version_that_never_became_stable_is_no_past_version():
    assert ever_stable([FAILED, V3, V2]) == {"v1", "v2", "v3"}


def test_the_newest_that_changed_something_counts():
    assert newest_finished([NOT_STARTED, FAILED, V3]) is FAILED
    assert newest_finished([NOT_STARTED]) is None


def test_what_is_not_as_before_on_one_of_several_targets_is_kept_for_the_card():
    home = PutWeight(0, before=ANYTHING, since=2)
    armed = Armed(0, MEMO, MEMO, NOW)
    parts = tuple(Part(name, armed=armed, intent=home, from_version="v1") for name in ("us", "eu"))
    back = Back("asked", "", "U0OLU", NOW, automatic=False, weight=50)
    row = rollout(parts=parts, back=back, phase=Phase.ROLLING_BACK)
    lane = LaneState("app:v1", 4, 4, settled=True, token="1")
    for elsewhere in ("record canary of type AAAA", ""):
        split = Split(0, "1", "3.2", elsewhere=elsewhere)
        seen = Seen(NOW, split=split, lanes=dict.fromkeys(Lane, lane))
        row = advance(row, Seen(NOW, parts={"us" if elsewhere else "eu": seen}))

    assert row.back is not None
    assert row.back.rest == "us: record canary of type AAAA still leads to v2"


def test_a_lane_that_never_shows_its_image_has_its_deadline_all_the_same():
    row = rollout(phase=Phase.RUNNING, intent=PutLane(Lane.CANARY, "app:v2", 1, NOW))
    canary = LaneState("app@sha256:0", 1, 1, settled=True, counted=False)

    def ended(seconds: int) -> Rollout | None:
        lanes = {Lane.STABLE: canary, Lane.CANARY: canary}
        seen = Seen(now=NOW + timedelta(seconds=seconds), lanes=lanes)
        return not_ready(row, seen, canary, 600)

    late = ended(601)
    assert ended(600) is None
    assert late is not None
    assert late.back is not None
    assert late.back.code == "not_ready_in_time"
