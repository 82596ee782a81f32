"""A VirtualService that holds more than our split: another service's, and other ways to our canary."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from bot.sandbox.orion import orion_objects
from integrations.base import HeaderRule, RefusedError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, World, open_world
from tests.contract.mangling import main_of
from tests.fakes.kubernetes import frozen

BETA = HeaderRule("x-user-tier", equals="beta")
CANARY = {"host": SERVICE, "subset": "canary"}
PAY = {"virtual_service": SERVICE, "stable": "pay-stable", "canary": "pay-canary"}


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


async def move_in(world: World) -> None:
    """Let another service be split in the same object, by subsets of the same names."""
    for body in orion_objects("pay", world.namespace, "ghcr.io/orion/pay:v1.0.0", 1):
        if body["kind"] in {"Deployment", "Service", "DestinationRule"}:
            await world.apply(body["kind"].lower() + "s", body)
    await world.roll_out("pay-stable")

    def insert(body: dict[str, Any]) -> None:
        route = deepcopy(main_of(body)) | {"name": "pay", "match": [{"uri": {"prefix": "/pay"}}]}
        for entry in route["route"]:
            entry["destination"]["host"] = "pay"
        body["spec"]["http"].insert(0, route)

    await world.edit("virtualservices", insert)


# ---- whose split it is -----------------------------------------------------------------------------------------------


async def test_of_two_services_with_the_same_subsets_each_finds_its_own_without_being_told(world):
    await move_in(world)

    for changes in ({}, PAY):
        router = world.router(**changes)
        assert await router.inspect(canary_pods=False) == []
        await router.write(25, token=(await router.read()).token, fence="1.1")

    for route in (await world.object("virtualservices"))["spec"]["http"]:
        assert [entry["weight"] for entry in route["route"]] == [75, 25]


async def test_a_split_of_somebody_else_is_never_ours_even_when_it_is_the_only_one(world):
    await move_in(world)

    def leave(body: dict[str, Any]) -> None:
        main_of(body)["route"] = [{"destination": {"host": SERVICE}}]

    await world.edit("virtualservices", leave)
    before = await world.object("virtualservices")

    for route in (None, "pay"):
        findings = await world.router(route=route).inspect(canary_pods=False)
        assert [(finding.code, finding.fatal) for finding in findings] == [("route_missing", True)]
    assert await world.object("virtualservices") == before


# ---- fences ----------------------------------------------------------------------------------------------------------


async def test_two_rollouts_in_one_object_do_not_fence_each_other_off(world):
    await move_in(world)
    ours, theirs = world.router(route="primary"), world.router(route="pay", **PAY)
    await ours.write(50, token=(await ours.read()).token, fence="1.5")
    await theirs.write(50, token=(await theirs.read()).token, fence="2.5")

    split = await ours.write(0, token=(await ours.read()).token, fence="1.6")

    assert (split.canary, split.fence) == (0, "1.6")
    assert ((await theirs.read()).canary, (await theirs.read()).fence) == (50, "2.5")
    with pytest.raises(RefusedError) as refused:
        await ours.write(50, token=split.token, fence="1.5")
    assert refused.value.code == "fenced"


# ---- other ways to the canary ----------------------------------------------------------------------------------------


def as_it_is(body):
    """The split and our own routes lead there by right."""


def our_own_renamed(body):
    body["spec"]["http"][0]["name"] = "beta-users"


def copied(body):
    route = deepcopy(main_of(body)) | {"name": "api", "match": [{"uri": {"prefix": "/api"}}]}
    body["spec"]["http"].insert(0, route)


def copied_at_nought(body):
    copied(body)
    stable, canary = body["spec"]["http"][0]["route"]
    stable["weight"], canary["weight"] = 100, 0


def mirrored(body):
    main_of(body).update(mirror=CANARY, mirrorPercentage={"value": 100})


def mirrored_at_nought(body):
    main_of(body).update(mirror=CANARY, mirrorPercentage={"value": 0})


def mirrored_among_several(body):
    main_of(body)["mirrors"] = [{"destination": CANARY}]


def connected(body):
    body["spec"]["tcp"] = [{"match": [{"port": 25}], "route": [{"destination": CANARY}]}]


@pytest.mark.parametrize(
    ("change", "elsewhere"),
    [
        (as_it_is, ""),
        (our_own_renamed, "route beta-users"),
        (copied, "route api"),
        (copied_at_nought, ""),
        (mirrored, "mirror of route primary"),
        (mirrored_at_nought, ""),
        (mirrored_among_several, "mirror of route primary"),
        (connected, "route tcp port 25"),
    ],
)
async def test_what_else_leads_to_the_canary_is_told_and_left_as_it_is(world, change, elsewhere):
    router = world.router(route="primary")
    await router.write(50, token=(await router.read()).token, fence="1.1", rules=(BETA,))
    await world.edit("virtualservices", change)
    before = await world.object("virtualservices")

    split = await router.read()
    assert (split.canary, split.elsewhere) == (50, elsewhere)
    split = await router.write(0, token=split.token, fence="1.2")

    assert (split.canary, split.rules, split.elsewhere) == (0, (), elsewhere)
    after = await world.object("virtualservices")
    for body in (before, after):
        listed = body["spec"]["http"]
        body["spec"]["http"] = [r for r in listed if r["name"] not in {"primary", "sluice-1"}]
    assert frozen(after) == frozen(before)


@pytest.mark.parametrize(
    ("change", "codes"), [(copied, ["canary_reached_elsewhere"]), (as_it_is, [])]
)
async def test_it_is_a_warning_before_a_start(world, change, codes):
    router = world.router(route="primary")
    await router.write(50, token=(await router.read()).token, fence="1.1")
    await world.edit("virtualservices", change)

    findings = await router.inspect(canary_pods=False)

    assert [(finding.code, finding.fatal) for finding in findings] == [(c, False) for c in codes]


async def test_a_mirror_is_told_in_a_ruin_too(world):
    def ruin(body):
        body["spec"]["http"] = [{"name": "x", "route": main_of(body)["route"], "mirror": CANARY}]

    router = world.router(route="primary")
    await router.write(50, token=(await router.read()).token, fence="1.1")
    await world.edit("virtualservices", ruin)

    with pytest.raises(RefusedError) as mangled:
        await router.read()

    assert mangled.value.split.elsewhere == "mirror of route x"
