"""A Service that selects neither lane, or whose dark lane is gone: going forward holds, going home gets through."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.sandbox.orion import colours_objects
from integrations.base import ConflictError, MangledError, RefusedError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, World, open_world

GREEN = f"{SERVICE}-green"


@pytest.fixture(params=WORLDS)
async def world(request, tmp_path) -> AsyncIterator[World]:
    async with open_world(request.param, tmp_path, colours_objects) as opened:
        yield opened


def without_the_label(body):
    body["spec"]["selector"]["version"] = None  # a merge patch takes it away


def of_a_third_colour(body):
    body["spec"]["selector"]["version"] = "red"


async def selector(world: World, name: str = SERVICE) -> dict[str, str]:
    found: dict[str, Any] = (await world.object("services", name))["spec"]["selector"]
    return found


async def mangled(router) -> MangledError:
    with pytest.raises(MangledError) as raised:
        await router.read()
    return raised.value


@pytest.mark.parametrize(("mangle", "share"), [(without_the_label, 50), (of_a_third_colour, 100)])
async def test_stable_is_selected_whatever_is_selected_now(world, mangle, share):
    router = world.switch()
    await router.write(100, token=(await router.read()).token, fence="1.1")
    await world.edit("services", mangle)
    error = await mangled(router)
    assert (error.code, error.split.canary, error.split.fence) == ("selector_unknown", share, "1.1")

    split = await router.write(0, token=error.split.token, fence="1.2")

    assert (split.canary, split.fence) == (0, "1.2")
    assert await router.read() == split
    assert await selector(world) == {"app": SERVICE, "version": "blue"}
    assert await selector(world, f"{SERVICE}-preview") == {"app": SERVICE, "version": "green"}


async def test_forward_is_refused_a_stale_token_and_an_older_decision_too(world):
    router = world.switch()
    token = (await router.write(0, token=(await router.read()).token, fence="7.1")).token
    await world.edit("services", of_a_third_colour)
    now = (await mangled(router)).split.token

    for percent, held, fence, kind, code in (
        (100, now, "7.2", RefusedError, "selector_unknown"),
        (0, token, "7.2", ConflictError, "conflict"),
        (0, now, "6.9", RefusedError, "fenced"),
    ):
        with pytest.raises(kind) as refused:
            await router.write(percent, token=held, fence=fence)
        assert refused.value.code == code

    assert (await selector(world))["version"] == "red"


async def test_it_is_found_before_a_start(world):
    await world.edit("services", of_a_third_colour)

    findings = await world.switch().inspect(canary_pods=False)

    assert [(finding.code, finding.fatal) for finding in findings] == [("selector_unknown", True)]


async def test_the_dark_deployment_is_gone_and_the_traffic_comes_home_without_it(world):
    router = world.switch()
    await router.write(100, token=(await router.read()).token, fence="1.1")
    await world.delete("deployments", GREEN)
    router = world.switch()  # as after a restart
    error = await mangled(router)
    assert (error.code, error.split.canary) == ("deployment_missing", 100)

    split = await router.write(0, token=error.split.token, fence="1.2")

    assert (split.canary, (await selector(world))["version"]) == (0, "blue")
    with pytest.raises(RefusedError) as refused:
        await router.write(100, token=split.token, fence="1.3")
    assert refused.value.code == "deployment_missing"


async def test_a_service_without_any_selector_needs_a_person(world):
    await world.edit("services", lambda body: body["spec"].update(selector=None))
    router = world.switch()

    with pytest.raises(RefusedError, match="kubectl edit") as refused:
        await router.write(0, token=(await mangled(router)).split.token, fence="1.1")

    assert refused.value.code == "cannot_cut_off"
