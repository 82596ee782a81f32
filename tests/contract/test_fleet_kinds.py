"""What every fleet keeps, whatever its instances are: of one Deployment, of two, StatefulSet, DaemonSet, HTTP."""

from collections.abc import AsyncIterator

import pytest

from integrations.base import GoneError, RefusedError, TryAgainError
from tests.contract.fleet_worlds import ALL, KINDS, ClusterYard, NodesYard, Yard, open_yard

OLD, NEW = "v1.0.0", "v2"


@pytest.fixture(params=KINDS)
async def yard(request, tmp_path) -> AsyncIterator[Yard]:
    async with open_yard(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture(params=KINDS[:-1])
async def cluster_yard(request, tmp_path) -> AsyncIterator[ClusterYard]:
    async with open_yard(request.param, tmp_path) as opened:
        assert isinstance(opened, ClusterYard)
        yield opened


async def watched(yard: Yard, most: int, least: int, seconds: int = 240) -> None:
    """Let time pass, a few seconds at a time; never more than `most` run the new version, never fewer are ready."""
    for _ in range(seconds // 4):
        now = await yard.state()
        assert now.moved + now.pending <= most
        assert now.ready >= least
        yard.wait(4)


async def home(yard: Yard, fence: str = "2.", limit: int = 40, **what: int) -> None:
    """Bring the old version back as the bot does: told again every 15 seconds while nothing moves."""
    await yard.tell(OLD, f"{fence}0", **what)
    wanted = what.get("count", ALL)
    for turn in range(1, limit):
        yard.wait(15)
        now = await yard.state()
        if now.settled or ("count" in what and now.pending == 0 and now.moved >= wanted):
            return
        if now.pending == 0 and now.moved < wanted and not now.problem:
            await yard.tell(OLD, f"{fence}{turn}", **what)
    raise AssertionError(f"not home: {await yard.state()}")


async def test_a_fleet_at_rest_is_read(yard):
    now = await yard.state()

    assert (now.image, now.version) == (yard.image(OLD), OLD)
    assert (now.total, now.moved, now.pending, now.old, now.ready) == (ALL, ALL, 0, 0, ALL)
    assert (now.settled, now.problem, now.fence) == (True, "", "")


async def test_what_is_written_is_what_is_read(yard):
    await yard.tell(NEW, count=2)

    now = await yard.state()
    assert (now.image, now.fence, now.settled) == (yard.image(NEW), "1.1", False)


async def test_exactly_as_many_instances_move_as_each_batch_says(yard):
    for number, count in enumerate((1, 3, 4, 6)):
        before = (await yard.counts())[0] if number else 0
        await yard.tell(NEW, f"1.{number + 1}", count=count)
        await watched(yard, most=count, least=ALL - (count - before))
        assert await yard.counts() == (count, 0, ALL - count)


async def test_the_last_word_moves_what_is_left(yard):
    await yard.tell(NEW, count=2)
    yard.wait(60)

    await yard.tell(NEW, "1.2")
    yard.wait(240)
    await yard.state()
    yard.wait(240)

    now = await yard.state()
    assert (now.moved, now.old, now.settled, now.problem) == (ALL, 0, True, "")


async def test_instances_that_do_not_get_well_hold_the_others_back(yard):
    yard.break_version(NEW)
    await yard.tell(NEW, count=2)

    await watched(yard, most=2, least=ALL - 2)

    now = await yard.state()
    assert (now.moved, now.settled) == (0, False)
    assert 1 <= now.pending <= 2


async def test_going_back_from_the_middle_brings_all_home(yard):
    await yard.tell(NEW, count=3)
    yard.wait(120)
    assert await yard.counts() == (3, 0, 3)

    await home(yard)

    assert await yard.counts() == (ALL, 0, 0)


async def test_going_back_never_waits_for_the_version_that_is_left(yard):
    yard.break_version(NEW)
    await yard.tell(NEW, count=3)
    yard.wait(120)

    await home(yard)

    now = await yard.state()
    assert (now.moved, now.pending, now.old) == (ALL, 0, 0)


async def test_only_the_last_batch_goes_back_and_the_rest_goes_on_exactly(yard):
    await yard.tell(NEW, count=2)
    yard.wait(120)
    await yard.tell(NEW, "1.2", count=4)
    yard.wait(120)
    assert await yard.counts() == (4, 0, 2)

    await home(yard, count=4)
    assert await yard.counts() == (4, 0, 2)

    await yard.tell(NEW, "3.1", count=3)
    yard.wait(240)
    assert await yard.counts() == (3, 0, 3)


async def test_of_a_batch_that_broke_the_broken_instances_are_the_ones_that_go_back(yard):
    await yard.tell(NEW, count=2)
    yard.wait(120)
    assert (await yard.counts())[0] == 2
    break_next(yard)
    await yard.tell(NEW, "1.2", count=4)
    yard.wait(120)
    assert (await yard.state()).pending > 0

    await home(yard, count=4)

    now = await yard.state()
    assert (now.moved, now.old, now.ready) == (4, 2, ALL)


def break_next(yard: Yard) -> None:
    """Let what starts with the new version from now on never get healthy; what runs it stays well."""
    if isinstance(yard, ClusterYard):
        yard.world.fake.break_next(yard.image(NEW), "never_ready")
    elif isinstance(yard, NodesYard):
        for node in list(yard.runners.nodes.values())[2:]:
            node.hates = NEW


async def test_the_same_twice_tells_nobody_anything_new(yard):
    await yard.tell(NEW, count=2)
    yard.wait(120)
    await yard.state()
    told = yard.writes

    await yard.tell(NEW, "1.2", count=2)
    yard.wait(120)

    assert (yard.writes, await yard.counts()) == (told, (2, 0, ALL - 2))
    assert (await yard.state()).fence == "1.2"


async def test_an_older_fence_never_overwrites_a_newer_one(yard):
    await yard.tell(NEW, "2.10", count=1)

    with pytest.raises(RefusedError) as refused:
        await yard.tell("v3", "2.9")

    assert refused.value.code == "fenced"
    assert (await yard.state()).image == yard.image(NEW)


@pytest.mark.parametrize("count", [0, -1])
async def test_a_batch_of_nothing_is_a_mistake_of_the_caller(yard, count):
    with pytest.raises(ValueError, match="instances"):
        await yard.tell(NEW, count=count)


@pytest.mark.parametrize("version", ["a b", "../etc", "x" * 200, "v1\n", "ghcr.io/other/app:v1"])
async def test_what_is_no_version_of_it_is_refused(yard, version):
    with pytest.raises(RefusedError) as refused:
        yard.fleet.image_for(version)

    assert refused.value.code in {"wrong_image", "wrong_version"}


async def test_a_fleet_that_is_not_there_is_said_to_be_so(yard):
    await yard.vanish()

    with pytest.raises((GoneError, TryAgainError)) as gone:
        await yard.state()

    expected = {
        "deployments": "deployment_missing",
        "statefulsets": "stateful_set_missing",
        "daemonsets": "daemon_set_missing",
        "http": "unreachable",
    }
    assert gone.value.code == expected[yard.kind]


async def test_a_write_whose_answer_is_lost_is_unknown_and_read_back(cluster_yard):
    cluster_yard.world.fake.drop()

    with pytest.raises(TryAgainError):
        await cluster_yard.tell(NEW, count=2)

    assert (await cluster_yard.state()).image == cluster_yard.image(NEW)


async def test_a_write_that_lands_after_a_newer_one_changes_nothing(cluster_yard):
    yard = cluster_yard
    token = (await yard.state()).token
    yard.world.fake.hold()
    with pytest.raises(TryAgainError):
        await yard.fleet.write(image=yard.image(NEW), count=5, token=token, fence="3.4")
    await yard.fleet.write(image=yard.image(OLD), token=token, fence="3.5")

    assert await yard.world.fake.land() == [409]
    assert (await yard.state()).image == yard.image(OLD)
