"""What every router keeps, tried on the route file of an Envoy."""

import json

import pytest

from integrations.base import ConflictError, GoneError, HeaderRule, MangledError, RefusedError
from tests.contract.envoy_worlds import CANARY, RULES, World, route, table, without_fence


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


async def test_a_fresh_route_gives_everything_to_stable_and_has_no_fence(world):
    split = await world.router().read()

    assert (split.canary, split.fence, split.mark, split.rules) == (0, "", "", ())


@pytest.mark.parametrize(
    ("percent", "stored"),
    [(5, [95, 5]), (100, [0, 100]), (0, [100, 0]), (33.33, [6667, 3333]), (0.5, [995, 5])],
)
async def test_what_is_written_is_what_is_read_and_both_clusters_stay(world, percent, stored):
    router = world.router()

    written = await router.write(percent, token=(await router.read()).token, fence="1.1")

    assert world.weights() == stored
    assert await world.router().read() == written
    assert (written.canary, written.fence) == (percent, "1.1")


@pytest.mark.parametrize("percent", [-1, 101, float("nan")])
async def test_what_is_no_percentage_is_refused_and_nothing_is_applied(world, percent):
    before = world.path.read_bytes()

    with pytest.raises(RefusedError) as refused:
        await world.write(percent)

    assert refused.value.code == "bad_weight"
    assert world.path.read_bytes() == before


@pytest.mark.parametrize(
    ("clusters", "more", "percent", "stored"),
    [
        ([9, 1], {}, 50, [5, 5]),
        ([9, 1], {}, 5, [95, 5]),
        ([0, 0], {}, 50, [50, 50]),
        ([9, 1], {"total_weight": 10}, 50, [5, 5]),
        ([9, 1], {"total_weight": 10}, 5, None),
    ],
)
async def test_the_sum_stays_unless_it_cannot_carry_the_share(
    world, clusters, more, percent, stored
):
    split = route(*clusters)
    split["route"]["weighted_clusters"] |= more
    world.put(table(split))

    if stored is None:
        with pytest.raises(RefusedError) as refused:
            await world.write(percent)
        assert refused.value.code == "inexact_weight"
    else:
        await world.write(percent)
    assert world.weights() == (stored or clusters)


async def test_other_clusters_of_the_route_keep_their_share(world):
    split = route(80, 0)
    split["route"]["weighted_clusters"]["clusters"].append({"name": "old", "weight": 20})
    world.put(table(split))

    await world.write(50)

    assert world.weights() == [40, 40, 20]
    assert (await world.router().read()).canary == 50


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    router = world.router()
    token = (await router.read()).token
    world.edit(lambda content: content.update(version_info="mine-8"))

    for other in (router, world.router()):
        with pytest.raises(ConflictError):
            await other.write(50, token=token, fence="1.1")

    assert world.weights() == [100, 0]


async def test_writing_the_same_twice_is_one_change(world):
    router = world.router()
    first = await router.write(25, token=(await router.read()).token, fence="1.1")

    assert await router.write(25, token=first.token, fence="1.1") == first


async def test_a_newer_fence_is_written_even_when_the_weights_are_as_asked(world):
    router = world.router()
    first = await router.read()

    second = await router.write(0, token=first.token, fence="1.1")

    assert second.fence == "1.1"
    assert second.token != first.token


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(world, older):
    await world.write(0, fence="7.10")

    with pytest.raises(RefusedError, match=r"7\.10") as refused:
        await world.write(50, fence=older)

    assert refused.value.code == "fenced"
    assert world.weights() == [100, 0]


@pytest.mark.parametrize("note", [{"fence": "x"}, {"fence": 7}, "x", None, []])
async def test_a_fence_that_somebody_scribbled_over_does_not_stop_a_rollback(world, note):
    await world.write(50)
    world.edit(
        lambda content: content["resources"][0]["virtual_hosts"][0]["routes"][0].update(
            metadata={"filter_metadata": {"sluice": note}}
        )
    )

    await world.write(0, fence="1.2")

    assert ((await world.router().read()).fence, world.weights()) == ("1.2", [100, 0])


async def test_two_targets_in_one_file_have_fences_of_their_own(world):
    cart = {"clusters": [{"name": "cart-1", "weight": 100}, {"name": "cart-2", "weight": 0}]}
    other = {"match": {"prefix": "/cart"}, "route": {"weighted_clusters": cart}}
    world.put(table(other, route()))
    names = {"stable": "cart-1", "canary": "cart-2"}

    await world.write(50, fence="9.9")
    await world.write(25, fence="1.1", router=names)

    assert (await world.router().read()).fence == "9.9"
    assert (await world.router(**names).read()).canary == 25


async def test_a_mark_of_an_offline_rollback_is_read(world):
    note = {"filter_metadata": {"sluice": {"rollback": "kim at noon"}}}
    world.put(table(route(metadata=note)))

    assert (await world.router().read()).mark == "kim at noon"
    await world.write(5)
    assert (await world.router().read()).mark == "kim at noon"


async def test_a_missing_file_is_gone(world):
    router = world.router()
    token = (await router.read()).token
    world.path.unlink()

    with pytest.raises(GoneError) as gone:
        await router.read()
    with pytest.raises(GoneError):
        await router.write(5, token=token, fence="1.1")

    assert gone.value.code == "envoy_file_missing"
    assert [f.code for f in await router.inspect(canary_pods=False)] == ["envoy_file_missing"]


