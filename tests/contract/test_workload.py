"""What every workload keeps, tried on a Deployment pair: the fake API server and, marked `cluster`, a real one."""

import hashlib
from collections.abc import AsyncIterator
from copy import deepcopy

import pytest

from integrations.base import ConflictError, GoneError, Lane, LaneState, RefusedError, TryAgainError
from tests.contract.kubernetes_worlds import (
    REPOSITORY,
    SERVICE,
    WORLDS,
    FakeWorld,
    World,
    open_world,
)
from tests.fakes.kubernetes import frozen

CANARY = f"{SERVICE}-canary"
STABLE = f"{SERVICE}-stable"


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def lane(world: World, which: Lane = Lane.CANARY) -> LaneState:
    return (await world.pair().read())[which]


async def start(world: World, version: str = "v2", replicas: int = 2, fence: str = "1.1") -> None:
    pair = world.pair()
    token = (await pair.read())[Lane.CANARY].token
    await pair.write(
        Lane.CANARY, image=pair.image_for(version), replicas=replicas, token=token, fence=fence
    )


def digest_of(version: str) -> str:
    return "sha256:" + hashlib.sha256(f"{REPOSITORY}:{version}".encode()).hexdigest()


async def test_both_lanes_are_read(world):
    lanes = await world.pair().read()

    stable, canary = lanes[Lane.STABLE], lanes[Lane.CANARY]
    assert (stable.version, stable.replicas, stable.ready, stable.settled) == ("v1.0.0", 4, 4, True)
    assert (canary.version, canary.replicas, canary.ready, canary.settled) == ("v1.0.0", 0, 0, True)
    assert stable.digest == digest_of("v1.0.0")


async def test_what_is_written_is_what_is_read(world):
    await start(world)

    canary = await lane(world)
    assert (canary.image, canary.replicas, canary.fence) == (f"{REPOSITORY}:v2", 2, "1.1")


async def test_a_change_is_not_settled_before_its_pods_are_ready(world):
    await start(world)
    before = await lane(world)

    await world.roll_out(CANARY)

    after = await lane(world)
    assert (before.settled, before.ready, before.problem) == (False, 0, "")
    assert (after.settled, after.ready, after.digest) == (True, 2, digest_of("v2"))


async def test_the_digest_is_that_of_the_newest_pods(world):
    await start(world, "v2")
    await world.roll_out(CANARY)
    assert (await lane(world)).digest == digest_of("v2")

    await start(world, "v3")
    await world.roll_out(CANARY)

    assert (await lane(world)).digest == digest_of("v3")


@pytest.mark.parametrize(
    ("mishap", "problem", "said"),
    [
        ("crash_loop", "crash_loop", "CrashLoopBackOff"),
        ("image_pull", "image_pull", "ImagePullBackOff"),
        ("unschedulable", "unschedulable", "no node"),
        ("never_ready", "", ""),
    ],
)
async def test_pods_that_cannot_become_ready_say_why(world, mishap, problem, said):
    await start(world)
    await world.roll_out(CANARY, mishap)

    canary = await lane(world)

    assert (canary.settled, canary.ready, canary.problem) == (False, 0, problem)
    assert said in canary.detail


async def test_pods_of_the_version_before_are_not_blamed_on_the_new_one(world):
    await start(world, "v2")
    await world.roll_out(CANARY, "crash_loop")

    await start(world, "v3")
    await world.roll_out(CANARY)

    canary = await lane(world)
    assert (canary.version, canary.problem, canary.settled) == ("v3", "", True)


async def test_before_the_controller_has_seen_a_change_nothing_is_known_about_it(fake):
    pair = fake.pair()
    await start(fake, "v2")
    await fake.roll_out(CANARY, "crash_loop")
    token = (await pair.read())[Lane.CANARY].token
    fake.fake.stalled = True

    await pair.write(Lane.CANARY, image=pair.image_for("v3"), token=token, fence="1.2")

    canary = (await pair.read())[Lane.CANARY]
    assert (canary.settled, canary.ready, canary.problem, canary.digest) == (False, 0, "", "")


async def test_a_passed_deadline_is_a_problem(fake):
    await start(fake)
    await fake.roll_out(CANARY, "never_ready")
    fake.clock.advance(601)

    canary = await lane(fake)

    assert (canary.problem, canary.settled) == ("deadline", False)


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    pair = world.pair()
    token = (await pair.read())[Lane.CANARY].token
    await world.edit("deployments", lambda body: body["metadata"].update(labels={"a": "b"}), CANARY)

    with pytest.raises(ConflictError):
        await pair.write(Lane.CANARY, replicas=3, token=token, fence="1.1")

    assert (await lane(world)).replicas == 0


