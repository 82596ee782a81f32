"""Somebody rewrites the route in the middle of a rollout: going back still takes all from the canary."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from integrations.base import MangledError, RefusedError
from tests.contract.kubernetes_worlds import WORLDS, open_world
from tests.contract.test_gateway_api import CANARY, FORMS, STABLE, Mesh
from tests.contract.test_gateway_api_audience import BETA


@pytest.fixture(params=["http", "grpc", "linkerd"])
def form(request):
    return FORMS[request.param]


@pytest.fixture(params=WORLDS)
async def mesh(request, form, tmp_path) -> AsyncIterator[Mesh]:
    async with open_world(request.param, tmp_path, form.objects) as opened:
        yield Mesh(opened, form)


def main(body: dict[str, Any]) -> dict[str, Any]:
    return body["spec"]["rules"][-1]


def only_canary(body):
    main(body)["backendRefs"] = [{"name": CANARY, "port": 80, "weight": 7}]


def only_stable(body):
    main(body)["backendRefs"] = [{"name": STABLE, "port": 80}]


def doubled(body):
    body["spec"]["rules"].append(deepcopy(main(body)))


def twice_the_canary(body):
    main(body)["backendRefs"].append({"name": CANARY, "port": 81, "weight": 25})


def to_the_canary(body: dict[str, Any]) -> float:
    return sum(
        ref["weight"]
        for rule in body["spec"]["rules"]
        for ref in rule["backendRefs"]
        if ref["name"] == CANARY
    )


@pytest.mark.parametrize(
    ("mangle", "seen"),
    [
        (only_canary, 100),
        (only_stable, 0),
        (doubled, 50),
        (twice_the_canary, 60),
    ],
)
async def test_a_mangled_route_can_still_be_taken_home(mesh, mangle, seen):
    await mesh.write(50, "1.1", rules=(BETA,))
    await mesh.edit(mangle)
    router = mesh.router()
    with pytest.raises(MangledError) as mangled:
        await router.read()
    split = mangled.value.split
    with pytest.raises(RefusedError):
        await router.write(60, token=split.token, fence="1.2")

    await router.write(0, token=split.token, fence="1.2")

    assert (split.canary, len(split.rules)) == (seen, 1)
    assert to_the_canary(await mesh.world.object(mesh.plural)) == 0
    with pytest.raises(MangledError) as after:
        await mesh.router().read()
    assert (after.value.split.canary, after.value.split.rules) == (0, ())


async def test_rules_of_ours_are_taken_away_even_from_a_ruin(mesh):
    await mesh.write(50, "1.1", rules=(BETA,))

    def ruin(body):
        main(body)["backendRefs"] = [{"name": "other", "port": 80}]

    await mesh.edit(ruin)
    router = mesh.router()
    with pytest.raises(MangledError) as mangled:
        await router.read()

    await router.write(0, token=mangled.value.split.token, fence="1.2")

    body = await mesh.world.object(mesh.plural)
    assert [[ref["name"] for ref in rule["backendRefs"]] for rule in body["spec"]["rules"]] == [
        ["other"]
    ]


async def test_where_only_a_rule_of_ours_is_left_it_is_turned(mesh):
    await mesh.write(50, "1.1", rules=(BETA,))

    def drop(body):
        body["spec"]["rules"] = body["spec"]["rules"][:1]

    await mesh.edit(drop)
    router = mesh.router()
    with pytest.raises(MangledError) as mangled:
        await router.read()

    await router.write(0, token=mangled.value.split.token, fence="1.2")

    body = await mesh.world.object(mesh.plural)
    assert [ref["name"] for ref in body["spec"]["rules"][0]["backendRefs"]] == [STABLE]


async def test_without_any_stable_service_a_person_is_told(mesh):
    await mesh.write(50, "1.1")
    await mesh.edit(only_canary)
    await mesh.world.delete("services", STABLE)
    router = mesh.router()
    with pytest.raises(MangledError) as mangled:
        await router.read()

    with pytest.raises(RefusedError) as refused:
        await router.write(0, token=mangled.value.split.token, fence="1.2")

    assert refused.value.code == "cannot_cut_off"
