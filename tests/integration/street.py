"""A bot in real time between a fake API server, a stand-in Slack and a real Prometheus.

`Street.traffic` is what users do: it reads the split from the cluster, as a mesh would, and adds requests at every
scrape; `bad` is the share of errors that a version answers with.
"""

import asyncio
import base64
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from bot.app.clock import SystemClock
from bot.app.running import Bot
from bot.rollout.values import Rollout
from bot.sandbox.cluster import orion
from bot.settings import read_settings
from integrations.base import version_of
from tests.fakes.exporter import Exporter
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.prometheus_server import PrometheusServer
from tests.fakes.sink import Sink
from tests.fakes.slack import FakeSlack
from tests.scenario.stage import ANA, CONFIG, DANA, DEFAULTS, DEPLOYS, SECRET, SINK_KEY

REQUESTS_PER_SCRAPE = 400
ROOT = Path(__file__).parents[2]
SERVE = "import sys; from bot.app import main; sys.exit(main())"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Street:
    """Everything between a user's request and a card in Slack."""

    bot: Bot
    process: asyncio.subprocess.Process | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = SystemClock()
        self.cluster = FakeCluster(clock=self.clock.now, pod_start=0.3)
        self.exporter = Exporter()
        self.prometheus = PrometheusServer()
        self.slack = FakeSlack("http://127.0.0.1:9", SECRET, "xoxb-test-token")
        self.sink = Sink(SINK_KEY)
        self.bad: dict[str, float] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator["Street"]:
        street = cls(folder)
        await street.build()
        await street.until(
            lambda: street.deployment("stable")["status"].get("readyReplicas"), "pods"
        )
        street.bot = await Bot.start(read_settings(street.environ), street.clock)
        street.slack.bot_url = f"http://127.0.0.1:{street.bot.port}"
        try:
            yield street
        finally:
            await street.bot.stop()
            await street.tear_down()

    @classmethod
    @asynccontextmanager
    async def with_a_process(cls, folder: Path) -> AsyncIterator["Street"]:
        """The same street with the bot in a process of its own, which can be killed."""
        street = cls(folder)
        await street.build()
        await street.until(
            lambda: street.deployment("stable")["status"].get("readyReplicas"), "pods"
        )
        port = free_port()
        street.slack.bot_url = f"http://127.0.0.1:{port}"
        street.environ |= {"SLUICE_LISTEN": f"127.0.0.1:{port}", "PYTHONPATH": str(ROOT)}
        try:
            await street.serve(port)
            yield street
        finally:
            await street.kill()
            await street.tear_down()

    async def serve(self, port: int | None = None) -> None:
        """Start the process; it is there when it listens."""
        port = port or int(self.environ["SLUICE_LISTEN"].rpartition(":")[2])
        with (self._folder / "bot.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVE, "serve", env=self.environ, cwd=ROOT, stderr=log
            )
        for _ in range(400):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
        raise AssertionError((self._folder / "bot.log").read_text())

    async def kill(self) -> None:
        """End the process as a power cut would."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    async def build(self) -> None:
        orion(self.cluster)
        self.cluster.object("deployments", "orion", "auth-service-stable")
        await self.cluster.start()
        self.exporter.on_scrape = self._serve
        for lane in ("stable", "canary"):
            self.exporter.announce(f"auth-service-{lane}")
            self.exporter.pod(f"auth-service-{lane}", 0.2, 64e6, limits_cpu=1, limits_memory=128e6)
        prometheus = await self.prometheus.start(await self.exporter.start())
        sink = await self.sink.start()
        await self.slack.populate()
        await self.slack.start()
        config = self._folder / "sluice.yaml"
        config.write_text(
            CONFIG.format(
                kubeconfig=self.cluster.kubeconfig(self._folder),
                prometheus=prometheus,
                sink=sink,
                sink_secret=f"whsec_{base64.b64encode(SINK_KEY).decode()}",
                **{**DEFAULTS, "soak": "3s", "min_requests": 20},
            )
        )
        self.environ = {
            "SLACK_BOT_TOKEN": "xoxb-test-token",
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": f"{self.slack.url}/api/",
            "SLUICE_CONFIG": str(config),
            "SLUICE_DATABASE_URL": f"sqlite+aiosqlite:///{self._folder}/sluice.db",
            "SLUICE_LISTEN": "127.0.0.1:0",
            "SLUICE_API_TOKEN": "a-root-token-for-tests",
        }

    async def tear_down(self) -> None:
        await self.slack.stop()
        await self.sink.stop()
        await self.prometheus.stop()
        await self.exporter.stop()
        await self.cluster.stop()

    def _serve(self) -> None:
        """Send a second's worth of users through the split that the mesh has now."""
        stable, canary = self.weights
        for lane, weight in (("stable", stable), ("canary", canary)):
            count = round(REQUESTS_PER_SCRAPE * weight / 100)
            errors = round(count * self.bad.get(self.version(lane), 0.0))
            self.exporter.serve(f"auth-service-{lane}", ok=count - errors, errors=errors)

    @property
    def weights(self) -> tuple[int, int]:
        found = self.cluster.object("virtualservices", "orion", "auth-service")
        assert found is not None
        route = found["spec"]["http"][0]["route"]
        return route[0].get("weight", 0), route[1].get("weight", 0)

    def deployment(self, lane: str) -> dict[str, Any]:
        found = self.cluster.object("deployments", "orion", f"auth-service-{lane}")
        assert found is not None
        return found

    def version(self, lane: str) -> str:
        return version_of(
            self.deployment(lane)["spec"]["template"]["spec"]["containers"][0]["image"]
        )

    async def say(self, text: str, by: str = DANA) -> str:
        command, _, rest = text.partition(" ")
        message = await self.slack.command(by, command, rest, DEPLOYS)
        return self.slack.text_of(message) if message else ""

    async def press(self, button: str, by: str = ANA) -> None:
        """Press the newest button that begins so, as soon as it is there."""

        def find() -> tuple[str, str] | None:
            for message in reversed(self.slack.messages(DEPLOYS)):
                for label in self.slack.buttons(message):
                    if label.startswith(button):
                        return message.ts, label
            return None

        ts, label = await self.until(find, f"a button {button}")
        await self.slack.click(by, ts, label)

    async def until(self, found: Callable[[], Any], what: str, seconds: float = 50) -> Any:
        """Wait for something in the world; real time, bounded."""
        for _ in range(int(seconds * 20)):
            value = found()
            if value:
                return value
            await asyncio.sleep(0.05)
        raise AssertionError(f"no {what} within {seconds} s; the channel says {self.channel()}")

    def channel(self) -> list[str]:
        return [self.slack.text_of(m) for m in self.slack.messages(DEPLOYS)]

    def thread(self) -> str:
        card = self.slack.card(DEPLOYS)
        return "\n".join(self.slack.text_of(m) for m in self.slack.thread(card.ts))

    async def row(self) -> Rollout:
        return (await self.bot.store.history(limit=1))[0]
