"""The stage of the scenario tests: a cluster, a Prometheus, a Slack workspace, an alert sink, and the bot between them.

Everything is real but the time: HTTP on loopback, the real clients, the real database file.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from aiohttp import ClientSession, web_app

from bot.app.running import Bot
from bot.rollout.values import Phase, Rollout
from bot.sandbox.chat import Message
from bot.sandbox.cluster import orion
from bot.sandbox.orion import (
    colours,
    fleet,
    gateway_objects,
    grpc_objects,
    linkerd_objects,
    ratio_objects,
    traffic_split_objects,
)
from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.traffic import SimulatedTraffic
from bot.settings.environment import Settings, read_settings
from integrations.base import Lane
from integrations.metrics.templates import Lanes
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.sink import Sink
from tests.fakes.slack import FakeSlack
from tests.fakes.wheel import VirtualClock, VirtualWheel

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SINK_KEY = b"0123456789abcdef0123456789abcdef"
DANA, ANA, BEN, OLU = "U0DANA", "U0ANA", "U0BEN", "U0OLU"
DEPLOYS, ALERTS = "C0DEPLOYS", "C0ALERTS"

CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS, pictures: {pictures}}}
clusters:
  prod: {{kubeconfig: "{kubeconfig}"}}
metrics:
  main: {{kind: prometheus, url: "{prometheus}"}}
alerts:
  - {{kind: webhook, url: "{sink}", secret: "{sink_secret}",
     events: [rollout.rolled_back, rollout.paused, rollout.needs_attention, rollout.unanswered]}}
environments:
  production: {{approvers: {approvers}, approvals: {approvals}, self_approval: false, gate_expires: {expires},
               on_expiry: {on_expiry}, freeze: {freeze}}}
  staging: {{approvals: 0}}
services:
  auth-service:
    about: {{oncall: S0ONCALL}}
    production:
      cluster: prod
      namespace: orion
{where}
      metrics: {{source: main, template: istio}}
      canary: {{{climb}soak: {soak}}}
      checks: {checks}
      min_requests: {min_requests}
{extra}
"""

CLIMB = "steps: {steps}, auto_promote: false, retention: {retention}, "
LED = ("argo", "flagger")
"""The shapes that another controller leads, by its own plan."""
CHECKS = "[{{metric: error_rate, above: 5}}, {{metric: latency_p95, above: 500, then: {slow}}}]"

WHERE = {
    "fixed": """\
      workload: {kind: deployment, stable: auth-service-stable, canary: auth-service-canary,
                 container: auth-service, image: ghcr.io/orion/auth}
      traffic: {kind: istio, virtual_service: auth-service, route: primary}""",
    "swap": """\
      workload: {kind: deployment, blue: auth-service-blue, green: auth-service-green,
                 container: auth-service, image: ghcr.io/orion/auth}
      traffic: {kind: service_selector, service: auth-service, preview: auth-service-preview}""",
    "mesh": """\
      workload: {kind: deployment, blue: auth-service-blue, green: auth-service-green,
                 container: auth-service, image: ghcr.io/orion/auth}
      traffic: {kind: istio, virtual_service: auth-service, route: primary}""",
    "one": """\
      workload: {kind: deployment, name: auth-service, container: auth-service, image: ghcr.io/orion/auth}""",
}
"""The shapes of a target: a pair, two colours behind a Service or in a mesh, one Deployment."""
OTHER_MESHES = {
    "gateway": (gateway_objects, "httproutes", "kind: gateway_api, route: auth-service"),
    "grpc": (
        grpc_objects,
        "grpcroutes",
        "kind: gateway_api, route: auth-service, rule: 0, route_kind: GRPCRoute",
    ),
    "linkerd": (linkerd_objects, "httproutes", "kind: linkerd, http_route: auth-service"),
    "smi": (traffic_split_objects, "trafficsplits", "kind: linkerd, traffic_split: auth-service"),
}
"""More shapes: a pair behind another mesh than Istio, with what is put, what splits, and how it is configured."""
WHERE |= {
    shape: WHERE["fixed"].partition("traffic:")[0] + f"traffic: {{{traffic}}}"
    for shape, (_, _, traffic) in OTHER_MESHES.items()
}
WHERE["ratio"] = WHERE["fixed"].partition("\n      traffic:")[0]
"""One more: a pair without a router."""
PLACES = {
    **dict.fromkeys(OTHER_MESHES, ("auth-service-stable", "auth-service-canary")),
    "fixed": ("auth-service-stable", "auth-service-canary"),
    "ratio": ("auth-service-stable", "auth-service-canary"),
    "swap": ("auth-service-blue", "auth-service-green"),
    "mesh": ("auth-service-blue", "auth-service-green"),
    "one": ("", "auth-service"),
}
IMAGE = "ghcr.io/orion/auth"
AUTH = {"service": "auth-service", "namespace": "orion", "repository": "ghcr.io/orion/auth"}

