"""Which event calls somebody, which one says that nobody is needed any more, and how a rollout is drawn: the tables."""

from datetime import UTC, datetime

import pytest

from bot.settings.sinks import EVENTS
from integrations.alert import Alert
from integrations.alerts.grafana import stroke
from integrations.alerts.paging import Change, Close, Open, calls, follows, links, summary

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BACK = Open("rollback", "error")
ATTENTION, HOLDS = Open("attention", "critical"), Open("attention", "warning")
OVER = Close("attention")
PAGES = ("rollout.rolling_back", "rollout.rolled_back", "rollout.needs_attention")


def event(name: str, *, automatic: bool = True, **data) -> Alert:
    data = {"id": "r-1", "service": "auth", "environment": "production", "to_version": "v2"} | data
    return Alert("r-1-7", f"rollout.{name}", NOW, data, text="It broke.", automatic=automatic)


TABLE = [
    # event, by itself: what it leads to; asked for by a person: what it leads to
    ("scheduled", (), ()),
    ("started", (Change(),), (Change(),)),
    ("waiting", (), ()),
    ("paused", (HOLDS,), (OVER,)),
    ("resumed", (OVER,), (OVER,)),
    ("rolling_back", (BACK, OVER), (OVER,)),
    ("needs_attention", (ATTENTION,), (ATTENTION,)),
    ("unanswered", (HOLDS,), (HOLDS,)),
    ("succeeded", (Change(), OVER), (Change(), OVER)),
    ("rolled_back", (BACK, OVER), (Change(), OVER)),
    ("cancelled", (OVER,), (OVER,)),
    ("glass_broken", (), ()),
]


def test_the_table_knows_every_event():
    assert [f"rollout.{name}" for name, *_ in TABLE] == list(EVENTS)


@pytest.mark.parametrize(("name", "by_itself", "asked_for"), TABLE)
def test_what_an_event_leads_to(name, by_itself, asked_for):
    assert calls(event(name), EVENTS, changes=True) == by_itself
    assert calls(event(name, automatic=False), EVENTS, changes=True) == asked_for


@pytest.mark.parametrize("name", [name for name, *_ in TABLE])
def test_without_change_events_only_people_are_told(name):
    assert Change() not in calls(event(name), EVENTS)


@pytest.mark.parametrize(
    ("events", "name", "expected"),
    [
        (PAGES, "paused", ()),
        (("rollout.rolled_back",), "needs_attention", ()),
        (("rollout.rolled_back",), "resumed", ()),
        (("rollout.rolled_back",), "rolled_back", (BACK,)),
        (("rollout.needs_attention",), "rolled_back", (OVER,)),
        ((), "rolled_back", ()),
    ],
)
def test_only_what_is_asked_for_calls_somebody(events, name, expected):
    assert calls(event(name), events) == expected


@pytest.mark.parametrize("events", [(), PAGES, ("rollout.rolled_back",), EVENTS])
@pytest.mark.parametrize("changes", [True, False])
def test_whatever_leads_to_something_is_heard(events, changes):
    heard = follows(events, changes=changes).union(events)
    for name in EVENTS:
        made = calls(event(name.removeprefix("rollout.")), events, changes=changes)
        assert not made or name in heard


def test_a_rollback_that_went_well_by_itself_stays_open_until_a_person_has_seen_it():
    everything = [call for name, *_ in TABLE for call in calls(event(name), EVENTS)]
    assert Close("rollback") not in everything


@pytest.mark.parametrize("limit", [1024, 130])
def test_a_summary_is_one_line_and_fits(limit):
    alert = event("rolled_back", to_version="v" * 2000)
    assert len(summary(alert, limit)) == limit
    assert summary(event("rolled_back"), limit) == "auth v2 in production: It broke."


def test_an_alert_of_which_little_is_known_has_a_summary_too():
    assert summary(Alert("r-1-7", "rollout.rolled_back", NOW, {"id": "r-1"}), 99) == (
        "r-1: rollout.rolled_back"
    )
    assert summary(Alert("x", "rollout.paused", NOW), 99) == "Sluice: rollout.paused"


def test_only_web_addresses_are_links():
    found = links(event("paused", slack_permalink="", journal_url="https://bot/journal"))
    assert found == {"Journal": "https://bot/journal"}
    assert links(event("paused", slack_permalink="javascript:x", journal_url=None)) == {}


SPANS = ("rollout.started", "rollout.succeeded", "rollout.rolled_back", "rollout.cancelled")


@pytest.mark.parametrize(
    ("events", "name", "expected"),
    [
        (SPANS, "started", "begin"),
        (SPANS, "succeeded", "end"),
        (SPANS, "rolled_back", "end"),
        (SPANS, "cancelled", "end"),
        (SPANS, "paused", None),
        (SPANS, "waiting", None),
        (("rollout.started",), "succeeded", "end"),
        (("rollout.rolled_back",), "rolled_back", "line"),
        (("rollout.rolled_back",), "started", None),
        ((*SPANS, "rollout.paused"), "paused", "line"),
        ((*SPANS, "rollout.rolling_back"), "rolling_back", "line"),
    ],
)
def test_how_an_event_is_drawn(events, name, expected):
    assert stroke(event(name), events) == expected
