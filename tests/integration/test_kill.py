"""A real process on a real file, killed with SIGKILL again and again in the middle of a walk."""

import asyncio
import os
import random
import signal
import socket
import sqlite3
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from bot.app.clock import SystemClock
from bot.sandbox.cluster import orion
from bot.sandbox.traffic import SimulatedTraffic
from integrations.base import Lane
from tests.scenario.stage import ANA, CONFIG, DANA, DEFAULTS, DEPLOYS, SECRET, Stage

ROOT = Path(__file__).parents[2]
SERVE = "import sys; from bot.app import main; sys.exit(main())"
KILLS = 4
PATIENCE = 100.0


class Street(Stage):
    """The world of the scenario tests in real time, with the bot in a process of its own."""

    process: asyncio.subprocess.Process | None = None

    async def build(self, folder: Path) -> None:
        clock = SystemClock()
        self.cluster = self.cluster_type(clock=clock.now, pod_start=0.5)
        orion(self.cluster)
        await self.cluster.start()
        self.traffic = SimulatedTraffic(
            self.cluster, clock.now, service="auth-service", namespace="orion"
        )
        self.prometheus = self.prometheus_type(self.traffic, clock.now)
        prometheus = await self.prometheus.start()
        self.slack = self.slack_type("http://127.0.0.1:9", SECRET, "xoxb-test-token")
        await self.slack.start()
        await self.slack.populate()
        values = {**DEFAULTS, "steps": "[50, 100]", "soak": "3s", "min_requests": 5}
        places = {"kubeconfig": self.cluster.kubeconfig(folder), "prometheus": prometheus}
        sink = {"sink": "http://127.0.0.1:9/", "sink_secret": f"whsec_{'A' * 44}"}
        (folder / "sluice.yaml").write_text(CONFIG.format(**values, **places, **sink))
        self.file, self.port = folder / "sluice.db", _free_port()
        self.slack.bot_url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            "SLACK_BOT_TOKEN": "xoxb-test-token",
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": f"{self.slack.url}/api/",
            "SLUICE_CONFIG": str(folder / "sluice.yaml"),
            "SLUICE_DATABASE_URL": f"sqlite+aiosqlite:///{self.file}",
            "SLUICE_LISTEN": f"127.0.0.1:{self.port}",
            "SLUICE_API_TOKEN": "a-root-token-for-tests",
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],  # noqa: TID251 - a child needs one
        }
        self.log = (folder / "bot.log").open("wb")

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, "serve", env=self.environ, cwd=ROOT, stderr=self.log
        )
        while True:
            assert self.process.returncode is None, "the bot did not start"
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.05)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    async def tear_down(self) -> None:
        await self.kill()
        self.log.close()
        await self.slack.stop()
        await self.prometheus.stop()
        await self.cluster.stop()

    def ask(self, query: str) -> list[tuple]:
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True) as database:
            found = database.execute(query).fetchall()
        database.close()
        return found

    def phase(self) -> str:
        with suppress(sqlite3.OperationalError):
            for (phase,) in self.ask("SELECT phase FROM rollouts"):
                return str(phase)
        return ""

    async def people(self) -> None:
        """Somebody deploys until it is there; somebody says yes to every question until it is answered."""
        while (phase := self.phase()) != "SUCCEEDED":
            if not phase:
                await self.slack.command(
                    DANA, "/deploy", "auth-service v2.0.0 to production", DEPLOYS
                )
            for message in self.slack.messages(DEPLOYS):
                for label in self.slack.buttons(message):
                    if phase and label.startswith("Promote"):
                        with suppress(LookupError):
                            await self.slack.click(ANA, message.ts, label)
            await asyncio.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def street(tmp_path):
    built = Street()
    await built.build(tmp_path)
    yield built
    await built.tear_down()


@pytest.mark.timeout(150)
async def test_a_walk_survives_being_killed_at_random_moments(street):
    chance = random.Random(1)
    await street.start()
    people = asyncio.create_task(street.people())
    async with asyncio.timeout(PATIENCE):
        for _ in range(KILLS):
            await asyncio.wait({people}, timeout=chance.uniform(0.3, 3))
            await street.kill()
            await street.start()
        await people
        await told(street)

    assert street.weights == (100, 0)
    assert street.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert street.pods(Lane.CANARY) == 0
    keys = Counter(
        (m.channel, m.metadata["event_payload"]["key"])
        for m in street.slack.chat.messages.values()
        if m.metadata
    )
    assert {key: n for key, n in keys.items() if n > 1} == {}
    verbs = Counter(verb for (verb,) in street.ask("SELECT verb FROM journal"))
    assert (verbs["created"], verbs["gate_opened"], verbs["promoted"]) == (1, 2, 2)
    assert verbs["succeeded"] == 1
    assert street.ask("SELECT key FROM inbox WHERE answer IS NULL") == []


async def told(street: Street) -> None:
    """Wait until the card says how it ended."""
    while "🟢 live" not in street.card:  # noqa: ASYNC110 - another process does it
        await asyncio.sleep(0.1)
