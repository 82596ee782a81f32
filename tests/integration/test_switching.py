"""Every rollout by another strategy than the one before, under a real load through a real proxy: nobody notices.

Pods refuse requests from the moment they leave, the proxy hears of every change late and tries nothing twice, so each
write of Sluice has to come when its time has come, and not before. Time runs faster than the wall's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bot.rollout.values import Phase, Rollout
from bot.sandbox.prometheus import SimulatedPrometheus
from integrations.metrics.templates import Lanes
from tests.fakes.envoy import ABSENT, BINARY
from tests.fakes.measured import Measured
from tests.fakes.mesh import Mesh
from tests.fakes.visitors import Visitors
from tests.integration.street import Metrics, Street
from tests.scenario.stage import PLACES

pytestmark = [pytest.mark.skipif(BINARY is None, reason=ABSENT), pytest.mark.timeout(240)]

SPEED = 4.0
LAG = 0.4
"""Seconds of the wall until a change reaches the proxy: with this speed 1.6 s, of the 5 s that Sluice allows for."""
HEADER = ("x-canary", "true")
EXTRA = """\
      rolling: {batch: "50%", delay: 4s, max_concurrent: 2, timeout: 60s}
      blue_green: {smoke_for: 3s, soak: 4s, retention: 0s}
      ab_test: {duration: 4s, winner: manual}
      direct: {soak: 4s}"""


class City(Street):
    """A street with a data plane, and people in it."""

    mesh: Mesh
    visitors: Visitors
    live = "v1.0.0"

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, shape: str) -> AsyncIterator["City"]:
        how: dict[str, Any] = {
            "shape": shape,
            "extra": EXTRA,
            "soak": "4s",
            "slow": "rollback",
            "min_requests": 5,
        }
        async with AsyncExitStack() as stack:
            city = await stack.enter_async_context(
                super().opened(folder, measured, speed=SPEED, **how)
            )
            stack.push_async_callback(city.mesh.stop)
            city.visitors = Visitors(await city.mesh.start(), HEADER)
            stack.push_async_callback(city.visitors.leave)
            city.visitors.allow(city.live)
            await city.visitors.come()
            await city.met(city.live)
            yield city

    async def deploy(self, version: str, options: str) -> None:
        """Ask for a version. Visitors must not meet it before somebody says `admit`."""
        answer = await self.say(f"/deploy auth-service {version} to production {options}")
        for _ in range(200):
            # On a busy machine the answer may be that it is being recorded.
            if [row.version for row in await self.bot.store.history(limit=1)] == [version]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(answer)

    def admit(self, version: str) -> None:
        """Let visitors meet this version besides the live one."""
        self.visitors.allow(self.live, version)

    async def approve(self) -> None:
        """Say yes to the question that comes next."""
        asked = await self.until_row(lambda r: r.gate is not None, "question")
        assert asked.gate is not None
        for _ in range(100):
            # The newest button may still be that of the question before: the card follows the row.
            with suppress(LookupError):
                await self.press("Promote")
            gate = (await self.row()).gate
            if gate is None or gate.id != asked.gate.id:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"the question stays: {await self.told()}")

    async def until_row(self, found: Callable[[Rollout], Any], what: str) -> Rollout:
        """Wait until the newest rollout is as it should be."""
        for _ in range(800):
            row = await self.row()
            if found(row):
                return row
            assert not row.phase.final, f"no {what}: {await self.told()}"
            await asyncio.sleep(0.05)
        raise AssertionError(f"no {what}: {await self.told()}")

    async def met(self, version: str) -> None:
        """Wait until more visitors have met a version."""
        before = self.visitors.visits[version]
        await self.until(lambda: self.visitors.visits[version] > before + 10, f"visits: {version}")

    async def ended(self, phase: Phase, live: str) -> None:
        """Wait for the end of the rollout; from then on only what is live may answer."""
        row = await self.until_row(lambda r: r.phase.final, "end")
        assert row.phase is phase, await self.told()
        await self.mesh.followed()
        self.visitors.allow(live)
        self.live = live
        await self.met(live)


def measured(street: Street) -> Metrics:
    """Return a Prometheus that serves what the pods of the street's mesh have answered."""
    assert isinstance(street, City)
    street.mesh = Mesh(street.cluster, "orion", "auth-service", LAG)
    # In one place the pods that stop are those that serve: they need the pause that Kubernetes asks of them anyway.
    street.mesh.pods.linger = 3 * LAG if street.shape == "one" else 0.0
    numbers = Measured(street.mesh.pods.answers, Lanes("orion", *PLACES[street.shape]), SPEED)
    return SimulatedPrometheus(numbers, street.clock.now)