@pytest.mark.parametrize("start", [5, 25, 50, 100])
async def test_a_rollback_works_from_every_weight(world, start):
    await world.write(start, rules=RULES)

    await world.write(0, fence="1.2")

    assert world.weights() == [100, 0]
    assert len(world.routes) == 1


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        (table(), {}, "route_missing"),
        ({}, {}, "route_missing"),
        ({"resources": None}, {}, "route_missing"),
        ({"resources": [1, {"virtual_hosts": [{"routes": "x"}]}]}, {}, "route_missing"),
        (table(route()), {"canary": "web"}, "route_missing"),
        (table(route(name="a")), {"route": "b"}, "route_missing"),
        (table(route()), {"virtual_host": "web"}, "route_missing"),
        (table(route(), route()), {}, "ambiguous_routes"),
        (table(route("five", 0)), {}, "bad_weights"),
        (table(route(True, 0)), {}, "bad_weights"),
        (table(route(0.5, 0)), {}, "bad_weights"),
        (table(route(-1, 0)), {}, "bad_weights"),
    ],
)
async def test_a_route_that_cannot_be_told_is_refused_and_found_before_a_rollout(
    world, content, options, code
):
    world.put(content)

    with pytest.raises(MangledError) as refused:
        await world.router(**options).read()

    findings = await world.router(**options).inspect(canary_pods=False)
    assert refused.value.code == code
    assert [(finding.code, finding.fatal) for finding in findings] == [(code, True)]


@pytest.mark.parametrize("options", [{"route": "b"}, {"virtual_host": "second"}])
async def test_a_route_may_be_named_where_several_are_split(world, options):
    content = table(route(name="a"))
    second = {"name": "second", "domains": ["b"], "routes": [route(name="b")]}
    content["resources"][0]["virtual_hosts"].append(second)
    world.put(content)

    await world.write(5, router=options)

    assert world.weights() == [100, 0]
    assert (await world.router(**options).read()).canary == 5


async def test_names_of_fields_may_be_those_of_protocol_buffers_in_json(world):
    text = json.dumps(table(route(metadata={"filter_metadata": {"other": {"a": 1}}})))
    for snake, camel in (
        ("virtual_hosts", "virtualHosts"),
        ("weighted_clusters", "weightedClusters"),
        ("filter_metadata", "filterMetadata"),
    ):
        text = text.replace(snake, camel)
    world.path.write_text(text)

    await world.write(5, rules=RULES)

    assert (await world.router().read()).rules == RULES
    assert "weighted_clusters" not in world.path.read_text()
    assert "filter_metadata" not in world.path.read_text()


async def test_rules_stand_before_the_split_route_and_go_when_they_are_no_longer_asked_for(world):
    first = {"match": {"path": "/health"}, "direct_response": {"status": 200}}
    split = route(timeout="3s", metadata={"filter_metadata": {"other": {"a": 1}}})
    split["match"]["headers"] = [{"name": "x-canary", "present_match": True}]
    edits = {"request_headers_to_add": [{"header": {"key": "x-lane", "value": "canary"}}]}
    split["route"]["weighted_clusters"]["clusters"][1] |= edits
    world.put(table(first, split, {"match": {"prefix": "/"}, "route": {"cluster": "web"}}))
    before = world.path.read_bytes()

    await world.write(0, rules=RULES)

    names = [one.get("name") for one in world.routes]
    assert names == [None, *(f"sluice-{n}" for n in range(1, 5)), None, None]
    ours = world.routes[1]
    assert ours["match"]["headers"] == [
        {"name": "x-canary", "present_match": True},
        {"name": "x-canary", "string_match": {"exact": "true"}},
    ]
    assert ours["route"]["weighted_clusters"]["clusters"] == [
        {"name": CANARY, "weight": 100, **edits}
    ]
    assert (ours["timeout"], ours["metadata"]) == ("3s", split["metadata"])
    assert (await world.router().read()).rules == RULES

    await world.write(0, fence="1.2")

    assert without_fence(world.path.read_bytes()) == without_fence(before)


async def test_a_rule_that_somebody_edited_is_none_that_could_be_asked_for(world):
    await world.write(5, rules=RULES[:1])
    world.edit(
        lambda content: content["resources"][0]["virtual_hosts"][0]["routes"][0].update(
            timeout="9s"
        )
    )

    assert (await world.router().read()).rules == (HeaderRule("sluice-1"),)


async def test_rules_of_another_target_in_the_file_stay(world):
    theirs = {
        "name": "sluice-1",
        "match": {"prefix": "/cart"},
        "route": {"cluster": "cart-canary"},
    }
    world.put(table(theirs, {"match": {"prefix": "/cart"}, "route": {"cluster": "cart"}}, route()))

    await world.write(5, rules=RULES[:1])
    assert [one.get("name") for one in world.routes] == ["sluice-1", None, "sluice-2", None]
    await world.write(0, fence="1.2")

    assert [one.get("name") for one in world.routes] == ["sluice-1", None, None]


@pytest.mark.parametrize(
    "rule", [HeaderRule("x-a"), HeaderRule("X-A", equals="b"), HeaderRule("x-a", regex="(?=a)")]
)
async def test_a_rule_that_cannot_be_written_is_refused_whole(world, rule):
    before = world.path.read_bytes()

    with pytest.raises(RefusedError) as refused:
        await world.write(5, rules=[rule])

    assert refused.value.code == "bad_header_rule"
    assert world.path.read_bytes() == before
