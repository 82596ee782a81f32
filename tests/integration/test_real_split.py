"""A real data plane: what the router writes is what visitors get, and what the proxy counts is what the lanes answered.

A real Envoy in front of two real servers takes its routes from the file that the adapter writes, and a real Prometheus
scrapes it. Every request brings the random number by which Envoy chooses among weighted clusters (`header_name`), and
the numbers are seeded: the observed share of a stage is the same in every run.

Why three standard deviations: of N requests, each of which goes to the canary with probability p, a share of p ± s is
expected with s = √(p (1 − p) / N). A fair split leaves p ± 3 s in 0.3 % of all runs, and the seed is one that does not;
at 5 % of 2,000 requests 3 s are 1.5 points, so a proxy that gave 3 % or 7 % would be found out.
"""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from integrations.base import HeaderRule
from integrations.metrics.connection import Connection
from integrations.metrics.prometheus import PrometheusSource
from integrations.routers.envoy import EnvoyRouter
from tests.fakes import envoy, prometheus_server
from tests.fakes.envoy import Envoy
from tests.fakes.prometheus_server import PrometheusServer

pytestmark = [
    pytest.mark.skipif(envoy.BINARY is None, reason=envoy.ABSENT),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
]

STABLE, CANARY = "auth-stable", "auth-canary"
SEED = 20261121
DICE = "x-dice"
"""The header with the random number of a request."""
TESTERS = HeaderRule("x-user-tier", equals="beta")
CROWD = 24
WINDOW = 5
EDGES_MS = (0, 0.5, 1, 5, 10, 25, 50, 100, 250, 500, math.inf)
"""The edges of Envoy's histograms: a percentile is as exact as the bucket that it falls into."""


@dataclass
class Lane:
    """One real server. Every `errors`-th request of a measured path fails; those take `seconds`."""

    name: str
    seconds: float
    errors: int = 0
    answers: list[tuple[float, int, float]] = field(default_factory=list)
    """When, with which status, and after how many milliseconds."""
    port: int = 0
    runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._quick)
        app.router.add_get("/measured", self._measured)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]

    async def _quick(self, _: web.Request) -> web.Response:
        return web.Response(text=self.name)

    async def _measured(self, _: web.Request) -> web.Response:
        began = time.monotonic()
        await asyncio.sleep(self.seconds)
        bad = self.errors and len(self.answers) % self.errors == 0
        now = time.monotonic()
        self.answers.append((now, 500 if bad else 200, 1000 * (now - began)))
        return web.Response(text=self.name, status=500 if bad else 200)

    def error_rate(self, since: float) -> float:
        statuses = [status for at, status, _ in self.answers if at >= since]
        return 100 * statuses.count(500) / len(statuses)

    def p95(self, since: float) -> float:
        times = sorted(ms for at, _, ms in self.answers if at >= since)
        return times[int(0.95 * len(times))]


class Road:
    """Visitors, the proxy, the two lanes behind it, and the router under test."""

    def __init__(self) -> None:
        self.stable, self.canary = Lane(STABLE, 0.012), Lane(CANARY, 0.06, errors=10)
        self.dice = random.Random(SEED)
        self.proxy = Envoy([STABLE, CANARY])
        self.fences = iter(f"1.{n}" for n in range(1, 100))

    async def open(self) -> None:
        for lane in (self.stable, self.canary):
            await lane.start()
        clusters = [{"name": STABLE, "weight": 100}, {"name": CANARY, "weight": 0}]
        split = {"clusters": clusters, "header_name": DICE}
        routes = [{"match": {"prefix": "/"}, "route": {"weighted_clusters": split}}]
        ports = {STABLE: [self.stable.port], CANARY: [self.canary.port]}
        url = await self.proxy.start(routes, ports)
        self.router = EnvoyRouter(
            file=str(self.proxy.route_file),
            stable=STABLE,
            canary=CANARY,
            admin=self.proxy.admin_url,
        )
        self.visitors = aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=CROWD))

    async def close(self) -> None:
        await self.visitors.close()
        await self.proxy.stop()
        for lane in (self.stable, self.canary):
            if lane.runner is not None:
                await lane.runner.cleanup()

    async def write(self, percent: float, *rules: HeaderRule) -> None:
        """Write as a rollout does. No request goes out before the router says that the proxy has followed."""
        token = (await self.router.read()).token
        await self.router.write(percent, token=token, fence=next(self.fences), rules=rules)

    async def visit(self, count: int, path: str = "/", **headers: str) -> Counter[str]:
        """Send requests, some at a time, and return who answered how many."""
        numbers = [str(self.dice.getrandbits(63)) for _ in range(count)]
        rows: Sequence[Sequence[str]] = [numbers[n::CROWD] for n in range(CROWD)]
        told = await asyncio.gather(*(self._one_by_one(row, path, headers) for row in rows))
        return sum(told, Counter())

    async def _one_by_one(
        self, numbers: Sequence[str], path: str, headers: dict[str, str]
    ) -> Counter[str]:
        told: Counter[str] = Counter()
        for number in numbers:
            async with self.visitors.get(path, headers={DICE: number, **headers}) as answer:
                told[await answer.text()] += 1
        return told


