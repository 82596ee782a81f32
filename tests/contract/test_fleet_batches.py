"""Exactly as many pods of a single Deployment move as each batch says, forwards and backwards.

Moving them is the doing of the Deployment controller. Only the fake has one; it follows the arithmetic of the real one
(`tests/unit/test_rolling.py`).
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.sandbox.orion import fleet_objects
from integrations.base import FleetState
from tests.contract.kubernetes_worlds import REPOSITORY, FakeWorld, open_world

OLD, NEW = f"{REPOSITORY}:v1.0.0", f"{REPOSITORY}:v2"
ALL = 6


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, fleet_objects, ALL) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def tell(world: FakeWorld, image: str = NEW, fence: str = "1.1", **what: Any) -> None:
    fleet = world.single()
    await fleet.write(image=image, token=(await fleet.read()).token, fence=fence, **what)


async def state(world: FakeWorld) -> FleetState:
    return await world.single().read()


async def counts(world: FakeWorld) -> tuple[int, int, int]:
    now = await state(world)
    return now.moved, now.pending, now.old


async def change(world: FakeWorld, **fields: Any) -> None:
    await world.edit("deployments", lambda body: body["spec"].update(fields))


@pytest.mark.parametrize("found", [{}, {"strategy": {"type": "Recreate"}}, {"minReadySeconds": 30}])
async def test_exactly_as_many_instances_move_as_each_batch_says(fake, found):
    await change(fake, **found)

    for number, count in enumerate((1, 3, 4, 6)):
        await tell(fake, count=count, fence=f"1.{number + 1}")
        for _ in range(8):
            now = await state(fake)
            assert now.moved + now.pending <= count
            assert now.ready >= ALL - count
            fake.clock.advance(2)
        fake.clock.advance(86400)
        assert await counts(fake) == (count, 0, ALL - count)
    assert (await state(fake)).settled


async def test_the_last_word_moves_what_is_left_by_the_strategy_that_was_found(fake):
    await tell(fake, count=2)
    fake.clock.advance(60)

    await tell(fake, fence="1.2")
    fake.clock.advance(60)

    now = await state(fake)
    assert (now.moved, now.old, now.settled, now.problem) == (ALL, 0, True, "")


async def test_instances_that_break_hold_the_others_back_and_say_why(fake):
    fake.fake.break_image(NEW, "crash_loop")

    await tell(fake, count=2)
    fake.clock.advance(86400)

    now = await state(fake)
    assert (now.moved, now.pending, now.old, now.ready) == (0, 2, 4, 4)
    assert now.problem == "crash_loop"


async def test_going_back_is_the_same_with_the_old_image(fake):
    await tell(fake, count=3)
    fake.clock.advance(60)
    assert await counts(fake) == (3, 0, 3)

    await tell(fake, image=OLD, count=5, fence="1.2")
    fake.clock.advance(86400)
    assert await counts(fake) == (5, 0, 1)

    await tell(fake, image=OLD, fence="1.3")
    fake.clock.advance(60)
    assert await counts(fake) == (ALL, 0, 0)


async def test_broken_instances_are_the_first_to_leave_on_the_way_back(fake):
    fake.fake.break_image(NEW, "never_ready")
    await tell(fake, count=3)
    fake.clock.advance(60)

    await tell(fake, image=OLD, fence="1.2")

    for _ in range(30):
        assert (await state(fake)).ready >= 3
        fake.clock.advance(1)
    assert (await state(fake)).settled


async def test_after_going_back_a_part_of_the_way_it_goes_on_exactly(fake):
    await tell(fake, count=4)
    fake.clock.advance(60)
    await tell(fake, image=OLD, count=4, fence="1.2")
    fake.clock.advance(60)
    assert await counts(fake) == (4, 0, 2)

    await tell(fake, count=3, fence="1.3")
    fake.clock.advance(86400)

    assert await counts(fake) == (3, 0, 3)


async def test_all_instances_stop_before_the_new_ones_start(fake):
    await tell(fake, image=NEW, replicas=0)
    fake.clock.advance(60)
    stopped = await state(fake)

    await tell(fake, image=NEW, replicas=ALL, fence="1.2")
    fake.clock.advance(60)
    started = await state(fake)

    assert (stopped.total, stopped.ready, stopped.old, stopped.settled) == (0, 0, 0, True)
    assert (started.moved, started.old, started.settled) == (ALL, 0, True)


@pytest.mark.parametrize(("image", "counted"), [(OLD, (2, 0, 4)), (NEW, (1, 0, 4))])
async def test_of_the_instances_that_are_leaving_the_old_ones_are_still_there(fake, image, counted):
    await tell(fake, count=2)
    fake.clock.advance(60)
    pods = await fake.items("pods")
    pod = next(p for p in pods if p["spec"]["containers"][0]["image"] == image)
    leaving = {"deletionTimestamp": "2026-08-01T12:00:00Z"}

    await fake.edit("pods", lambda body: body["metadata"].update(leaving), pod["metadata"]["name"])

    assert await counts(fake) == counted
    assert (await state(fake)).ready == 5
