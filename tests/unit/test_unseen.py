"""A question that Slack does not carry: its clock stands still, and one call is enough for all that wait."""

from dataclasses import replace
from datetime import timedelta

from bot.rollout.unseen import Loss, find, lose
from tests.fakes.rollouts import NOON
from tests.unit.test_reminding import asked

NOW = NOON + timedelta(minutes=6)


def waiting(**changes):
    return replace(asked(), **changes)


def calls(row):
    return [entry.event for entry in row.news if entry.event]


def lost(row):
    return Loss(row.gate.id, "Slack cannot be reached")


def test_one_outage_calls_once_and_names_what_else_waits():
    first, second = waiting(id="r-1"), waiting(id="r-2", service="search")
    called = lose(first, lost(first), NOW, [first, second])
    assert calls(called) == ["rollout.needs_attention"]
    assert "1 more question waits: search" in called.news[-1].text
    quiet = lose(second, lost(second), NOW, [called, second])
    assert calls(quiet) == []
    assert quiet.gate.unseen == second.gate.opened

    tomorrow = NOW + timedelta(days=1)
    assert calls(lose(replace(called, news=()), lost(first), tomorrow, [quiet])) == [
        "rollout.needs_attention"
    ]
    assert calls(find(replace(quiet, news=()), second.gate.id, tomorrow)) == []
    assert calls(find(replace(called, news=()), first.gate.id, tomorrow)) == ["rollout.resumed"]


def test_what_is_about_one_channel_calls_for_itself():
    first, second = waiting(id="r-1"), waiting(id="r-2")
    called = lose(first, replace(lost(first), alone=True), NOW)
    assert calls(lose(second, replace(lost(second), alone=True), NOW, [called]))


def test_whoever_saw_it_before_has_at_least_five_minutes_and_a_call_only_at_its_deadline():
    row = waiting()
    since = row.gate.opened + timedelta(minutes=1)
    loss = replace(lost(row), since=since)
    still = lose(row, loss, NOW)
    assert (calls(still), still.gate.unseen) == ([], since)
    assert lose(still, loss, NOW) is still
    late = lose(replace(still, news=()), loss, row.gate.expires)
    assert calls(late) == ["rollout.needs_attention"]
    back = row.gate.expires + timedelta(hours=1)
    assert find(late, row.gate.id, back).gate.expires >= back + timedelta(minutes=5)
