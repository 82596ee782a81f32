"""What the template `knative` makes of both families of Knative's metrics, at a real Prometheus."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from integrations.metric import Missing, Snapshot
from integrations.metrics.prometheus import PrometheusSource
from tests.contract.metric_worlds import NOW, WINDOW, until
from tests.fakes.exporter import Exporter
from tests.fakes.prometheus_server import ABSENT, BINARY, PrometheusServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.sweep]
"""A real Prometheus has to scrape for a while first."""

TODAY, BEFORE = "kn_serving_invocation_duration_seconds", "revision_request"


def answer(exporter: Exporter, pod: str, ok: int, errors: int = 0) -> None:
    """Let a pod answer requests of 40 ms, as Knative counts them since 1.19."""
    place = f'job="shop",instance="{pod}"'
    for code, count in (("200", ok), ("503", errors)):
        told = f'{place},http_response_status_code="{code}"'
        exporter.count(f"{TODAY}_count{{{told}}}", count)
        exporter.count(f"{TODAY}_sum{{{told}}}", 0.04 * count)
        for edge in ("0.025", "0.05", "+Inf"):
            exporter.count(f'{TODAY}_bucket{{{told},le="{edge}"}}', 0 if edge == "0.025" else count)


def answer_before(exporter: Exporter, revision: str, ok: int, errors: int = 0) -> None:
    """The same as it was counted before."""
    place = f'namespace_name="orion",revision_name="{revision}"'
    for code, count in (("200", ok), ("503", errors)):
        told = f'{place},response_code="{code}",response_code_class="{code[0]}xx"'
        exporter.count(f"{BEFORE}_count{{{told}}}", count)
        exporter.count(f"{BEFORE}_latencies_count{{{told}}}", count)
        exporter.count(f"{BEFORE}_latencies_sum{{{told}}}", 40 * count)
        for edge in ("25", "50", "+Inf"):
            exporter.count(
                f'{BEFORE}_latencies_bucket{{{told},le="{edge}"}}', 0 if edge == "25" else count
            )


def belongs(exporter: Exporter, revision: str, pod: str, namespace: str = "orion") -> None:
    """Say of which revision a pod is."""
    exporter.count(
        f'target_info{{job="shop",instance="{pod}",k8s_namespace_name="{namespace}",'
        f'kn_revision_name="{revision}"}}',
        1,
    )


def one_second(exporter: Exporter) -> None:
    for pod in ("p1", "p2"):
        answer(exporter, pod, 10)
    answer(exporter, "p3", 8, errors=2)
    answer(exporter, "p4", 0, errors=70)
    answer(exporter, "p5", 500)
    answer_before(exporter, "old-00001", 20)
    answer_before(exporter, "old-00002", 15, errors=5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    if not BINARY.exists():
        pytest.skip(ABSENT)
    exporter, server = Exporter(), PrometheusServer()
    for pod, revision in (("p1", "1"), ("p2", "1"), ("p3", "2")):
        belongs(exporter, f"checkout-0000{revision}", pod)
    belongs(exporter, "checkout-00002", "p4", namespace="elsewhere")
    exporter.on_scrape = lambda: one_second(exporter)
    try:
        found = await server.start(await exporter.start())
        await until(found, f'count_over_time({TODAY}_count{{instance="p1"}}[1m]) >= 6')
        yield found
    finally:
        await server.stop()
        await exporter.stop()


async def look(url: str, stable: str, canary: str) -> Snapshot:
    source = PrometheusSource(
        url,
        template="knative",
        namespace="orion",
        stable=stable,
        canary=canary,
        clock=lambda: NOW,
    )
    try:
        return await source.look(window=WINDOW, custom={}, variables={})
    finally:
        await source.close()


@pytest.mark.parametrize(
    ("stable", "canary", "errors", "rate"),
    [
        ("checkout-00001", "checkout-00002", 20, 10),
        ("old-00001", "old-00002", 25, 20),
        # In the middle of an upgrade of Knative either revision is counted in its own way.
        ("old-00001", "checkout-00002", 20, 10),
    ],
)
async def test_each_revision_is_read_in_the_family_that_it_has(url, stable, canary, errors, rate):
    readings = (await look(url, stable, canary)).readings

    assert readings["error_rate"].stable == 0
    assert readings["error_rate"].canary == pytest.approx(errors, abs=0.5)
    assert readings["rps"].stable == pytest.approx(20, rel=0.2)
    assert readings["rps"].canary == pytest.approx(rate, rel=0.2)
    assert readings["requests"].stable == pytest.approx(20 * WINDOW, rel=0.3)
    assert readings["latency_avg"].canary == pytest.approx(40)
    assert 25 < readings["latency_p95"].canary <= 50


async def test_before_there_is_a_canary_stable_has_its_numbers_and_nobody_else_any(url):
    snapshot = await look(url, "checkout-00001", "")

    assert snapshot.problem == ""
    assert snapshot.readings["error_rate"].stable == 0
    assert snapshot.readings["error_rate"].canary is Missing.NO_DATA


async def test_a_revision_at_zero_has_no_data_and_cold_starts_are_not_available(url):
    readings = (await look(url, "checkout-00001", "checkout-00009")).readings

    assert readings["error_rate"].canary is Missing.NO_DATA
    assert readings["cold_start_rate"].stable is Missing.NOT_AVAILABLE
