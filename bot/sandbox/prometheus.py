"""A stand-in Prometheus for the sandbox: real HTTP in front of the simulated traffic.

The one rule: it understands exactly the queries that the `istio` template renders, over a window or of the counters as
they are, because it renders the same ones and compares, and custom queries for one metric that was set by hand,
`revenue{workload="checkout-canary"}`; anything else is refused as Prometheus refuses what it cannot parse.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

from aiohttp import web

from bot.sandbox.counters import SimulatedCounters
from bot.sandbox.traffic import SimulatedTraffic
from integrations.metrics.joining import named, parts
from integrations.metrics.templates import Lanes, Question, Raw, raw_counters, render

_WINDOW = re.compile(r"\[(\d{1,7})s\]")
_OWN = re.compile(
    r"(?:(?:sum|avg|min|max)\()?(?P<metric>[a-z_:][a-z0-9_:]*)\{(?P<labels>[^{}]*)\}\)?"
)
_Row: TypeAlias = tuple[dict[str, str], float]
_QUOTED = re.compile(r"""["']([^"'\\]*)["']""")


class SimulatedPrometheus:
    """One HTTP server on loopback. While `down` is set it answers 503, as behind a load balancer without backend."""

    template = "istio"
    """Whose queries it understands."""

    def __init__(self, traffic: SimulatedTraffic, clock: Callable[[], datetime]) -> None:
        self.down = False
        self._traffic = traffic
        self._counters = SimulatedCounters(traffic, clock)
        self.counts = True
        """Set False: there are no counters, only what is computed from them."""
        self._clock = clock
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> str:
        """Listen on loopback and return the URL."""
        app = web.Application()
        app.router.add_route("GET", "/api/v1/query", self._query)
        app.router.add_route("POST", "/api/v1/query", self._query)
        app.router.add_get("/-/healthy", self._healthy)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close the server."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _healthy(self, _: web.Request) -> web.Response:
        if self.down:
            raise web.HTTPServiceUnavailable
        return web.Response(text="Prometheus Server is Healthy.\n")

    async def _query(self, request: web.Request) -> web.Response:
        if self.down:
            raise web.HTTPServiceUnavailable
        form = await request.post() if request.method == "POST" else {}
        text = str(form.get("query") or request.query.get("query", ""))
        rows: list[_Row] = []
        asked = parts(text)
        for name, one in asked:
            found = self._usual(one)
            if found is None:
                return _bad_data()
            rows += [(named(name, labels), value) for labels, value in found]
        if asked:
            return self._vector(rows)
        found = self._usual(text)
        return self._own(text) if found is None else self._vector(found)

    def _usual(self, text: str) -> list[_Row] | None:
        """Return the series that answer what a bot asks about these lanes; None where it is something else."""
        if text == "vector(1)":
            return [({}, 1.0)]
        window = int(found[1]) if (found := _WINDOW.search(text)) else 60
        if window < 1:
            return None
        for lanes in self._ways_round():
            known = _asked(self.template, lanes, window)
            if text in known:
                return self._rows(*known[text], window)
            raw, parts_of = _counted(self.template, lanes)
            if raw and text in parts_of:
                return self._counters.rows(parts_of[text], raw) if self.counts else []
        return None

    def _ways_round(self) -> tuple[Lanes, ...]:
        """Return the lanes in both orders: of two colours either may be the stable one."""
        lanes = self._traffic.lanes
        if not lanes.stable:
            return (lanes,)
        return lanes, Lanes(lanes.namespace, lanes.canary, lanes.stable)

    def _own(self, text: str) -> web.Response:
        """Answer a custom query: its metric was set by hand, and one of its labels names a workload or a version."""
        found = _OWN.fullmatch(text.strip())
        if found is None:
            return _bad_data()
        values = self._traffic.figure(found["metric"], _QUOTED.findall(found["labels"]))
        return _bad_data() if values is None else self._vector([({}, value) for value in values])

    def _rows(self, metric: str, question: Question, window: int) -> list[_Row]:
        values = self._traffic.numbers(window).get(metric, {})
        workload = self._traffic.lanes.workload
        return [({question.label: workload(lane)}, value) for lane, value in values.items()]

    def _vector(self, rows: Sequence[_Row]) -> web.Response:
        now = self._clock().timestamp()
        result = [
            {"metric": labels, "value": [now, "NaN" if math.isnan(value) else repr(value)]}
            for labels, value in rows
        ]
        return web.json_response(
            {"status": "success", "data": {"resultType": "vector", "result": result}}
        )


@lru_cache(maxsize=64)
def _asked(template: str, lanes: Lanes, window: int) -> Mapping[str, tuple[str, Question]]:
    """Return by their text what a bot asks about these lanes."""
    return {q.text: (name, q) for name, q in render(template, lanes, window).items()}


@lru_cache(maxsize=16)
def _counted(template: str, lanes: Lanes) -> tuple[Raw | None, Mapping[str, str]]:
    """Return what a bot asks about the counters of these lanes, and the parts by their text."""
    raw = raw_counters(template, lanes)
    return raw, {text: name for name, text in raw.parts.items()} if raw else {}


def _bad_data() -> web.Response:
    error = (
        "this is the sandbox: it knows the queries of the istio template, and metrics that were set"
    )
    return web.json_response(
        {"status": "error", "errorType": "bad_data", "error": error}, status=400
    )
