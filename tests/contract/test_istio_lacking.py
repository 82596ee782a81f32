"""What a router looks things up by is gone or forbidden: going forward holds, and the traffic still comes home."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.sandbox.orion import colours_objects
from integrations.base import GoneError, MangledError, RefusedError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world
from tests.contract.mangling import renamed

BLUE, GREEN = f"{SERVICE}-blue", f"{SERVICE}-green"
COLOURS = {"stable": BLUE, "canary": GREEN}
LEGACY = {"destination": {"host": "legacy"}, "weight": 50}


def mesh(*options: Any) -> list[dict[str, Any]]:
    return colours_objects(*options, mesh=True)


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture(params=WORLDS)
async def colours(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path, mesh) as opened:
        yield opened


@pytest.fixture
async def forbidding(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, mesh) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def at_half(world: World, **names: str) -> None:
    router = world.router(**names)
    await router.write(50, token=(await router.read()).token, fence="1.1")


async def weights(world: World, name: str = SERVICE) -> list[int]:
    (route,) = (await world.object("virtualservices", name))["spec"]["http"]
    return [entry["weight"] for entry in route["route"]]


async def goes_home(world: World, code: str, share: float = 50, **names: str) -> None:
    """As after a restart: nothing was looked up before."""
    router = world.router(**names)
    with pytest.raises(MangledError) as mangled:
        await router.read()
    assert (mangled.value.code, mangled.value.split.canary) == (code, share)
    with pytest.raises(RefusedError) as refused:
        await router.write(75, token=mangled.value.split.token, fence="1.2")
    assert refused.value.code == code

    split = await router.write(0, token=mangled.value.split.token, fence="1.2")

    assert (split.canary, split.fence) == (0, "1.2")


async def test_names_tell_where_the_canary_is_gone_whatever_else_is_in_the_route(world):
    await at_half(world)

    def third(body: dict[str, Any]) -> None:
        body["spec"]["http"][0]["route"].append(LEGACY)

    await world.edit("virtualservices", third)
    await world.delete("deployments", f"{SERVICE}-canary")
    router = world.router()

    await router.write(0, token=(await router.read()).token, fence="1.2")

    assert await weights(world) == [100, 0, 50]


async def test_beside_stable_the_other_colour_is_the_canary_when_its_deployment_is_gone(colours):
    await at_half(colours, **COLOURS)
    await colours.delete("deployments", GREEN)

    await goes_home(colours, "deployment_missing", **COLOURS)

    assert await weights(colours) == [100, 0]


async def test_a_subset_that_bears_no_colours_name_is_the_canary_too(colours):
    def rename(kind: str) -> Any:
        def change(body: dict[str, Any]) -> None:
            spec = body["spec"]
            if kind == "destinationrules":
                spec["subsets"][1]["name"] = "next"
            else:
                spec["http"][0]["route"][1]["destination"]["subset"] = "next"
                spec["http"][0]["route"].append(LEGACY)

        return change

    for kind in ("destinationrules", "virtualservices"):
        await colours.edit(kind, rename(kind))
    await at_half(colours, **COLOURS)
    await colours.delete("deployments", GREEN)

    await goes_home(colours, "deployment_missing", **COLOURS)

    assert await weights(colours) == [100, 0, 50]


async def test_colours_are_known_by_their_names_where_subsets_may_not_be_read(forbidding):
    await at_half(forbidding, **COLOURS)
    forbidding.fake.forbid("list", "destinationrules")

    await goes_home(forbidding, "forbidden", **COLOURS)

    assert await weights(forbidding) == [100, 0]


async def test_a_route_that_was_renamed_besides_comes_home_too(colours):
    await at_half(colours, route="primary", **COLOURS)
    await colours.edit("virtualservices", renamed)
    await colours.delete("deployments", GREEN)

    await goes_home(colours, "route_missing", route="primary", **COLOURS)

    assert await weights(colours) == [100, 0]


def relabelled(body: dict[str, Any]) -> None:
    body["spec"]["subsets"][1]["labels"] = {"track": "nobody"}


async def test_a_subset_that_somebody_relabelled_is_still_the_canary_on_the_way_home(world):
    await at_half(world)
    await world.edit("destinationrules", relabelled)

    await goes_home(world, "subset_missing")

    assert await weights(world) == [100, 0]


async def test_so_is_one_of_a_colour(colours):
    await at_half(colours, **COLOURS)
    await colours.edit("destinationrules", relabelled)

    await goes_home(colours, "subset_missing", **COLOURS)

    assert await weights(colours) == [100, 0]


async def test_where_nothing_tells_whose_either_is_nothing_is_written_and_it_is_said(forbidding):
    def strangers(body: dict[str, Any]) -> None:
        for entry, name in zip(body["spec"]["http"][0]["route"], "ab", strict=True):
            entry["destination"]["subset"] = name

    await forbidding.edit("virtualservices", strangers)
    forbidding.fake.forbid("list", "destinationrules")

    with pytest.raises(RefusedError, match="cannot be told for sure") as refused:
        await forbidding.router(**COLOURS).read()

    assert refused.value.code == "forbidden"
    assert not isinstance(refused.value, MangledError)


async def test_what_is_lacking_is_found_before_a_start_and_once_it_is_there_all_is_well(colours):
    deployment = await colours.object("deployments", GREEN)
    await colours.delete("deployments", GREEN)
    router = colours.router(**COLOURS)

    findings = await router.inspect(canary_pods=False)

    assert [(finding.code, finding.fatal) for finding in findings] == [("deployment_missing", True)]
    for key in ("resourceVersion", "uid", "managedFields", "creationTimestamp"):
        deployment["metadata"].pop(key, None)
    await colours.apply("deployments", deployment)
    assert (await router.read()).canary == 0


# ---- delegates -------------------------------------------------------------------------------------------------------


async def test_a_delegate_that_is_not_there_keeps_no_other_from_going_home(world):
    http = (await world.object("virtualservices"))["spec"]["http"]
    inner = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "inner"},
        "spec": {"http": http},
    }
    await world.apply("virtualservices", inner)

    def delegate(*names: str) -> Any:
        routes = [{"name": "primary", "delegate": {"name": name}} for name in names]
        return lambda body: body["spec"].update(http=routes)

    await world.edit("virtualservices", delegate("inner"))
    await at_half(world, route="primary")
    await world.edit("virtualservices", delegate("not-yet", "inner"))
    router = world.router(route="primary")

    split = await router.write(0, token=(await router.read()).token, fence="1.2")

    assert split.canary == 0
    assert await weights(world, "inner") == [100, 0]
    findings = await router.inspect(canary_pods=False)
    assert [finding.code for finding in findings] == ["virtual_service_missing"]
    await world.delete("virtualservices", "inner")
    with pytest.raises(GoneError):
        await router.read()
