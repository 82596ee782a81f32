"""A stage without a cluster: a function behind an alias, and the numbers of its versions."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.sandbox.prometheus import SimulatedPrometheus
from integrations.base import Lane
from integrations.metrics.templates import CALLERS_FRESHNESS, Lanes
from tests.fakes.aws_lambda import FakeLambda
from tests.fakes.wheel import VirtualClock
from tests.scenario.stage import DEFAULTS, SINK_KEY, Stage

CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
accounts:
  shop: {{kind: aws, region: eu-west-1, endpoint: "{aws}"}}
metrics:
  main: {{kind: prometheus, url: "{prometheus}"}}
environments:
  production: {{approvers: [S0SRE], approvals: {approvals}, self_approval: false}}
services:
  {function}:
    production:
      workload: {{kind: lambda_version, account: shop, function: {function}, alias: live{source}}}
      metrics: {{source: main, template: http}}
      canary: {{steps: {steps}, soak: {soak}, auto_promote: false, retention: 0s}}
      checks: [{{metric: error_rate, above: 5}}, {{metric: latency_p95, above: 500}}]
      min_requests: {min_requests}
{extra}
"""


class FunctionTraffic:
    """The numbers of the versions, as the alias divides the requests now."""

    def __init__(self, fake: FakeLambda) -> None:
        self.fake = fake
        self.lanes = Lanes("none", "5", "")
        """Of the query that is being answered."""
        self.errors: dict[str, float] = {}
        """Percent, by version."""

    def numbers(self, window: int) -> Mapping[str, Mapping[Lane, float]]:
        found: dict[str, dict[Lane, float]] = {}
        for lane in Lane:
            version = self.lanes.workload(lane)
            for metric, value in self._of(version, window) if version else ():
                found.setdefault(metric, {})[lane] = value
        return found

    def _of(self, version: str, window: int) -> list[tuple[str, float]]:
        rps = 2 * self.fake.split.get(version, 0)
        errors = self.errors.get(version, 0.2) if rps else math.nan
        latency = 100.0 if rps else math.nan
        return [
            ("requests", round(rps * window)),
            ("rps", rps),
            ("error_rate", errors),
            ("success_rate", 100 - errors),
            *((f"latency_{name}", latency) for name in ("avg", "p50", "p95", "p99")),
            *((name, 0.0) for name in ("connection_failures", "circuit_breaker_trips")),
            ("freshness", 5.0),
            (CALLERS_FRESHNESS, 5.0),
        ]

    def figure(self, metric: str, words: Any) -> list[float] | None:
        return None


class FunctionNumbers(SimulatedPrometheus):
    """A Prometheus that is asked for versions, which it learns from the question."""

    template = "http"

    def _ways_round(self) -> tuple[Lanes, ...]:
        return (self._traffic.lanes,)

    async def _query(self, request: web.Request) -> web.Response:
        form = await request.post()
        found = re.search(r'"(\d+)(?:\|(\d+))?"', str(form.get("query", "")))
        if found:
            self._traffic.lanes = Lanes("none", found[1], found[2] or "")
        return await super()._query(request)


class Functions(Stage):
    """A bot, a function whose version 5 is live, and no cluster. Whoever opens it sets credentials."""

    aws: FakeLambda

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        self.clock = VirtualClock()
        self.shape = "function"
        usual = {"function": "image-processor", "live": 5, "source": "", "soak": "30s"}
        values = {**DEFAULTS, **usual, **overrides}
        self.aws = FakeLambda(versions=values["live"], function=values["function"])
        values["aws"] = await self.aws.start()
        self.numbers = FunctionTraffic(self.aws)
        self.prometheus = FunctionNumbers(self.numbers, self.clock)
        values["prometheus"] = await self.prometheus.start()
        self.sink = self.sink_type(SINK_KEY)
        await self.open_slack()
        self.write(folder, CONFIG.format(**values))

    async def strike(self) -> None:
        await self.bot.stop()
        await self.http.close()
        await self.slack.stop()
        await self.prometheus.stop()
        await self.aws.stop()

    @property
    def as_armed(self) -> bool:
        """Whether version 5 has all requests, and no other one is prepared or kept."""
        note = self.aws.alias.description
        return self.aws.split == {"5": 100} and "prepared" not in note and note.endswith("kept=5]")
