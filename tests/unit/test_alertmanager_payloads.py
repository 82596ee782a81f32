"""What Alertmanager sends and what it does not: the payloads of its webhook, and what is shown of them."""

import json
from datetime import UTC, datetime

import pytest

from bot.api.alertmanager import notices_from
from bot.commands import Refusal
from bot.rollout.values import Entry
from bot.slack.wording import told

ALERT = {
    "status": "firing",
    "labels": {
        "alertname": "HighErrorRate",
        "rollout_service": "auth-service",
        "severity": "critical",
    },
    "annotations": {"summary": "Too many errors."},
    "startsAt": "2026-11-21T10:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph?g0.expr=up&g0.tab=1",
    "fingerprint": "f1",
}
BODY = {
    "version": "4",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "sluice",
    "groupLabels": {"alertname": "HighErrorRate"},
    "commonLabels": ALERT["labels"],
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "alerts": [ALERT],
}


def body(**changes):
    return {**BODY, **changes}


def odd(**changes):
    return body(alerts=[ALERT, {**ALERT, **changes}])


def test_an_alert_is_read_with_all_that_matters():
    (notice,) = notices_from(BODY)
    assert notice.firing
    assert notice.labels == ALERT["labels"]
    assert notice.alarm.name == "HighErrorRate"
    assert notice.alarm.labels == "rollout_service=auth-service, severity=critical"
    assert notice.alarm.starts == datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)
    assert notice.alarm.link == ALERT["generatorURL"]


@pytest.mark.parametrize(
    "changes",
    [
        {"startsAt": "2026-11-21T11:00:00.123456789+01:00"},
        {"endsAt": "2026-11-21T12:00:00Z"},
        {"annotations": {"summary": "Still too many."}},
        {"generatorURL": "http://prometheus-1:9090/"},
    ],
)
def test_the_same_alert_has_the_same_key_whoever_sends_it(changes):
    (first,), (again,) = notices_from(BODY), notices_from(body(alerts=[{**ALERT, **changes}]))
    assert first.key == again.key


@pytest.mark.parametrize(
    "changes", [{"fingerprint": "f2"}, {"status": "resolved"}, {"startsAt": "2026-11-21T10:00:01Z"}]
)
def test_another_alert_has_another_key(changes):
    (first,), (other,) = notices_from(BODY), notices_from(body(alerts=[{**ALERT, **changes}]))
    assert first.key != other.key


def test_without_a_fingerprint_the_labels_tell_alerts_apart():
    bare = {key: value for key, value in ALERT.items() if key != "fingerprint"}
    other = {**bare, "labels": {**ALERT["labels"], "pod": "x"}}
    first, again, another = notices_from(body(alerts=[bare, bare, other]))
    assert first.key == again.key != another.key


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ([], "version"),
        ({}, "version"),
        (None, "version"),
        (body(version="3"), "version"),
        (body(version=4), "version"),
        (body(alerts=None), "alerts"),
        (body(alerts={}), "alerts"),
        (body(alerts=[ALERT, "x"]), "alerts[1]"),
        (body(truncatedAlerts="7"), "truncatedAlerts"),
        (body(truncatedAlerts=-1), "truncatedAlerts"),
        (body(truncatedAlerts=True), "truncatedAlerts"),
        (body(truncatedAlerts=7, commonLabels=[1]), "commonLabels"),
        (odd(labels=None), "alerts[1].labels"),
        (odd(labels={"severity": 1}), "alerts[1].labels"),
        (odd(status="perhaps"), "alerts[1].status"),
        (odd(status=["firing"]), "alerts[1].status"),
        (odd(startsAt="yesterday"), "alerts[1].startsAt"),
        (odd(startsAt="2026-11-21T10:00:00"), "alerts[1].startsAt"),
        (odd(startsAt="0001-01-01T00:00:00+05:00"), "alerts[1].startsAt"),
        (odd(startsAt=None), "alerts[1].startsAt"),
        (odd(fingerprint=7), "alerts[1].fingerprint"),
    ],
)
def test_what_alertmanager_does_not_send_is_refused_whole_and_named(sent, key):
    with pytest.raises(Refusal) as refusal:
        notices_from(sent)
    assert (refusal.value.status, refusal.value.code, refusal.value.key) == (422, "bad_body", key)


@pytest.mark.parametrize(
    "changes",
    [
        {"externalURL": {"templated": True}, "notification_reason": "repeat", "own": [1, None]},
        {"groupLabels": None, "commonLabels": None, "commonAnnotations": 7, "groupKey": None},
        {"status": 3, "receiver": "\u0000"},
        {"alerts": [{**ALERT, "annotations": {"a": "\u001b[0m"}, "values": {"B": 1.5}}]},
    ],
)
def test_extras_that_somebody_templated_do_not_matter(changes):
    assert [notice.firing for notice in notices_from(body(**changes))] == [True]


def test_alerts_that_were_left_out_have_the_labels_of_their_group():
    _, hidden = notices_from(body(truncatedAlerts=7, groupLabels={"namespace": "orion"}))
    assert hidden.hidden
    assert hidden.labels == {**ALERT["labels"], "namespace": "orion"}
    assert hidden.alarm.name == "7 that were left out of the message"


def test_nothing_is_made_of_what_was_left_out_when_all_is_over():
    over = {**ALERT, "status": "resolved"}
    assert len(notices_from(body(truncatedAlerts=7, alerts=[over]))) == 1


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "ftp://x/y",
        "http://a/|Click>",
        "http://a/ <!channel>",
        "http://a/\nb",
        "https://" + "x" * 2000,
        "",
        None,
        7,
    ],
)
def test_only_a_web_address_is_kept_as_a_link(link):
    (notice,) = notices_from(body(alerts=[{**ALERT, "generatorURL": link}]))
    assert notice.alarm.link == ""


def test_a_line_ends_with_its_link_and_an_ampersand_is_escaped():
    entry = Entry("alert", "alertmanager", "It fires.", data={"link": ALERT["generatorURL"]})
    assert told(entry) == (
        "It fires. <http://prometheus:9090/graph?g0.expr=up&amp;g0.tab=1|Where it comes from>"
    )


@pytest.mark.parametrize("link", ["javascript:alert(1)", "http://a|b>", "http://a/ b", "<!here>"])
def test_whatever_a_stored_line_says_nothing_else_becomes_a_link(link):
    assert told(Entry("alert", "alertmanager", "It fires.", data={"link": link})) == "It fires."


def test_labels_are_shown_short_on_one_line_and_not_all_of_them():
    labels = {f"label_{n}": "x\n" * 500 for n in range(20)}
    (notice,) = notices_from(body(alerts=[{**ALERT, "labels": labels}]))
    assert notice.alarm.name == "without a name"
    assert "\n" not in notice.alarm.labels
    assert len(notice.alarm.labels) < 600
    assert notice.alarm.labels.endswith(", 14 more")


def test_a_whole_message_of_a_megabyte_is_read_quickly():
    alerts = [{**ALERT, "fingerprint": str(n)} for n in range(2500)]
    assert (
        len({one.key for one in notices_from(json.loads(json.dumps(body(alerts=alerts))))}) == 2500
    )
