"""What is noticed about a split by Services before a rollout begins; also on a real server (`cluster`)."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, open_world
from tests.contract.test_gateway_api import CANARY, FORMS, STABLE, Mesh, misbehaving


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


@pytest.fixture(params=WORLDS)
async def mesh(request, form, tmp_path) -> AsyncIterator[Mesh]:
    async with open_world(request.param, tmp_path, form.objects) as opened:
        yield Mesh(opened, form)


@pytest.fixture
async def fake(form, tmp_path) -> AsyncIterator[Mesh]:
    async with open_world("fake", tmp_path, form.objects) as opened:
        assert isinstance(opened, FakeWorld)
        yield Mesh(opened, form)


async def codes(mesh: Mesh, *, canary_pods: bool = False, **options: Any) -> list[tuple[str, bool]]:
    findings = await mesh.router(**options).inspect(canary_pods=canary_pods)
    return [(finding.code, finding.fatal) for finding in findings]


async def twin(mesh: Mesh, name: str, **spec: Any) -> None:
    body = deepcopy(await mesh.world.object(mesh.plural))
    body["metadata"] = {"name": name}
    body.pop("status", None)
    body["spec"] |= spec
    await mesh.world.apply(mesh.plural, body)


async def test_a_sound_split_has_no_findings(mesh):
    assert await codes(mesh) == []


async def test_a_canary_without_pods_matters_only_once_it_should_have_some(mesh):
    assert await codes(mesh, canary_pods=True) == [("subset_without_pods", True)]

    await mesh.world.edit("deployments", lambda body: body["spec"].update(replicas=1), CANARY)
    await mesh.world.roll_out(CANARY)

    assert await codes(mesh, canary_pods=True) == []


async def test_pods_that_are_not_ready_do_not_count(mesh):
    await mesh.world.edit("deployments", lambda body: body["spec"].update(replicas=1), CANARY)
    await mesh.world.roll_out(CANARY, "never_ready")

    assert ("subset_without_pods", True) in await codes(mesh, canary_pods=True)


async def test_a_service_that_is_not_there_is_fatal(mesh):
    await mesh.world.delete("services", CANARY)

    assert ("service_missing", True) in await codes(mesh)


@pytest.mark.parametrize("form", ["http", "grpc", "linkerd"], indirect=True)
async def test_a_controller_that_does_not_accept_the_route_is_fatal(fake):
    await fake.world.delete("services", CANARY)

    assert ("route_not_accepted", True) in await codes(fake)


@pytest.mark.parametrize(
    ("plural", "metadata"),
    [
        ("", {"labels": {"app.kubernetes.io/managed-by": "flagger"}}),
        ("", {"labels": {"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}}),
        ("services", {"annotations": {"argo-rollouts.argoproj.io/managed-by-rollouts": "auth"}}),
    ],
)
async def test_an_object_that_another_controller_drives_is_fatal(mesh, plural, metadata):
    name = STABLE if plural else SERVICE
    await mesh.world.edit(
        plural or mesh.plural, lambda body: body["metadata"].update(metadata), name
    )

    assert await codes(mesh) == [("owned_by_another", True)]


async def test_a_gitops_owner_is_a_remark(mesh):
    note = {"argocd.argoproj.io/tracking-id": "auth:a"}
    await mesh.edit(lambda body: body["metadata"].update(annotations=note))

    assert await codes(mesh) == [("applied_from_elsewhere", False)]


async def test_pods_that_may_not_be_listed_are_a_remark(fake):
    misbehaving(fake).forbid("list", "pods")

    assert ("pods_not_checked", False) in await codes(fake)


async def test_a_way_back_that_is_not_allowed_is_fatal(fake):
    misbehaving(fake).forbid("patch", fake.plural)

    assert ("rollback_forbidden", True) in await codes(fake)


async def test_a_way_back_that_a_webhook_refuses_is_fatal(fake):
    misbehaving(fake).fail(403, method="TRY", message='admission webhook "gate" denied it')

    assert ("rollback_impossible", True) in await codes(fake)


@pytest.mark.parametrize("form", ["smi"], indirect=True)
async def test_a_second_split_of_the_service_is_fatal(mesh):
    await twin(mesh, "zz-twin")
    await twin(mesh, "elsewhere", service="other")

    assert await codes(mesh) == [("second_route", True)]


@pytest.mark.parametrize("form", ["http", "grpc", "linkerd"], indirect=True)
@pytest.mark.parametrize(
    ("name", "spec", "found"),
    [
        ("aa-older", {}, [("second_route", True)]),  # of the same second: the first by name
        ("zz-younger", {}, []),
        ("aa-elsewhere", {"parentRefs": [{"name": "private"}]}, []),
        ("aa-other-host", {"hostnames": ["example.com"]}, []),
    ],
)
async def test_a_route_that_takes_the_same_requests_is_fatal_if_it_wins(fake, name, spec, found):
    moment = "2026-08-01T12:00:00Z"
    await twin(fake, name, **spec)
    for body in misbehaving(fake)._objects.select(fake.plural, ""):
        body["metadata"]["creationTimestamp"] = moment

    assert await codes(fake) == found


@pytest.mark.parametrize("form", ["http", "grpc", "linkerd"], indirect=True)
async def test_two_rules_that_could_be_split_are_never_guessed_between(mesh):
    def double(body):
        second = deepcopy(body["spec"]["rules"][0]) | {"name": "second"}
        body["spec"]["rules"].append(second)

    await mesh.edit(double)

    findings = await mesh.router().inspect(canary_pods=False)

    assert [finding.code for finding in findings] == ["ambiguous_routes"]
    assert "0, second" in findings[0].sentence
    assert await codes(mesh, rule="second") == await codes(mesh, rule="1") == []
    assert (
        await codes(mesh, rule="third") == await codes(mesh, rule="2") == [("route_missing", True)]
    )


async def test_selectors_are_looked_at_again(mesh):
    key = "service" if mesh.plural == "trafficsplits" else "name"
    await mesh.world.apply(
        "services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "next"},
            "spec": {"selector": {"app": SERVICE, "track": "canary"}, "ports": [{"port": 80}]},
        },
    )
    await mesh.edit(lambda body: mesh.form.parts(body)[1].update({key: "next"}))
    router = mesh.router()
    assert (await router.read()).canary == 0

    await mesh.world.edit(
        "services", lambda body: body["spec"]["selector"].update(track="stable"), "next"
    )
    findings = await router.inspect(canary_pods=False)

    assert [finding.code for finding in findings] == ["route_missing"]


@pytest.mark.parametrize("form", ["http", "grpc", "linkerd"], indirect=True)
async def test_lanes_that_weigh_nothing_are_no_split_to_begin_with(mesh):
    await mesh.weigh(0, 0)

    assert ("bad_weights", True) in await codes(mesh)
