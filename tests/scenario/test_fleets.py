"""A StatefulSet, a DaemonSet and HTTP nodes: batch by batch to success, and home again from the middle."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.rollout.values import Phase, Rollout
from tests.scenario.fleets import ALL, KINDS, FleetStage
from tests.scenario.stage import OLU

V1, V2 = "v1.0.0", "v2.0.0"
EXTRA = '      rolling: {batch: "50%", delay: 10s, timeout: 90s}\n'


@asynccontextmanager
async def staged(folder: Path, kind: str, extra: str = EXTRA) -> AsyncIterator[FleetStage]:
    """A fleet of a kind; nobody is asked, and only time decides."""
    options = {"approvals": 0, "checks": "[]", "soak": "10s", "extra": extra}
    async with FleetStage.opened(folder, shape=kind, **options) as stage:
        assert isinstance(stage, FleetStage)
        yield stage


async def ended(stage: FleetStage, limit: int = 120) -> Rollout:
    for _ in range(limit):
        row = await stage.row()
        if row.phase.final:
            return row
        await stage.wait(5)
    raise AssertionError(f"still {row.phase} {row.code} at {row.step}: {await stage.told()}")


async def moved(stage: FleetStage, count: int, limit: int = 120) -> None:
    for _ in range(limit):
        if stage.versions.get(V2, 0) >= count:
            return
        await stage.wait(2)
    raise AssertionError(f"{stage.versions}: {await stage.told()}")


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
async def test_it_rolls_to_the_end_batch_by_batch(tmp_path, kind):
    async with staged(tmp_path, kind) as stage:
        await stage.say(f"/deploy auth-service {V2} to production strategy=rolling")
        await moved(stage, 3)
        assert stage.versions == {V1: 3, V2: 3}

        row = await ended(stage)

        assert (row.phase, row.batches) == (Phase.SUCCEEDED, 2)
        assert (stage.versions, stage.as_found) == ({V2: ALL}, True)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
async def test_a_canary_moves_by_its_steps(tmp_path, kind):
    async with staged(tmp_path, kind) as stage:
        await stage.say(f"/deploy auth-service {V2} to production strategy=canary steps=30,100")
        await moved(stage, 2)
        await stage.wait(8)
        assert stage.versions == {V1: 4, V2: 2}

        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert (stage.versions, stage.as_found) == ({V2: ALL}, True)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
async def test_rollback_in_the_middle_brings_all_home(tmp_path, kind):
    async with staged(tmp_path, kind) as stage:
        await stage.say(f"/deploy auth-service {V2} to production strategy=rolling")
        await moved(stage, 3)
        await stage.say("/rollback auth-service it looks wrong", by=OLU)

        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert (stage.versions, stage.as_found) == ({V1: ALL}, True)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
async def test_instances_that_do_not_get_well_send_all_home(tmp_path, kind):
    async with staged(tmp_path, kind) as stage:
        stage.break_version(V2)
        await stage.say(f"/deploy auth-service {V2} to production strategy=rolling")

        row = await ended(stage)

        why = {"http_fleet": "not_ready_in_time"}.get(kind, "crash_loop")
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, why)
        assert (stage.versions, stage.as_found) == ({V1: ALL}, True)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
async def test_a_restart_in_the_middle_changes_nothing(tmp_path, kind):
    async with staged(tmp_path, kind) as stage:
        await stage.say(f"/deploy auth-service {V2} to production strategy=rolling")
        await moved(stage, 3)
        await stage.restart()

        row = await ended(stage)

        assert row.phase is Phase.SUCCEEDED
        assert stage.versions == {V2: ALL}


@pytest.mark.sweep
async def test_a_node_that_is_away_is_named_and_the_rest_goes_home(tmp_path):
    async with staged(tmp_path, "http_fleet") as stage:
        assert stage.runners is not None
        await stage.say(f"/deploy auth-service {V2} to production strategy=rolling")
        await moved(stage, 3)
        stage.runners.nodes["node-5"].dead = True
        for _ in range(60):
            if (await stage.row()).phase is Phase.ROLLING_BACK:
                break
            await stage.wait(5)
        assert "node-5" in stage.story
        await stage.wait(60)
        others = {n: node for n, node in stage.runners.nodes.items() if n != "node-5"}
        assert {node.version for node in others.values()} == {V1}
        assert (await stage.row()).phase is Phase.ROLLING_BACK
        stage.runners.nodes["node-5"].dead = False

        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.versions == {V1: ALL}


async def test_the_plan_says_what_is_uncertain_about_a_fleet_without_preconditions(tmp_path):
    async with staged(tmp_path, "http_fleet") as stage:
        answer = await stage.say("/deploy plan auth-service v2.0.0 strategy=rolling")
        assert "quiet period" in answer
