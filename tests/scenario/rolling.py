"""What the tests of rolling need: a stage that rolls by 25 %, second by second, and how its third batch fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.rollout.values import Phase, Rollout
from integrations.base import Lane
from strategies.plan import Soak
from tests.scenario.stage import Stage

V1, V2 = "v1.0.0", "v2.0.0"
IMAGE = f"ghcr.io/orion/auth:{V2}"
SHAPES = ["one", "fixed", "mesh"]


@asynccontextmanager
async def rolling(
    folder: Path, shape: str = "one", *, options: str = "", **overrides: Any
) -> AsyncIterator[Stage]:
    """A stage whose target rolls by 25 %, watched for 30 seconds each; no gates unless asked for."""
    settings = {"delay": "30s", "timeout": "60s", **_pairs(options)}
    block = ", ".join(f"{key}: {value}" for key, value in settings.items())
    overrides = {"approvals": 0, "extra": f"      rolling: {{{block}}}", **overrides}
    async with Stage.opened(folder, shape=shape, **overrides) as stage:
        yield stage


def _pairs(options: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in options.split())


async def begin(stage: Stage, version: str = V2, options: str = "") -> None:
    line = f"/deploy auth-service {version} to production strategy=rolling {options}"
    answer = await stage.say(line.strip())
    row = await stage.row()
    assert (row.version, row.plan.strategy) == (version, "rolling"), answer


async def seconds(stage: Stage, limit: int = 900) -> AsyncIterator[Rollout]:
    """The row of every second from now on, until it has ended."""
    for _ in range(limit):
        row = await stage.row()
        yield row
        if row.phase.final:
            return
        await stage.wait(1)
    raise AssertionError(f"still {row.phase} at {row.step}: {await stage.told()}")


async def ended(stage: Stage, limit: int = 900) -> Rollout:
    """Wait for the end."""
    async for row in seconds(stage, limit):
        if row.phase.final:
            return row
    raise AssertionError("unreachable")


async def watching(stage: Stage, batch: int) -> None:
    """Wait until so many batches have moved and the last of them is watched."""
    async for row in seconds(stage):
        if row.batches == batch and isinstance(row.step, Soak) and row.phase is Phase.RUNNING:
            return


def starting(stage: Stage) -> int:
    """How many instances of the new version are on their way where the batches move them."""
    if stage.shape == "one":
        return sum(image == IMAGE and not ready for image, ready in stage.cluster.pods("orion"))
    status = stage.deployment(Lane.CANARY).get("status", {})
    return int(status.get("replicas", 0)) - int(status.get("readyReplicas", 0))


def reached(stage: Stage) -> int:
    """How far the new version has come: instances in one place, else percent of the traffic."""
    return stage.versions.get(V2, 0) if stage.shape == "one" else stage.weights[1]


async def held(stage: Stage, limit: int = 300) -> str:
    """Wait until it holds by itself; return why."""
    async for row in seconds(stage, limit):
        if row.phase is Phase.PAUSED:
            return row.code
    raise AssertionError("unreachable")


def mixed(stage: Stage) -> tuple[int, int]:
    """How much is on the new version after two batches, and how much on the old."""
    if stage.shape == "one":
        return stage.versions.get(V2, 0), stage.versions.get(V1, 0)
    return stage.weights[1], stage.weights[0]


TWO_BATCHES = {"one": (6, 4), "fixed": (50, 50), "mesh": (50, 50)}


async def third_batch_fails(stage: Stage, how: str = "pods") -> None:
    """Two batches go well; then the pods of the third crash, or its numbers are bad."""
    await begin(stage)
    await watching(stage, 2)
    if how == "pods":
        stage.cluster.break_next(IMAGE, "crash_loop")
        return
    await watching(stage, 3)
    stage.traffic.set_errors(V2, 60)


async def mended(stage: Stage) -> None:
    """Take the cause away, and let the numbers show it."""
    stage.mend(V2)
    stage.traffic.set_errors(V2, 0.2)
    await stage.wait(60)
