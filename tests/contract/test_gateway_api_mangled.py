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


def put_in_front(body):
    other = deepcopy(main(body))
    other |= {"matches": [{"headers": [{"name": "x-api", "value": "1"}]}]}
    for ref, weight in zip(other["backendRefs"], (100, 0), strict=True):
        ref["weight"] = weight
    body["spec"]["rules"].insert(0, other)


async def test_a_number_stands_for_the_rule_that_it_led_to_when_it_was_split(mesh):
    router = mesh.router(rule="0")
    await router.write(50, token=(await router.read()).token, fence="1.1")
    await mesh.edit(put_in_front)

    with pytest.raises(MangledError) as mangled:
        await mesh.router(rule="0").read()
    split = mangled.value.split
    with pytest.raises(RefusedError) as refused:
        await router.write(60, token=split.token, fence="1.2")
    await router.write(0, token=split.token, fence="1.2")

    assert (mangled.value.code, refused.value.code, split.canary) == (*["another_rule"] * 2, 50)
    assert to_the_canary(await mesh.world.object(mesh.plural)) == 0
    assert (await mesh.router(rule="0").read()).canary == 0


@pytest.mark.parametrize("rules", [(), (BETA,)])
async def test_what_a_number_stood_for_is_forgotten_with_the_way_home(mesh, rules):
    router = mesh.router(rule="0")
    before = (await mesh.world.object(mesh.plural))["metadata"].get("annotations", {})
    await router.write(
        0 if rules else 5, token=(await router.read()).token, fence="1.1", rules=rules
    )
    noted = (await mesh.world.object(mesh.plural))["metadata"]["annotations"].keys() - before

    await router.write(0, token=(await router.read()).token, fence="1.2")

    after = (await mesh.world.object(mesh.plural))["metadata"]["annotations"].keys()
    assert [key for key in noted if key not in after] == [f"sluice/rule.{CANARY}"]
    await mesh.edit(put_in_front)
    assert (await mesh.router(rule="0").read()).canary == 0


async def test_a_name_needs_no_such_memory(mesh):
    await mesh.edit(lambda body: main(body).update(name="main"))
    router = mesh.router(rule="main")
    await router.write(50, token=(await router.read()).token, fence="1.1")
    await mesh.edit(put_in_front)
    await mesh.edit(lambda body: body["spec"]["rules"][0].update(name="first"))

    assert (await router.read()).canary == 50


def to_a_mirror(ref: dict[str, Any]) -> list[dict[str, Any]]:
    backend = {key: ref[key] for key in ("name", "port")}
    return [{"type": "RequestMirror", "requestMirror": {"backendRef": backend}}]


def copied_rule(body):
    body["spec"]["rules"].append(deepcopy(main(body)) | {"name": "api"})


def renamed_audience(body):
    body["spec"]["rules"][0]["name"] = "beta-testers"


def mirrored(body):
    main(body)["filters"] = to_a_mirror(main(body)["backendRefs"][1])


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (copied_rule, "rule api"),
        (renamed_audience, "rule beta-testers"),
        (mirrored, "mirror of rule main"),
    ],
)
async def test_what_else_leads_to_the_canary_is_told_before_and_after_the_way_home(
    mesh, edit, told
):
    await mesh.edit(lambda body: main(body).update(name="main"))
    router = mesh.router(rule="main")
    await router.write(50, token=(await router.read()).token, fence="1.1", rules=(BETA,))
    assert (await router.read()).elsewhere == ""
    await mesh.edit(edit)

    findings = await router.inspect(canary_pods=False)
    home = await router.write(0, token=(await router.read()).token, fence="1.2")

    assert home.elsewhere == told
    (warned,) = [f for f in findings if f.code == "canary_reached_elsewhere"]
    assert (told in warned.sentence, warned.fatal) == (True, False)


async def test_a_mirror_of_a_wreck_is_told(mesh):
    def mirror_only(body):
        mirrored(body)
        only_stable(body)

    await mesh.edit(mirror_only)

    with pytest.raises(MangledError) as mangled:
        await mesh.router().read()

    assert mangled.value.split.elsewhere == "mirror of rule number 0"
