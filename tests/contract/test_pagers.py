"""PagerDuty, Opsgenie and Grafana, each by its own rules: limits, keys, what ends what, and what is found again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from integrations.alert import Alert
from integrations.alerts.pagerduty import body_of
from integrations.alerts.paging import Open
from integrations.base import RefusedError, TryAgainError
from tests.contract.sink_worlds import CALLS, SPANS, WORLDS
from tests.fakes.pagerduty import ROUTING_KEY

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DATA = {
    "id": "r-1",
    "service": "auth-service",
    "environment": "production",
    "from_version": "v1",
    "to_version": "v2",
    "reason": "error_rate 12 %",
    "reason_code": "check_failed",
    "weight": 50.0,
    "checks": [{"metric": "error_rate", "canary": 12.0, "verdict": "FAIL"}],
    "timings": {"created": "2026-11-21T11:50:00+00:00"},
    "journal_url": "http://bot/journal",
    "slack_permalink": "https://slack.example/p1",
}


def event(
    name: str, n: int = 1, text: str = "It broke.", *, automatic: bool = True, **data
) -> Alert:
    at = NOW + timedelta(minutes=n)
    return Alert(f"r-1-{n}", f"rollout.{name}", at, DATA | data, text=text, automatic=automatic)


@pytest.fixture
async def pair(request):
    """A stand-in and a sink that speaks to it; the parameter is the kind, or the kind and more for the sink."""
    kind, more = request.param if isinstance(request.param, tuple) else (request.param, {})
    fake = await WORLDS[kind].fake().start()
    sink = WORLDS[kind].sink(fake.url, **more)
    yield fake, sink
    await sink.close()
    await fake.stop()


def kind(name, **more):
    return pytest.mark.parametrize("pair", [(name, more)], indirect=True)


PAGERS = pytest.mark.parametrize("pair", ["pagerduty", "opsgenie"], indirect=True)


async def send(sink, *alerts):
    for alert in alerts:
        await sink.send(alert, now=NOW)


# ---- pagers ---------------------------------------------------------------------------------------------------------


@PAGERS
async def test_a_rollback_by_itself_calls_once_and_stays_open(pair):
    fake, sink = pair
    await send(sink, event("rolling_back", 1), event("rolled_back", 2))
    assert fake.open() == ["rollback"]
    assert len(fake.changes) == 1


@PAGERS
async def test_a_rollback_that_a_person_asked_for_calls_nobody(pair):
    fake, sink = pair
    await send(
        sink,
        event("rolling_back", 1, automatic=False),
        event("rolled_back", 2, automatic=False),
    )
    assert fake.changes == []


@PAGERS
@pytest.mark.parametrize("end", ["resumed", "cancelled", "rolling_back", "succeeded"])
async def test_attention_is_over_when_somebody_has_decided(pair, end):
    fake, sink = pair
    await send(sink, event("needs_attention"))
    assert fake.open() == ["attention"]
    await send(sink, event(end, 2, automatic=False))
    assert fake.open() == []


@PAGERS
async def test_the_rollback_that_failed_and_then_succeeded_leaves_one_open(pair):
    fake, sink = pair
    await send(sink, event("rolling_back"), event("needs_attention", 2))
    assert fake.open() == ["rollback", "attention"]
    await send(sink, event("rolled_back", 3))
    assert fake.open() == ["rollback"]


@PAGERS
async def test_what_needs_attention_again_after_it_was_over_calls_again(pair):
    fake, sink = pair
    await send(sink, event("needs_attention"), event("resumed", 2), event("needs_attention", 3))
    assert fake.open() == ["attention"]
    assert len(fake.changes) == 2


@PAGERS
async def test_a_call_that_fails_between_two_is_made_again_from_the_first(pair):
    fake, sink = pair
    await send(sink, event("needs_attention"))
    fake.dropping = True
    with pytest.raises(TryAgainError):
        await send(sink, event("rolled_back", 2))
    fake.dropping = False
    assert set(fake.open()) == {"attention", "rollback"}
    await send(sink, event("rolled_back", 2))
    assert fake.open() == ["rollback"]
    assert len(fake.changes) == 2


@kind("pagerduty")
async def test_pagerduty_gets_who_where_and_why(pair):
    fake, sink = pair
    await send(sink, event("rolled_back", text="Rolled back."))
    body = fake.asked[0].body
    assert body["dedup_key"] == "rollout/r-1/rollback"
    assert body["client_url"] == "https://slack.example/p1"
    assert [link["href"] for link in body["links"]] == ["https://slack.example/p1", "http://bot/journal"]  # fmt: skip
    payload = body["payload"]
    assert payload["summary"] == "auth-service v2 in production: Rolled back."
    assert (payload["source"], payload["severity"]) == ("auth-service/production", "error")
    assert (payload["component"], payload["group"], payload["class"]) == (
        "auth-service", "production", "check_failed",
    )  # fmt: skip
    assert payload["timestamp"] == "2026-11-21T12:01:00+00:00"
    assert payload["custom_details"]["checks"] == DATA["checks"]


@kind("pagerduty")
async def test_ordinary_deploys_are_change_events_and_call_nobody(pair):
    fake, sink = pair
    await send(
        sink, event("started"), event("succeeded", 2), event("rolled_back", 3, automatic=False)
    )
    assert len(fake.deploys) == 3
    assert fake.incidents == []
    assert "dedup_key" not in fake.deploys[0]


@kind("pagerduty", changes=False)
async def test_without_change_events_deploys_are_not_told(pair):
    fake, sink = pair
    await send(sink, event("started"), event("succeeded", 2))
    assert fake.deploys == []
    assert "rollout.started" not in sink.follows


def test_a_large_event_keeps_what_tells_it_apart():
    alert = replace(event("rolled_back", text="x" * 5000), data={**DATA, "checks": ["c" * 600_000]})
    body = body_of(alert, Open("rollback", "error"), ROUTING_KEY)
    assert len(body) <= 512_000
    read = json.loads(body)
    assert len(read["payload"]["summary"]) == 1024
    assert read["payload"]["custom_details"]["truncated"] is True
    assert read["payload"]["custom_details"]["id"] == "r-1"


@kind("pagerduty")
async def test_a_value_that_json_cannot_carry_is_refused_before_it_is_sent(pair):
    fake, sink = pair
    with pytest.raises(RefusedError) as error:
        await send(sink, event("rolled_back", weight=float("nan")))
    assert error.value.code == "alert_not_json"
    assert fake.asked == []


@kind("opsgenie", priority="P1")
async def test_opsgenie_gets_a_short_message_the_whole_sentence_and_its_priority(pair):
    fake, sink = pair
    await send(sink, event("rolled_back", text="Rolled back. " + "x" * 20_000))
    (called,) = fake.alerts
    assert called.alias == "rollout-r-1-rollback"
    assert len(called.body["message"]) == 130
    assert len(called.body["description"]) == 15_000
    assert called.body["priority"] == "P1"
    assert called.body["details"]["Journal"] == "http://bot/journal"
    assert called.body["details"]["weight"] == "50.0"


@kind("opsgenie")
async def test_opsgenie_knows_no_change_events(pair):
    fake, sink = pair
    await send(sink, event("started"))
    assert fake.asked == []


# ---- Grafana --------------------------------------------------------------------------------------------------------


def ms(n: int) -> int:
    return int((NOW + timedelta(minutes=n)).timestamp() * 1000)


@kind("grafana", dashboard="abc", panel=2, tags=("prod",))
async def test_a_rollout_is_a_region_from_its_start_to_its_end(pair):
    fake, sink = pair
    await send(sink, event("started", 1, "Started."), event("succeeded", 9, "Live."))
    (drawn,) = fake.annotations
    assert (drawn["time"], drawn["timeEnd"]) == (ms(1), ms(9))
    assert (drawn["dashboardUID"], drawn["panelId"]) == ("abc", 2)
    assert drawn["tags"] == [
        "prod", "sluice", "service:auth-service", "environment:production", "rollout:r-1", "succeeded",
    ]  # fmt: skip
    assert drawn["text"] == "Live."


@kind("grafana")
async def test_the_end_finds_its_beginning_without_remembering_anything(pair):
    fake, sink = pair
    await send(sink, event("started", 1), event("started", 2, id="r-2"))
    another = WORLDS["grafana"].sink(fake.url)
    await send(another, event("rolled_back", 9))
    await another.close()
    assert [one["timeEnd"] for one in fake.annotations] == [ms(9), ms(2)]


@kind("grafana")
async def test_an_end_without_a_beginning_is_drawn_whole_once(pair):
    fake, sink = pair
    await send(sink, event("rolled_back", 9), event("rolled_back", 9))
    (drawn,) = fake.annotations
    assert (drawn["time"], drawn["timeEnd"]) == (ms(-10), ms(9))


@kind("grafana")
async def test_what_never_began_leaves_nothing(pair):
    fake, sink = pair
    await send(sink, event("cancelled"))
    assert fake.annotations == []


@kind("grafana", events=(*SPANS, "rollout.paused"))
async def test_other_events_are_lines_of_their_own_and_no_region(pair):
    fake, sink = pair
    await send(
        sink, event("started", 1), event("paused", 3), event("paused", 3), event("paused", 4)
    )
    assert [one["time"] for one in fake.annotations] == [ms(1), ms(3), ms(4)]
    await send(sink, event("succeeded", 9))
    assert [one["timeEnd"] for one in fake.annotations] == [ms(9), ms(3), ms(4)]


@kind("grafana")
async def test_what_people_wrote_is_no_markup_there(pair):
    fake, sink = pair
    await send(sink, event("started", text='<a href="http://x">y</a> & z'))
    assert fake.annotations[0]["text"] == "&lt;a href=&quot;http://x&quot;&gt;y&lt;/a&gt; &amp; z"


@kind("grafana")
@pytest.mark.parametrize(
    "found",
    [
        b"",
        b"<html>Log in</html>",
        b'{"message": "x"}',
        b"[1]",
        b'[{"id": "1", "tags": []}]',
        b'[{"id": true, "tags": []}]',
        b'[{"id": 1}]',
        b"[" * 100_000,
        b"[" + b" " * (2 << 20) + b"]",
    ],
)
async def test_an_answer_that_is_none_of_grafanas_is_said_to_be_so(pair, found):
    fake, sink = pair
    fake.odd = found
    with pytest.raises(RefusedError) as error:
        await send(sink, event("started"))
    assert error.value.code == "sink_unreadable"
    assert "Log in" not in str(error.value)
    assert fake.annotations == []


def test_the_defaults_of_a_pager_call_for_what_went_wrong_only():
    assert set(CALLS).isdisjoint(SPANS[:2])
