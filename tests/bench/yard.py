"""The yard of the benchmarks: many services on a fake API server, a stand-in Slack, the bot in its own process."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bot.sandbox.cluster import orion
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.prometheus import FakePrometheus
from tests.fakes.slack import FakeSlack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TOKEN = "a-root-token-for-benchmarks"

_HEAD = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters:
  prod: {{kubeconfig: "{kubeconfig}"}}
metrics:
  main: {{kind: prometheus, url: "{prometheus}"}}
environments:
  staging: {{approvals: 0}}
services:
"""
_SERVICE = """\
  {name}:
    staging:
      cluster: prod
      namespace: orion
      workload: {{kind: deployment, stable: {name}-stable, canary: {name}-canary,
                 container: {name}, image: ghcr.io/orion/{name}}}
      traffic: {{kind: istio, virtual_service: {name}, route: primary}}
      metrics: {{source: main, template: istio}}
      canary: {{steps: [50, 100], soak: 1d}}
      checks: [{{metric: error_rate, above: 5}}]
"""


class TimedCluster(FakeCluster):
    """Remembers when the first weight write of each VirtualService arrived after it was asked to watch."""

    def __init__(self, **options):
        super().__init__(**options)
        self.arrived: dict[str, float] = {}

    async def _handle(self, request):
        name = request.path.rsplit("/", 1)[-1]
        if request.method == "PATCH" and "virtualservices" in request.path:
            self.arrived.setdefault(name, time.perf_counter())
        return await super()._handle(request)


class Yard:
    def __init__(self, folder: Path, services: int) -> None:
        self.folder = folder
        self.names = [f"svc-{number}" for number in range(services)]
        self.cluster = TimedCluster(clock=_wall, pod_start=0.0, validate=False)
        self.prometheus = FakePrometheus()
        self.slack = FakeSlack("http://127.0.0.1:9", SECRET, "xoxb-bench")
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, services: int) -> AsyncIterator["Yard"]:
        yard = cls(folder, services)
        for name in yard.names:
            orion(yard.cluster, service=name, repository=f"ghcr.io/orion/{name}")
        await yard.cluster.start()
        prometheus = await yard.prometheus.start()
        await yard.slack.populate()
        slack = await yard.slack.start()
        yard.port = free_port()
        config = folder / "sluice.yaml"
        kubeconfig = yard.cluster.kubeconfig(folder)
        config.write_text(
            _HEAD.format(kubeconfig=kubeconfig, prometheus=prometheus)
            + "".join(_SERVICE.format(name=name) for name in yard.names)
        )
        environ = {
            **os.environ,
            "SLACK_BOT_TOKEN": "xoxb-bench",
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": f"{slack}/api/",
            "SLUICE_CONFIG": str(config),
            "SLUICE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/sluice.db",
            "SLUICE_LISTEN": f"127.0.0.1:{yard.port}",
            "SLUICE_API_TOKEN": TOKEN,
        }
        run = "import sys; from bot.app import main; sys.argv=['sluice','serve']; sys.exit(main())"
        with (folder / "bot.log").open("wb") as log:
            bot = await asyncio.create_subprocess_exec(
                sys.executable, "-c", run, env=environ, stdout=log, stderr=log
            )
        yard.slack.bot_url = f"http://127.0.0.1:{yard.port}"
        try:
            await listening(yard.port)
            yield yard
        except Exception:
            print((folder / "bot.log").read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            if bot.returncode is None:
                bot.terminate()
            await bot.wait()
            await yard.slack.stop()
            await yard.prometheus.stop()
            await yard.cluster.stop()

    def weight(self, name: str) -> int:
        found = self.cluster.object("virtualservices", "orion", name)
        assert found is not None
        return found["spec"]["http"][0]["route"][1].get("weight", 0)


def _wall() -> datetime:
    return datetime.fromtimestamp(time.time(), tz=UTC)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int) -> None:
    """Wait until a server on loopback answers at all."""
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")
