"""What Google counts for a service of Cloud Run, read with a real Prometheus that has series of the same names."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from integrations.base import RefusedError
from integrations.metric import Missing, Reading, Snapshot
from integrations.metrics.prometheus import PrometheusSource
from integrations.metrics.templates import METRICS
from tests.contract.metric_worlds import NOW, WINDOW, until
from tests.fakes.exporter import Exporter
from tests.fakes.prometheus_server import ABSENT, BINARY, PrometheusServer

pytestmark = [
    pytest.mark.sweep,  # a real Prometheus has to scrape for a while first
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not BINARY.exists(), reason=ABSENT),
]

LIVE, DARK, QUIET, MUTE = "co-00001-abc", "co-sluice-1-1", "co-sluice-1-2", "co-sluice-1-3"
SHOWN, LOST = "co-00002-abc", "co-00003-abc"
OK, BAD = (f',response_code="{n}",response_code_class="{n[0]}xx"' for n in ("200", "503"))
NOTHING = Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)


def of(name: str, revision: str, labels: str = "") -> str:
    """Return one series as Google names it."""
    where = 'monitored_resource="cloud_run_revision",service_name="checkout"'
    return f'run_googleapis_com:{name}{{{where},revision_name="{revision}"{labels}}}'


def counted(revision: str, labels: str = "") -> str:
    return of("request_count", revision, labels)


def timed(part: str, revision: str, labels: str = "") -> str:
    return of(f"request_latencies_{part}", revision, labels)


def one_scrape(exporter: Exporter) -> None:
    """Add a second of requests: 20 each, of which the canary fails one in ten and takes ten times as long."""
    for revision, bad, ms in ((LIVE, 0, 40), (DARK, 2, 400)):
        exporter.count(counted(revision, OK), 20 - bad)
        if bad:
            exporter.count(counted(revision, BAD), bad)
        exporter.count(timed("sum", revision), 20 * ms)
        exporter.count(timed("count", revision), 20)
        for edge in ("50", "500", "+Inf"):
            fits = edge == "+Inf" or ms <= float(edge)
            exporter.count(timed("bucket", revision, f',le="{edge}"'), 20 * fits)
    exporter.count(counted(MUTE), 20)
    # Another service and another kind of resource with the same revision.
    other = counted(DARK, BAD).replace("run_revision", "run_job")
    exporter.count(other, 50)


class Google(Exporter):
    """Shows some samples long after they were taken."""

    total = 0

    async def _metrics(self, request: web.Request) -> web.Response:
        self.total += 20
        late = [
            f"{counted(revision, OK)} {self.total} {int((time.time() - age) * 1000)}\n"
            for revision, age in ((SHOWN, 220), (LOST, 380))
        ]
        return web.Response(text=(await super()._metrics(request)).text + "".join(late))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real() -> AsyncIterator[str]:
    exporter, server = Google(), PrometheusServer()
    exporter.on_scrape = lambda: one_scrape(exporter)
    try:
        url = await server.start(await exporter.start())
        await until(url, f"count_over_time({counted(LIVE)}[1m]) >= 6")
        yield url
    finally:
        await server.stop()
        await exporter.stop()


async def look(url: str, canary: str = DARK, **custom: str) -> Snapshot:
    source = PrometheusSource(
        url, template="cloud_run", namespace="", stable=LIVE, canary=canary, clock=lambda: NOW
    )
    try:
        return await source.look(window=WINDOW, custom=custom, variables={})
    finally:
        await source.close()


async def test_both_revisions_are_read(real):
    snapshot = await look(real)
    readings = snapshot.readings

    assert (tuple(readings), snapshot.problem) == (METRICS, "")
    assert readings["error_rate"] == Reading(0, pytest.approx(10, abs=0.5))
    assert readings["success_rate"] == Reading(100, pytest.approx(90, abs=0.5))
    assert readings["latency_avg"] == Reading(pytest.approx(40), pytest.approx(400))
    assert readings["latency_p95"].stable < 50 < readings["latency_p95"].canary < 500
    for lane in ("stable", "canary"):
        assert getattr(readings["rps"], lane) == pytest.approx(20, rel=0.2)
        assert getattr(readings["requests"], lane) == pytest.approx(100, rel=0.3)


async def test_what_google_does_not_count_by_revision_is_not_available(real):
    readings = (await look(real)).readings

    absent = {
        "cpu",
        "memory",
        "connection_failures",
        "circuit_breaker_trips",
        "cold_start_rate",
        "throttles",
    }
    assert {name for name, reading in readings.items() if reading == NOTHING} == absent


@pytest.mark.parametrize("canary", ["", QUIET])
async def test_a_revision_that_is_not_there_or_has_no_requests_has_no_data(real, canary):
    readings = (await look(real, canary)).readings

    assert readings["rps"].stable == pytest.approx(20, rel=0.2)
    assert readings["error_rate"] == Reading(0, Missing.NO_DATA)


async def test_requests_without_a_class_are_no_success(real):
    assert (await look(real, MUTE)).readings["error_rate"].canary is Missing.NOT_AVAILABLE


async def test_queries_of_ones_own_are_asked_too(real):
    own = 'sum(rate(run_googleapis_com:request_count{revision_name="$workload"}[$window])) > bool 0'

    assert (await look(real, busy=own)).readings["busy"] == Reading(1, 1)


async def test_a_number_that_google_shows_late_is_not_stale_yet(real):
    source = PrometheusSource(
        real, template="cloud_run", namespace="", stable=SHOWN, canary=LOST, clock=lambda: NOW
    )
    readings = (await source.look(window=600, custom={}, variables={})).readings
    await source.close()

    assert readings["error_rate"] == Reading(0, Missing.STALE)


async def test_a_name_that_is_none_is_refused():
    with pytest.raises(RefusedError) as refused:
        PrometheusSource(
            "http://127.0.0.1:1",
            template="cloud_run",
            namespace="",
            stable='x"} or vector(0)',
            canary="",
            clock=lambda: NOW,
        )

    assert refused.value.code == "bad_name"
