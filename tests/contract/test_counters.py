"""Counters of both lanes read over HTTP: the sandbox's Prometheus and a real one count alike, and nothing is lost."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio

from bot.sandbox.prometheus import SimulatedPrometheus
from integrations.counters import Counted, Counters
from integrations.metric import Missing
from integrations.metrics.prometheus import PrometheusSource
from integrations.metrics.templates import TEMPLATES
from tests.contract.metric_worlds import GATE, NOW, scraped, source_of, until
from tests.fakes.exporter import Exporter
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.prometheus_server import ABSENT, BINARY, PrometheusServer
from tests.unit.traffic_world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

Wait = Callable[[], Awaitable[None]]


async def two_looks(source: PrometheusSource, wait: Wait) -> Counted:
    """Return what was counted between two looks; a window stays open until both lanes were scraped."""
    try:
        first, memory = await source.counts(None)
        assert not first.closed
        for _ in range(20):
            await wait()
            counted, memory = await source.counts(memory)
            if counted.closed:
                return counted
    finally:
        await source.close()
    raise AssertionError("the window stays open")


async def second() -> None:
    await asyncio.sleep(1.1)  # another process scrapes, which tells nobody


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real() -> AsyncIterator[str]:
    if not BINARY.exists():
        pytest.skip(ABSENT)
    async with scraped() as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox() -> AsyncIterator[tuple[World, PrometheusSource]]:
    """A world of four pods per lane with 200 requests a second, and a source that asks its Prometheus."""
    world = World()
    server = SimulatedPrometheus(world.traffic, lambda: world.now)
    url = await server.start()
    yield world, source_of(url, "checkout", namespace="shop")
    await server.stop()


def waiting(world: World, seconds: int = 15) -> Wait:
    async def wait() -> None:
        world.now += timedelta(seconds=seconds)

    return wait


async def test_the_sandbox_counts_what_its_traffic_was(sandbox):
    world, source = sandbox
    world.split(25)
    world.traffic.set_errors("v2", 10)
    world.wait(60)

    counted = await two_looks(source, waiting(world))

    assert counted.seconds == 15
    assert counted.stable.requests == pytest.approx(150 * 15, abs=8)
    assert counted.canary.requests == pytest.approx(50 * 15, abs=8)
    assert counted.canary.errors == pytest.approx(75, abs=4)
    slow, every = counted.canary.slower(100)
    assert every == pytest.approx(50 * 15, abs=8)
    assert 0.05 < slow / every < 0.15  # their p95 is 120 ms


async def test_the_sandbox_counts_over_a_weight_change_and_never_less(sandbox):
    world, source = sandbox
    world.wait(30)
    _, memory = await source.counts(None)
    total = 0.0
    for weight in (10, 50, 0, 30):
        world.split(weight)
        world.wait(15)
        counted, memory = await source.counts(memory)
        assert counted.closed
        total += counted.canary.requests
    await source.close()

    assert total == pytest.approx(15 * (20 + 100 + 60), abs=8)


async def test_the_sandbox_has_other_pods_for_another_version(sandbox):
    world, source = sandbox
    world.wait(30)
    _, memory = await source.counts(None)
    world.images["checkout-stable"] = "checkout:v3"
    world.traffic.tick()
    world.wait(15)

    counted, memory = await source.counts(memory)
    await source.close()

    assert counted.stable.requests == pytest.approx(3000, abs=8)
    assert counted.canary.requests == 0  # its targets are up, and nobody asked them
    assert len(memory.processes) == 8


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.sweep  # a real Prometheus has to scrape for a while first
async def test_every_template_counts_requests_errors_and_buckets(real, template):
    counted = await two_looks(source_of(real, template=template), second)

    scrapes = counted.canary.requests / 20
    assert scrapes.is_integer()
    assert scrapes >= 1
    assert counted.stable.requests == counted.canary.requests
    assert (counted.stable.errors, counted.canary.errors) == (0, 2 * scrapes)
    for lane, fast, slow in ((counted.stable, 25, 50), (counted.canary, 250, 500)):
        assert lane.buckets[fast] == 0
        assert lane.buckets[slow] == lane.buckets[math.inf] == 20 * scrapes
    assert counted.stable.problems == counted.canary.problems == ()


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.sweep  # a real Prometheus has to scrape for a while first
async def test_failures_that_nothing_tells_are_not_available(real, template):
    counted = await two_looks(source_of(real, "mute", template), second)

    assert counted.canary.requests >= 20
    assert counted.canary.errors is Missing.NOT_AVAILABLE


@pytest.mark.parametrize("template", ["istio", "linkerd"])
@pytest.mark.sweep  # a real Prometheus has to scrape for a while first
async def test_a_grpc_failure_is_counted_though_its_http_code_is_200(real, template):
    counted = await two_looks(source_of(real, "rpc", template), second)

    assert counted.canary.errors == counted.canary.requests / 2 > 0
    assert counted.stable.errors == 0


@pytest.mark.sweep  # a real Prometheus has to scrape for a while first
async def test_clusters_may_bear_other_names_than_workloads(real):
    source = PrometheusSource(
        real, template="envoy", namespace="orion", stable="gate-stable", canary="gate-canary",
        clusters=GATE, clock=lambda: NOW,
    )  # fmt: skip

    counted = await two_looks(source, second)

    assert counted.canary.errors == counted.canary.requests / 4 > 0


@pytest.mark.sweep  # a real Prometheus has to scrape for a while first
async def test_an_unknown_service_has_no_data(real):
    source = source_of(real, "nobody")
    _, memory = await source.counts(None)
    counted, _ = await source.counts(memory)
    await source.close()

    assert counted.stable.requests is counted.canary.requests is Missing.NO_DATA
    assert counted.problem == ""


class Fleet:
    """Pods whose counters are told scrape by scrape: one begins again, and later another one is new."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.scrapes = 0
        self.requests = {"stable": 0, "canary": 0}
        self.errors = {"stable": 0, "canary": 0}
        self._shown: dict[str, int] = {}
        exporter.on_scrape = self.scrape

    def scrape(self) -> None:
        self.scrapes += 1
        step = self.scrapes - self.begins
        if self.begins == math.inf or not 0 < step <= 12:
            return
        if step == 4:
            self.forget("canary", "a")
        self.serve("stable", "a", ok=100, failed=1)
        self.serve("canary", "a", ok=10, failed=2 if step > 2 else 0)
        if step > 6:
            self.serve("canary", "b", ok=7)

    begins = math.inf

    def serve(self, lane: str, pod: str, ok: int, failed: int = 0) -> None:
        self.requests[lane] += ok + failed
        self.errors[lane] += failed
        for code, amount in (("200", ok), ("503", failed)):
            if amount:
                self.count(lane, pod, code, amount)

    def count(self, lane: str, pod: str, code: str, amount: int, more: str = "") -> None:
        name = (
            f'http_requests_total{{job="web-{lane}",instance="{pod}:80",pod="{pod}",'
            f'status="{code}"{more}}}'
        )
        self._shown[name] = self._shown.get(name, 0) + amount
        self.exporter.count(name, amount)

    def forget(self, lane: str, pod: str) -> None:
        """Let the pod begin again: all its series are gone."""
        for name in [n for n in self._shown if f'job="web-{lane}",instance="{pod}:80"' in n]:
            self.exporter.count(name, -self._shown.pop(name))


