"""A stage whose service is a Canary of Flagger: it moves the traffic, and asks the bot at its gates over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from bot.rollout.values import Phase
from tests.fakes.flagger import (
    GATES,
    INTERVAL,
    NAME,
    Flagger,
    FlaggerCluster,
    FlaggerTraffic,
    flagger_objects,
    image_of,
    webhooks,
)
from tests.scenario.stage import PLACES, WHERE, Stage

TOKEN = "a-token-for-the-gates-of-tests"
BLOCK = f'flagger: {{token: "{TOKEN}"}}'
WHERE["flagger"] = """\
      workload: {kind: flagger, canary: auth-service, container: auth-service, image: ghcr.io/orion/auth}"""
PLACES["flagger"] = ("auth-service-primary", "auth-service")


class FlaggerStage(Stage):
    cluster_type = FlaggerCluster
    traffic_type = FlaggerTraffic
    gates: tuple[str, ...] = GATES
    flagger: Flagger

    @classmethod
    @asynccontextmanager
    async def gated(
        cls, folder: Path, gates: tuple[str, ...] = GATES, **overrides: Any
    ) -> AsyncIterator[Self]:
        """Open a stage whose Canary has these gates."""
        told = type(cls.__name__, (cls,), {"gates": gates})
        async with told.opened(
            folder, **{"shape": "flagger", "extra": BLOCK, **overrides}
        ) as stage:
            yield stage

    def _put_service(self) -> None:
        for body in flagger_objects():
            self.cluster.put(body)
        self.flagger = Flagger(self.cluster)
        self.flagger.initialise()

    async def start_bot(self) -> None:
        self.traffic.ways.flagger = self.flagger
        await super().start_bot()
        base = f"http://127.0.0.1:{self.bot.port}"
        self.cluster.analyse(webhooks=webhooks(base, TOKEN, self.gates))

    # ---- time -------------------------------------------------------------------------------------------------------

    async def wait(self, seconds: float) -> None:
        """Let time pass; Flagger takes a turn every interval."""
        while seconds > 0:
            part = min(seconds, INTERVAL)
            await super().wait(part)
            if part == INTERVAL:
                await self.flagger.turn()
                await self.settled()
            seconds -= part

    async def begin(self, version: str = "v2.0.0", options: str = "") -> None:
        """Ask for a version, and let Flagger come to its first gate."""
        await self.say(f"/deploy auth-service {version} to production {options}".rstrip())
        await self.wait(2 * INTERVAL)

    async def step(self, button: str = "Promote") -> None:
        """Say yes, and let Flagger come and ask the next thing."""
        await self.press(button)
        await self.wait(3 * INTERVAL)

    async def ended(self) -> Phase:
        """Wait until it is over."""
        for _ in range(40):
            row = await self.row()
            if row.phase.final:
                return row.phase
            await self.wait(INTERVAL)
        raise AssertionError(f"it did not end: {row.phase} {row.code}\n{self.story}")

    # ---- what can be seen -------------------------------------------------------------------------------------------

    @property
    def at(self) -> tuple[str, int]:
        """Flagger's phase, and the percent of the traffic that the new version has."""
        return self.flagger.status["phase"], self.flagger.weight

    @property
    def asked_for(self) -> str:
        return image_of(self.cluster.deployment())

    @property
    def serving(self) -> str:
        return image_of(self.cluster.deployment(f"{NAME}-primary"))

    def answers(self, gate: str) -> list[int]:
        """What Flagger was answered at a gate."""
        return [status for kind, status in self.flagger.asked if kind == gate]
