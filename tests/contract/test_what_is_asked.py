"""What a plan asks of a router and could not be written is found before anything is: by every kind of router."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.sandbox.orion import colours_objects, orion_objects, traffic_split_objects
from integrations.base import HeaderRule
from tests.contract import envoy_worlds
from tests.contract.kubernetes_worlds import SERVICE, FakeWorld, open_world
from tests.contract.test_gateway_api import FORMS, Mesh

AUDIENCE = [HeaderRule("x-canary", equals="true")]
ROUTES = {kind: form for kind, form in FORMS.items() if form.plural != "trafficsplits"}
BOTH = ["inexact_weight", "header_already_matched"]


async def found(
    router: Any, weights: Sequence[float] = (), rules: Sequence[HeaderRule] = ()
) -> list[str]:
    findings = await router.inspect(canary_pods=False, weights=weights, rules=rules)
    return [finding.code for finding in findings if finding.fatal]


def crowd(entries: list[dict[str, Any]], third: dict[str, Any]) -> None:
    """Let stable and canary share 90 beside another destination: 10 % of it is a whole number, 25 % is none."""
    entries[0]["weight"], entries[1]["weight"] = 90, 0
    entries.append({**third, "weight": 10})


async def test_istio(tmp_path):
    async with open_world("fake", tmp_path, orion_objects) as world:
        assert await found(world.router(), [10, 25, 0, 100], AUDIENCE) == []
        for name in ("uri", "scheme", "method", "authority"):
            rules = [HeaderRule(name, equals="/x")]
            assert await found(world.router(), [], rules) == ["bad_header_rule"]

        def change(body: Any) -> None:
            route = body["spec"]["http"][0]
            route["match"] = [{"headers": {"X-Canary": {"exact": "no"}}}]
            crowd(route["route"], {"destination": {"host": "legacy"}})

        await world.edit("virtualservices", change)
        before = await world.object("virtualservices")

        assert await found(world.router(), [10, 0, 100]) == []
        assert await found(world.router(), [10, 25, 33], AUDIENCE) == BOTH
        assert await world.object("virtualservices") == before


@pytest.mark.parametrize("form", ROUTES.values(), ids=ROUTES)
async def test_routes_of_the_gateway_api(tmp_path, form):
    async with open_world("fake", tmp_path, form.objects) as world:
        mesh = Mesh(world, form)
        assert await found(mesh.router(), [10, 25, 0, 100], AUDIENCE) == []
        absent = [HeaderRule("x-a", present=False)]
        assert await found(mesh.router(), [], absent) == ["bad_header_rule"]

        def change(body: Any) -> None:
            rule = body["spec"]["rules"][0]
            condition = {"type": "Exact", "name": "X-Canary", "value": "no"}
            rule["matches"] = [{"headers": [condition]}]
            crowd(rule["backendRefs"], {**rule["backendRefs"][0], "name": SERVICE})

        await mesh.edit(change)
        before = await world.object(form.plural)

        assert await found(mesh.router(), [10, 0, 100]) == []
        assert await found(mesh.router(), [10, 25, 33], AUDIENCE) == BOTH
        assert await world.object(form.plural) == before


async def test_definitions_that_drop_the_names_of_rules(tmp_path):
    async with open_world("fake", tmp_path, FORMS["http"].objects) as world:
        assert isinstance(world, FakeWorld)
        kind = next(kind for kind in world.fake.kinds if kind.plural == "httproutes")

        def older(body: Any) -> None:
            kind.fill(body)
            for rule in body["spec"]["rules"]:
                rule.pop("name", None)

        world.fake.kinds[world.fake.kinds.index(kind)] = replace(kind, fill=older)

        assert await found(world.gateway(), [50]) == []
        assert await found(world.gateway(), [50], AUDIENCE) == ["no_header_routes"]


async def test_a_traffic_split(tmp_path):
    async with open_world("fake", tmp_path, traffic_split_objects) as world:
        assert await found(world.traffic_split(), [10, 25, 0, 100]) == []
        await world.edit(
            "trafficsplits", lambda body: crowd(body["spec"]["backends"], {"service": "legacy"})
        )

        assert await found(world.traffic_split(), [10, 0, 100]) == []
        codes = await found(world.traffic_split(), [10, 25], AUDIENCE)
        assert codes == ["inexact_weight", "no_header_routes"]


async def test_a_service(tmp_path):
    async with open_world("fake", tmp_path, colours_objects) as world:
        assert await found(world.switch(), [100, 0]) == []
        codes = await found(world.switch(), [50], AUDIENCE)
        assert codes == ["weights_unreachable", "no_header_routes"]


async def test_a_route_file(tmp_path):
    world = envoy_worlds.World(tmp_path)
    assert await found(world.router(), [10, 25, 0, 100], envoy_worlds.RULES) == []
    split = envoy_worlds.route(100, 0)
    crowd(split["route"]["weighted_clusters"]["clusters"], {"name": SERVICE})
    world.put(envoy_worlds.table(split))
    before = world.path.read_bytes()

    assert await found(world.router(), [10, 0, 100]) == []
    codes = await found(world.router(), [25], [HeaderRule("x-a", regex="(?=a)")])
    assert codes == ["inexact_weight", "bad_header_rule"]
    assert world.path.read_bytes() == before
