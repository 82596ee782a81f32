"""What every fleet keeps, tried on a single Deployment: the fake API server and, marked `cluster`, a real one.

Here is what is written and read; `test_fleet_batches.py` has what the Deployment controller makes of it.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.sandbox.orion import fleet_objects
from integrations.base import ConflictError, FleetState, GoneError, RefusedError, TryAgainError
from tests.contract.kubernetes_worlds import (
    REPOSITORY,
    SERVICE,
    WORLDS,
    FakeWorld,
    World,
    open_world,
)
from tests.fakes.kubernetes import frozen

OLD, NEW = f"{REPOSITORY}:v1.0.0", f"{REPOSITORY}:v2"
ALL = 6


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path, fleet_objects, ALL) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, fleet_objects, ALL) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def tell(world: World, image: str = NEW, fence: str = "1.1", **what: Any) -> None:
    fleet = world.single()
    await fleet.write(image=image, token=(await fleet.read()).token, fence=fence, **what)


async def state(world: World) -> FleetState:
    return await world.single().read()


async def counts(world: World) -> tuple[int, int, int]:
    now = await state(world)
    return now.moved, now.pending, now.old


async def spec(world: World) -> dict[str, Any]:
    return (await world.object("deployments"))["spec"]


async def change(world: World, **fields: Any) -> None:
    await world.edit("deployments", lambda body: body["spec"].update(fields))


async def test_a_fleet_at_rest_is_read(world):
    now = await state(world)

    assert (now.version, now.total, now.moved, now.pending, now.old) == ("v1.0.0", ALL, ALL, 0, 0)
    assert (now.ready, now.settled, now.problem, now.fence) == (ALL, True, "", "")
    assert now.digest.startswith("sha256:")


async def test_what_is_written_is_what_is_read(world):
    await tell(world, count=2, replicas=8)

    now = await state(world)
    assert (now.image, now.total, now.fence, now.settled) == (NEW, 8, "1.1", False)


async def test_before_the_controller_has_acted_nothing_has_moved(world):
    if isinstance(world, FakeWorld):
        world.fake.stalled = True

    await tell(world, count=2)

    assert await counts(world) == (0, 0, ALL)


async def test_a_batch_leaves_as_little_room_as_it_has_instances_and_notes_what_was_there(world):
    await change(world, minReadySeconds=7)
    before = await spec(world)

    await tell(world, count=2)

    after = await world.object("deployments")
    assert after["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2},
    }
    assert after["spec"]["progressDeadlineSeconds"] > after["spec"]["minReadySeconds"] > 10**8
    noted = json.loads(after["metadata"]["annotations"]["sluice/strategy"])
    assert noted["minReadySeconds"] == 7
    assert noted.get("strategy") == before.get("strategy")


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"strategy": {"type": "Recreate"}, "minReadySeconds": 3, "progressDeadlineSeconds": 90},
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%"}}},
    ],
)
async def test_after_the_last_batch_everything_is_as_it_was_found(world, found):
    await world.edit("deployments", lambda body: replace_strategy(body, found))
    before = frozen(await world.object("deployments"))

    for number, count in enumerate((1, 4, None)):
        await tell(world, count=count, fence=f"1.{number + 1}")

    after = frozen(await world.object("deployments"))
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == NEW
    for body in (before, after):
        del body["spec"]["template"], body["status"]
        body["metadata"].pop("annotations", None)
    assert after == before


def replace_strategy(body: dict[str, Any], found: dict[str, Any]) -> None:
    if found.get("strategy", {}).get("type") == "Recreate":
        found = found | {"strategy": found["strategy"] | {"rollingUpdate": None}}
    body["spec"].update(found)


async def test_everything_else_on_the_deployment_stays_as_it_was(world):
    sidecar = {"name": "proxy", "image": "envoy:v1", "args": ["--x"]}

    def decorate(body):
        body["metadata"].setdefault("annotations", {})["note"] = "~/"
        body["spec"]["template"]["spec"]["containers"].insert(0, sidecar)

    await world.edit("deployments", decorate)
    before = frozen(await world.object("deployments"))

    await tell(world, count=2)
    await tell(world, image=OLD)

    after = frozen(await world.object("deployments"))
    for body in (before, after):
        del body["status"]
        body["metadata"]["annotations"].pop("deployment.kubernetes.io/revision", None)
    assert after == before


async def test_a_note_that_somebody_scribbled_over_does_not_stop_a_rollback(world):
    await tell(world, count=2)
    await world.edit(
        "deployments",
        lambda body: body["metadata"]["annotations"].update({"sluice/strategy": '{"strategy": 7}'}),
    )

    await tell(world, image=OLD)

    after = await spec(world)
    assert after.get("minReadySeconds", 0) == 0
    assert after.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", "25%") == "25%"


async def test_a_strategy_that_somebody_applied_meanwhile_is_left_alone(world):
    await tell(world, count=2)
    theirs = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}}
    await change(world, strategy=theirs, minReadySeconds=5, progressDeadlineSeconds=60)

    await tell(world, image=OLD)

    after = await world.object("deployments")
    assert (after["spec"]["strategy"], after["spec"]["minReadySeconds"]) == (theirs, 5)
    assert "sluice/strategy" not in after["metadata"]["annotations"]


async def test_the_fence_alone_never_touches_the_pods(world):
    before = (await world.object("deployments"))["metadata"]["generation"]

    await tell(world, image=OLD)

    assert (await world.object("deployments"))["metadata"]["generation"] == before
    assert (await state(world)).fence == "1.1"


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    fleet = world.single()
    token = (await fleet.read()).token
    await world.edit("deployments", lambda body: body["metadata"].update(labels={"a": "b"}))

    with pytest.raises(ConflictError):
        await fleet.write(image=NEW, count=1, token=token, fence="1.1")
    with pytest.raises(ConflictError):
        await world.single().write(image=NEW, count=1, token=token, fence="1.1")

    assert (await state(world)).image == OLD


async def test_an_older_fence_never_overwrites_a_newer_one(world):
    await tell(world, count=1, fence="2.10")

    with pytest.raises(RefusedError) as refused:
        await tell(world, image=f"{REPOSITORY}:v3", fence="2.9")

    assert refused.value.code == "fenced"
    assert (await state(world)).image == NEW


async def test_a_paused_deployment_is_refused_with_the_way_out(world):
    await change(world, paused=True)

    with pytest.raises(RefusedError, match="kubectl rollout resume") as refused:
        await tell(world, count=1)

    assert refused.value.code == "deployment_paused"
    assert (await state(world)).image == OLD


async def test_a_missing_deployment_is_gone(world):
    await world.delete("deployments")

    with pytest.raises(GoneError, match=SERVICE) as gone:
        await state(world)

    assert gone.value.code == "deployment_missing"


async def test_a_missing_container_is_refused_with_the_names_there_are(world):
    with pytest.raises(RefusedError, match=SERVICE) as refused:
        await world.single(container="web").read()

    assert refused.value.code == "container_missing"


@pytest.mark.parametrize("count", [0, -1])
async def test_a_batch_of_nothing_is_a_mistake_of_the_caller(fake, count):
    with pytest.raises(ValueError, match="instances"):
        await tell(fake, count=count)


async def test_a_write_whose_answer_is_lost_is_unknown_and_read_back(fake):
    fake.fake.drop()

    with pytest.raises(TryAgainError):
        await tell(fake, count=2)

    assert (await state(fake)).image == NEW


async def test_a_write_that_lands_after_a_newer_one_changes_nothing(fake):
    fleet = fake.single()
    token = (await fleet.read()).token
    fake.fake.hold()
    with pytest.raises(TryAgainError):
        await fleet.write(image=NEW, count=5, token=token, fence="3.4")
    await fleet.write(image=OLD, token=token, fence="3.5")

    assert await fake.fake.land() == [409]
    assert (await state(fake)).image == OLD


@pytest.mark.parametrize("plural", ["deployments", "replicasets", "pods"])
async def test_a_forbidden_read_names_the_verb_and_the_resource(fake, plural):
    fake.fake.fail(403, method="GET", path=plural)

    with pytest.raises(RefusedError, match=f"read {plural}") as refused:
        await state(fake)

    assert refused.value.code == "forbidden"


async def test_reading_is_three_gets_and_writing_after_it_is_one_patch(fake):
    fleet = fake.single()

    now = await fleet.read()
    await fleet.write(image=NEW, count=1, token=now.token, fence="1.1")

    assert [method for method, _ in fake.fake.requests[-4:]] == ["GET"] * 3 + ["PATCH"]
