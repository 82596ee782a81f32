"""An alert reaches a webhook signed, small and once per call; every answer is one of two errors or none."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import aiohttp
import pytest

from integrations.alert import Alert
from integrations.alerts.schedule import retry_delay
from integrations.alerts.webhook import WebhookSink, body_of
from integrations.base import RefusedError, TryAgainError
from tests.fakes.sink import Sink

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW = datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)
ALERT = Alert(
    id="msg_1",
    type="rollout.rolled_back",
    at=datetime(2026, 5, 4, 14, 0, tzinfo=timezone(timedelta(hours=2))),
    data={"id": "r1", "service": "auth-service", "reason": "zu viele Fehler — 12 %", "checks": []},
)


@pytest.fixture
async def sink():
    sink = Sink(KEY)
    sink.url = await sink.start()
    yield sink
    await sink.stop()


@pytest.fixture
async def webhook(sink):
    webhook = WebhookSink(sink.url, secret=SECRET, timeout=0.5)
    yield webhook
    await webhook.close()


async def test_a_delivery_is_signed_and_complete(sink, webhook):
    await webhook.send(ALERT, now=NOW)

    (delivery,) = sink.deliveries
    assert delivery.genuine
    assert delivery.id == "msg_1"
    assert delivery.timestamp == NOW.timestamp()
    assert delivery.body == {
        "type": "rollout.rolled_back",
        "timestamp": "2026-05-04T12:00:00Z",
        "data": dict(ALERT.data),
    }


async def test_a_repeat_has_the_same_id_and_body_and_the_time_of_its_attempt(sink, webhook):
    sink.answers = [503]
    with pytest.raises(TryAgainError):
        await webhook.send(ALERT, now=NOW)
    await webhook.send(ALERT, now=NOW + timedelta(seconds=5))

    first, second = sink.deliveries
    assert (first.id, first.raw) == (second.id, second.raw)
    assert second.timestamp - first.timestamp == 5
    assert second.genuine


async def test_a_plain_text_secret_signs_as_it_is(sink):
    webhook = WebhookSink(sink.url, secret=KEY.decode())
    await webhook.send(ALERT, now=NOW)
    await webhook.close()

    assert sink.deliveries[0].genuine


async def test_another_secret_is_noticed_by_the_receiver(sink):
    webhook = WebhookSink(sink.url, secret="another one")
    await webhook.send(ALERT, now=NOW)
    await webhook.close()

    assert not sink.deliveries[0].genuine


async def test_a_client_that_was_passed_in_stays_open(sink):
    async with aiohttp.ClientSession() as session:
        webhook = WebhookSink(sink.url, secret=SECRET, session=session)
        await webhook.send(ALERT, now=NOW)
        await webhook.close()

        assert not session.closed


@pytest.mark.parametrize(
    ("answer", "family", "code"),
    [
        (410, RefusedError, "sink_gone"),
        (400, RefusedError, "sink_refused"),
        (401, RefusedError, "sink_refused"),
        (404, RefusedError, "sink_refused"),
        ((302, {"Location": "/elsewhere"}), RefusedError, "sink_redirects"),
        ((308, {"Location": "/elsewhere"}), RefusedError, "sink_redirects"),
        (304, RefusedError, "sink_redirects"),
        (408, TryAgainError, "sink_failed"),
        (429, TryAgainError, "sink_busy"),
        (500, TryAgainError, "sink_failed"),
        (502, TryAgainError, "sink_failed"),
        (504, TryAgainError, "sink_failed"),
    ],
)
async def test_an_answer_that_is_not_2xx_is_an_error(sink, webhook, answer, family, code):
    sink.answers = [answer]
    with pytest.raises(family) as error:
        await webhook.send(ALERT, now=NOW)

    assert error.value.code == code
    assert sink.elsewhere == 0
    assert "s3cret" not in str(error.value)
    assert "channel" not in str(error.value)


@pytest.mark.parametrize("answer", [200, 201, 202, 204])
async def test_any_2xx_is_fine(sink, webhook, answer):
    sink.answers = [answer]
    await webhook.send(ALERT, now=NOW)

    assert len(sink.deliveries) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 04 May 2026 12:01:00 GMT", 30),
        ("Mon, 04 May 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
async def test_retry_after_is_passed_on(sink, webhook, header, seconds):
    sink.answers = [(429, {"Retry-After": header})]
    with pytest.raises(TryAgainError) as error:
        await webhook.send(ALERT, now=NOW)

    assert error.value.retry_after == seconds


@pytest.mark.parametrize("fault", ["hanging", "dropping"])
async def test_a_sink_that_hangs_or_breaks_off_is_tried_again(sink, webhook, fault):
    setattr(sink, fault, True)
    with pytest.raises(TryAgainError) as error:
        await webhook.send(ALERT, now=NOW)

    assert error.value.code == "sink_unreachable"
    assert "s3cret" not in str(error.value)
    assert error.value.__suppress_context__


async def test_a_sink_that_is_not_there_is_tried_again():
    webhook = WebhookSink("http://127.0.0.1:1/s3cret-path", secret=SECRET)
    with pytest.raises(TryAgainError, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        await webhook.send(ALERT, now=NOW)
    await webhook.close()


def test_neither_secret_nor_path_is_in_the_repr():
    webhook = WebhookSink("https://ana:pa55@hooks.example:8443/s3cret-path?t=1", secret=SECRET)

    assert repr(webhook) == "WebhookSink('https://hooks.example:8443', name='webhook')"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_***", "whsec_abc"])
def test_a_secret_that_cannot_sign_is_refused_without_repeating_it(secret):
    with pytest.raises(RefusedError) as error:
        WebhookSink("https://hooks.example", secret=secret)

    assert error.value.code == "bad_secret"
    assert "***" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["", "hooks.example", "ftp://hooks.example", "http://", "http://[x"]
)
def test_a_bad_url_is_refused(url):
    with pytest.raises(RefusedError) as error:
        WebhookSink(url, secret=SECRET)
    assert error.value.code == "bad_url"


@pytest.mark.parametrize("alert_id", ["msg.1", "msg\r\nx: y", "mög"])
async def test_an_id_that_cannot_be_signed_is_refused(sink, webhook, alert_id):
    with pytest.raises(RefusedError) as error:
        await webhook.send(Alert(alert_id, "x", NOW), now=NOW)

    assert error.value.code == "bad_alert_id"
    assert sink.deliveries == []


def large(checks: int, **data) -> Alert:
    rows = [
        {"metric": f"metric_{n}", "canary": 1.5, "verdict": "FAIL" if n % 50 == 0 else "PASS"}
        for n in range(checks)
    ]
    return Alert("msg_1", "rollout.rolled_back", NOW, {"id": "r1", "checks": rows, **data})


async def test_a_large_alert_loses_passed_checks_first_and_says_so(sink, webhook):
    await webhook.send(large(1000), now=NOW)

    (delivery,) = sink.deliveries
    metrics = [check["metric"] for check in delivery.body["data"]["checks"]]
    assert len(delivery.raw) <= 20_000
    assert delivery.genuine
    assert delivery.body["data"]["truncated"] is True
    assert {f"metric_{n}" for n in range(0, 1000, 50)} < set(metrics)
    assert metrics == sorted(metrics, key=lambda name: int(name.removeprefix("metric_")))


def test_a_long_reason_is_cut_when_the_checks_are_gone():
    data = json.loads(body_of(large(3, reason="x" * 30_000)))["data"]

    assert data["checks"] == []
    assert data["reason"] == "x" * 500


def test_an_alert_that_fits_is_whole():
    data = json.loads(body_of(large(10)))["data"]

    assert len(data["checks"]) == 10
    assert "truncated" not in data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"note": "x" * 30_000}, "alert_too_large"),
        ({"x": float("nan")}, "alert_not_json"),
        ({"x": {1}}, "alert_not_json"),
    ],
)
def test_an_alert_that_no_body_can_carry_is_refused(data, code):
    with pytest.raises(RefusedError) as error:
        body_of(Alert("msg_1", "x", NOW, data))
    assert error.value.code == code


def test_the_schedule_is_the_one_of_standard_webhooks():
    delays = [retry_delay(attempt) for attempt in range(1, 11)]

    assert delays == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


def test_there_is_no_attempt_zero():
    with pytest.raises(ValueError, match="from 1"):
        retry_delay(0)