DEFAULTS = {
    "pictures": "false",
    "approvers": "[S0SRE]",
    "approvals": 1,
    "expires": "24h",
    "on_expiry": "hold",
    "freeze": "[]",
    "steps": "[5, 25, 50, 100]",
    "soak": "1m",
    "retention": "0s",
    "slow": "warn",
    "checks": "",
    "min_requests": 50,
    "shape": "fixed",
    "where": WHERE["fixed"],
    "extra": "",
}


class Stage:
    """One bot and its world."""

    clock: VirtualClock
    cluster: FakeCluster
    traffic: SimulatedTraffic
    prometheus: SimulatedPrometheus
    slack: FakeSlack
    sink: Sink
    bot: Bot
    wheel: VirtualWheel
    http: ClientSession

    cluster_type = FakeCluster
    slack_type = FakeSlack
    sink_type = Sink
    prometheus_type = SimulatedPrometheus
    traffic_type = SimulatedTraffic

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, **overrides: Any) -> AsyncIterator[Self]:
        stage = cls()
        await stage.raise_world(folder, overrides)
        await stage.start_bot()
        try:
            yield stage
        finally:
            await stage.strike()

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        self.clock = VirtualClock()
        self.cluster = self.cluster_type(clock=self.clock, pod_start=10)
        values = {**DEFAULTS, **overrides}
        self.shape = values["shape"]
        self._put_service()
        await self.cluster.start()
        self.clock.at += timedelta(minutes=10)  # everything has been running for a while
        self.traffic = self.traffic_type(
            self.cluster,
            self.clock,
            service="auth-service",
            namespace="orion",
            lanes=Lanes("orion", *PLACES[self.shape]),
        )
        self.prometheus = self.prometheus_type(self.traffic, self.clock)
        prometheus = await self.prometheus.start()
        self.sink = self.sink_type(SINK_KEY)
        sink = await self.sink.start()
        await self.open_slack()
        self.configure(folder, values, prometheus, sink)

    def configure(self, folder: Path, values: dict[str, Any], prometheus: str, sink: str) -> None:
        """Write the configuration of this world, and the environment that leads to it."""
        places = {
            "where": WHERE[self.shape],
            "climb": "" if self.shape in LED else CLIMB.format(**values),
            "checks": values["checks"] or CHECKS.format(**values),
            "kubeconfig": self.cluster.kubeconfig(folder),
            "prometheus": prometheus,
            "sink": sink,
            "sink_secret": f"whsec_{base64.b64encode(SINK_KEY).decode()}",
        }
        self.write(folder, CONFIG.format(**(values | places)))

    async def open_slack(self) -> None:
        """Open the workspace, and the client that asks the bot over REST."""
        self.slack = self.slack_type("http://127.0.0.1:9", SECRET, "xoxb-test-token")
        await self.slack.start()
        await self.slack.populate()
        self.http = ClientSession(headers={"Authorization": "Bearer a-root-token-for-tests"})

    def write(self, folder: Path, text: str) -> None:
        """Write the configuration file, and the environment that leads to it."""
        config = folder / "sluice.yaml"
        config.write_text(text)
        self.environ = {
            "SLACK_BOT_TOKEN": "xoxb-test-token",
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": f"{self.slack.url}/api/",
            "SLUICE_CONFIG": str(config),
            "SLUICE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/sluice.db",
            "SLUICE_LISTEN": "127.0.0.1:0",
            "SLUICE_API_TOKEN": "a-root-token-for-tests",
        }

    def _put_service(self) -> None:
        match self.shape:
            case "fixed":
                orion(self.cluster)
            case "swap" | "mesh":
                colours(self.cluster, **AUTH, mesh=self.shape == "mesh")
            case "one":
                fleet(self.cluster, **AUTH)
            case "ratio":
                for body in ratio_objects("auth-service", "orion", f"{IMAGE}:v1.0.0", 10):
                    self.cluster.put(body)
            case shape if shape in OTHER_MESHES:
                for body in OTHER_MESHES[shape][0]("auth-service", "orion", f"{IMAGE}:v1.0.0", 4):
                    self.cluster.put(body)
        for place in PLACES[self.shape]:
            self.cluster.object("deployments", "orion", place)

    @property
    def settings(self) -> Settings:
        return read_settings(self.environ)

    async def start_bot(self) -> None:
        self.bot = await Bot.open(self.settings, self.clock)
        self.wheel = VirtualWheel(self.clock, self.bot.ring)
        self.bot.use(self.wheel)
        await self.bot.listen()
        self.slack.bot_url = f"http://127.0.0.1:{self.bot.port}"
        await self.bot.take_up()
        await self.bot.greeted()
        await self.settled()

    async def restart(self) -> None:
        """Stop the process without ceremony and start another one on the same database."""
        await self.bot.stop()
        await self.start_bot()

    async def strike(self) -> None:
        await self.bot.stop()
        await self.http.close()
        await self.slack.stop()
        await self.sink.stop()
        await self.prometheus.stop()
        await self.cluster.stop()
        # aiohttp keeps the last thousand handlers that it wrapped, and with each of them one of these houses.
        web_app._cached_build_middleware.cache_clear()

    async def settled(self) -> None:
        await self.bot.settled()

    # ---- what people do ---------------------------------------------------------------------------------------------

    async def say(self, text: str, *, by: str = DANA, channel: str = DEPLOYS) -> str:
        """Type a slash command; returns what that person sees in answer."""
        command, _, rest = text.partition(" ")
        message = await self.slack.command(by, command, rest, channel)
        await self.settled()
        return self.slack.text_of(message) if message else ""

    async def press(self, button: str, *, by: str = ANA) -> None:
        """Press the newest visible button that begins so."""
        message, label = self._find(button, by)
        await self.slack.click(by, message.ts, label)
        await self.settled()

    def _find(self, button: str, by: str) -> tuple[Message, str]:
        seen = [*self.slack.messages(DEPLOYS), *self.slack.ephemerals(by)]
        for message in reversed(seen):
            for label in self.slack.buttons(message):
                if label.startswith(button):
                    return message, label
        raise AssertionError(f"no button {button!r} to be seen")

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await self.wheel.turn(seconds, self.settled)

    async def deploy(self, version: str = "v2.0.0", options: str = "steps=50,100") -> None:
        """Start a rollout and let it reach its first weight: 50 % after 15 seconds."""
        await self.say(f"/deploy auth-service {version} to production {options}")
        await self.wait(15)

    async def deploy_to_gate(self, version: str = "v2.0.0") -> None:
        """Start a rollout and let it come to its first gate, at 50 %."""
        await self.deploy(version)
        await self.wait(75)

    async def deploy_to_promote(self) -> None:
        """Bring v2.0.0 to 100 % and approve the last gate: Promote begins."""
        await self.deploy_to_gate()
        await self.press("Promote to 100 %")
        await self.wait(90)
        await self.press("Promote to stable")

    async def ship(self, version: str) -> None:
        """Bring a version to the end."""
        await self.deploy_to_gate(version)
        await self.press("Promote to 100 %")
        await self.wait(90)
        await self.press("Promote to stable")
        await self.wait(60)

    def mend(self, version: str) -> None:
        """Let the pods of a version be well again."""
        self.cluster.mend_image(f"ghcr.io/orion/auth:{version}")

    # ---- what can be seen -------------------------------------------------------------------------------------------

    @property
    def weights(self) -> tuple[int, int]:
        """What the VirtualService, or what splits in its place, gives to stable and canary."""
        if self.shape in OTHER_MESHES:
            return self._weights_elsewhere()
        found = self.cluster.object("virtualservices", "orion", "auth-service")
        assert found is not None
        route = found["spec"]["http"][0]["route"]
        return route[0].get("weight", 0), route[1].get("weight", 0)

    @property
    def split_object(self) -> dict[str, Any]:
        """On another mesh than Istio: the object that splits."""
        found = self.cluster.object(OTHER_MESHES[self.shape][1], "orion", "auth-service")
        assert found is not None
        return found

    def _weights_elsewhere(self) -> tuple[int, int]:
        spec = self.split_object["spec"]
        rules = [rule for rule in spec.get("rules", ()) if "sluice-" not in rule.get("name", "")]
        parts = rules[0]["backendRefs"] if rules else spec["backends"]
        return parts[0]["weight"], parts[1]["weight"]

    def deployment(self, lane: Lane) -> dict[str, Any]:
        place = PLACES[self.shape][0 if lane is Lane.STABLE else 1]
        found = self.cluster.object("deployments", "orion", place)
        assert found is not None
        return found

    def image(self, lane: Lane) -> str:
        return str(self.deployment(lane)["spec"]["template"]["spec"]["containers"][0]["image"])

    def pods(self, lane: Lane) -> int:
        return int(self.deployment(lane)["spec"]["replicas"])

    @property
    def routed_to_green(self) -> bool:
        """Where there are colours: whether green has the traffic."""
        return self.selected == "green" if self.shape == "swap" else self.weights == (0, 100)

    @property
    def selected(self) -> str:
        """The colour that the Service sends its traffic to."""
        found = self.cluster.object("services", "orion", "auth-service")
        assert found is not None
        return str(found["spec"]["selector"]["version"])

    @property
    def versions(self) -> dict[str, int]:
        """The ready pods of the service, by the version they run."""
        counts: dict[str, int] = {}
        for image, ready in self.cluster.pods("orion"):
            tag = image.partition("@")[0].rpartition(":")[2]
            counts[tag] = counts.get(tag, 0) + ready
        return {tag: n for tag, n in counts.items() if n}

    @property
    def card(self) -> str:
        return self.slack.text_of(self.slack.card(DEPLOYS))

    @property
    def story(self) -> str:
        card = self.slack.card(DEPLOYS)
        return "\n".join(self.slack.text_of(m) for m in self.slack.thread(card.ts))

    def heard(self, person: str = DANA) -> str:
        """What the bot last told this person alone."""
        return self.slack.text_of(self.slack.ephemerals(person)[-1])

    async def alerts(self, kind: str) -> list[dict[str, Any]]:
        """The data of all alerts of one type that have reached the sink; waits for the first one."""
        async with asyncio.timeout(5):
            while not (found := [d for d in self.sink.deliveries if d.body["type"] == kind]):
                self.sink.arrived.clear()
                await self.sink.arrived.wait()
        assert all(delivery.genuine for delivery in found)
        return [delivery.body["data"] for delivery in found]

    @property
    def as_armed(self) -> bool:
        """Whether the world is what it was before: v1.0.0 with all traffic, all its pods, and none of another."""
        if self.shape == "one":
            return (
                self.image(Lane.CANARY) == "ghcr.io/orion/auth:v1.0.0"
                and self.versions == {"v1.0.0": 10}
                and "sluice/strategy" not in self.deployment(Lane.CANARY)["metadata"]["annotations"]
            )
        routed = self.selected == "blue" if self.shape == "swap" else self.weights == (100, 0)
        return (
            routed
            and self.image(Lane.STABLE) == self.image(Lane.CANARY) == "ghcr.io/orion/auth:v1.0.0"
            and (self.pods(Lane.STABLE), self.pods(Lane.CANARY)) == (4, 0)
        )

    async def phase(self) -> tuple[Phase, str]:
        """Phase and code of the newest rollout."""
        row = await self.row()
        return row.phase, row.code

    async def told(self) -> list[str]:
        """The journal of the newest rollout: `verb` or `verb:code`, in order."""
        lines = await self.bot.store.journal((await self.row()).id)
        return [f"{x.entry.verb}:{x.entry.code}".rstrip(":") for x in lines]

    def channel(self, name: str = DEPLOYS) -> list[str]:
        return [self.slack.text_of(m) for m in self.slack.messages(name)]

    async def row(self) -> Rollout:
        """The newest rollout."""
        return (await self.bot.store.history(limit=1))[0]

    async def rest(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.bot.port}{path}"
        async with self.http.request(method, url, **kwargs) as response:
            body = await response.json(content_type=None)
        await self.settled()
        return response.status, body
