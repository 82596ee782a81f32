"""A stage without a cluster: a service of Cloud Run, and what Google counts for its revisions."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from integrations.metrics.joining import named, parts
from integrations.metrics.templates import Question, Spaceless, render
from tests.fakes.cloud_run import FakeCloudRun
from tests.fakes.wheel import VirtualClock
from tests.scenario.stage import DEFAULTS, SINK_KEY, Stage

NAME, REPOSITORY = "checkout", "gcr.io/orion/checkout"
LIVE = f"{NAME}-00001-abc"

CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
accounts:
  shop: {{kind: gcp, project: orion, location: europe-west1, endpoint: "{google}"}}
metrics:
  main: {{kind: prometheus, url: "{prometheus}", account: shop}}
environments:
  production: {{approvers: [S0SRE], approvals: {approvals}, self_approval: false}}
services:
  checkout:
    production:
      workload: {{kind: cloud_run, account: shop, service: checkout, image: gcr.io/orion/checkout}}
      metrics: {{source: main, template: cloud_run}}
      canary: {{steps: {steps}, soak: {soak}, auto_promote: false, retention: 0s}}
      checks: [{{metric: error_rate, above: 5}}, {{metric: latency_p95, above: 500}}]
      min_requests: {min_requests}
{extra}
"""


class RunNumbers:
    """Google's Prometheus: it knows the queries of the template, about the revisions that there are."""

    def __init__(self, fake: FakeCloudRun) -> None:
        self.fake = fake
        self.errors: dict[str, float] = {}
        """Percent, by version."""
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        app = web.Application()
        app.router.add_post("/api/v1/query", self._query)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _query(self, request: web.Request) -> web.Response:
        text = str((await request.post())["query"])
        window = int(found[1]) if (found := re.search(r"\[(\d+)s\]", text)) else 60
        asked = parts(text) or (("", text),)
        for lanes in self._lanes():
            known = {q.text: (name, q) for name, q in render("cloud_run", lanes, window).items()}
            if all(one in known for _, one in asked):
                rows = [row for name, one in asked for row in self._rows(name, *known[one], window)]
                return web.json_response(
                    {"status": "success", "data": {"resultType": "vector", "result": rows}}
                )
        error = {"status": "error", "errorType": "bad_data", "error": "no such query"}
        return web.json_response(error, status=400)

    def _lanes(self) -> Iterator[Spaceless]:
        names = self.fake.names(NAME)
        yield from (Spaceless("", live, "") for live in names)
        yield from (Spaceless("", live, dark) for live in names for dark in names if dark != live)

    def _rows(self, joined: str, metric: str, question: Question, window: int) -> Iterator[Any]:
        for revision in (question.lanes.stable, question.lanes.canary):
            if revision:
                labels = {question.label: revision}
                value = self._number(metric, revision, window)
                yield {
                    "metric": named(joined, labels) if joined else labels,
                    "value": [0, "NaN" if math.isnan(value) else repr(value)],
                }

    def _number(self, metric: str, revision: str, window: int) -> float:
        rps = 2.0 * self.fake.served(NAME).get(revision, 0)
        path = next(name for name in self.fake.revisions if name.endswith(f"/{revision}"))
        version = self.fake.revisions[path]["containers"][0]["image"].rpartition(":")[2]
        errors = self.errors.get(version, 0.2) if rps else math.nan
        told = {"requests": rps * window, "rps": rps, "error_rate": errors, "freshness": 200.0}
        return {**told, "success_rate": 100 - errors}.get(metric, 100.0 if rps else math.nan)


class Runs(Stage):
    """A bot, a service of Cloud Run whose v1 is live, and no cluster."""

    google: FakeCloudRun

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        self.clock = VirtualClock()
        self.shape = "cloud_run"
        self.google = FakeCloudRun(self.clock)
        await self.google.start()
        self.google.put(NAME, f"{REPOSITORY}:v1")
        self.numbers = RunNumbers(self.google)
        values = {**DEFAULTS, "soak": "5m", "google": self.google.url, **overrides}
        values["prometheus"] = await self.numbers.start()
        self.sink = self.sink_type(SINK_KEY)
        await self.open_slack()
        self.write(folder, CONFIG.format(**values))

    async def strike(self) -> None:
        await self.bot.stop()
        await self.http.close()
        await self.slack.stop()
        await self.numbers.stop()
        await self.google.stop()

    @property
    def served(self) -> dict[str, float]:
        """What is served now, by version."""
        return {
            self.google.revisions[self._path(name)]["containers"][0]["image"].rpartition(":")[2]: n
            for name, n in self.google.served(NAME).items()
        }

    @property
    def as_armed(self) -> bool:
        """Whether the first revision has all requests, and nothing of a rollout is left but its fence."""
        notes = self.google.of(NAME)["annotations"]
        kept = (notes.get("sluice/prepared"), notes.get("sluice/kept"))
        return (
            self.google.served(NAME) == {LIVE: 100}
            and self.google.tags(NAME) == {}
            and kept == (None, LIVE)
        )

    def _path(self, name: str) -> str:
        return next(path for path in self.google.revisions if path.endswith(f"/{name}"))
