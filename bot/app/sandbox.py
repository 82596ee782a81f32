"""The embedded default: a bot, a stand-in Slack workspace and a simulated mesh in one process, over loopback only.

The bot is the real one and speaks to both over HTTP as it would anywhere else; nothing here reaches into it. Its files
live in a temporary folder and go with it.
"""

import asyncio
import contextlib
import secrets
import signal
import tempfile
import webbrowser
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.app.clock import SystemClock
from bot.app.listening import listening_on
from bot.app.running import Bot
from bot.cli.doors import DoorError, SandboxOptions
from bot.sandbox.cluster import SimulatedCluster
from bot.sandbox.panel import MeshPanel, Panels
from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.script import play
from bot.sandbox.services import SITES, put_services
from bot.sandbox.traffic import SimulatedTraffic
from bot.sandbox.workspace import Workspace
from bot.settings.environment import read_settings
from bot.slack.charts.drawing import can_draw

_CONFIG = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters:
  sandbox: {{kubeconfig: "{kubeconfig}"}}
metrics:
  checkout: {{kind: prometheus, url: "{checkout}"}}
  cart: {{kind: prometheus, url: "{cart}"}}
  search: {{kind: prometheus, url: "{search}"}}
  payments-us: {{kind: prometheus, url: "{payments_us_east}"}}
  payments-eu: {{kind: prometheus, url: "{payments_eu_west}"}}
environments:
  production: {{strategy: canary, approvers: [S0SRE], approvals: 1, self_approval: false}}
services:
  checkout:
    about: {{oncall: S0ONCALL}}
    production:
      cluster: sandbox
      namespace: shop
      workload: {{kind: deployment, stable: checkout-stable, canary: checkout-canary,
                 container: checkout, image: registry.example/checkout}}
      traffic: {{kind: istio, virtual_service: checkout, route: primary}}
      metrics: {{source: checkout, template: istio}}
      canary: {{steps: [5, 25, 50, 100], soak: 5m, auto_promote: false}}
      checks:
        - {{metric: error_rate, above: 5, then: rollback}}
        - {{metric: latency_p95, above: 500, then: warn}}
        - {{metric: latency_p99, above: 1000, then: rollback}}
      min_requests: 1000
  cart:
    about: {{oncall: S0ONCALL}}
    production:
      cluster: sandbox
      namespace: shop
      strategy: blue-green
      workload: {{kind: deployment, blue: cart-blue, green: cart-green, container: cart, image: registry.example/cart}}
      traffic: {{kind: service_selector, service: cart, preview: cart-preview, key: version}}
      metrics: {{source: cart, template: istio}}
      blue_green: {{smoke_for: 1m, soak: 5m, retention: 1h}}
      checks:
        - {{metric: error_rate, above: 5, then: rollback}}
      min_requests: 1000
  search:
    about: {{oncall: S0ONCALL, instances: 10}}
    production:
      cluster: sandbox
      namespace: shop
      strategy: rolling
      workload: {{kind: deployment, name: search, container: search, image: registry.example/search}}
      metrics: {{source: search, template: istio}}
      rolling: {{batch: 2, delay: 1m}}
      checks:
        - {{metric: error_rate, above: 5, then: rollback}}
      min_requests: 1000
  payments:
    about: {{oncall: S0ONCALL}}
    production:
      metrics: {{source: payments-us, template: istio}}
      canary: {{steps: [25, 100], soak: 5m, auto_promote: false}}
      checks:
        - {{metric: error_rate, above: 5, then: rollback}}
      min_requests: 1000
      targets:
        - name: us-east
          cluster: sandbox
          namespace: us-east
          workload: {{kind: deployment, stable: payments-stable, canary: payments-canary,
                     container: payments, image: registry.example/payments}}
          traffic: {{kind: istio, virtual_service: payments, route: primary}}
        - name: eu-west
          cluster: sandbox
          namespace: eu-west
          workload: {{kind: deployment, stable: payments-stable, canary: payments-canary,
                     container: payments, image: registry.example/payments}}
          traffic: {{kind: istio, virtual_service: payments, route: primary}}
          metrics: {{source: payments-eu, template: istio}}