@pytest.mark.sweep  # a real Prometheus has to scrape for a while first
@pytest.mark.skipif(not BINARY.exists(), reason=ABSENT)
async def test_looks_together_count_every_request_through_resets_and_new_pods():
    exporter, server = Exporter(), PrometheusServer()
    fleet = Fleet(exporter)
    for lane in ("stable", "canary"):
        fleet.count(lane, "a", "200", 5000)
    try:
        url = await server.start(await exporter.start())
        await until(url, 'count_over_time(http_requests_total{job="web-canary"}[1m]) >= 3')
        source = source_of(url, "web", "http")
        _, memory = await source.counts(None)
        fleet.begins = fleet.scrapes
        counted = await looks(source, memory, lambda: fleet.scrapes > fleet.begins + 15)
        await source.close()
    finally:
        await server.stop()
        await exporter.stop()

    assert sum(look.stable.requests for look in counted) == fleet.requests["stable"]
    assert sum(look.canary.requests for look in counted) == fleet.requests["canary"]
    assert sum(look.stable.errors for look in counted) == fleet.errors["stable"]
    assert sum(look.canary.errors for look in counted) == fleet.errors["canary"]


async def looks(
    source: PrometheusSource, memory: Counters, done: Callable[[], bool]
) -> list[Counted]:
    """Look every 0.7 s, oftener than it scrapes, until all was seen; return the windows that were counted."""
    closed = []
    last = False
    while not last:
        last = done()
        await asyncio.sleep(0.7)
        counted, memory = await source.counts(memory)
        closed += [counted] if counted.closed else []
    return closed


