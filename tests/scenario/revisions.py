"""A stage with a Knative Service, and a Prometheus that tells its revisions apart."""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.sandbox.knative import SERVICES
from bot.sandbox.orion import knative_objects
from bot.sandbox.prometheus import SimulatedPrometheus
from integrations.base import Lane
from integrations.metrics.templates import Lanes
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.wheel import VirtualClock
from tests.scenario.stage import DEFAULTS, SINK_KEY, Stage

CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters:
  prod: {{kubeconfig: "{kubeconfig}"}}
metrics:
  main: {{kind: prometheus, url: "{prometheus}"}}
environments:
  production: {{approvers: [S0SRE], approvals: 1, self_approval: false}}
services:
  auth-service:
    production:
      cluster: prod
      namespace: orion
      workload: {{kind: knative_revision, service: auth-service, image: ghcr.io/orion/auth}}
      traffic: {{kind: knative, service: auth-service}}
      metrics: {{source: main, template: knative}}
      canary: {{steps: {steps}, soak: 30s, auto_promote: false, retention: 0s}}
      checks: [{{metric: error_rate, above: 5}}, {{metric: latency_p95, above: 500}}]
      min_requests: {min_requests}
{extra}
"""
FIRST = "auth-service-00001"


class RevisionTraffic:
    """The numbers of the revisions, as the requests are routed now."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self.lanes = Lanes("orion", FIRST, "")
        """Of the query that is being answered."""
        self.errors: dict[str, float] = {}
        """Percent, by version."""

    @property
    def routed(self) -> dict[str, int]:
        """Who gets how much, without those who get nothing."""
        body = self._cluster.object(SERVICES, "orion", "auth-service") or {}
        found: dict[str, int] = {}
        for entry in body["status"]["traffic"]:
            name = entry["revisionName"]
            found[name] = found.get(name, 0) + entry["percent"]
        return {name: share for name, share in found.items() if share}

    def version(self, revision: str) -> str:
        body = self._cluster.object("revisions", "orion", revision) or {}
        return str(body["spec"]["containers"][0]["image"]).rpartition(":")[2] if body else ""

    def numbers(self, window: int) -> Mapping[str, Mapping[Lane, float]]:
        found: dict[str, dict[Lane, float]] = {}
        for lane in Lane:
            revision = self.lanes.workload(lane)
            for metric, value in self._of(revision, window) if revision else ():
                found.setdefault(metric, {})[lane] = value
        return found

    def _of(self, revision: str, window: int) -> list[tuple[str, float]]:
        rps = 2.0 * self.routed.get(revision, 0)
        errors = self.errors.get(self.version(revision), 0.2) if rps else math.nan
        latency = 100.0 if rps else math.nan
        return [
            ("requests", round(rps * window)),
            ("rps", rps),
            ("error_rate", errors),
            ("success_rate", 100 - errors),
            *((f"latency_{name}", latency) for name in ("avg", "p50", "p95", "p99")),
            ("freshness", 5.0),
        ]

    def figure(self, metric: str, words: Any) -> list[float] | None:
        return None


class RevisionNumbers(SimulatedPrometheus):
    """A Prometheus that is asked for revisions, which it learns from the question."""

    template = "knative"

    def _ways_round(self) -> tuple[Lanes, ...]:
        return (self._traffic.lanes,)

    async def _query(self, request: web.Request) -> web.Response:
        form = await request.post()
        found = re.search(r'kn_revision_name=~"([^"]*)"', str(form.get("query", "")))
        if found:
            stable, _, canary = found[1].replace("\\", "").partition("|")
            self._traffic.lanes = Lanes("orion", stable, canary)
        return await super()._query(request)


class KnativeStage(Stage):
    """A bot and a Knative Service whose first revision is live, as `kn service create` leaves it."""

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        self.clock = VirtualClock()
        self.shape = "knative"
        self.cluster = FakeCluster(clock=self.clock, pod_start=10)
        for body in knative_objects("auth-service", "orion", "ghcr.io/orion/auth:v1.0.0", 1):
            self.cluster.put(body)
        await self.cluster.start()
        for _ in range(3):
            self.cluster.object(SERVICES, "orion", "auth-service")
            self.clock.at += timedelta(minutes=1)
        self.numbers = RevisionTraffic(self.cluster)
        self.prometheus = RevisionNumbers(self.numbers, self.clock)
        self.visited: set[str] = set()
        self._home = await self._open_home()
        values = {
            **DEFAULTS,
            "prometheus": await self.prometheus.start(),
            "kubeconfig": self.cluster.kubeconfig(folder),
            **overrides,
        }
        values["extra"] = str(values["extra"]).replace("HOME", self._address)
        self.sink = self.sink_type(SINK_KEY)
        await self.open_slack()
        self.write(folder, CONFIG.format(**values))

    async def strike(self) -> None:
        await self.bot.stop()
        await self.http.close()
        await self.slack.stop()
        await self.prometheus.stop()
        await self._home.cleanup()
        await self.cluster.stop()

    async def _open_home(self) -> web.AppRunner:
        """Listen where smoke tests are sent to; in front of Knative that is the gateway, here a path is the host."""

        async def visit(request: web.Request) -> web.Response:
            self.visited.add(request.path)
            return web.json_response({"ok": True})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", visit)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    @property
    def knative(self) -> dict[str, Any]:
        found = self.cluster.object(SERVICES, "orion", "auth-service")
        assert found is not None
        return found

    @property
    def tags(self) -> dict[str, str]:
        """Which version each tag leads to."""
        entries = self.knative["spec"]["traffic"]
        return {
            one["tag"]: self.numbers.version(one["revisionName"]) for one in entries if "tag" in one
        }

    @property
    def shares(self) -> dict[str, int]:
        """Who gets how much by now, by version."""
        return {self.numbers.version(name): share for name, share in self.numbers.routed.items()}

    @property
    def as_armed(self) -> bool:
        """Whether v1.0.0 has all requests, by the revision that had them, and nothing of ours is kept."""
        notes = self.knative["metadata"]["annotations"]
        return (
            self.numbers.routed == {FIRST: 100} and not self.tags and "sluice/revision" not in notes
        )
