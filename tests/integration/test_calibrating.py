"""`sluice calibrate` from the file to the block to paste, against a real Prometheus that has recorded hours."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from bot.app.calibrating import calibrate_stretch
from bot.cli import DoorError, Stretch
from integrations.base import IntegrationError, Lane
from integrations.metrics import recorded
from integrations.metrics.prometheus import PrometheusSource
from integrations.recording import Instance
from strategies.calibration import lines
from tests.fakes.days import Days, open_metrics
from tests.fakes.prometheus_server import ABSENT, BINARY, PrometheusServer

pytestmark = [
    pytest.mark.sweep,  # a real Prometheus with hours of data
    pytest.mark.skipif(not BINARY.exists(), reason=ABSENT),
    pytest.mark.asyncio(loop_scope="module"),
]

CONFIG = """
slack: {{channel: C0A, alert_channel: C0B}}
clusters: {{prod: {{kubeconfig: {kubeconfig}}}}}
environments: {{production: {{approvals: 0}}}}
metrics: {{main: {{kind: prometheus, url: "{url}"}}}}
services:
{services}
"""
SERVICE = """
  {name}:
    production:
      cluster: prod
      namespace: shop
      workload: {{kind: deployment, stable: {name}-stable, canary: {name}-canary, container: a, image: ghcr.io/a/a}}
      traffic: {{kind: istio, virtual_service: a, route: primary}}
      metrics: {{source: main, template: http}}
      canary: {{steps: [25, 50, 100], soak: 5m}}
      checks: [{{metric: error_rate, above: 5}}, {{metric: latency_p99, above: 1000}}]
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""
MINUTES = 360
END = int(time.time()) // 60 * 60 - 60
BEGIN = END - 60 * (MINUTES - 1)
NOW = datetime.fromtimestamp(END, UTC)
SERVICES = {
    "hot": Days(minutes=MINUTES, pods=5, hot=6.0),
    "calm": Days(minutes=MINUTES, pods=4, late={3: 100}),
    "alone": Days(minutes=MINUTES, pods=1),
}
SHAKY = Days(minutes=MINUTES, pods=2)
ANEW, UNREAD = 60, range(150, 160)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    texts = [
        open_metrics(days.record(), BEGIN, f"{name}-stable") for name, days in SERVICES.items()
    ]
    texts.append(open_metrics(SHAKY.record(), BEGIN, "shaky-stable", ANEW, UNREAD))
    server = PrometheusServer()
    yield await server.start("http://127.0.0.1:9", history=merged(texts))
    await server.stop()


def merged(texts: list[str]) -> str:
    """Return several expositions as one: a family must not come twice."""
    counters, timers = zip(
        *(text.split("# TYPE http_request_duration") for text in texts), strict=True
    )
    first = "".join(counters).replace("# TYPE http_requests counter\n", "")
    rest = "".join(timers).replace("_seconds histogram\n", "").replace("# EOF\n", "")
    return f"# TYPE http_requests counter\n{first}# TYPE http_request_duration_seconds histogram\n{rest}# EOF\n"


def source(url: str, name: str) -> PrometheusSource:
    return PrometheusSource(
        url, template="http", namespace="shop", stable=f"{name}-stable", canary=f"{name}-canary",
        clock=lambda: NOW,
    )  # fmt: skip


async def record(url: str, name: str, hours: float = 6) -> tuple[Instance, ...]:
    asked = source(url, name)
    try:
        return (await asked.recorded(Lane.STABLE, NOW - timedelta(hours=hours), NOW)).instances
    finally:
        await asked.close()


async def test_every_request_of_every_minute_is_read_back(url):
    read = await record(url, "calm")

    drawn = SERVICES["calm"].record()
    assert [pod.name for pod in read] == [pod.name for pod in drawn]
    for ours, theirs in zip(read, drawn, strict=True):
        # Counting begins at the first sample of those that were there.
        own = [one for one in ours.steps if one is not None]
        begun = [one for one in theirs.steps if one is not None]
        expected = begun if theirs.starts else begun[1:]
        assert [one.requests for one in own] == [one.requests for one in expected]
        assert [one.errors for one in own] == [one.errors for one in expected]
        assert own[-1].buckets == expected[-1].buckets
        assert len(ours.starts) == len(theirs.starts)


async def test_a_restart_is_a_start_and_what_nobody_read_is_not_guessed(url):
    read = await record(url, "shaky", (MINUTES - 1) / 60)

    for ours, theirs in zip(read, SHAKY.record(), strict=True):
        assert ours.starts == (ANEW,)
        assert ours.steps[ANEW].requests == theirs.steps[ANEW].requests
        # Counting begins anew behind the gap.
        assert ours.steps[160] is None
        assert ours.steps[161].requests == theirs.steps[161].requests
        known = [one.requests for one in ours.steps[1:150]]
        assert known == [one.requests for one in theirs.steps[1:150]]


async def test_small_chunks_say_the_same(url, monkeypatch):
    whole = await record(url, "calm", 1)
    monkeypatch.setattr(recorded, "_CHUNK_SAMPLES", 300)

    assert await record(url, "calm", 1) == whole


async def test_too_much_is_refused_with_what_would_fit(url, monkeypatch):
    monkeypatch.setattr(recorded, "MOST_SAMPLES", 10_000)

    with pytest.raises(IntegrationError, match="take `--last 3h`") as caught:
        await record(url, "calm")

    assert caught.value.code == "too_many_series"


@pytest.fixture
def wanted(tmp_path, url):
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    services = "".join(SERVICE.format(name=name) for name in (*SERVICES, "nobody"))

    def configured(name: str, at: str = url):
        path = tmp_path / "sluice.yaml"
        path.write_text(CONFIG.format(kubeconfig=kubeconfig, url=at, services=services))
        return path, Stretch(name, "production", "", 6 * 3600)

    return configured


async def test_a_hot_pod_is_found_before_the_first_rollout(wanted):
    told: list[str] = []

    found = await calibrate_stretch(*wanted("hot"), lambda: NOW, told.append)

    assert found.now.evidence > 0.2
    assert found.outliers[0].name == "checkout-0"
    assert found.noise == 0.1
    assert "fails 6" in "\n".join(lines(found))
    assert told[0] == "Reading 6 hours of hot in production."


async def test_a_calm_service_needs_nothing(wanted):
    found = await calibrate_stretch(*wanted("calm"), lambda: NOW, lambda _: None)

    assert (found.noise, found.pods) == (0.1, 4)
    assert found.traffic.usual == pytest.approx(100, rel=0.3)
    assert not any(limit.too_near for limit in found.limits)


@pytest.mark.parametrize(
    ("name", "at", "code"),
    [
        ("alone", None, "one_pod"),
        ("nobody", None, "no_history"),
        ("calm", "http://127.0.0.1:9", "metrics_down"),
    ],
)
async def test_what_cannot_be_calibrated_says_why(wanted, url, name, at, code):
    with pytest.raises(DoorError) as caught:
        await calibrate_stretch(*wanted(name, at or url), lambda: NOW, lambda _: None)

    assert caught.value.code == code


async def test_a_target_that_there_is_not_is_refused(wanted):
    path, stretch = wanted("calm")

    with pytest.raises(DoorError) as caught:
        await calibrate_stretch(path, replace(stretch, place="mars"), lambda: NOW, lambda _: None)

    assert caught.value.code == "unknown_target"
