"""How a Knative Service gets a revision of a new version, and lets go of an old one."""

import pytest

from integrations.base import (
    Lane,
    RefusedError,
    TryAgainError,
)
from tests.contract.knative_world import (
    FIRST,
    REPOSITORY,
    SERVICE,
    KnativeWorld,
)

SECOND = f"{SERVICE}-sluice-1-1"
V1, V2, V3 = (f"{REPOSITORY}:v{n}.0.0" for n in (1, 2, 3))


def patches(world: KnativeWorld) -> int:
    return sum(method == "PATCH" for method, _ in world.fake.requests)


async def test_what_is_live_is_the_revision_with_the_largest_share(fresh):
    assert await fresh.knative().live() == FIRST

    await fresh.prepare()
    fresh.share((FIRST, 40, ""), (SECOND, 60, ""))

    assert await fresh.knative().live() == SECOND


async def test_what_follows_the_latest_revision_is_pinned_before_a_new_one_is_made(fresh):
    with pytest.raises(TryAgainError) as pinning:
        await fresh.write_lane(image=V2, replicas=1)

    assert pinning.value.code == "pinning"
    assert fresh.traffic == [(FIRST, 100, "")]
    assert fresh.revisions == {FIRST}
    with pytest.raises(TryAgainError):  # written, but still routed as it was
        await fresh.write_lane(image=V2, replicas=1)
    assert patches(fresh) == 1

    fresh.settle()
    await fresh.write_lane(image=V2, replicas=1)
    assert fresh.revisions == {FIRST, SECOND}


async def test_a_new_revision_is_one_patch_and_never_takes_traffic_by_itself(fresh):
    fresh.share((FIRST, 100, ""))
    before = patches(fresh)

    await fresh.write_lane(image=V2, replicas=1)

    assert patches(fresh) == before + 1
    assert fresh.traffic == [(FIRST, 100, ""), (SECOND, 0, "canary")]
    for _ in range(10):
        fresh.clock.advance(1)
        assert [(name, share) for name, share, _ in fresh.routed if share] == [(FIRST, 100)]
    assert (SECOND, 0, "canary") in fresh.routed


async def test_a_revision_is_settled_only_when_its_address_is_routed(fresh):
    fresh.share((FIRST, 100, ""))
    await fresh.write_lane(image=V2, replicas=1)
    starting = await fresh.lane()
    fresh.clock.advance(5)
    await fresh.lane()
    ready = await fresh.lane()
    fresh.settle()

    assert (starting.image, starting.ready, starting.settled) == (V2, 0, False)
    assert (ready.ready, ready.settled) == (1, False)
    assert (await fresh.lane()).settled


async def test_the_same_again_makes_no_second_revision(world):
    await world.write_lane(image=V2, replicas=1)
    await world.write_lane("1.2", image=V2, replicas=1)

    assert world.revisions == {FIRST, SECOND}
    assert (await world.lane()).fence == "1.2"


async def test_a_patch_whose_answer_is_lost_makes_no_second_revision(fresh):
    fresh.share((FIRST, 100, ""))
    fresh.fake.drop()
    with pytest.raises(TryAgainError):
        await fresh.write_lane(image=V2, replicas=1)

    await fresh.write_lane("1.2", image=V2, replicas=1)

    assert fresh.revisions == {FIRST, SECOND}


async def test_a_failed_revision_is_not_taken_again(fresh):
    fresh.share((FIRST, 100, ""))
    fresh.fake.break_image(V2, "crash_loop")
    await fresh.prepare()
    failed = await fresh.lane()
    assert (failed.problem, failed.ready) == ("crash_loop", 0)
    assert "ExitCode1" in failed.detail

    await fresh.write_lane("1.5", image=V2, replicas=1)

    assert f"{SERVICE}-sluice-1-5" in fresh.revisions


@pytest.mark.parametrize(
    ("mishap", "problem"),
    [("image_pull", "image_pull"), ("unschedulable", "unschedulable"), ("never_ready", "deadline")],
)
async def test_why_a_revision_cannot_be_ready_is_told(fresh, mishap, problem):
    fresh.share((FIRST, 100, ""))
    fresh.fake.break_image(V2, mishap)
    await fresh.prepare()
    fresh.settle(700)

    assert (await fresh.lane()).problem == problem


async def test_the_last_lines_are_those_of_the_container_and_not_of_knatives_own(fresh):
    fresh.share((FIRST, 100, ""))
    fresh.fake.break_image(V2, "crash_loop")
    await fresh.prepare()

    text = await fresh.workload().tail(Lane.CANARY)

    assert SERVICE in text.splitlines()[0]
    assert "queue-proxy" not in text


async def test_a_name_that_is_taken_is_left_alone(fresh):
    fresh.share((FIRST, 100, ""))
    await fresh.prepare("v2.0.0")
    await fresh.write_lane("1.2", image="", replicas=0)
    fresh.edit(lambda body: body["metadata"].pop("annotations"))

    await fresh.write_lane("1.1", image=V3, replicas=1)

    assert {SECOND, f"{SECOND}-1"} <= fresh.revisions


async def test_the_version_before_is_taken_as_it_is_when_it_is_asked_for_again(world):
    await world.weigh(100, "1.2")
    world.dark = ""
    workload = world.workload(live=SECOND)
    token = (await workload.read())[Lane.CANARY].token

    await workload.write(Lane.CANARY, image=V1, replicas=1, token=token, fence="2.1")
    world.settle()

    state = (await world.workload(live=SECOND).read())[Lane.CANARY]
    assert (state.name, state.ready) == (FIRST, 1)
    assert world.revisions == {FIRST, SECOND}


async def test_the_live_revision_is_never_written_over(world):
    workload = world.workload()
    token = (await workload.read())[Lane.STABLE].token

    with pytest.raises(RefusedError) as refused:
        await workload.write(Lane.STABLE, image=V2, token=token, fence="1.2")

    assert refused.value.code == "not_replaceable"


async def test_a_lane_that_is_let_go_loses_its_tag_and_is_collected_in_time(world):
    world.dark = SECOND
    await world.write_lane("1.2", image="", replicas=0)
    world.share((FIRST, 100, ""))
    assert (await world.lane()).image == ""
    world.edit(lambda body: body["spec"]["template"].update(metadata={"name": f"{SERVICE}-x"}))
    world.settle(400)

    assert SECOND not in world.revisions


async def test_what_is_kept_for_going_back_is_never_collected(world):
    await world.weigh(100, "1.2")
    world.settle(4000)

    assert (FIRST, 0, "canary-before") in world.traffic
    assert FIRST in world.revisions