@pytest_asyncio.fixture(loop_scope="module")
async def road() -> AsyncIterator[Road]:
    opened = Road()
    try:
        await opened.open()
        yield opened
    finally:
        await opened.close()


async def test_visitors_get_the_planned_share_and_testers_always_the_canary(road):
    for percent, count in ((0, 300), (5, 2000), (25, 1000), (50, 1000), (100, 300)):
        await road.write(percent, TESTERS)

        told = await road.visit(count)
        testers = await road.visit(100, **{TESTERS.header: str(TESTERS.equals)})

        plan = percent / 100
        deviation = math.sqrt(plan * (1 - plan) / count)
        assert told.total() == count
        assert abs(told[CANARY] / count - plan) <= 3 * deviation, f"{told} at {percent} %"
        assert testers == {CANARY: 100}, f"at {percent} %"

    await road.write(50, TESTERS)
    await road.write(0)
    assert await road.visit(300) == {STABLE: 300}
    assert await road.visit(100, **{TESTERS.header: str(TESTERS.equals)}) == {STABLE: 100}


@pytest.mark.skipif(not prometheus_server.BINARY.exists(), reason=prometheus_server.ABSENT)
@pytest.mark.sweep
async def test_what_the_template_reads_is_what_the_lanes_answered(road):
    server = PrometheusServer()
    url = await server.start(road.proxy.admin_url, "/stats/prometheus")
    source = PrometheusSource(
        url,
        template="envoy",
        namespace="orion",
        stable="stable",
        canary="canary",
        clusters={"stable": STABLE, "canary": CANARY},
        clock=lambda: datetime(2026, 11, 21, tzinfo=UTC),
    )
    await road.write(50)
    try:
        async with asyncio.timeout(40):
            while not await filled(url):
                await road.visit(2 * CROWD, "/measured")
        readings = (await source.look(window=WINDOW, custom={}, variables={})).readings
    finally:
        await source.close()
        await server.stop()

    since = time.monotonic() - WINDOW
    for name, lane in (("stable", road.stable), ("canary", road.canary)):
        counted = len([at for at, *_ in lane.answers if at >= since])
        assert getattr(readings["requests"], name) == pytest.approx(counted, rel=0.2)
        assert getattr(readings["error_rate"], name) == pytest.approx(lane.error_rate(since), abs=2)
        assert getattr(readings["connection_failures"], name) == 0
        assert getattr(readings["circuit_breaker_trips"], name) == 0
        low, high = bucket(lane.p95(since))
        assert low < getattr(readings["latency_p95"], name) <= high
    assert readings["error_rate"].canary == pytest.approx(10, abs=2)
    assert readings["error_rate"].stable == 0


async def filled(url: str) -> bool:
    """Say whether Prometheus has seen more than a window of traffic. It begins to scrape when it pleases."""
    connection = Connection(url)
    seen = f'envoy_cluster_upstream_rq_completed{{envoy_cluster_name="{CANARY}"}}'
    told = await connection.ask(f"count_over_time({seen}[1m]) > {WINDOW + 1}")
    connection.close()
    return bool(told)


def bucket(ms: float) -> tuple[float, float]:
    """Return the edges around a time that a lane measured; the way there may add to it, by a bucket at most."""
    at = next(n for n, edge in enumerate(EDGES_MS) if ms <= edge)
    return EDGES_MS[at - 1], EDGES_MS[min(at + 1, len(EDGES_MS) - 1)]
