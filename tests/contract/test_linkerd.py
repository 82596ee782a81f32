"""What only Linkerd has: an own group of HTTPRoutes, ServiceProfiles that win, and weights in many forms."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.sandbox.objects import Kind
from bot.sandbox.orion import linkerd_objects, traffic_split_objects
from integrations.base import GoneError, HeaderRule, MangledError, RefusedError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world

STABLE, CANARY = f"{SERVICE}-stable", f"{SERVICE}-canary"


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, linkerd_objects) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


@pytest.fixture(params=WORLDS)
async def smi(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path, traffic_split_objects) as opened:
        yield opened


def serve(fake: FakeWorld, *groups: tuple[str, str]) -> None:
    """Serve HTTPRoutes in these groups and versions only."""
    kinds = fake.fake.kinds
    kinds[:] = [kind for kind in kinds if kind.plural != "httproutes"]
    for group, version in groups:
        kinds.append(Kind(group, (version,), "httproutes", "HTTPRoute", counts_generations=True))


async def profile(fake: FakeWorld, name: str) -> None:
    body = {"apiVersion": "linkerd.io/v1alpha2", "kind": "ServiceProfile"}
    await fake.apply("serviceprofiles", body | {"metadata": {"name": name}, "spec": {"routes": []}})


async def codes(router: Any) -> list[tuple[str, bool]]:
    findings = await router.inspect(canary_pods=False)
    return [(finding.code, finding.fatal) for finding in findings]


@pytest.mark.parametrize("version", ["v1beta3", "v1beta2", "v1alpha1"])
async def test_a_route_of_linkerds_own_group_is_split_where_there_is_no_other(fake, version):
    serve(fake, ("policy.linkerd.io", version))
    router = fake.linkerd()

    await router.write(25, token=(await router.read()).token, fence="1.1")

    assert (await router.read()).canary == 25
    assert f"/apis/policy.linkerd.io/{version}/" in fake.fake.requests[-1][1]


async def test_a_backend_without_a_weight_counts_as_one(fake):
    serve(fake, ("policy.linkerd.io", "v1beta3"))  # whose definition fills in no default

    def forget(body):
        for ref in body["spec"]["rules"][0]["backendRefs"]:
            ref.pop("weight")

    fake.fake.edit("httproutes", "orion", SERVICE, forget)
    router = fake.linkerd()

    split = await router.read()
    await router.write(0, token=split.token, fence="1.1")

    refs = fake.fake.object("httproutes", "orion", SERVICE)["spec"]["rules"][0]["backendRefs"]
    assert split.canary == 50
    assert [ref["weight"] for ref in refs] == [2, 0]


async def test_the_gateway_api_goes_first_where_both_have_the_route(fake):
    serve(fake, ("policy.linkerd.io", "v1beta3"), ("gateway.networking.k8s.io", "v1"))

    await fake.linkerd().read()

    assert "/apis/gateway.networking.k8s.io/v1/" in fake.fake.requests[-1][1]


async def test_the_own_group_is_asked_where_the_gateway_api_has_no_such_route(fake):
    serve(fake, ("policy.linkerd.io", "v1beta3"), ("gateway.networking.k8s.io", "v1"))
    fake.fake.fail(404, times=1, path="/gateway.networking.k8s.io/v1/namespaces")
    router = fake.linkerd()
    await router.read()
    fake.fake.requests.clear()

    await router.read()

    (_, path), *_ = fake.fake.requests
    assert (len(fake.fake.requests), "policy.linkerd.io" in path) == (1, True)


async def test_a_route_in_neither_group_is_gone_and_no_group_at_all_is_told(fake):
    with pytest.raises(GoneError):
        await fake.linkerd(http_route="other").read()

    serve(fake)
    fake.cluster._versions.clear()
    with pytest.raises(RefusedError) as refused:
        await fake.linkerd().read()
    assert refused.value.code == "api_missing"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (f"{SERVICE}.orion.svc.cluster.local", [("service_profile_wins", True)]),
        (f"{SERVICE}.orion.svc.corp.example", [("service_profile_wins", True)]),
        (f"{SERVICE}.shop.svc.cluster.local", []),
        ("cart.orion.svc.cluster.local", []),
    ],
)
async def test_a_service_profile_of_the_parent_wins_over_the_route(fake, name, found):
    await profile(fake, name)

    assert await codes(fake.linkerd()) == found


async def test_a_service_profile_does_not_disturb_a_trafficsplit(tmp_path):
    async with open_world("fake", tmp_path, traffic_split_objects) as fake:
        await profile(fake, f"{SERVICE}.orion.svc.cluster.local")

        assert await codes(fake.traffic_split()) == []


async def test_a_cluster_without_service_profiles_is_fine(fake):
    fake.fake.kinds[:] = [kind for kind in fake.fake.kinds if kind.plural != "serviceprofiles"]

    assert await codes(fake.linkerd()) == []


async def test_a_route_without_a_service_as_parent_splits_nothing(fake):
    def detach(body):
        body["spec"]["parentRefs"] = [{"name": "public"}]

    await fake.edit("httproutes", detach)

    assert await codes(fake.linkerd()) == [("route_without_service", True)]


async def weigh(world: World, *weights: Any) -> None:
    def change(body):
        names = (STABLE, CANARY, "old")
        body["spec"]["backends"] = [
            {"service": name, "weight": weight}
            for name, weight in zip(names, weights, strict=False)
        ]

    await world.edit("trafficsplits", change)


async def share(world: World, percent: float, fence: str = "1.1") -> list[Any]:
    router = world.traffic_split()
    await router.write(percent, token=(await router.read()).token, fence=fence)
    body = await world.object("trafficsplits")
    return [backend["weight"] for backend in body["spec"]["backends"]]


@pytest.mark.parametrize(
    ("found", "percent", "written"),
    [
        (("90", "10"), 10, ["75", "25"]),
        (("9", 1), 10, ["75", 25]),
        (("500m", "500m"), 50, ["75", "25"]),
        (("1500m", 0), 0, ["75", 25]),
        (("1k", "0"), 0, ["750", "250"]),
        (("900m", "100m"), 10, ["75", "25"]),
        ((80, 0, 20), 0, [60, 20, 20]),
        (("80", "0", "20500m"), 0, ["60", "20", "20500m"]),
    ],
)
async def test_weights_of_every_form_are_read_and_written_as_whole_numbers(
    smi, found, percent, written
):
    await weigh(smi, *found)

    assert (await smi.traffic_split().read()).canary == percent
    assert await share(smi, 25) == written


async def test_a_share_beside_others_that_no_whole_number_says_is_refused(smi):
    await weigh(smi, "500m", "500m", 1)

    with pytest.raises(RefusedError) as refused:
        await share(smi, 50)

    assert refused.value.code == "inexact_weight"


async def test_rules_are_refused(smi):
    router = smi.traffic_split()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(0, token=token, fence="1.1", rules=[HeaderRule("x", equals="a")])

    assert refused.value.code == "no_header_routes"


def only(*backends: tuple[str, Any]) -> Any:
    def change(body):
        body["spec"]["backends"] = [{"service": name, "weight": n} for name, n in backends]

    return change


@pytest.mark.parametrize(
    ("mangle", "seen", "left"),
    [
        (only((STABLE, 1)), 0, [(STABLE, 1)]),
        (only((CANARY, 5)), 100, [(STABLE, 5)]),
        (only((CANARY, 30), ("old", 70)), 30, [(STABLE, 30), ("old", 70)]),
        (
            only((STABLE, 20), (CANARY, 30), (CANARY, 50)),
            80,
            [(STABLE, 100), (CANARY, 0), (CANARY, 0)],
        ),
    ],
)
async def test_a_mangled_trafficsplit_can_still_be_taken_home(smi, mangle, seen, left):
    await share(smi, 50)
    await smi.edit("trafficsplits", mangle)
    router = smi.traffic_split()
    with pytest.raises(MangledError) as mangled:
        await router.read()
    split = mangled.value.split
    with pytest.raises(RefusedError):
        await router.write(60, token=split.token, fence="1.2")

    await router.write(0, token=split.token, fence="1.2")

    assert split.canary == seen
    backends = (await smi.object("trafficsplits"))["spec"]["backends"]
    assert [(one["service"], one["weight"]) for one in backends] == left


@pytest.mark.parametrize("weight", ["-1", "half", None, "", True])
@pytest.mark.parametrize(
    ("found", "seen", "left"),
    [
        ((50, 50, ...), 50, [100, 0]),
        ((0, ..., 7), 100, [1, 0]),
        ((..., 5, 5), 50, [5, 0]),
        ((50, 0, ...), 0, [50, 0]),
    ],
)
async def test_a_weight_that_cannot_be_read_never_keeps_traffic_from_home(
    tmp_path, weight, found, seen, left
):
    async with open_world("fake", tmp_path, traffic_split_objects) as smi:
        assert isinstance(smi, FakeWorld)
        await share(smi, 50)
        names = (STABLE, CANARY, "old")
        bad = {} if weight is None else {"weight": weight}

        def mangle(body):
            body["spec"]["backends"] = [
                {"service": name, **(bad if part is ... else {"weight": part})}
                for name, part in zip(names, found, strict=True)
            ]

        smi.fake.edit("trafficsplits", "orion", SERVICE, mangle)
        router = smi.traffic_split()
        with pytest.raises(MangledError) as mangled:
            await router.read()
        await router.write(0, token=mangled.value.split.token, fence="1.2")

        backends = smi.fake.object("trafficsplits", "orion", SERVICE)["spec"]["backends"]
        assert (mangled.value.code, mangled.value.split.canary) == ("bad_weights", seen)
        assert [int(one["weight"]) for one in backends[:2]] == left


async def test_a_canary_alone_without_a_weight_leads_to_stable_with_one(tmp_path):
    async with open_world("fake", tmp_path, traffic_split_objects) as smi:
        assert isinstance(smi, FakeWorld)
        bare = [{"service": CANARY}]
        smi.fake.edit("trafficsplits", "orion", SERVICE, lambda b: b["spec"].update(backends=bare))
        router = smi.traffic_split()
        with pytest.raises(MangledError) as mangled:
            await router.read()

        await router.write(0, token=mangled.value.split.token, fence="1.2")

        body = smi.fake.object("trafficsplits", "orion", SERVICE)
        assert body["spec"]["backends"] == [{"service": STABLE, "weight": 1}]


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (("500m", "250m", "1"), ["1", "0", "1"]),
        (("900m", "1", "1"), ["2", "0", "1"]),
        (("1e2", "100u", "3"), ["101", "0", "3"]),
    ],
)
async def test_fractions_beside_another_backend_go_home(smi, found, left):
    await weigh(smi, *found)

    assert await share(smi, 0) == left
