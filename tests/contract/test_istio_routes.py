"""The routes of a VirtualService beyond the plain one: connections, delegates, neighbours that keep what they have."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from integrations.base import ConflictError, GoneError, HeaderRule, MangledError, RefusedError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world
from tests.contract.mangling import MANGLING, main_of, renamed, to_the_canary
from tests.fakes.kubernetes import frozen

BETA = HeaderRule("x-user-tier", equals="beta")


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


def pair(stable: int = 100, canary: int = 0, host: str = SERVICE) -> list[dict[str, Any]]:
    return [
        {"destination": {"host": host, "subset": "stable"}, "weight": stable},
        {"destination": {"host": host, "subset": "canary"}, "weight": canary},
    ]


TCP = {"match": [{"port": 3306}], "route": pair()}
TLS = {"match": [{"port": 443, "sniHosts": ["auth.example"]}], "route": pair(10, 0)}
ELSE = {"match": [{"port": 25}], "route": [{"destination": {"host": "mail"}}]}


async def reshape(world: World, **lists: Any) -> None:
    """Let the VirtualService have these lists of routes and no others."""
    nothing = {"http": None, "tcp": None, "tls": None}
    await world.edit("virtualservices", lambda body: body["spec"].update(nothing | lists))


async def weights(world: World, family: str, at: int = 0, name: str = SERVICE) -> list[int]:
    route = (await world.object("virtualservices", name))["spec"][family][at]["route"]
    return [entry.get("weight", 0) for entry in route]


@pytest.mark.parametrize(
    ("lists", "options", "family", "at", "stored"),
    [
        ({"tcp": [TCP]}, {}, "tcp", 0, [75, 25]),
        ({"tcp": [ELSE, TCP]}, {"port": 3306}, "tcp", 1, [75, 25]),
        ({"tls": [TLS]}, {"sni": "auth.example"}, "tls", 0, [75, 25]),
        ({"tls": [TLS], "tcp": [TCP]}, {"port": 443}, "tls", 0, [75, 25]),
    ],
)
async def test_connections_are_split_like_requests(world, lists, options, family, at, stored):
    await reshape(world, **lists)
    before = await world.object("virtualservices")
    router = world.router(**options)
    assert await router.inspect(canary_pods=False) == []

    written = await router.write(25, token=(await router.read()).token, fence="1.1")

    assert (written.canary, written.fence) == (25, "1.1")
    assert await weights(world, family, at) == stored
    await router.write(0, token=(await world.router(**options).read()).token, fence="1.2")
    after = await world.object("virtualservices")
    for body in (before, after):
        for entry in body["spec"][family][at]["route"]:
            entry.pop("weight", None)
    assert frozen(after) == frozen(before)


async def test_requests_and_connections_move_together(world):
    await reshape(world, http=[{"name": "primary", "route": pair()}], tls=[TLS], tcp=[TCP])
    router = world.router(route="primary", port=3306)

    written = await router.write(50, token=(await router.read()).token, fence="1.1", rules=(BETA,))

    assert (written.canary, written.rules) == (50, (BETA,))
    assert await weights(world, "http", 1) == await weights(world, "tcp") == [50, 50]
    assert await weights(world, "tls") == [10, 0]
    await router.write(0, token=written.token, fence="1.2")
    assert await weights(world, "http") == await weights(world, "tcp") == [100, 0]


async def test_routes_moved_apart_show_the_larger_share_are_written_over_and_refused_before_a_start(
    world,
):
    await reshape(world, http=[{"name": "primary", "route": pair(50, 50)}], tcp=[TCP])
    router = world.router(route="primary", port=3306)

    split = await router.read()

    # Whichever of the two was asked for, this is not it.
    assert (split.canary, [rule.header for rule in split.rules]) == (
        50,
        ["primary and tcp port 3306"],
    )
    (finding,) = await router.inspect(canary_pods=False)
    assert (finding.code, finding.fatal) == ("routes_disagree", True)
    assert "primary 50 %, tcp port 3306 0 %" in finding.sentence
    split = await router.write(50, token=split.token, fence="1.1")
    assert (split.canary, split.rules) == (50, ())
    assert await weights(world, "http") == await weights(world, "tcp") == [50, 50]
    await router.write(0, token=split.token, fence="1.2")
    assert await weights(world, "http") == await weights(world, "tcp") == [100, 0]


async def test_an_audience_of_connections_is_refused_and_nothing_is_applied(world):
    await reshape(world, tcp=[TCP])
    router = world.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(5, token=token, fence="1.1", rules=(BETA,))

    assert refused.value.code == "no_header_routes"
    assert (await router.read()).token == token


async def test_further_destinations_keep_their_share_and_sums_stay_as_they_are(world):
    shadow = {"destination": {"host": "shadow"}, "weight": 40}
    await reshape(world, tcp=[{**TCP, "route": [shadow, *pair(20, 0)]}])
    router = world.router()

    await router.write(25, token=(await router.read()).token, fence="1.1")

    assert await weights(world, "tcp") == [40, 15, 5]


@pytest.mark.parametrize("served", [("v1beta1", "v1alpha3"), ("v1alpha3",)])
async def test_older_versions_of_the_api_are_written_where_v1_is_not(fake, served):
    for kind in [kind for kind in fake.fake.kinds if kind.group == "networking.istio.io"]:
        fake.fake.kinds.remove(kind)
        fake.fake.kinds.append(type(kind)(kind.group, served, kind.plural, kind.kind))
    router = fake.router()

    await router.write(25, token=(await router.read()).token, fence="1.1")

    assert (await fake.router().read()).canary == 25
    assert await router.inspect(canary_pods=False) == []


# ---- delegates -------------------------------------------------------------------------------------------------------


def delegate(name: str = "inner", **more: str) -> dict[str, Any]:
    return {"name": "outer", "delegate": {"name": name, **more}}


def inner(name: str = "inner", route: str = "main", **spec: Any) -> dict[str, Any]:
    http = [{"name": route, "timeout": "3s", "route": pair()}]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name},
        "spec": {"http": http, **spec},
    }


@pytest.mark.parametrize("route", [None, "outer", "main"])
async def test_a_delegate_is_written_and_its_root_is_left_alone(world, route):
    await reshape(world, http=[{"match": [{"uri": {"prefix": "/"}}], **delegate()}])
    await world.apply("virtualservices", inner())
    root = await world.object("virtualservices")
    router = world.router(route=route)
    assert await router.inspect(canary_pods=False) == []

    written = await router.write(25, token=(await router.read()).token, fence="1.1", rules=(BETA,))

    assert await world.router(route=route).read() == written
    assert (written.canary, written.rules) == (25, (BETA,))
    assert await weights(world, "http", 1, name="inner") == [75, 25]
    assert await world.object("virtualservices") == root
    await router.write(0, token=written.token, fence="1.2")
    assert await weights(world, "http", name="inner") == [100, 0]


async def test_a_root_that_splits_itself_does_not_ask_its_delegates(world):
    main = {"name": "primary", "route": pair()}
    await reshape(world, http=[delegate("gone", namespace="payments"), main])

    assert (await world.router().read()).canary == 0
    assert (await world.router(route="primary").read()).canary == 0


async def test_of_two_delegates_the_route_that_is_named_is_found_and_else_nothing_is_guessed(world):
    roots = [{"match": [{"uri": {"prefix": f"/{x}"}}], "delegate": {"name": x}} for x in "ab"]
    await reshape(world, http=roots)
    await world.apply("virtualservices", inner("a", "one"))
    await world.apply("virtualservices", inner("b", "two"))

    router = world.router(route="two")
    await router.write(25, token=(await router.read()).token, fence="1.1")

    assert await weights(world, "http", name="b") == [75, 25]
    findings = await world.router().inspect(canary_pods=False)
    assert [finding.code for finding in findings] == ["ambiguous_routes"]
    assert "a, b" in findings[0].sentence


async def test_a_delegate_in_another_namespace_is_not_written(world):
    await reshape(world, http=[delegate(namespace="payments")])

    with pytest.raises(RefusedError, match="payments") as refused:
        await world.router().read()

    assert refused.value.code == "delegate_elsewhere"
    # Where its traffic goes is out of sight: a way home must not take that for an object that serves stable.
    assert not isinstance(refused.value, MangledError)


async def test_a_delegate_that_is_missing_is_gone(world):
    await reshape(world, http=[delegate()])

    with pytest.raises(GoneError) as gone:
        await world.router().read()

    assert gone.value.code == "virtual_service_missing"


async def test_a_delegate_with_hosts_of_its_own_is_never_asked_by_istio(world):
    await reshape(world, http=[delegate()])
    await world.apply("virtualservices", inner(hosts=["elsewhere"]))

    findings = await world.router().inspect(canary_pods=False)

    assert [finding.code for finding in findings] == ["delegate_has_hosts"]


async def test_a_mangled_delegate_is_cut_off_where_its_traffic_is(world):
    await reshape(world, http=[delegate()])
    await world.apply("virtualservices", inner())
    router = world.router(route="main")
    split = await router.write(50, token=(await router.read()).token, fence="1.1")

    def rename(body):
        body["spec"]["http"][0]["name"] = "other"

    await world.edit("virtualservices", rename, "inner")
    with pytest.raises(MangledError) as mangled:
        await router.read()
    split = mangled.value.split
    assert split.canary == 50

    split = await router.write(0, token=split.token, fence="1.2")

    assert (split.canary, split.fence) == (0, "1.2")
    assert await weights(world, "http", name="inner") == [100, 0]
    with pytest.raises(MangledError) as mangled:
        await router.read()
    assert mangled.value.split == split


# ---- mangled ---------------------------------------------------------------------------------------------------------


async def seen(router) -> Any:
    """What the way home goes by."""
    try:
        return await router.read()
    except MangledError as mangled:
        return mangled.split


@pytest.mark.parametrize("mangle", MANGLING)
async def test_going_home_gets_through_whatever_somebody_did_to_the_object(world, mangle):
    router = world.router(route="primary")
    await router.write(50, token=(await router.read()).token, fence="1.1", rules=(BETA,))
    await world.edit("virtualservices", mangle)

    written = await router.write(0, token=(await seen(router)).token, fence="1.2")

    assert (written.canary, written.rules, written.fence) == (0, (), "1.2")
    assert await seen(world.router(route="primary")) == written
    body = await world.object("virtualservices")
    assert to_the_canary(body) == []
    routes = [r for family in ("http", "tcp", "tls") for r in body["spec"].get(family) or []]
    assert [r.get("name") for r in routes if str(r.get("name")).startswith("sluice-")] == []
    served = [e for r in routes for e in r["route"] if e.get("weight") or len(r["route"]) == 1]
    assert "stable" in [entry["destination"].get("subset") for entry in served]


async def test_weights_that_are_texts_are_cut_off_too(fake):
    router = fake.router()
    await router.write(50, token=(await router.read()).token, fence="1.1")
    fake.fake._validate = False

    def texts(body):
        for entry in main_of(body)["route"]:
            entry["weight"] = "50"

    await fake.edit("virtualservices", texts)
    split = await seen(router)

    assert (await router.write(0, token=split.token, fence="1.2")).canary == 0
    assert await weights(fake, "http") == [100, 0]


async def test_what_is_mangled_takes_no_weight_and_no_audience_and_says_so_before_a_start(world):
    router = world.router(route="primary")
    await world.edit("virtualservices", renamed)
    split = await seen(router)

    for percent, rules in ((5, ()), (0, (BETA,))):
        with pytest.raises(RefusedError) as refused:
            await router.write(percent, token=split.token, fence="1.1", rules=rules)
        assert refused.value.code == "route_missing"

    assert (await seen(router)).token == split.token
    findings = await router.inspect(canary_pods=False)
    assert [(finding.code, finding.fatal) for finding in findings] == [("route_missing", True)]


async def test_a_canary_with_no_stable_anywhere_needs_a_person(world):
    await reshape(world, http=[{"route": pair()[1:]}])
    await world.delete("destinationrules")
    router = world.router()
    split = await seen(router)
    assert split.canary == 100

    with pytest.raises(RefusedError, match="kubectl edit") as refused:
        await router.write(0, token=split.token, fence="1.1")

    assert refused.value.code == "cannot_cut_off"
    assert (await seen(router)).token == split.token


async def test_a_canary_behind_a_service_of_its_own_gives_way_to_the_service_of_stable(world):
    service = await world.object("services")
    spec = {key: service["spec"][key] for key in ("selector", "ports")}
    for lane in ("stable", "canary"):
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"{SERVICE}-{lane}"}}
        await world.apply("services", body | {"spec": spec})
    only = {"destination": {"host": f"{SERVICE}-canary", "port": {"number": 80}}}
    await reshape(world, http=[{"route": [only]}])
    router = world.router()

    await router.write(0, token=(await seen(router)).token, fence="1.1")

    found = (await world.object("virtualservices"))["spec"]["http"][0]["route"][0]["destination"]
    assert found["host"].partition(".")[0] == f"{SERVICE}-stable"
    assert found["port"] == {"number": 80}


async def test_a_stale_token_cuts_nothing_off(world):
    router = world.router(route="primary")
    token = (await router.write(50, token=(await router.read()).token, fence="1.1")).token
    await world.edit("virtualservices", renamed)

    with pytest.raises(ConflictError):
        await router.write(0, token=token, fence="1.2")

    assert to_the_canary(await world.object("virtualservices")) != []


async def test_an_older_decision_cuts_nothing_off(world):
    router = world.router(route="primary")
    await router.write(50, token=(await router.read()).token, fence="7.1")
    await world.edit("virtualservices", renamed)

    with pytest.raises(RefusedError) as refused:
        await router.write(0, token=(await seen(router)).token, fence="6.9")

    assert refused.value.code == "fenced"
    assert to_the_canary(await world.object("virtualservices")) != []


async def test_another_service_in_the_same_object_keeps_its_canary(world):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "pay"},
        "spec": {"selector": {"app": "pay"}, "ports": [{"name": "http", "port": 80}]},
    }
    await world.apply("services", service)
    theirs = [
        {"name": "pay", "route": pair(70, 30, host="pay")},
        {"name": "sluice-1", "route": pair(host="pay")[1:]},
        {"name": "abroad", "route": pair(1, 1, host=f"{SERVICE}.elsewhere.svc.cluster.local")},
    ]
    await reshape(world, http=[*theirs, {"name": "ours", "route": pair(50, 50)[1:]}])
    before = (await world.object("virtualservices"))["spec"]["http"]
    router = world.router(route="primary")
    split = await seen(router)
    assert (split.canary, split.rules) == (100, ())

    await router.write(0, token=split.token, fence="1.1")

    *kept, ours = (await world.object("virtualservices"))["spec"]["http"]
    assert kept == before[:-1]
    assert ours["route"][0]["destination"]["subset"] == "stable"
    assert ours["route"][0]["destination"]["host"].partition(".")[0] == SERVICE


async def test_where_it_cannot_be_told_whose_a_canary_is_it_is_cut_off(fake):
    await reshape(fake, http=[{"name": "ours", "route": pair(50, 50)}])
    fake.fake.fail(403, times=20, method="GET", path="deployments")
    router = fake.router(route="primary")

    await router.write(0, token=(await seen(router)).token, fence="1.1")

    assert await weights(fake, "http") == [100, 0]
