"""What every router of traffic keeps, tried on Istio: against the fake API server and, marked `cluster`, a real one."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from integrations.base import ConflictError, GoneError, HeaderRule, RefusedError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world
from tests.fakes.kubernetes import frozen


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def weights(world: World, http: int = 0) -> list[int | None]:
    route = (await world.object("virtualservices"))["spec"]["http"][http]["route"]
    return [entry.get("weight") for entry in route]


async def test_a_fresh_route_gives_everything_to_stable_and_has_no_fence(world):
    split = await world.router().read()

    assert (split.canary, split.fence, split.mark) == (0, "", "")


@pytest.mark.parametrize(
    ("percent", "stored"),
    [(5, [95, 5]), (100, [0, 100]), (0, [100, 0]), (33.33, [6667, 3333]), (0.5, [995, 5])],
)
async def test_what_is_written_is_what_is_read_and_both_destinations_stay(world, percent, stored):
    router = world.router()

    written = await router.write(percent, token=(await router.read()).token, fence="1.1")

    assert await weights(world) == stored
    assert await world.router().read() == written
    assert (written.canary, written.fence) == (percent, "1.1")


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    router = world.router()
    before = await router.read()
    await world.edit("virtualservices", lambda body: body["metadata"].update(labels={"team": "a"}))

    with pytest.raises(ConflictError):
        await router.write(50, token=before.token, fence="1.1")

    assert await weights(world) == [100, 0]


async def test_a_stale_token_is_refused_by_a_router_that_never_read(world):
    token = (await world.router().read()).token
    await world.edit("virtualservices", lambda body: body["metadata"].update(labels={"team": "a"}))

    with pytest.raises(ConflictError):
        await world.router().write(50, token=token, fence="1.1")


async def test_writing_the_same_twice_is_one_change(world):
    router = world.router()
    first = await router.write(25, token=(await router.read()).token, fence="1.1")

    second = await router.write(25, token=first.token, fence="1.1")

    assert second == first


async def test_a_newer_fence_is_written_even_when_the_weights_are_as_asked(world):
    router = world.router()
    first = await router.read()

    second = await router.write(0, token=first.token, fence="1.1")

    assert second.fence == "1.1"
    assert second.token != first.token


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(world, older):
    router = world.router()
    rolled_back = await router.write(0, token=(await router.read()).token, fence="7.10")

    with pytest.raises(RefusedError, match=r"7\.10") as refused:
        await world.router().write(50, token=rolled_back.token, fence=older)

    assert refused.value.code == "fenced"
    assert await weights(world) == [100, 0]


async def test_a_fence_that_somebody_scribbled_over_does_not_stop_a_rollback(world):
    router = world.router()
    await router.write(50, token=(await router.read()).token, fence="1.1")
    await world.edit(
        "virtualservices",
        lambda body: body["metadata"]["annotations"].update({"sluice/fence": "x"}),
    )

    split = await router.write(0, token=(await router.read()).token, fence="1.2")

    assert (split.canary, split.fence) == (0, "1.2")


async def test_somebody_elses_weights_are_read_with_their_name(world):
    def lower(body):
        route = body["spec"]["http"][0]["route"]
        route[0]["weight"], route[1]["weight"] = 90, 10

    await world.edit("virtualservices", lower, manager="argocd")

    split = await world.router().read()

    assert split.canary == 10
    assert re.fullmatch(r"argocd at \d\d:\d\d:\d\d UTC", split.changed_by)


async def test_everything_else_on_the_object_stays_as_it_was(world):
    def decorate(body):
        body["metadata"] |= {"annotations": {"note": "café ~/"}, "labels": {"a": "b"}}
        main = body["spec"]["http"][0] | {"timeout": "3s", "retries": {"attempts": 2}}
        mirror = {"name": "by-header", "match": [{"headers": {"x": {"exact": "1"}}}]}
        body["spec"]["http"] = [mirror | {"route": [main["route"][1] | {"weight": 7}]}, main]

    await world.edit("virtualservices", decorate)
    before = await world.object("virtualservices")
    router = world.router()

    await router.write(25, token=(await router.read()).token, fence="1.1")

    after = await world.object("virtualservices")
    assert await weights(world, http=1) == [75, 25]
    for body in (before, after):
        for entry in body["spec"]["http"][1]["route"]:
            del entry["weight"]
    assert frozen(before) == frozen(after)


async def test_a_mark_of_an_offline_rollback_is_read(world):
    note = {"sluice/rollback": "kim at noon"}
    await world.edit("virtualservices", lambda body: body["metadata"].update(annotations=note))

    assert (await world.router().read()).mark == "kim at noon"


async def test_a_missing_virtual_service_is_gone(world):
    await world.delete("virtualservices")

    with pytest.raises(GoneError) as gone:
        await world.router().read()

    assert gone.value.code == "virtual_service_missing"


async def test_a_virtual_service_deleted_after_the_read_is_gone(world):
    router = world.router()
    token = (await router.read()).token
    await world.delete("virtualservices")

    with pytest.raises(GoneError):
        await router.write(5, token=token, fence="1.1")


@pytest.mark.parametrize("start", [5, 25, 50, 100])
async def test_a_rollback_works_from_every_weight(world, start):
    router = world.router()
    split = await router.write(start, token=(await router.read()).token, fence="1.1")

    await router.write(0, token=split.token, fence="1.2")

    assert await weights(world) == [100, 0]


async def test_two_writers_with_one_token_change_the_weights_once(world):
    token = (await world.router().read()).token
    writers = [world.router() for _ in range(5)]

    done = await asyncio.gather(
        *(w.write(5 * (n + 1), token=token, fence="1.1") for n, w in enumerate(writers)),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in done) == ["ConflictError"] * 4 + ["Split"]


@pytest.mark.parametrize("served", [("v1beta1", "v1alpha3"), ("v1alpha3",)])
async def test_older_versions_of_the_api_are_spoken_where_v1_is_not(fake, served):
    for kind in list(fake.fake.kinds):
        if kind.group == "networking.istio.io":
            fake.fake.kinds.remove(kind)
            fake.fake.kinds.append(type(kind)(kind.group, served, kind.plural, kind.kind))

    await fake.router().read()

    asked = {path.split("/")[3] for _, path in fake.fake.requests if "/virtualservices/" in path}
    assert asked == {served[0]}


async def test_a_cluster_without_istio_is_refused(fake):
    fake.fake.kinds[:] = [kind for kind in fake.fake.kinds if "istio" not in kind.group]

    with pytest.raises(RefusedError) as refused:
        await fake.router().read()

    assert refused.value.code == "api_missing"


async def test_a_route_that_is_not_there_is_refused_with_the_names_that_are(world):
    with pytest.raises(RefusedError, match="primary") as refused:
        await world.router(route="secondary").read()

    assert refused.value.code == "route_missing"


async def test_lanes_are_told_by_the_pods_that_a_subset_selects(world):
    def rename(body):
        for subset, name in zip(body["spec"]["subsets"], ("v1", "v2"), strict=True):
            subset["name"] = name

    def point(body):
        for entry, name in zip(body["spec"]["http"][0]["route"], ("v1", "v2"), strict=True):
            entry["destination"]["subset"] = name

    await world.edit("destinationrules", rename)
    await world.edit("virtualservices", point)
    router = world.router()

    await router.write(25, token=(await router.read()).token, fence="1.1")

    assert await weights(world) == [75, 25]


async def test_a_subset_that_selects_the_pods_of_both_lanes_is_neither(world):
    def blur(body):
        body["spec"]["subsets"][0] |= {"name": "v1", "labels": {"app": SERVICE}}

    def point(body):
        body["spec"]["http"][0]["route"][0]["destination"]["subset"] = "v1"

    await world.edit("destinationrules", blur)
    await world.edit("virtualservices", point)

    with pytest.raises(RefusedError) as refused:
        await world.router().read()

    assert refused.value.code == "route_missing"


async def test_lanes_are_told_by_the_services_of_the_pair(world):
    def point(body):
        for entry, lane in zip(body["spec"]["http"][0]["route"], ("canary", "stable"), strict=True):
            entry["destination"] = {"host": f"{SERVICE}-{lane}"}
            entry["weight"] = 0 if lane == "canary" else 100

    await world.edit("virtualservices", point)
    router = world.router()

    await router.write(25, token=(await router.read()).token, fence="1.1")

    assert await weights(world) == [25, 75]


BETA = HeaderRule("x-user-tier", equals="beta")
WEST = HeaderRule("x-region", regex="us-west-.*")


async def test_an_audience_goes_to_the_canary_and_is_read_back(world):
    router = world.router()

    written = await router.write(
        0, token=(await router.read()).token, fence="1.1", rules=(BETA, WEST)
    )

    assert written.rules == (BETA, WEST)
    assert await world.router().read() == written
    http = (await world.object("virtualservices"))["spec"]["http"]
    assert [route["name"] for route in http] == ["sluice-1", "sluice-2", "primary"]


async def test_weights_move_under_an_audience_and_going_back_takes_it_away(world):
    before = await world.object("virtualservices")
    router = world.router()
    split = await router.write(0, token=(await router.read()).token, fence="1.1", rules=(BETA,))
    split = await router.write(50, token=split.token, fence="1.2", rules=(BETA,))
    assert (split.canary, split.rules) == (50, (BETA,))

    split = await world.router().write(0, token=split.token, fence="1.3")

    assert (split.canary, split.rules) == (0, ())
    assert frozen(await world.object("virtualservices")) == frozen(before)


async def test_a_stale_token_adds_no_audience(world):
    router = world.router()
    token = (await router.read()).token
    await world.edit("virtualservices", lambda body: body["metadata"].update(labels={"team": "a"}))

    with pytest.raises(ConflictError):
        await router.write(0, token=token, fence="1.1", rules=(BETA,))

    assert (await router.read()).rules == ()


async def test_somebody_elses_edit_of_an_audience_is_seen(world):
    router = world.router()
    await router.write(0, token=(await router.read()).token, fence="1.1", rules=(BETA,))

    def widen(body):
        body["spec"]["http"][0]["match"] = [{"headers": {"x-user-tier": {"prefix": "b"}}}]

    await world.edit("virtualservices", widen)

    assert (await router.read()).rules != (BETA,)


async def test_an_audience_does_not_disturb_the_preflight(world):
    router = world.router()
    await router.write(0, token=(await router.read()).token, fence="1.1", rules=(BETA,))

    assert list(await world.router().inspect(canary_pods=False)) == []


@pytest.mark.parametrize("rule", [HeaderRule("x-user-tier"), HeaderRule("x", regex="(")])
async def test_a_rule_that_cannot_be_written_is_refused_and_nothing_is_applied(world, rule):
    router = world.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(50, token=token, fence="1.1", rules=(rule,))

    assert refused.value.code == "bad_header_rule"
    assert (await router.read()).token == token
