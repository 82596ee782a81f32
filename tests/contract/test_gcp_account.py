"""How the bot comes to a token of Google's: a key of a service account, and a place that gives out tokens."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from integrations.base import RefusedError, TryAgainError
from integrations.gcp import GcpAccount
from integrations.metrics.prometheus import PrometheusSource
from integrations.serverless.cloud_run import CloudRunService
from tests.fakes.cloud_run import FakeCloudRun, Refusal
from tests.fakes.prometheus import FakePrometheus

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
IMAGE = "gcr.io/orion/checkout"


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
async def fake() -> AsyncIterator[FakeCloudRun]:
    fake = FakeCloudRun(lambda: NOW)
    await fake.start()
    fake.put("checkout", f"{IMAGE}:v1")
    fake.bearer = "token-1"
    yield fake
    await fake.stop()


@pytest.fixture
def file(tmp_path: Path, fake: FakeCloudRun, key: str) -> Path:
    written = {
        "type": "service_account",
        "client_email": "sluice@orion.iam.gserviceaccount.com",
        "private_key": key,
        "token_uri": f"{fake.url}/token",
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(written))
    return path


@pytest.fixture
async def account(fake: FakeCloudRun, file: Path) -> AsyncIterator[GcpAccount]:
    opened = GcpAccount(
        project="orion", location="europe-west1", credentials_file=str(file), endpoint=fake.url
    )
    yield opened
    await opened.close()


def service(account: GcpAccount) -> CloudRunService:
    return CloudRunService(account, service="checkout", image=IMAGE)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(RefusedError) as told:
        yield
    assert told.value.code == code


async def test_a_token_is_fetched_once_and_used_for_everything(fake, account):
    await service(account).look()
    await service(account).state("checkout-00001-abc")

    assert fake.grants == 1


async def test_a_token_that_google_takes_back_is_fetched_anew(fake, account):
    await service(account).look()
    fake.bearer = fake.grant = "token-2"

    assert (await service(account).look()).shares == {"checkout-00001-abc": 100}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Token has been expired or revoked.", "credentials_expired"),
        ("Invalid JWT Signature.", "credentials_refused"),
    ],
)
async def test_a_key_that_is_good_no_more_is_told(fake, account, said, code):
    fake.grant = Refusal(400, "INVALID_ARGUMENT", said)
    with refused(code):
        await service(account).look()

    fake.grant = "token-1"

    assert (await service(account).look()).token


async def test_a_place_for_tokens_that_is_down_is_tried_again(file, account):
    written = json.loads(file.read_text()) | {"token_uri": "http://127.0.0.1:9/token"}
    file.write_text(json.dumps(written))

    with pytest.raises(TryAgainError):
        await service(account).look()


@pytest.mark.parametrize("text", ["", "{}", "[", '{"type": "authorized_user"}'])
async def test_a_file_that_is_no_key_is_told(file, account, text):
    file.write_text(text)

    with refused("credentials_missing"):
        await service(account).look()


async def test_without_a_file_the_machine_is_asked(monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    account = GcpAccount(project="orion", location="europe-west1")

    with refused("credentials_missing"):
        await service(account).look()
    await account.close()


async def test_an_endpoint_of_ones_own_needs_no_credentials_unless_it_asks(fake):
    account = GcpAccount(project="orion", location="europe-west1", endpoint=fake.url)
    with refused("credentials_refused"):
        await service(account).look()
    fake.bearer = ""

    assert (await service(account).look()).token
    await account.close()


@pytest.fixture
async def prometheus() -> AsyncIterator[FakePrometheus]:
    fake = FakePrometheus()
    fake.url = await fake.start()
    yield fake
    await fake.stop()


async def asked(url: str, token: Callable[[], str]) -> str:
    source = PrometheusSource(
        url,
        template="cloud_run",
        namespace="",
        stable="checkout-00001-abc",
        canary="",
        clock=lambda: NOW,
        bearer_token=token,
    )
    snapshot = await source.look(window=60, custom={}, variables={})
    await source.close()
    return snapshot.problem


async def test_each_look_at_googles_prometheus_has_a_token_that_is_good(fake, account, prometheus):
    fake.lasts = 60  # which is as good as over
    assert await asked(prometheus.url, account.token) == ""
    first = set(prometheus.tokens)
    prometheus.tokens.clear()
    fake.grant = "token-2"
    await asked(prometheus.url, account.token)

    assert (first, set(prometheus.tokens)) == ({"Bearer token-1"}, {"Bearer token-2"})


async def test_a_look_without_a_token_says_why(fake, account, prometheus):
    fake.grant = Refusal(400, "INVALID_ARGUMENT", "Token has been expired or revoked.")

    problem = await asked(prometheus.url, account.token)

    assert "was not asked. The credentials for Google have expired" in problem
    assert prometheus.tokens == []