"""


_NO_PICTURES = (
    "Questions have their numbers as text; pip install -e '.[charts]' brings what draws pictures."
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    bot: Bot
    workspace: Workspace
    panel: Panels
    api_token: str


@contextlib.asynccontextmanager
async def sandbox(options: SandboxOptions) -> AsyncIterator[Sandbox]:
    """Run a sandbox as long as the block lasts."""
    clock = SystemClock(options.speed)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-")))
        cluster = _running_for_an_hour(clock)
        await cluster.start()
        stack.push_async_callback(cluster.stop)
        urls, panels = {}, {}
        for name, site in SITES.items():
            namespace = site.lanes.namespace
            traffic = SimulatedTraffic(
                cluster, clock.now, service=site.service, namespace=namespace, lanes=site.lanes
            )
            prometheus = SimulatedPrometheus(traffic, clock.now)
            urls[_source(name)] = await prometheus.start()
            stack.push_async_callback(prometheus.stop)
            panels[name] = MeshPanel(cluster, traffic, prometheus, clock, site.service, namespace)
        panel = Panels(panels)
        signing, token, api_token = (secrets.token_hex(24) for _ in range(3))
        workspace = Workspace(
            "http://127.0.0.1:9", signing, f"xoxb-{token}", clock.now, panel=panel
        )
        await workspace.populate()
        with listening_on(options.host, options.port, "--listen"):
            slack_url = await workspace.start(options.port, options.host)
        stack.push_async_callback(workspace.stop)
        config = folder / "sluice.yaml"
        config.write_text(_CONFIG.format(kubeconfig=cluster.kubeconfig(folder), **urls))
        settings = read_settings(
            {
                "SLACK_BOT_TOKEN": f"xoxb-{token}",
                "SLACK_SIGNING_SECRET": signing,
                "SLACK_API_URL": f"{slack_url}/api/",
                "SLUICE_CONFIG": str(config),
                "SLUICE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/sluice.db",
                "SLUICE_LISTEN": "127.0.0.1:0",
                "SLUICE_API_TOKEN": api_token,
            }
        )
        bot = await Bot.start(settings, clock)
        stack.push_async_callback(bot.stop)
        workspace.bot_url = f"http://127.0.0.1:{bot.port}"
        yield Sandbox(bot, workspace, panel, api_token)


def _source(name: str) -> str:
    """Return the name of the metric source of a site."""
    return name.replace(" ", "_").replace("-", "_")


def _running_for_an_hour(clock: SystemClock) -> SimulatedCluster:
    """Return a cluster whose pods started an hour ago: whoever types at once must not hear that none is ready."""
    age = timedelta(hours=1)

    def now() -> datetime:
        return clock.now() - age

    cluster = SimulatedCluster(clock=now, pod_start=20)
    put_services(cluster)
    age = timedelta(0)
    return cluster


async def run(options: SandboxOptions) -> int:
    """Run a sandbox until it is interrupted, or until its script has been played."""
    if options.live:
        raise DoorError(
            "--live (the real Slack in front of the simulated mesh) is not available yet. "
            "Leave it out for the stand-in workspace.",
            code="not_yet_available",
        )
    over = _interruption()
    async with sandbox(options) as running:
        url = running.workspace.url
        print(f"The sandbox is ready: {url}/")  # noqa: T201 - the command line's own line
        if not can_draw():
            print(_NO_PICTURES)  # noqa: T201
        print(  # noqa: T201
            f"REST and the command line: SLUICE_URL=http://127.0.0.1:{running.bot.port} "
            f"SLUICE_API_TOKEN={running.api_token}",
            flush=True,
        )
        if options.open_page:
            await asyncio.to_thread(webbrowser.open, f"{url}/")
        if options.script is not None:
            lines = await asyncio.to_thread(options.script.read_text, "utf-8")
            return await play(lines, running.workspace, running.panel)
        await over.wait()
    return 0


def _interruption() -> asyncio.Event:
    """Listen to the signals before anything is said to be ready."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, over.set)
    return over