# ---- one function per strategy: from the live version to another one ----


async def canary(city: City, version: str) -> None:
    await city.deploy(version, "strategy=canary steps=25,50,100 header=x-canary=true")
    city.admit(version)
    for _ in range(3):
        await city.approve()
    await city.ended(Phase.SUCCEEDED, version)


async def batches(city: City, version: str) -> None:
    """A canary in one place: there is no router that could choose who meets it."""
    await city.deploy(version, "strategy=canary steps=50,100")
    city.admit(version)
    await city.approve()
    await city.approve()
    await city.ended(Phase.SUCCEEDED, version)


async def slow_canary(city: City, version: str) -> None:
    """It answers, but too slowly: it is rolled back by itself."""
    city.mesh.pods.delays[version] = 0.8
    await city.deploy(version, "strategy=canary steps=50,100")
    city.admit(version)
    await city.ended(Phase.ROLLED_BACK, city.live)
    assert (await city.row()).code == "check_failed"


async def blue_green(city: City, version: str) -> None:
    await city.deploy(version, "strategy=blue-green")
    await city.until_row(lambda r: r.gate, "question")
    city.admit(version)
    await city.approve()
    await city.ended(Phase.SUCCEEDED, version)


async def rolling(city: City, version: str) -> None:
    await city.deploy(version, "strategy=rolling")
    city.admit(version)
    await city.approve()
    await city.ended(Phase.SUCCEEDED, version)


async def half_rolling(city: City, version: str) -> None:
    """Somebody rolls it back when half of it has moved."""
    await city.deploy(version, "strategy=rolling")
    city.admit(version)
    await city.approve()
    await city.until_row(lambda r: r.weight == 50, "half")
    await city.met(version)
    await city.say("/rollback auth-service production now a hunch")
    await city.ended(Phase.ROLLED_BACK, city.live)


async def direct(city: City, version: str) -> None:
    await city.deploy(version, "strategy=direct")
    await city.until_row(lambda r: r.gate, "question")
    city.admit(version)
    await city.approve()
    await city.ended(Phase.SUCCEEDED, version)


async def ab_test(city: City, version: str) -> None:
    """Somebody says that B stays."""
    await city.deploy(version, "strategy=ab-test split=50")
    city.admit(version)
    await city.approve()
    await city.ended(Phase.SUCCEEDED, version)


PAIR = (canary, slow_canary, blue_green, half_rolling, rolling, direct, ab_test)
WAYS = {
    "fixed": PAIR,
    "mesh": PAIR,
    "swap": (blue_green, direct, blue_green),
    "one": (rolling, direct, half_rolling, batches),
}
"""By shape of the target: what it goes through, one after the other."""


@pytest.mark.sweep
@pytest.mark.parametrize("shape", WAYS)
async def test_switching_strategy_between_rollouts_loses_no_request(tmp_path, shape):
    async with City.opened(tmp_path, shape) as city:
        for number, strategy in enumerate(WAYS[shape], start=2):
            await strategy(city, f"v{number}.0.0")
            assert city.visitors.lost == [], f"during {strategy.__name__}"
        visits = city.visitors.visits

    versions = [f"v{number}.0.0" for number in range(1, len(WAYS[shape]) + 2)]
    assert city.live == versions[-1]
    assert sorted(visits) == versions
    assert sum(visits.values()) > 500
