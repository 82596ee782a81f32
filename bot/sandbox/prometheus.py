"""A stand-in Prometheus for the sandbox: real HTTP in front of the simulated traffic.

The one rule: it understands exactly the queries that the `istio` template renders, because it renders the same ones and
compares; anything else is refused as Prometheus refuses what it cannot parse.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime

from aiohttp import web

from bot.sandbox.traffic import SimulatedTraffic
from integrations.base import Lane
from integrations.metrics.templates import Question, render

_WINDOW = re.compile(r"\[(\d{1,7})s\]")


class SimulatedPrometheus:
    """One HTTP server on loopback. While `down` is set it answers 503, as behind a load balancer without backend."""

    def __init__(self, traffic: SimulatedTraffic, clock: Callable[[], datetime]) -> None:
        self.down = False
        self._traffic = traffic
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
        window = int(found[1]) if (found := _WINDOW.search(text)) else 60
        if window < 1:
            return _bad_data()
        questions = render("istio", self._traffic.lanes, window)
        metric = next((name for name, question in questions.items() if question.text == text), None)
        if metric is None:
            return _bad_data()
        return self._answer(questions[metric], self._traffic.numbers(window).get(metric, {}))

    def _answer(self, question: Question, values: Mapping[Lane, float]) -> web.Response:
        now = self._clock().timestamp()
        result = [
            {
                "metric": {question.label: self._traffic.lanes.workload(lane)},
                "value": [now, "NaN" if math.isnan(value) else repr(value)],
            }
            for lane, value in values.items()
        ]
        return web.json_response(
            {"status": "success", "data": {"resultType": "vector", "result": result}}
        )


def _bad_data() -> web.Response:
    error = "this is the sandbox: it only knows the queries of the istio template"
    return web.json_response(
        {"status": "error", "errorType": "bad_data", "error": error}, status=400
    )
