"""What a router notices before a rollout begins: against the fake API server and, marked `cluster`, a real one."""

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


async def codes(
    world: World, *, canary_pods: bool = False, **options: str
) -> list[tuple[str, bool]]:
    findings = await world.router(**options).inspect(canary_pods=canary_pods)
    return [(finding.code, finding.fatal) for finding in findings]


async def start_canary(world: World, replicas: int = 1) -> None:
    name = f"{SERVICE}-canary"
    await world.edit("deployments", lambda body: body["spec"].update(replicas=replicas), name)
    await world.roll_out(name)


async def test_a_sound_route_has_no_findings(world):
    assert await codes(world) == []


async def test_a_canary_without_pods_matters_only_once_it_should_have_some(world):
    assert await codes(world, canary_pods=True) == [("subset_without_pods", True)]

    await start_canary(world)

    assert await codes(world, canary_pods=True) == []


async def test_pods_that_are_not_ready_do_not_count(world):
    name = f"{SERVICE}-canary"
    await world.edit("deployments", lambda body: body["spec"].update(replicas=1), name)
    await world.roll_out(name, "never_ready")

    assert ("subset_without_pods", True) in await codes(world, canary_pods=True)


async def test_a_subset_that_nobody_defines_is_fatal(world):
    await world.edit("destinationrules", lambda body: body["spec"]["subsets"].pop())

    assert await codes(world) == [("subset_missing", True)]


async def test_a_deleted_destination_rule_leaves_both_subsets_undefined(world):
    await world.delete("destinationrules")

    assert await codes(world) == [("subset_missing", True)] * 2


async def test_a_second_virtual_service_for_the_host_is_fatal(world):
    twin = deepcopy(await world.object("virtualservices"))
    twin["metadata"] = {"name": "twin"}
    twin["spec"]["hosts"] = [f"{SERVICE}.{world.namespace}.svc.cluster.local"]
    await world.apply("virtualservices", twin)

    assert await codes(world) == [("second_virtual_service", True)]


@pytest.mark.parametrize(
    ("match", "found"),
    [
        (None, [("split_shadowed", True)]),
        ([{"uri": {"prefix": "/"}}], [("split_shadowed", True)]),
        ([{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/"}}], [("split_shadowed", True)]),
        ([{"uri": {"prefix": "/a"}}], []),
        ([{"uri": {"prefix": "/"}, "headers": {"x": {"exact": "y"}}}], []),
    ],
)
async def test_an_earlier_route_that_takes_every_request_is_fatal(world, match, found):
    def insert(body: dict[str, Any]) -> None:
        first = {"name": "all", "route": body["spec"]["http"][0]["route"][:1]}
        body["spec"]["http"].insert(0, first | ({"match": match} if match else {}))

    await world.edit("virtualservices", insert)

    assert await codes(world) == found


async def test_a_second_virtual_service_on_another_gateway_is_fine(world):
    other = deepcopy(await world.object("virtualservices"))
    other["metadata"] = {"name": "outside"}
    other["spec"]["gateways"] = ["public"]
    await world.apply("virtualservices", other)

    assert await codes(world) == []


async def test_two_routes_that_could_be_split_are_never_guessed_between(world):
    def double(body):
        body["spec"]["http"].append(deepcopy(body["spec"]["http"][0]) | {"name": "second"})

    await world.edit("virtualservices", double)

    findings = await world.router().inspect(canary_pods=False)

    assert [finding.code for finding in findings] == ["ambiguous_routes"]
    assert "primary, second" in findings[0].sentence
    assert await codes(world, route="primary") == []


async def test_a_missing_virtual_service_is_a_finding(world):
    await world.delete("virtualservices")

    assert await codes(world) == [("virtual_service_missing", True)]


@pytest.mark.parametrize(
    ("plural", "metadata"),
    [
        ("virtualservices", {"labels": {"app.kubernetes.io/managed-by": "flagger"}}),
        (
            "virtualservices",
            {
                "ownerReferences": [
                    {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "a", "uid": "b"}
                ]
            },
        ),
        ("services", {"annotations": {"argo-rollouts.argoproj.io/managed-by-rollouts": "auth"}}),
    ],
)
async def test_an_object_that_another_controller_drives_is_fatal(world, plural, metadata):
    await world.edit(plural, lambda body: body["metadata"].update(metadata))

    assert await codes(world) == [("owned_by_another", True)]


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {"argocd.argoproj.io/tracking-id": "auth:a"}},
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "auth"}},
        {"annotations": {"meta.helm.sh/release-name": "auth"}},
    ],
)
async def test_a_gitops_owner_is_a_remark(world, metadata):
    await world.edit("virtualservices", lambda body: body["metadata"].update(metadata))

    assert await codes(world) == [("applied_from_elsewhere", False)]


def take_no_part(body):
    body["metadata"]["labels"]["istio-injection"] = "disabled"


async def restart(world: World, namespace: Callable[[dict[str, Any]], None]) -> None:
    """Let the pods of stable start again, in a namespace with other labels."""
    path = f"/api/v1/namespaces/{world.namespace}"
    body = await world.cluster.get(path)
    namespace(body)
    labels = {"metadata": {"labels": body["metadata"]["labels"]}}
    await world._send("PATCH", path, labels, "application/merge-patch+json")
    name = f"{SERVICE}-stable"
    await world.edit("deployments", lambda body: body["spec"].update(replicas=0), name)
    await world.roll_out(name)
    await world.edit("deployments", lambda body: body["spec"].update(replicas=2), name)
    await world.roll_out(name)


async def test_pods_without_a_sidecar_are_a_remark(world):
    await restart(world, take_no_part)

    (finding,) = await world.router().inspect(canary_pods=False)

    assert (finding.code, finding.fatal) == ("no_sidecar", False)
    assert finding.sentence.startswith(f"Pod {SERVICE}-stable-")


async def test_pods_of_the_ambient_mode_need_no_sidecar(world):
    def ambient(body):
        take_no_part(body)
        body["metadata"]["labels"]["istio.io/dataplane-mode"] = "ambient"

    await restart(world, ambient)

    assert await codes(world) == []


async def test_pods_behind_a_gateway_alone_need_no_sidecar(world):
    await restart(world, take_no_part)
    await world.edit("virtualservices", lambda body: body["spec"].update(gateways=["public"]))

    assert await codes(world) == []


async def test_a_namespace_that_may_not_be_read_excuses_nobody(world):
    await restart(world, take_no_part)
    if isinstance(world, FakeWorld):
        world.fake.forbid("get", "namespaces")

    assert await codes(world) == [("no_sidecar", False)]


async def test_an_edited_subset_is_looked_up_again(world):
    def rename(body):
        for subset, name in zip(body["spec"]["subsets"], ("v1", "v2"), strict=True):
            subset["name"] = name

    def point(body):
        for entry, name in zip(body["spec"]["http"][0]["route"], ("v1", "v2"), strict=True):
            entry["destination"]["subset"] = name

    def swap(body):
        first, second = body["spec"]["subsets"]
        first["labels"], second["labels"] = second["labels"], first["labels"]

    await world.edit("destinationrules", rename)
    await world.edit("virtualservices", point)
    router = world.router()
    assert (await router.read()).canary == 0

    await world.edit("destinationrules", swap)
    await router.inspect(canary_pods=False)

    assert (await router.read()).canary == 100
