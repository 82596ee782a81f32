"""What an alert does to a row, phase by phase, and what it may do where its labels leave a doubt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands.alarming import Notice, _deed, concerned
from bot.rollout.alarms import Alarm, alarmed, older, possible
from bot.rollout.values import Back, Phase, Rollout
from bot.settings import read_config
from bot.settings.hooks import AlertmanagerBlock
from bot.settings.secret import Secret
from strategies.plan import Batch, Plan, Prepare
from tests.unit.settings_example import EXAMPLE

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALARM = Alarm("Down", "severity=critical", NOW, "http://prometheus/graph")
HOOK = AlertmanagerBlock(token=Secret("0123456789abcdef"))
CONFIG = read_config(EXAMPLE, "sluice.yaml")
BACK = Back("check_failed", "errors", "sluice", NOW, automatic=True, weight=50)


def row(phase=Phase.RUNNING, step=None, **more) -> Rollout:
    plan = Plan("auth-service", "production", "v2", "canary", (step or Prepare(),))
    more = {"created": NOW - timedelta(hours=1), "counter": 1, "phase": phase} | more
    return Rollout("r-1", "auth-service", "production", "v2", plan, "U0DANA", **more)


@pytest.mark.parametrize(
    ("phase", "back", "wanted", "can"),
    [
        (Phase.RUNNING, None, "rollback", "rollback"),
        (Phase.WAITING, None, "rollback", "rollback"),
        (Phase.PAUSED, None, "rollback", "rollback"),
        (Phase.NEEDS_ATTENTION, None, "rollback", "rollback"),
        (Phase.ROLLING_BACK, BACK, "rollback", "tell"),
        (Phase.ROLLING_BACK, replace(BACK, partial=True), "rollback", "rollback"),
        (Phase.NEEDS_ATTENTION, BACK, "rollback", "tell"),
        (Phase.RUNNING, None, "pause", "pause"),
        (Phase.WAITING, None, "pause", "pause"),
        (Phase.PAUSED, None, "pause", "tell"),
        (Phase.ROLLING_BACK, BACK, "pause", "tell"),
        (Phase.NEEDS_ATTENTION, None, "pause", "tell"),
        (Phase.RUNNING, None, "tell", "tell"),
    ],
)
def test_what_an_alert_can_still_do(phase, back, wanted, can):
    before = row(phase, back=back)
    assert possible(before, wanted) == can
    after = alarmed(before, wanted, ALARM, 0, NOW)
    expected = {"rollback": Phase.ROLLING_BACK, "pause": Phase.PAUSED, "tell": phase}[can]
    assert after.phase is expected
    (entry,) = after.news
    assert entry.actor == "alertmanager"
    assert entry.data["link"] == ALARM.link
    assert "the alert Down (severity=critical) fires" in entry.text.replace(
        "The alert", "the alert"
    )


@pytest.mark.parametrize(
    ("rollback", "phase", "after"),
    [
        ("all", Phase.RUNNING, Phase.ROLLING_BACK),
        ("none", Phase.RUNNING, Phase.PAUSED),
        ("none", Phase.PAUSED, Phase.PAUSED),
        ("failed-batch", Phase.PAUSED, Phase.PAUSED),
    ],
)
def test_it_undoes_no_more_than_the_plan_lets_a_failed_check_undo(rollback, phase, after):
    step = Batch("25%", 5, 30, rollback=rollback)
    changed = alarmed(row(phase, step), "rollback", ALARM, 2, NOW)
    assert changed.phase is after
    assert "and 2 more" in changed.news[-1].text
    assert changed.news[-1].actor == "alertmanager"


@pytest.mark.parametrize(
    ("starts", "is_older"),
    [
        (NOW - timedelta(hours=2), True),
        (NOW - timedelta(hours=1), False),
        (NOW, False),
        (datetime.min.replace(tzinfo=UTC), True),
        (None, False),
    ],
)
def test_what_fired_before_the_rollout_began_is_older(starts, is_older):
    assert older(row(), replace(ALARM, starts=starts)) is is_older


def test_a_scheduled_rollout_began_when_it_started():
    assert older(row(started=NOW), replace(ALARM, starts=NOW - timedelta(minutes=5)))


def notice(*, firing=True, hidden=False, **labels) -> Notice:
    labels = {"rollout_service": "auth-service", "severity": "critical"} | labels
    return Notice("k", firing, labels, ALARM, hidden)


ONE, TWO = [row()], [row(), replace(row(), id="r-2", environment="staging")]


@pytest.mark.parametrize(
    ("alert", "found", "deed"),
    [
        (notice(), ONE, "rollback"),
        (notice(), TWO, "pause"),
        (notice(severity="warning"), TWO, "pause"),
        (notice(hidden=True), ONE, "pause"),
        (notice(hidden=True, severity="info"), ONE, "pause"),
        (notice(firing=False), ONE, "tell"),
        (notice(severity="info"), ONE, None),
    ],
)
def test_a_doubt_never_rolls_back(alert, found, deed):
    assert _deed(HOOK, alert, found) == deed


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        ({}, ["r-1", "r-2"]),
        ({"rollout_environment": "staging"}, ["r-2"]),
        ({"rollout_environment": "production", "namespace": "orion"}, ["r-1"]),
        ({"namespace": "elsewhere"}, []),
        ({"rollout_service": "auth"}, []),
        ({"rollout_service": ""}, []),
    ],
)
def test_labels_choose_among_the_rollouts_in_flight(labels, ids):
    # staging is not configured for it any more: of such a rollout no namespace is known
    found = concerned(CONFIG, HOOK, notice(**labels).labels, TWO)
    assert [r.id for r in found] == ids