@pytest.mark.sweep  # a real Prometheus has to scrape for a while first
@pytest.mark.skipif(not BINARY.exists(), reason=ABSENT)
async def test_a_caller_that_a_proxy_forgets_is_no_reset():
    exporter, server = Exporter(), PrometheusServer()
    fleet = Fleet(exporter)
    idle = ',client="idle"'

    def scrape() -> None:
        fleet.scrapes += 1
        for lane in ("stable", "canary"):
            fleet.count(lane, "a", "200", 10)
            if fleet.scrapes <= 5:
                fleet.count(lane, "a", "200", 1000, idle)
            elif fleet.scrapes == 6:
                series = next(n for n in exporter._plain if f"web-{lane}" in n and "idle" in n)
                del exporter._plain[series]

    exporter.on_scrape = scrape
    try:
        url = await server.start(await exporter.start())
        await until(url, 'count_over_time(http_requests_total{job="web-canary"}[1m]) >= 4')
        source = source_of(url, "web", "http")
        _, memory = await source.counts(None)
        counted = await looks(source, memory, lambda: fleet.scrapes > 9)
        await source.close()
    finally:
        await server.stop()
        await exporter.stop()

    assert max(look.canary.requests for look in counted) < 4000  # what it had before it shrank
    assert sum(look.canary.requests for look in counted[-2:]) <= 60
    said = {problem for look in counted for problem in look.canary.problems}
    assert any("went away while their process ran on" in problem for problem in said)


@pytest_asyncio.fixture(loop_scope="module")
async def fake() -> AsyncIterator[FakePrometheus]:
    server = FakePrometheus()
    yield server
    await server.stop()


@pytest.mark.parametrize("fault", ["503", "html", "redirect", "odd", "breaks off"])
async def test_a_source_that_is_down_counts_nothing_and_forgets_nothing(fake, fault):
    source = source_of(await fake.start())
    memory = Counters(at=5.0, interval=15.0)
    fake.fault = fault

    counted, after = await source.counts(memory)
    await source.close()

    assert counted.canary.requests is counted.stable.errors is Missing.DOWN
    assert counted.problem.startswith("Prometheus at http://127.0.0.1")
    assert "s3cret" not in counted.problem
    assert (counted.closed, after) == (False, memory)


async def test_without_a_part_that_matters_nothing_is_counted(fake):
    source = source_of(await fake.start())
    fake.fault, fake.fault_only_for = "422", "unless"

    counted, _ = await source.counts(None)
    await source.close()

    assert counted.canary.requests is Missing.NOT_AVAILABLE
    assert "no usable answer" in counted.problem


async def test_one_look_is_one_request(fake):
    source = source_of(await fake.start())
    fake.vector(({"destination_workload": "auth-canary"}, "1000"))

    await source.counts(None)
    await source.close()

    assert len(fake.queries) == 1


async def test_a_platform_without_counters_says_so():
    source = PrometheusSource(
        "http://127.0.0.1:1", template="cloud_run", namespace="", stable="a-1", canary="a-2",
        clock=lambda: NOW,
    )  # fmt: skip
    counted, _ = await source.counts(None)
    await source.close()

    assert counted.canary.requests is Missing.NOT_AVAILABLE
    assert "has no counters" in counted.problem
