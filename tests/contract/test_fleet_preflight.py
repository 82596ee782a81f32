"""What a single Deployment shows before its pods are moved: the fake API server and, marked `cluster`, a real one."""

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.orion import fleet_objects
from tests.contract.kubernetes_worlds import (
    SERVICE,
    WORLDS,
    FakeWorld,
    World,
    open_world,
)


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path, fleet_objects, 6) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, fleet_objects, 6) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def codes(world: World, **options: str) -> list[tuple[str, bool]]:
    findings = await world.single(**options).inspect()
    return [(finding.code, finding.fatal) for finding in findings]


def autoscaler(kind: str, name: str) -> dict:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaler"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }


async def test_a_deployment_of_its_own_has_no_findings(world):
    assert await codes(world) == []


async def test_a_paused_deployment_is_fatal_and_says_how_to_resume_it(world):
    await world.edit("deployments", lambda body: body["spec"].update(paused=True))

    (finding,) = await world.single().inspect()

    assert (finding.code, finding.fatal) == ("deployment_paused", True)
    assert f"kubectl rollout resume deployment/{SERVICE} -n {world.namespace}" in finding.sentence


@pytest.mark.parametrize(
    "owner",
    [
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "a", "uid": "b"},
        {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "a", "uid": "b"},
    ],
)
async def test_a_deployment_that_another_controller_drives_is_fatal(fake, owner):
    await fake.edit("deployments", lambda body: body["metadata"].update(ownerReferences=[owner]))

    assert await codes(fake) == [("owned_by_another", True)]


async def test_a_gitops_owner_is_a_remark_that_names_what_to_ignore(world):
    label = {"kustomize.toolkit.fluxcd.io/name": "auth"}
    await world.edit("deployments", lambda body: body["metadata"].update(labels=label))

    (finding,) = await world.single().inspect()

    assert (finding.code, finding.fatal) == ("applied_from_elsewhere", False)
    assert finding.sentence.startswith(f"Flux applies Deployment {SERVICE}")
    assert ".spec.strategy" in finding.sentence


@pytest.mark.parametrize(
    ("kind", "name", "noticed"),
    [
        ("Deployment", SERVICE, [("autoscaled", False)]),
        ("Deployment", "another", []),
        ("StatefulSet", SERVICE, []),
    ],
)
async def test_an_autoscaler_of_this_deployment_is_a_remark(world, kind, name, noticed):
    await world.apply("horizontalpodautoscalers", autoscaler(kind, name))

    assert await codes(world) == noticed


async def test_autoscalers_that_may_not_be_listed_are_a_remark(fake):
    await fake.apply("horizontalpodautoscalers", autoscaler("Deployment", SERVICE))
    fake.fake.forbid("list", "horizontalpodautoscalers")

    (finding,) = await fake.single().inspect()

    assert (finding.code, finding.fatal) == ("rivals_not_checked", False)
    assert "HorizontalPodAutoscaler" in finding.sentence


async def test_a_missing_deployment_is_a_finding(world):
    await world.delete("deployments")

    assert await codes(world) == [("deployment_missing", True)]
