"""The ladder of reminders: each rung once, none behind the deadline, nothing repeated after an absence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.rollout.pace import patient, wake_at
from bot.rollout.question import Gate
from bot.rollout.reminding import next_rung, nudged
from bot.rollout.seen import Seen
from bot.rollout.values import Phase, Rules
from bot.settings import read_config
from tests.fakes.rollouts import NOON, rollout
from tests.unit.settings_example import EXAMPLE, changed, problems

LADDER = (300, 900, 1800)


def asked(expires=86400, ladder=LADDER, reminders=0):
    rules = Rules(1, ("S0SRE",), expires, reminders=ladder)
    gate = Gate(
        "r-7f3.3.1", "approve", NOON, NOON + timedelta(seconds=expires), 1, ("S0SRE",), reminders=reminders
    )  # fmt: skip
    return replace(
        rollout("canary", "Approve", weight=25.0), phase=Phase.WAITING, gate=gate, rules=rules
    )


def after(seconds):
    return Seen(NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("behind", "seconds", "tell", "event"),
    [
        (0, 300, "thread", ""),
        (1, 900, "", ""),
        (2, 1800, "thread", "rollout.unanswered"),
        (3, 86_400, "broadcast", ""),
        (4, 172_800, "broadcast", ""),
        (0, 7200, "thread", "rollout.unanswered"),
    ],
)
def test_each_rung_is_said_where_it_belongs(behind, seconds, tell, event):
    row = nudged(asked(expires=10**6, reminders=behind), after(seconds))
    (entry,) = row.news
    assert (entry.verb, entry.code, entry.tell, entry.event) == (
        "still_waiting", "unanswered", tell, event,
    )  # fmt: skip
    assert "then it holds (nothing moves, rollback still works)." in entry.text
    assert nudged(replace(row, news=()), after(seconds)).news == ()


def test_a_rung_that_a_turn_could_not_take_is_tried_again_but_not_at_once():
    late = NOON + timedelta(seconds=400)
    assert late < wake_at(asked(), late, late) <= late + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("at", "changed", "taken"),
    [
        (0, True, 0),
        (-5, True, -5),
        (0, False, 0.5),
        (-300, False, 0.5),
        (9, False, 9),
        (None, False, None),
    ],
)
def test_a_turn_that_changed_nothing_is_not_taken_again_at_once(at, changed, taken):
    when = at if at is None else NOON + timedelta(seconds=at)
    then = taken if taken is None else NOON + timedelta(seconds=taken)
    assert patient(when, NOON, changed=changed) == then


def test_before_its_time_nothing_is_said_and_the_next_turn_is_at_its_time():
    row = asked()
    assert nudged(row, after(299)) is row
    assert next_rung(row) == NOON + timedelta(seconds=300)
    now = NOON + timedelta(seconds=290)
    assert wake_at(row, now, now) == NOON + timedelta(seconds=300)


@pytest.mark.parametrize(
    ("expires", "rungs"),
    [(200, 0), (300, 0), (301, 1), (900, 1), (1801, 3), (86_400, 3), (86_401, 4)],
)
def test_a_rung_behind_the_deadline_is_left_out(expires, rungs):
    row = nudged(asked(expires), after(expires))
    assert row.gate.reminders == rungs


def test_with_none_configured_nobody_is_reminded():
    row = asked(ladder=())
    assert nudged(row, after(80_000)) is row
    assert next_rung(row) is None


@pytest.mark.parametrize(
    ("written", "read"),
    [("[1m, 2m, 1h]", (60, 120, 3600)), ("[]", ()), (None, LADDER)],
)
def test_an_environment_says_when(written, read):
    line = (
        f"    gate_expires: 24h\n    reminders: {written}" if written else "    gate_expires: 24h"
    )
    config = read_config(EXAMPLE.replace("    gate_expires: 24h", line), "sluice.yaml")
    assert config.environment("production").reminders == read


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("[5m, 15m]", "bad_reminders"),
        ("[5m, 5m, 30m]", "bad_reminders"),
        ("[5m, 15m, 10m]", "bad_reminders"),
        ("[5, 15m, 30m]", "bare_number"),
        ("5m", "wrong_type"),
    ],
)
def test_what_is_no_ladder_is_refused(written, code):
    found = problems(
        changed("    gate_expires: 24h", f"    gate_expires: 24h\n    reminders: {written}")
    )
    assert [problem.code for problem in found] == [code]