async def test_an_older_fence_never_overwrites_a_newer_one(world):
    await start(world, fence="2.10")

    with pytest.raises(RefusedError) as refused:
        await start(world, version="v3", fence="2.9")

    assert refused.value.code == "fenced"
    assert (await lane(world)).version == "v2"


async def test_the_fence_never_touches_the_pods(world):
    before = (await world.object("deployments", STABLE))["metadata"]["generation"]
    pair = world.pair()
    token = (await pair.read())[Lane.STABLE].token

    await pair.write(Lane.STABLE, token=token, fence="1.1")

    after = await world.object("deployments", STABLE)
    assert after["metadata"]["generation"] == before
    assert (await lane(world, Lane.STABLE)).fence == "1.1"


async def test_everything_else_on_the_deployment_stays_as_it_was(world):
    sidecar = {"name": "proxy", "image": "envoy:v1", "args": ["--x"]}

    def decorate(body):
        body["metadata"]["annotations"] = {"note": "~/"}
        body["spec"]["template"]["spec"]["containers"].insert(0, sidecar)

    await world.edit("deployments", decorate, CANARY)
    before = await world.object("deployments", CANARY)

    await start(world, replicas=3)

    after = await world.object("deployments", CANARY)
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "envoy:v1"
    assert after["spec"]["template"]["spec"]["containers"][1]["image"] == f"{REPOSITORY}:v2"
    assert comparable(before) == comparable(after)


def comparable(body: dict) -> dict:
    copy = frozen(body)
    del copy["spec"]["replicas"], copy["status"]
    copy["metadata"]["annotations"].pop("deployment.kubernetes.io/revision", None)
    del copy["spec"]["template"]["spec"]["containers"][1]["image"]
    return copy


async def test_a_missing_deployment_is_gone(world):
    await world.delete("deployments", CANARY)

    with pytest.raises(GoneError, match=CANARY) as gone:
        await world.pair().read()

    assert gone.value.code == "deployment_missing"


async def test_a_missing_container_is_refused_with_the_names_there_are(world):
    with pytest.raises(RefusedError, match=SERVICE) as refused:
        await world.pair(container="web").read()

    assert refused.value.code == "container_missing"


async def test_a_write_whose_answer_is_lost_is_unknown_and_read_back(fake):
    fake.fake.drop()

    with pytest.raises(TryAgainError):
        await start(fake)

    assert (await lane(fake)).version == "v2"


async def test_a_write_that_lands_after_a_newer_one_changes_nothing(fake):
    pair = fake.pair()
    token = (await pair.read())[Lane.CANARY].token
    fake.fake.hold()
    with pytest.raises(TryAgainError):
        await pair.write(Lane.CANARY, replicas=5, token=token, fence="3.4")
    await pair.write(Lane.CANARY, replicas=0, token=token, fence="3.5")

    assert await fake.fake.land() == [409]
    assert (await lane(fake)).replicas == 0


async def test_a_forbidden_read_names_the_verb_and_the_resource(fake):
    fake.fake.fail(403, method="GET", path=STABLE)

    with pytest.raises(RefusedError, match=rf"read deployments\.apps {STABLE}") as refused:
        await fake.pair().read()

    assert refused.value.code == "forbidden"


async def test_two_quiet_lanes_cost_two_gets(fake):
    pair = fake.pair()
    await pair.read()
    fake.fake.requests.clear()

    await pair.read()

    assert [path.rpartition("/")[2] for _, path in sorted(fake.fake.requests)] == [CANARY, STABLE]


async def test_old_pods_leave_as_new_ones_get_ready(fake):
    pair = fake.pair()
    token = (await pair.read())[Lane.STABLE].token
    await pair.write(Lane.STABLE, image=pair.image_for("v2"), token=token, fence="1.1")

    during = await lane(fake, Lane.STABLE)
    old_and_new = len(await fake.items("pods"))
    fake.clock.advance(5)
    halfway = await lane(fake, Lane.STABLE)
    fake.clock.advance(5)
    after = await lane(fake, Lane.STABLE)

    # A quarter more and a quarter less than four, which is what a Deployment allows where it says nothing.
    assert (during.ready, during.settled, old_and_new) == (0, False, 5)
    assert (halfway.ready, halfway.settled) == (2, False)
    assert (after.ready, after.settled, len(await fake.items("pods"))) == (4, True, 4)


async def test_pods_of_the_fake_that_are_deleted_come_back(fake):
    before = deepcopy(await fake.items("pods"))
    await fake.delete("pods", before[0]["metadata"]["name"])

    assert len(await fake.items("pods")) == len(before)
    assert (await lane(fake, Lane.STABLE)).ready == len(before) - 1
