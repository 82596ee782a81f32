"""What holds for every kind of alert sink: delivered once, judged by the status alone, and silent about its secrets."""

import traceback
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from integrations.alert import Alert
from integrations.base import RefusedError, TryAgainError
from tests.contract.sink_worlds import WORLDS

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
ALERT = Alert(
    id="r-1-7",
    type="rollout.rolled_back",
    at=NOW - timedelta(seconds=30),
    data={
        "id": "r-1",
        "service": "auth-service",
        "environment": "production",
        "from_version": "v1",
        "to_version": "v2",
        "reason": "zu viele Fehler — 12 %",
        "reason_code": "check_failed",
        "weight": 50.0,
        "checks": [],
        "timings": {"created": "2026-11-21T11:50:00+00:00"},
        "journal_url": "http://bot/journal",
        "slack_permalink": "",
    },
    text="Rolled back auth-service v2 → v1.",
)


@pytest.fixture(params=WORLDS)
def world(request):
    return WORLDS[request.param]


@pytest.fixture
async def fake(world):
    started = await world.fake().start()
    yield started
    await started.stop()


@pytest.fixture
async def sink(world, fake):
    made = world.sink(fake.url, timeout=0.5)
    yield made
    await made.close()


async def test_an_alert_is_delivered(sink, fake):
    await sink.send(ALERT, now=NOW)
    assert len(fake.changes) == 1


async def test_the_same_alert_twice_is_seen_once(sink, fake):
    await sink.send(ALERT, now=NOW)
    await sink.send(ALERT, now=NOW + timedelta(minutes=5))
    assert len(fake.changes) == 1


async def test_done_and_then_broken_off_is_tried_again_and_still_seen_once(sink, fake):
    fake.dropping = True
    with pytest.raises(TryAgainError):
        await sink.send(ALERT, now=NOW)
    fake.dropping = False
    await sink.send(ALERT, now=NOW)
    assert len(fake.changes) == 1


@pytest.mark.parametrize(
    ("answer", "family", "code"),
    [
        (400, RefusedError, "sink_refused"),
        (401, RefusedError, "sink_refused"),
        (403, RefusedError, "sink_refused"),
        (404, RefusedError, "sink_refused"),
        (422, RefusedError, "sink_refused"),
        (410, RefusedError, "sink_gone"),
        ((302, {"Location": "/elsewhere"}), RefusedError, "sink_redirects"),
        ((307, {"Location": "/elsewhere"}), RefusedError, "sink_redirects"),
        (408, TryAgainError, "sink_failed"),
        ((429, {"Retry-After": "120"}), TryAgainError, "sink_busy"),
        (500, TryAgainError, "sink_failed"),
        (503, TryAgainError, "sink_failed"),
    ],
)
async def test_only_the_status_counts(world, sink, fake, answer, family, code):
    fake.answers = [answer]
    with pytest.raises(family) as error:
        await sink.send(ALERT, now=NOW)
    assert error.value.code == code
    assert getattr(error.value, "retry_after", None) == (120 if code == "sink_busy" else None)
    assert fake.elsewhere == 0
    hides(world, error.value)


async def test_what_was_refused_once_is_not_kept_back_for_ever(sink, fake):
    fake.answers = [503]
    with pytest.raises(TryAgainError):
        await sink.send(ALERT, now=NOW)
    await sink.send(ALERT, now=NOW)
    assert len(fake.changes) == 1


async def test_a_receiver_that_hangs_is_tried_again(world, sink, fake):
    fake.hanging = True
    with pytest.raises(TryAgainError) as error:
        await sink.send(ALERT, now=NOW)
    assert error.value.code == "sink_unreachable"
    hides(world, error.value)


async def test_a_receiver_that_is_not_there_is_tried_again(world):
    sink = world.sink("http://127.0.0.1:1/s3cret-path")
    with pytest.raises(TryAgainError, match=r"http://127\.0\.0\.1:1 cannot be reached") as error:
        await sink.send(ALERT, now=NOW)
    hides(world, error.value)
    await sink.close()


def hides(world, error):
    """Neither the sentence nor the traceback in a log shows what nobody may see."""
    assert "s3cret" not in str(error)
    logged = "".join(traceback.format_exception(error))
    assert world.secret not in logged
    assert "<!channel>" not in logged


async def test_an_alert_of_a_row_that_cannot_be_read_is_delivered_too(sink, fake):
    data = {"id": "r-1", "reason": "It broke.", "reason_code": "poisoned_row"}
    alert = Alert("r-1-9", "rollout.rolled_back", NOW, data)
    await sink.send(alert, now=NOW)
    assert fake.asked


async def test_the_wrong_secret_is_refused_or_noticed(world, fake):
    sink = world.sink(fake.url, secret="another-secret-0000000000")
    with suppress(RefusedError):  # a receiver of webhooks notices by the signature
        await sink.send(ALERT, now=NOW)
    await sink.close()
    assert fake.changes == []


def test_neither_secret_nor_path_is_in_the_repr(world):
    sink = world.sink("https://ana:pa55@hooks.example:8443/s3cret-path?t=1", name="webhook-0")
    assert "'https://hooks.example:8443', name='webhook-0'" in repr(sink)
    for hidden in (world.secret, "s3cret", "pa55"):
        assert hidden not in repr(sink)


@pytest.mark.parametrize(
    "url", ["", "hooks.example", "ftp://hooks.example", "http://", "http://[x"]
)
def test_a_bad_url_is_refused(world, url):
    with pytest.raises(RefusedError) as error:
        world.sink(url)
    assert error.value.code == "bad_url"


@pytest.mark.parametrize("secret", ["", "whsec_"])
def test_an_empty_secret_is_refused(world, secret):
    if secret and world is not WORLDS["webhook"]:
        secret = "a secret\r\nwith more: in it"
    with pytest.raises(RefusedError) as error:
        world.sink("https://hooks.example", secret=secret)
    assert error.value.code == "bad_secret"
    assert "secret\r\n" not in str(error.value)


async def test_a_user_in_the_address_is_refused_and_not_repeated(world, fake):
    if world.secret == WORLDS["webhook"].secret or world.secret == WORLDS["pagerduty"].secret:
        pytest.skip("it sends no header that a user in the address would be beside")
    made = world.sink(fake.url.replace("http://", "http://admin:hunter2@"))
    with pytest.raises(RefusedError) as caught:
        await made.send(ALERT, now=NOW)
    await made.close()
    assert caught.value.code == "bad_url"
    assert "hunter2" not in str(caught.value)
