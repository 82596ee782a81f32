"""What a pair of Deployments shows before a rollout: the fake API server and, marked `cluster`, a real one."""

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.objects import Kind
from bot.sandbox.orion import colours_objects
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world

STABLE, CANARY = f"{SERVICE}-stable", f"{SERVICE}-canary"
OWNER = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "a", "uid": "b"}


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def codes(world: World) -> list[tuple[str, bool]]:
    return [(finding.code, finding.fatal) for finding in await world.pair().inspect()]


async def sentence(world: World) -> str:
    (finding,) = await world.pair().inspect()
    return finding.sentence


def scaler(name: str = "scaler", target: str = CANARY, **metadata: object) -> dict:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, **metadata},
        "spec": {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 9},
    }


def serve(fake: FakeWorld, group: str, version: str, plural: str, **spec: object) -> None:
    """Let the cluster know another kind, and put one object of it beside the service."""
    kind = Kind(group, (version,), plural, plural.title())
    fake.fake.kinds.append(kind)
    metadata = {"name": "auth", "namespace": fake.namespace}
    fake.fake.put({"kind": kind.kind, "metadata": metadata, "spec": spec})


async def test_a_sound_pair_has_no_findings_and_nothing_is_written(world):
    before = await world.items("deployments")

    assert await codes(world) == []
    assert await world.items("deployments") == before


async def test_a_missing_deployment_is_a_finding(world):
    await world.delete("deployments", CANARY)

    assert await codes(world) == [("deployment_missing", True)]


async def test_a_missing_container_is_a_finding(world):
    findings = await world.pair(container="other").inspect()

    assert [(finding.code, finding.fatal) for finding in findings] == [("container_missing", True)]


def pause(body: dict) -> None:
    body["spec"]["paused"] = True


@pytest.mark.parametrize("name", [STABLE, CANARY])
async def test_a_paused_deployment_is_fatal_and_named_with_the_way_out(world, name):
    await world.edit("deployments", pause, name)

    assert await codes(world) == [("deployment_paused", True)]
    assert f"kubectl rollout resume deployment/{name} -n {world.namespace}" in await sentence(world)


@pytest.mark.parametrize("colour", ["blue", "green"])
async def test_so_is_a_paused_colour(tmp_path, colour):
    async with open_world("fake", tmp_path, colours_objects) as world:
        await world.edit("deployments", pause, f"{SERVICE}-{colour}")

        pair = world.pair(stable=f"{SERVICE}-blue", canary=f"{SERVICE}-green")
        (finding,) = await pair.inspect()

        assert (finding.code, finding.fatal) == ("deployment_paused", True)
        assert finding.sentence.startswith(f"Deployment {SERVICE}-{colour} in namespace orion")


@pytest.mark.parametrize("name", [STABLE, CANARY])
async def test_a_container_without_readiness_probe_is_a_remark(world, name):
    def forget(body):
        (container,) = body["spec"]["template"]["spec"]["containers"]
        del container["readinessProbe"]

    await world.edit("deployments", forget, name)

    assert await codes(world) == [("no_readiness_probe", False)]
    assert f"Deployment {name} has no readiness probe" in await sentence(world)


async def test_an_autoscaler_of_one_of_the_two_is_a_remark(world):
    await world.apply("horizontalpodautoscalers", scaler())
    await world.apply("horizontalpodautoscalers", scaler("elsewhere", "another"))

    assert await codes(world) == [("autoscaled", False)]
    assert f"HorizontalPodAutoscaler scaler may change how many instances {CANARY}" in (
        await sentence(world)
    )


async def test_keda_is_named_once_and_not_by_the_autoscaler_that_it_made(fake):
    serve(fake, "keda.sh", "v1alpha1", "scaledobjects", scaleTargetRef={"name": STABLE})
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "auth", "uid": "u"}
    await fake.apply(
        "horizontalpodautoscalers", scaler("keda-hpa-auth", STABLE, ownerReferences=[owner])
    )

    assert await codes(fake) == [("autoscaled", False)]
    assert (await sentence(fake)).startswith(
        f"ScaledObject auth may change how many instances {STABLE}"
    )


@pytest.mark.parametrize(
    ("group", "version", "plural", "field"),
    [
        ("flagger.app", "v1beta1", "canaries", "targetRef"),
        ("argoproj.io", "v1alpha1", "rollouts", "workloadRef"),
    ],
)
async def test_another_tool_that_points_at_one_of_the_two_is_fatal(
    fake, group, version, plural, field
):
    serve(fake, group, version, plural, **{field: {"kind": "Deployment", "name": STABLE}})

    assert await codes(fake) == [("owned_by_another", True)]
    assert f"rolls Deployment {STABLE} out as well" in await sentence(fake)


async def test_a_group_that_lacks_the_kind_is_no_obstacle(fake):
    serve(fake, "argoproj.io", "v1alpha1", "applications")

    assert await codes(fake) == []


async def test_a_deployment_that_another_controller_owns_is_fatal(fake):
    await fake.edit(
        "deployments", lambda body: body["metadata"].update(ownerReferences=[OWNER]), CANARY
    )

    assert await codes(fake) == [("owned_by_another", True)]


async def test_a_gitops_owner_is_a_remark_that_names_what_to_ignore(world):
    label = {"kustomize.toolkit.fluxcd.io/name": "auth"}
    await world.edit("deployments", lambda body: body["metadata"].update(labels=label), STABLE)

    assert await codes(world) == [("applied_from_elsewhere", False)]
    assert ".spec.replicas" in await sentence(world)


@pytest.mark.parametrize("rival", ["horizontalpodautoscalers", "rollouts"])
async def test_rivals_that_may_not_be_listed_are_a_remark(fake, rival):
    serve(fake, "argoproj.io", "v1alpha1", "rollouts")
    fake.fake.forbid("list", rival)

    assert await codes(fake) == [("rivals_not_checked", False)]
