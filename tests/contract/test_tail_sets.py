"""The last lines of a pod of a set: its successor may bear its name, so they are read before it is replaced."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.fleet_worlds import ALL, SETS
from tests.contract.kubernetes_worlds import REPOSITORY, FakeWorld, open_world

OLD, NEW = f"{REPOSITORY}:v1.0.0", f"{REPOSITORY}:v2"


class Failing:
    """A set of which two pods run a version that crashes; the same adapter looks, goes back and is asked."""

    def __init__(self, world: FakeWorld, plural: str) -> None:
        self.world = world
        self.fake = world.fake
        self.fleet = world.fleet(plural)

    async def begin(self) -> None:
        self.fake.break_image(NEW, "crash_loop")
        await self.write(NEW, "1.1", count=2)
        await self.wait()

    async def write(self, image: str, fence: str, count: int | None = None) -> None:
        token = (await self.fleet.read()).token
        await self.fleet.write(image=image, count=count, token=token, fence=fence)

    async def wait(self) -> None:
        """Let pods come and go, and look now and then as a rollout does."""
        for _ in range(12):
            self.world.clock.advance(10)
            await self.fleet.read()

    @property
    def logs(self) -> list[str]:
        return [path for _, path in self.fake.requests if path.endswith("/log")]


@pytest.fixture(params=["statefulsets", "daemonsets"])
async def place(request, tmp_path) -> AsyncIterator[Failing]:
    async with open_world("fake", tmp_path, SETS[request.param], ALL) as world:
        assert isinstance(world, FakeWorld)
        yield Failing(world, request.param)


async def test_after_the_way_back_the_pod_that_failed_is_quoted_and_not_its_successor(place):
    await place.begin()
    await place.write(OLD, "1.2")
    await place.wait()

    text = await place.fleet.tail()

    assert "ERROR   connection refused, giving up" in text
    assert "listening" not in text
    assert "correct-horse" not in text


async def test_a_log_that_was_not_to_be_had_in_time_holds_nothing_up_and_is_nobody_elses(place):
    await place.begin()
    place.fake.fail(503, path="/log")
    await place.write(OLD, "1.2")
    await place.wait()

    assert (await place.fleet.read()).settled
    assert await place.fleet.tail() == ""


async def test_while_it_is_there_its_log_is_read_when_it_is_asked_for(place):
    await place.begin()
    assert place.logs == []

    assert "giving up" in await place.fleet.tail()


async def test_where_all_is_well_no_log_is_read(place):
    await place.write(NEW, "1.1")
    await place.wait()
    await place.write(OLD, "1.2")
    await place.wait()

    assert (await place.fleet.tail(), place.logs) == ("", [])


async def test_the_culprit_of_an_earlier_movement_is_forgotten(place):
    await place.begin()
    await place.write(OLD, "1.2")
    await place.wait()
    await place.write(f"{REPOSITORY}:v3", "2.1")
    await place.wait()

    assert await place.fleet.tail() == ""
