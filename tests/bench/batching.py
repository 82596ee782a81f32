"""Two hundred rollouts that look at once at one Prometheus: on one line together, beside each on a line of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from integrations.metric import Snapshot
from integrations.metrics.answers import Sample
from integrations.metrics.batching import Line
from integrations.metrics.connection import Connection
from integrations.metrics.prometheus import PrometheusSource
from tests.bench.figures import milliseconds
from tests.bench.yard import _wall as wall
from tests.fakes.prometheus_server import ABSENT, BINARY, PrometheusServer

ROLLOUTS, PODS, SCRAPES, ROUNDS = 200, 3, 6, 3
BOUNDS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 20000, 30000, 60000, "+Inf")


class Counting(Connection):
    """Counts the requests that go out."""

    sent = 0

    async def ask(self, query: str) -> tuple[Sample, ...]:
        Counting.sent += 1
        return await super().ask(query)


async def measure() -> list[list[str]]:
    """Return the rows of requests and of time; a row that says so where there is no Prometheus."""
    if not BINARY.exists():
        return [["looks at once", ABSENT, "", ""]]
    async with _scraped() as url:
        # A slow machine is no failure here: what is compared is how long all of them take.
        shared = [Counting(url, timeout=60)]
        own = [Counting(url, timeout=60) for _ in range(ROLLOUTS)]
        both: list[tuple[int, float]] = []
        for connections in (shared, own):
            lines = [Line(one) for one in connections]
            both.append(min([await _round(lines) for _ in range(ROUNDS)], key=lambda one: one[1]))
            for line in lines:
                await line.close()
    (requests, took), (others, beside) = both
    what = f"{ROLLOUTS} looks at once"
    return [
        [f"{what}, requests", str(requests), f"a line each: {others}", f"{requests / others:.2f}"],
        [f"{what}, until the last is answered", milliseconds(took),
         f"a line each: {milliseconds(beside)}", f"{took / beside:.2f}"],
    ]  # fmt: skip


async def _round(lines: Sequence[Line]) -> tuple[int, float]:
    """Let every rollout look and count once; return how many requests that were, and how long they took."""
    Counting.sent, began = 0, time.perf_counter()
    looks = [_look(lines[number % len(lines)], number) for number in range(ROLLOUTS)]
    for snapshot in await asyncio.gather(*looks):
        assert not snapshot.problem, snapshot.problem
        assert isinstance(snapshot.readings["rps"].canary, float)
    return Counting.sent, time.perf_counter() - began


async def _look(line: Line, number: int) -> Snapshot:
    source = PrometheusSource(
        line=line,
        template="istio",
        namespace="orion",
        stable=f"svc-{number}-stable",
        canary=f"svc-{number}-canary",
        clock=wall,
    )
    snapshot, _ = await asyncio.gather(
        source.look(window=60, custom={}, variables={}), source.counts(None)
    )
    return snapshot


@asynccontextmanager
async def _scraped() -> AsyncIterator[str]:
    """The URL of a real Prometheus that has scraped the sidecars of all services some times."""
    scrapes = 0

    async def metrics(_: web.Request) -> web.Response:
        nonlocal scrapes
        scrapes += 1
        return web.Response(text="".join(_page(scrapes)))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner, server = web.AppRunner(app, access_log=None), PrometheusServer()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = await server.start(f"http://127.0.0.1:{runner.addresses[0][1]}")
        while scrapes < SCRAPES:
            await asyncio.sleep(0.2)
        yield url
    finally:
        await server.stop()
        await runner.cleanup()


def _page(scrapes: int) -> list[str]:
    return [
        line
        for number in range(ROLLOUTS)
        for lane in ("stable", "canary")
        for pod in range(PODS)
        for line in _sidecar(f"svc-{number}-{lane}", f"svc-{number}-{lane}-{pod}", scrapes)
    ]


def _sidecar(workload: str, pod: str, scrapes: int) -> list[str]:
    place = (
        f'reporter="destination",destination_workload="{workload}",pod="{pod}",'
        f'destination_workload_namespace="orion",instance="{pod}:15020"'
    )
    time_ms = "istio_request_duration_milliseconds"
    return [
        f'istio_requests_total{{{place},response_code="200"}} {99 * scrapes}\n',
        f'istio_requests_total{{{place},response_code="503"}} {scrapes}\n',
        *(f'{time_ms}_bucket{{{place},le="{le}"}} {100 * scrapes}\n' for le in BOUNDS),
        f"{time_ms}_sum{{{place}}} {4000 * scrapes}\n",
        f"{time_ms}_count{{{place}}} {100 * scrapes}\n",
    ]
