"""Every kind of fleet in one shape, so that one suite tries them all: six instances of v1.0.0."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.sandbox.kubelet import Mishap
from bot.sandbox.orion import daemon_objects, fleet_objects, ratio_objects, stateful_objects
from integrations.base import Fleet, FleetState
from integrations.workloads.http_fleet import HttpFleet
from tests.contract.kubernetes_worlds import REPOSITORY, FakeWorld, open_world
from tests.fakes.http_fleet import Runners
from tests.fakes.kubernetes import Clock

SETS = {
    "deployments": fleet_objects,
    "statefulsets": stateful_objects,
    "daemonsets": daemon_objects,
}
KINDS = [*SETS, "ratio", "http"]
ALL = 6
WAYS: dict[str, Any] = {
    "version": {"path": "/version", "json": "runner.version"},
    "health": {"path": "/health"},
    "update": {
        "method": "POST",
        "path": "/functions/{service}",
        "body": {"instance": "{instance}", "version": "{version}"},
    },
}


class Yard(ABC):
    """One fleet, and its surroundings."""

    clock: Clock
    fleet: Fleet
    repository = f"{REPOSITORY}:"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def image(self, version: str) -> str:
        return f"{self.repository}{version}"

    async def tell(self, version: str, fence: str = "1.1", **what: Any) -> None:
        token = (await self.fleet.read()).token
        await self.fleet.write(image=self.image(version), token=token, fence=fence, **what)

    async def state(self) -> FleetState:
        return await self.fleet.read()

    async def counts(self) -> tuple[int, int, int]:
        now = await self.state()
        return now.moved, now.pending, now.old

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @property
    @abstractmethod
    def writes(self) -> int:
        """How often somebody was told something new."""

    @abstractmethod
    def break_version(self, version: str) -> None:
        """Let what starts with a version never get healthy."""

    @abstractmethod
    async def vanish(self) -> None:
        """Take the fleet away."""


class ClusterYard(Yard):
    def __init__(self, kind: str, world: FakeWorld) -> None:
        super().__init__(kind)
        self.world = world
        self.clock = world.clock
        self.fleet = world.fleet(kind)

    @property
    def writes(self) -> int:
        found = self.world.fake.object(self.kind, "orion", "auth-service")
        assert found is not None
        return int(found["metadata"]["generation"])

    def break_version(self, version: str, mishap: Mishap = "never_ready") -> None:
        self.world.fake.break_image(self.image(version), mishap)

    async def vanish(self) -> None:
        await self.world.delete(self.kind)


class RatioYard(ClusterYard):
    """Two Deployments. What has to wait for pods is told again when that shows, as the bot does it."""

    def __init__(self, world: FakeWorld) -> None:
        super().__init__("deployments", world)
        self.fleet = world.ratio()
        self.last: dict[str, Any] = {}

    async def tell(self, version: str, fence: str = "1.1", **what: Any) -> None:
        self.last = {"image": self.image(version), "fence": fence, **what}
        await super().tell(version, fence, **what)

    async def state(self) -> FleetState:
        while (now := await self.fleet.read()).again:
            await self.fleet.write(token=now.token, **self.last)
        return now

    @property
    def writes(self) -> int:
        names = ("auth-service-stable", "auth-service-canary")
        found = [self.world.fake.object(self.kind, "orion", name) for name in names]
        return sum(int(body["metadata"]["generation"]) for body in found if body)

    async def vanish(self) -> None:
        await self.world.delete(self.kind, "auth-service-canary")


class NodesYard(Yard):
    repository = ""

    def __init__(self, runners: Runners, clock: Clock, **options: Any) -> None:
        super().__init__("http")
        self.runners = runners
        self.clock = clock
        self.fleet = self.again(**options)

    def again(self, **options: Any) -> HttpFleet:
        """The fleet as a process sees it that has just started."""
        base = {"service": "auth-service", "clock": self.clock, "timeout": 2.0}
        return HttpFleet(**{**base, "instances": self.runners.instances, **WAYS, **options})

    @property
    def writes(self) -> int:
        return self.runners.updates

    def break_version(self, version: str) -> None:
        self.runners.broken.add(version)

    async def vanish(self) -> None:
        for node in self.runners.nodes.values():
            node.dead = True


@asynccontextmanager
async def open_yard(kind: str, folder: Path) -> AsyncIterator[Yard]:
    """Yield a fleet of a kind, at rest."""
    if kind == "http":
        async with open_nodes() as yard:
            yield yard
    else:
        async with open_world("fake", folder, SETS.get(kind, ratio_objects), ALL) as world:
            assert isinstance(world, FakeWorld)
            yield RatioYard(world) if kind == "ratio" else ClusterYard(kind, world)


@asynccontextmanager
async def open_nodes(count: int = ALL, **options: Any) -> AsyncIterator[NodesYard]:
    """Yield a fleet of nodes, at rest."""
    clock = Clock()
    runners = Runners(clock, [f"node-{n}" for n in range(1, count + 1)], "v1.0.0")
    await runners.start()
    yard = NodesYard(runners, clock, **options)
    try:
        yield yard
    finally:
        assert isinstance(yard.fleet, HttpFleet)
        await yard.fleet.close()
        await runners.stop()
