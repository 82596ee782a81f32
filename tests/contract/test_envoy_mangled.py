"""Whatever somebody makes of a route file during a rollout, all traffic goes back to stable, or a sentence says how."""

from copy import deepcopy
from typing import Any

import pytest

from integrations.base import MangledError, RefusedError
from tests.contract.envoy_worlds import CANARY, RULES, STABLE, World, route, table


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def whole_to_canary(routes: list[Any]) -> None:
    routes[-1]["route"] = {"cluster": CANARY, "timeout": "3s"}


def no_stable(routes: list[Any]) -> None:
    del routes[-1]["route"]["weighted_clusters"]["clusters"][0]


def twice(routes: list[Any]) -> None:
    routes.append(deepcopy(routes[-1]))


def renamed(routes: list[Any]) -> None:
    routes[-1]["name"] = "other"


def words_for_weights(routes: list[Any]) -> None:
    for entry in routes[-1]["route"]["weighted_clusters"]["clusters"]:
        entry["weight"] = "half"


@pytest.mark.parametrize("mangle", [whole_to_canary, no_stable, twice, renamed, words_for_weights])
async def test_the_way_home_works_when_the_route_cannot_be_told_any_more(world, mangle):
    health = {"match": {"path": "/health"}, "route": {"cluster": "web"}}
    world.put(table(health, route(name="main")))
    options = {"route": "main"}
    await world.write(50, rules=RULES[:2], router=options)
    world.edit(lambda content: mangle(content["resources"][0]["virtual_hosts"][0]["routes"]))

    with pytest.raises(MangledError) as mangled:
        await world.router(**options).read()
    assert mangled.value.split.canary >= 50
    for canary, rules in ((10, ()), (0, RULES)):
        with pytest.raises(RefusedError) as refused:
            await world.write(canary, fence="1.2", rules=rules, router=options)
        assert refused.value.code == mangled.value.code
    await world.write(0, fence="1.2", router=options)

    home = await world.seen(**options)
    assert (home.canary, home.fence, home.rules) == (0, "1.2", ())
    for one in world.routes:
        for entry in one["route"].get("weighted_clusters", {}).get("clusters", ()):
            assert (entry["weight"] > 0) is (entry["name"] == STABLE)
        assert one["route"].get("cluster") != CANARY
    assert world.routes[0] == health
    assert len(world.routes) == (3 if mangle is twice else 2)


@pytest.mark.parametrize(
    "routes",
    [
        [],
        [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}],
        [{**route(0, 1), "route": {"weighted_clusters": {"clusters": [{"name": CANARY}, 1]}}}],
    ],
)
async def test_a_file_that_nothing_can_be_given_back_in_says_what_to_write(world, routes):
    world.put(table(*routes))

    with pytest.raises(RefusedError, match=f"leads to cluster {STABLE}") as refused:
        await world.write(0)

    assert refused.value.code == "cannot_cut_off"
    assert world.routes == routes


async def test_a_late_write_does_not_undo_a_way_home_over_a_wreck(world):
    world.put(table(route(50, 50), route(50, 50)))
    await world.write(0, fence="7.10")

    with pytest.raises(RefusedError) as refused:
        await world.write(0, fence="7.9")

    assert refused.value.code == "fenced"
