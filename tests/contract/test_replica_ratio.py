"""Two Deployments as one place: what is written on them, and what a start is told about them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.sandbox.orion import ratio_objects
from integrations.base import ConflictError, FleetState, RefusedError, TryAgainError
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
STABLE, CANARY = f"{SERVICE}-stable", f"{SERVICE}-canary"
ALL = 6


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path, ratio_objects, ALL) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, ratio_objects, ALL) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def tell(world: World, image: str = NEW, fence: str = "1.1", **what: Any) -> None:
    fleet = world.ratio()
    await fleet.write(image=image, token=(await fleet.read()).token, fence=fence, **what)


async def state(world: World) -> FleetState:
    return await world.ratio().read()


async def pair(world: World) -> list[tuple[str, int]]:
    """Image and pods of stable and canary, as they are asked for."""
    bodies = [await world.object("deployments", name) for name in (STABLE, CANARY)]
    return [
        (b["spec"]["template"]["spec"]["containers"][0]["image"], b["spec"]["replicas"])
        for b in bodies
    ]


async def walk(world: World, image: str = NEW, fence: str = "1.1", **what: Any) -> list[Any]:
    """Tell it again and again until there is nothing left to be told; return what was asked for on the way."""
    await tell(world, image, fence, **what)
    seen = [await pair(world)]
    for _ in range(20):
        for name in (STABLE, CANARY):
            await world.roll_out(name)
        if not (await state(world)).again:
            return seen
        await tell(world, image, fence, **what)
        seen.append(await pair(world))
    raise AssertionError(seen)


async def test_the_canary_gets_what_is_told_and_stable_gives_it_up_afterwards(world):
    seen = await walk(world, count=2)

    assert seen == [[(OLD, 6), (NEW, 2)], [(OLD, 4), (NEW, 2)]]
    now = await state(world)
    assert (now.image, now.total, now.moved, now.old) == (NEW, ALL, 2, 4)
    assert (now.ready, now.again, now.settled) == (ALL, False, False)


async def test_all_of_them_move_through_the_canary_into_stable(world):
    seen = await walk(world)

    assert seen == [
        [(OLD, 6), (NEW, 6)],
        [(OLD, 0), (NEW, 6)],
        [(NEW, 6), (NEW, 6)],
        [(NEW, 6), (NEW, 0)],
        [(NEW, 6), (NEW, 0)],
    ]
    now = await state(world)
    assert (now.version, now.total, now.moved, now.settled) == ("v2", ALL, ALL, True)


async def test_after_the_way_home_both_are_as_they_were_found(world):
    def older(body: dict[str, Any]) -> None:
        body["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}:v0"

    await world.edit("deployments", older, CANARY)
    before = [frozen(await world.object("deployments", name)) for name in (STABLE, CANARY)]
    await walk(world, count=2)

    await walk(world, OLD, "1.2")

    after = [frozen(await world.object("deployments", name)) for name in (STABLE, CANARY)]
    for body in (*before, *after):
        del body["status"]
        body["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    assert after == before


async def test_everything_is_in_the_note_and_nothing_but_ours_is_touched(world):
    await tell(world, count=2)

    stable = await world.object("deployments", STABLE)
    note = json.loads(stable["metadata"]["annotations"]["sluice/strategy"])
    assert (note["image"], note["count"], note["total"]) == (NEW, 2, ALL)
    canary = await world.object("deployments", CANARY)
    for body in (stable, canary):
        assert body["metadata"]["annotations"]["sluice/fence"] == "1.1"
    assert "sluice/strategy" not in canary["metadata"]["annotations"]


async def test_a_note_that_somebody_scribbled_over_does_not_stop_a_rollback(world):
    await walk(world, count=2)
    scribble = {"sluice/strategy": "{]"}
    await world.edit(
        "deployments", lambda body: body["metadata"]["annotations"].update(scribble), STABLE
    )

    await walk(world, OLD, "1.2")

    assert [pods for _, pods in await pair(world)] == [ALL, 0]
    assert (await state(world)).settled


async def test_a_write_has_landed_only_when_both_carry_its_fence(fake):
    fake.fake.fail(500, method="PATCH", path=CANARY)
    with pytest.raises(TryAgainError):
        await tell(fake, count=2, fence="1.7")
    assert ((await state(fake)).fence, (await state(fake)).image) == ("", NEW)

    await tell(fake, count=2, fence="1.7")

    assert (await state(fake)).fence == "1.7"
    assert await pair(fake) == [(OLD, 6), (NEW, 2)]


@pytest.mark.parametrize("name", [STABLE, CANARY])
async def test_half_a_write_that_lands_after_a_newer_one_changes_nothing(fake, name):
    fake.fake.hold(path=name)
    with pytest.raises(TryAgainError):
        await tell(fake, count=2, fence="3.4")
    await tell(fake, OLD, fence="3.5")

    assert await fake.fake.land() == [409]
    assert await pair(fake) == [(OLD, 6), (OLD, 0)]
    assert ((await state(fake)).version, (await state(fake)).settled) == ("v1.0.0", True)


@pytest.mark.parametrize("name", [STABLE, CANARY])
async def test_a_change_of_either_makes_the_token_stale(world, name):
    fleet = world.ratio()
    token = (await fleet.read()).token
    await world.edit("deployments", lambda body: body["metadata"].update(labels={"a": "b"}), name)

    with pytest.raises(ConflictError):
        await world.ratio().write(image=NEW, count=1, token=token, fence="1.1")
    with pytest.raises(ConflictError):
        await fleet.write(image=NEW, count=1, token=token, fence="1.1")


@pytest.mark.parametrize("name", [STABLE, CANARY])
async def test_a_newer_fence_on_either_refuses_an_older_write(world, name):
    await world.edit(
        "deployments",
        lambda body: body["metadata"].setdefault("annotations", {}).update({"sluice/fence": "3.1"}),
        name,
    )
    assert (await state(world)).fence == "3.1"

    with pytest.raises(RefusedError) as refused:
        await tell(world, count=1, fence="2.9")

    assert refused.value.code == "fenced"
    assert await pair(world) == [(OLD, 6), (OLD, 0)]


async def test_a_foreign_image_is_what_is_read(world):
    await walk(world, count=2)

    def edit(body: dict[str, Any]) -> None:
        body["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}:v9"

    await world.edit("deployments", edit, STABLE)

    now = await state(world)
    assert (now.version, now.changed_by.split(" ")[0]) == ("v9", "argocd")


@pytest.mark.parametrize("name", [STABLE, CANARY])
async def test_a_paused_deployment_is_refused_with_the_way_out(world, name):
    await world.edit("deployments", lambda body: body["spec"].update(paused=True), name)

    with pytest.raises(RefusedError, match=f"deployment/{name}") as refused:
        await tell(world, count=1)
    assert refused.value.code == "deployment_paused"
    assert [f.code for f in await world.ratio().inspect()] == ["deployment_paused"]


async def test_what_crashes_is_named_with_its_log(fake):
    fake.fake.break_image(NEW, "crash_loop")
    fleet = fake.ratio()
    await fleet.write(image=NEW, count=2, token=(await fleet.read()).token, fence="1.1")
    fake.clock.advance(60)

    now = await fleet.read()

    assert (now.problem, now.pending, now.ready, now.again) == ("crash_loop", 2, ALL, False)
    assert f"pod {CANARY}-" in await fleet.tail()


# ---- before a start ------------------------------------------------------------------------------------------------


async def codes(world: World, **options: str) -> list[tuple[str, bool]]:
    return [(one.code, one.fatal) for one in await world.ratio(**options).inspect()]


async def select(world: World, labels: dict[str, str]) -> None:
    await world.edit("services", lambda body: body["spec"].update(selector=labels))


@pytest.mark.parametrize("options", [{}, {"service": SERVICE}])
async def test_a_pair_behind_one_service_has_no_findings(world, options):
    assert await codes(world, **options) == []


async def test_pods_in_the_canary_are_no_clean_state(world):
    await world.edit("deployments", lambda body: body["spec"].update(replicas=1), CANARY)

    (finding,) = await world.ratio().inspect()

    assert (finding.code, finding.fatal) == ("split_not_clean", True)
    assert f"kubectl scale deployment/{CANARY} --replicas=0" in finding.sentence


@pytest.mark.parametrize(
    ("options", "fatal"), [({}, False), ({"service": SERVICE}, True)], ids=["any", "named"]
)
async def test_a_service_that_selects_one_of_them_splits_nothing(world, options, fatal):
    both = (await world.object("services"))["spec"]["selector"]
    await select(world, {**both, "track": "stable"})

    assert await codes(world, **options) == [("service_selects_one_lane", fatal)]


async def test_a_service_that_is_not_there_is_said_to_be_so(world):
    assert await codes(world, service="another") == [("service_missing", True)]


async def test_services_that_may_not_be_listed_are_a_remark(fake):
    fake.fake.forbid("list", "services")

    assert await codes(fake) == [("service_not_checked", False)]


async def test_a_write_that_the_cluster_would_refuse_is_found_before(fake):
    fake.fake.fail(422, method="TRY", path=STABLE, times=3, message="denied by policy")

    assert ("rollback_impossible", True) in await codes(fake)
