"""What a route file says counts once the proxy says it too: with a real Envoy where there is one."""

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio

from integrations.base import MangledError, Split, TryAgainError
from integrations.routers.envoy import EnvoyRouter
from tests.contract.envoy_worlds import CANARY, RULES, STABLE, World, route
from tests.fakes.envoy import ABSENT, BINARY, Envoy

real = pytest.mark.skipif(BINARY is None, reason=ABSENT)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy():
    proxy = Envoy([STABLE, CANARY])
    await proxy.start([route()], {STABLE: [9], CANARY: []})
    yield proxy
    await proxy.stop()


def live(proxy: Envoy, **options: Any) -> EnvoyRouter:
    names = {"stable": STABLE, "canary": CANARY, "admin": proxy.admin_url}
    return EnvoyRouter(**{"file": str(proxy.route_file), **names, **options})


async def seen(router: EnvoyRouter) -> Split:
    """Return what can be seen on the way home."""
    try:
        return await router.read()
    except MangledError as mangled:
        return mangled.split


@real
@pytest.mark.asyncio(loop_scope="module")
async def test_a_write_returns_when_the_proxy_serves_it(envoy):
    router = live(envoy)

    for number, percent in enumerate((5, 33.33, 100, 0), start=1):
        written = await router.write(
            percent, token=(await router.read()).token, fence=f"1.{number}", rules=RULES
        )
        assert (written.canary, written.rules) == (percent, RULES)
        assert await router.read() == written


@real
@pytest.mark.asyncio(loop_scope="module")
async def test_routes_that_the_proxy_refuses_are_not_applied_and_the_way_home_is_open(envoy):
    router = live(envoy)
    before = await router.write(0, token=(await router.read()).token, fence="2.1")
    content = json.loads(envoy.route_file.read_text())
    bad = {"match": {"prefix": "/x"}, "route": {"cluster": "nobody"}}
    content["resources"][0]["virtual_hosts"][0]["routes"].insert(0, bad)
    envoy.route_file.write_text(json.dumps(content))

    with pytest.raises(TryAgainError) as unsure:
        await router.write(50, token=(await router.read()).token, fence="2.2")
    held = await router.read()
    codes = [finding.code for finding in await router.inspect(canary_pods=False)]
    del content["resources"][0]["virtual_hosts"][0]["routes"][0]
    envoy.route_file.write_text(json.dumps(content))
    home = await router.write(0, token=(await router.read()).token, fence="2.3")

    assert unsure.value.code == "envoy_not_live"
    assert (held.canary, held.fence) == (50, "")
    assert codes == ["envoy_not_live"]
    assert (home.canary, home.fence, before.fence) == (0, "2.3", "2.1")


@real
@pytest.mark.asyncio(loop_scope="module")
async def test_clusters_that_are_missing_or_empty_are_found_before_a_rollout(envoy):
    router = live(envoy)
    await router.write(0, token=(await router.read()).token, fence="3.1")

    assert await router.inspect(canary_pods=False) == []
    (empty,) = await router.inspect(canary_pods=True)
    assert (empty.code, CANARY in empty.sentence) == ("subset_without_pods", True)


@real
@pytest.mark.asyncio(loop_scope="module")
async def test_a_way_home_that_the_proxy_refuses_is_not_home(envoy):
    router = live(envoy)
    await router.write(50, token=(await router.read()).token, fence="5.1")
    content = json.loads(envoy.route_file.read_text())
    sound = json.dumps(content)
    nobody = {"match": {"prefix": "/x"}, "route": {"cluster": "nobody"}}
    whole = {"match": {"prefix": "/"}, "route": {"cluster": CANARY}}
    content["resources"][0]["virtual_hosts"][0]["routes"] = [nobody, whole]
    envoy.route_file.write_text(json.dumps(content))

    with pytest.raises(MangledError) as before:
        await router.read()
    with pytest.raises(TryAgainError) as unsure:
        await router.write(0, token=before.value.split.token, fence="5.2")
    with pytest.raises(MangledError) as held:
        await router.read()
    mended = json.loads(envoy.route_file.read_text())
    del mended["resources"][0]["virtual_hosts"][0]["routes"][0]
    envoy.route_file.write_text(json.dumps(mended))
    await router.write(0, token=(await seen(router)).token, fence="5.3")
    home = await seen(router)
    envoy.route_file.write_text(sound)
    await router.write(0, token=(await router.read()).token, fence="5.4")

    assert unsure.value.code == "envoy_not_live"
    assert (held.value.split.canary, held.value.split.fence) == (50, "")
    assert (home.canary, home.fence) == (0, "5.3")


@real
@pytest.mark.asyncio(loop_scope="module")
async def test_what_envoy_reads_as_a_weight_is_read_the_same(envoy):
    router = live(envoy)
    await router.write(0, token=(await router.read()).token, fence="6.1")
    content = json.loads(envoy.route_file.read_text())
    (main,) = content["resources"][0]["virtual_hosts"][0]["routes"]
    for number, weight in enumerate(("50", 50.0, "5e1"), start=2):
        for entry in main["route"]["weighted_clusters"]["clusters"]:
            entry["weight"] = weight
        main["metadata"]["filter_metadata"]["sluice"]["fence"] = f"6.{number}"
        fresh = envoy.route_file.with_name("fresh")
        fresh.write_text(json.dumps(content))
        fresh.rename(envoy.route_file)

        # Only what the proxy serves as well has its fence.
        for _ in range(100):
            if (found := await router.read()).fence:
                break
            await asyncio.sleep(0.05)
        assert (found.canary, found.fence) == (50, f"6.{number}")


async def test_a_proxy_that_does_not_answer_holds_the_fence_back_and_never_a_way_home(world):
    router = world.router(admin="http://127.0.0.1:1")
    await world.write(50, fence="4.1")

    held = await router.read()
    with pytest.raises(TryAgainError) as unsure:
        await router.write(0, token=held.token, fence="4.2")
    with pytest.raises(TryAgainError) as silent:
        await router.inspect(canary_pods=False)

    assert world.weights() == [100, 0]
    world.edit(
        lambda content: content["resources"][0]["virtual_hosts"][0]["routes"].append(route())
    )
    with pytest.raises(MangledError) as wreck:
        await router.read()

    assert (await seen(world.router())).fence == "4.2"
    assert wreck.value.split.fence == ""
    assert (held.canary, held.fence) == (50, "")
    assert unsure.value.code == silent.value.code == "envoy_silent"


async def test_without_an_admin_address_clusters_should_be_validated(world):
    assert await world.router().inspect(canary_pods=False) == []
    world.edit(lambda content: content["resources"][0].pop("validate_clusters"))

    (finding,) = await world.router().inspect(canary_pods=False)

    assert (finding.code, finding.fatal) == ("envoy_clusters_unchecked", False)
