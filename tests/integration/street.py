"""The stage in real time: a bot between a fake API server, a stand-in Slack and a source of metrics.

The bot runs in this process, or in one of its own that can be killed. Nothing waits for luck: `until` looks again and
again, and says what the channel shows when it gives up.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, Self

from bot.app.clock import SystemClock
from bot.app.running import Bot
from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.traffic import SimulatedTraffic
from bot.settings import read_settings
from integrations.base import Lane, version_of
from integrations.metrics.templates import Lanes
from tests.fakes.exporter import Exporter
from tests.fakes.kubernetes import FakeCluster
from tests.fakes.prometheus_server import PrometheusServer
from tests.fakes.sink import Sink
from tests.fakes.slack import FakeSlack
from tests.scenario.stage import (
    ANA,
    DEFAULTS,
    PLACES,
    SECRET,
    SINK_KEY,
    Stage,
)

REQUESTS_PER_SCRAPE = 400
ROOT = Path(__file__).parents[2]
SERVE = "import sys; from bot.app import main; sys.exit(main())"


class Metrics(Protocol):
    """A Prometheus, or something that answers like one."""

    async def start(self) -> str: ...

    async def stop(self) -> None: ...


class Street(Stage):
    """Everything between a user's request and a card in Slack."""

    process: asyncio.subprocess.Process | None = None
    metrics: Metrics

    def __init__(
        self,
        folder: Path,
        metrics: "Callable[[Street], Metrics] | None" = None,
        *,
        speed: float = 1.0,
        **overrides: Any,
    ) -> None:
        """`speed` lets the time of bot and cluster run faster than the wall's; pods start within 0.3 s of the wall."""
        self.folder = folder
        self.bad: dict[str, float] = {}
        """The share of errors that a version answers with, where a real Prometheus counts them."""
        self.clock = SystemClock(speed)
        self.cluster = FakeCluster(clock=self.clock.now, pod_start=0.3 * speed)
        self.slack = FakeSlack("http://127.0.0.1:9", SECRET, "xoxb-test-token")
        self.sink = Sink(SINK_KEY)
        self.values = {**DEFAULTS, "soak": "3s", "min_requests": 20, **overrides}
        self.shape = self.values["shape"]
        self._metrics_of = metrics or RealMetrics

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, *args: Any, **how: Any) -> AsyncIterator[Self]:
        """A street with its bot in this process."""
        street = cls(folder, *args, **how)
        await street.build()
        try:
            street.bot = await Bot.start(read_settings(street.environ), street.clock)
            street.slack.bot_url = f"http://127.0.0.1:{street.bot.port}"
            try:
                yield street
            finally:
                await street.bot.stop()
        finally:
            await street.tear_down()

    @classmethod
    @asynccontextmanager
    async def with_a_process(cls, folder: Path, *args: Any, **how: Any) -> AsyncIterator[Self]:
        """A street with its bot in a process of its own, which can be killed."""
        street = cls(folder, *args, **how)
        await street.build()
        street.port = free_port()
        street.slack.bot_url = f"http://127.0.0.1:{street.port}"
        street.environ |= {"SLUICE_LISTEN": f"127.0.0.1:{street.port}", "PYTHONPATH": str(ROOT)}
        try:
            await street.serve()
            yield street
        finally:
            await street.kill()
            await street.tear_down()

    async def serve(self) -> None:
        """Start the process; it is there when it listens."""
        with (self.folder / "bot.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVE, "serve", env=self.environ, cwd=ROOT, stderr=log
            )
        for _ in range(400):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.05)
        raise AssertionError((self.folder / "bot.log").read_text())

    async def kill(self) -> None:
        """End the process as a power cut would."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    async def build(self) -> None:
        self._put_service()
        await self.cluster.start()
        self.metrics = self._metrics_of(self)
        prometheus = await self.metrics.start()
        sink = await self.sink.start()
        await self.slack.populate()
        await self.slack.start()
        self.configure(self.folder, self.values, prometheus, sink)
        await self.until(lambda: self.versions, "pods")

    async def tear_down(self) -> None:
        await self.slack.stop()
        await self.sink.stop()
        await self.metrics.stop()
        await self.cluster.stop()

    async def settled(self) -> None:
        """Real time: what a test waits for, it names with `until`."""

    def version(self, lane: Lane) -> str:
        return version_of(self.image(lane))

    async def press(self, button: str, *, by: str = ANA) -> None:
        """Press the newest visible button that begins so, as soon as it is there."""

        def find() -> tuple[Any, str] | None:
            with suppress(AssertionError):
                return self._find(button, by)
            return None

        message, label = await self.until(find, f"a button {button}")
        await self.slack.click(by, message.ts, label)

    async def until(self, found: Callable[[], Any], what: str, seconds: float = 50) -> Any:
        """Wait for something in the world; real time, bounded."""
        for _ in range(int(seconds * 20)):
            value = found()
            if value:
                return value
            await asyncio.sleep(0.05)
        raise AssertionError(f"no {what} within {seconds} s; the channel says {self.channel()}")


class RealMetrics:
    """A real Prometheus in front of users who go where the mesh sends them: some hundred more at every scrape."""

    def __init__(self, street: Street) -> None:
        self._street = street
        self._exporter = Exporter()
        self._prometheus = PrometheusServer()

    async def start(self) -> str:
        self._exporter.on_scrape = self._serve
        for place in PLACES[self._street.shape]:
            self._exporter.announce(place)
            self._exporter.pod(place, 0.2, 64e6, limits_cpu=1, limits_memory=128e6)
        return await self._prometheus.start(await self._exporter.start())

    async def stop(self) -> None:
        await self._prometheus.stop()
        await self._exporter.stop()

    def _serve(self) -> None:
        """Send a second's worth of users through the split that the mesh has now."""
        street = self._street
        for lane, place, weight in zip(Lane, PLACES[street.shape], street.weights, strict=True):
            count = round(REQUESTS_PER_SCRAPE * weight / 100)
            errors = round(count * street.bad.get(street.version(lane), 0.0))
            self._exporter.serve(place, ok=count - errors, errors=errors)


def simulated(street: Street) -> Metrics:
    """Return the metrics of users who are only calculated."""
    traffic = SimulatedTraffic(
        street.cluster,
        street.clock.now,
        service="auth-service",
        namespace="orion",
        lanes=Lanes("orion", *PLACES[street.shape]),
    )
    return SimulatedPrometheus(traffic, street.clock.now)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
