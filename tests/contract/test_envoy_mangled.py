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


@pytest.mark.parametrize("weight", ["50", 50.0, "5e1", "50.0", "+50."])
async def test_a_weight_counts_in_every_form_that_protocol_buffers_read(world, weight):
    world.put(table(route(50, weight)))

    found = await world.router().read()
    await world.write(0)

    assert found.canary == 50
    assert world.weights() == [100, 0]


@pytest.mark.parametrize("weight", ["half", 0.5, True, "", None, [50], -1, "-1", 1 << 32])
@pytest.mark.parametrize("lane", [0, 1])
async def test_a_weight_that_cannot_be_read_is_never_taken_for_nothing(world, weight, lane):
    world.put(table(route(*((weight, 5) if lane == 0 else (5, weight)))))

    with pytest.raises(MangledError) as mangled:
        await world.router().read()
    await world.write(0)

    assert mangled.value.split.canary == 100
    assert world.weights()[1] == 0
    assert (await world.seen()).canary == 0


async def test_one_cluster_without_brackets_is_read_as_envoy_reads_it(world):
    whole = {"weighted_clusters": {"clusters": {"name": CANARY, "weight": 5}}}
    world.put(table({"match": {"prefix": "/"}, "route": whole}))

    found = await world.seen()
    await world.write(0)

    assert found.canary == 100
    assert world.routes[0]["route"]["weighted_clusters"]["clusters"]["name"] == STABLE


@pytest.mark.parametrize("routes", [[route(50, 50), "x"], route(50, 50)])
async def test_routes_that_are_none_are_left_to_a_person(world, routes):
    world.edit(lambda content: content["resources"][0]["virtual_hosts"][0].update(routes=routes))

    with pytest.raises(MangledError) as mangled:
        await world.router().read()
    with pytest.raises(RefusedError) as refused:
        await world.write(0)

    assert (mangled.value.split.canary, refused.value.code) == (100, "cannot_cut_off")


MIRROR = {"request_mirror_policies": [{"cluster": CANARY}]}


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ([route(50, 50, name="copy"), route(name="main")], "route copy"),
        ([{"match": {}, "route": {"cluster": CANARY}}, route(name="main")], "route number 0"),
        ([{"match": {}, "route": {"cluster": "web", **MIRROR}}, route(name="main")],
         "mirror of route number 0"),
        ([route(100, 0, name="copy"), route(name="main")], ""),
    ],
)  # fmt: skip
async def test_what_else_leads_to_the_canary_is_told_before_and_stays_visible(world, routes, told):
    world.put(table(*routes))
    router = world.router(route="main")

    await world.write(50, rules=RULES[:1], router={"route": "main"})
    findings = await router.inspect(canary_pods=False)
    await world.write(0, fence="1.2", router={"route": "main"})

    assert (await router.read()).elsewhere == told
    warned = [f.sentence for f in findings if f.code == "canary_reached_elsewhere" and not f.fatal]
    assert [told in sentence for sentence in warned] == [True] * bool(told)


async def test_a_mirror_outlives_a_way_home_over_a_wreck(world):
    whole = {"match": {"prefix": "/"}, "route": {"cluster": STABLE, **MIRROR}, "name": "a`*b"}
    world.put(table(whole))
    world.edit(lambda content: content["resources"][0].update(MIRROR))

    await world.write(0)

    split = await world.seen()
    assert split.elsewhere == "mirror of route ab, mirror of configuration front"
