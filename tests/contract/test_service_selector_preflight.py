"""What is noticed before a Service is switched: on the fake API server and, marked `cluster`, on a real one."""

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.orion import colours_objects
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world

PREVIEW = f"{SERVICE}-preview"
BLUE, GREEN = f"{SERVICE}-blue", f"{SERVICE}-green"


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path, colours_objects) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, colours_objects) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def found(world: World, *, canary_pods: bool = False) -> list[tuple[str, bool]]:
    findings = await world.switch().inspect(canary_pods=canary_pods)
    return [(finding.code, finding.fatal) for finding in findings]


async def start_green(fake: FakeWorld, mishap: str = "") -> None:
    await fake.edit("deployments", lambda body: body["spec"].update(replicas=2), GREEN)
    await fake.roll_out(GREEN, mishap)


async def test_a_dark_lane_without_pods_matters_only_once_it_should_have_some(fake):
    assert await found(fake) == []
    assert await found(fake, canary_pods=True) == [("subset_without_pods", True)]

    await start_green(fake)

    assert await found(fake, canary_pods=True) == []


async def test_pods_that_are_not_ready_do_not_count(fake):
    await start_green(fake, "never_ready")

    # One image for both lanes: the pods of the live lane are not ready either.
    assert await found(fake, canary_pods=True) == [("subset_without_pods", True)] * 2


async def test_a_live_lane_without_endpoints_is_fatal(fake):
    await fake.edit("services", lambda body: body["spec"]["selector"].update(app="other"))

    assert await found(fake) == [("subset_without_pods", True)]


async def test_a_preview_of_what_is_live_is_fatal(fake):
    blue = {"app": SERVICE, "version": "blue"}
    await fake.edit("services", lambda body: body["spec"].update(selector=blue), PREVIEW)

    assert await found(fake) == [("preview_is_live", True)]


async def test_a_service_that_is_its_own_preview_is_fatal(fake):
    findings = await fake.switch(preview=SERVICE).inspect(canary_pods=False)

    assert [finding.code for finding in findings] == ["preview_is_live"]


async def test_endpoints_that_may_not_be_listed_are_a_remark(fake):
    fake.fake.fail(403, method="GET", path="endpointslices")

    assert await found(fake) == [("pods_not_checked", False)]


@pytest.mark.parametrize("name", [SERVICE, PREVIEW])
async def test_a_service_that_argo_rollouts_switches_is_fatal(world, name):
    note = {"argo-rollouts.argoproj.io/managed-by-rollouts": "auth"}
    await world.edit("services", lambda body: body["metadata"].update(annotations=note), name)

    assert await found(world) == [("owned_by_another", True)]


async def test_a_gitops_tool_that_applies_the_service_is_a_remark(world):
    label = {"kustomize.toolkit.fluxcd.io/name": "auth"}
    await world.edit("services", lambda body: body["metadata"].update(labels=label))

    assert await found(world) == [("applied_from_elsewhere", False)]
