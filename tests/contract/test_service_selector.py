"""What every router keeps, tried on a Service that selects one of two lanes; also on a real server (`cluster`)."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.sandbox.orion import colours_objects
from integrations.base import ConflictError, GoneError, HeaderRule, RefusedError, TryAgainError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, World, open_world
from tests.fakes.kubernetes import frozen

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


async def selected(world: World) -> tuple[str, str]:
    """Return what the live Service selects, and what its preview selects."""
    services = [await world.object("services", name) for name in (SERVICE, PREVIEW)]
    live, preview = (service["spec"]["selector"]["version"] for service in services)
    return live, preview


async def switch(world: World, canary: float, fence: str = "1.1", **options: Any) -> None:
    router = world.switch(**options)
    await router.write(canary, token=(await router.read()).token, fence=fence)


async def test_the_lane_that_is_selected_has_everything(world):
    split = await world.switch().read()

    assert (split.canary, split.fence, split.mark, split.rules) == (0, "", "", ())
    assert (await world.switch(stable=GREEN, canary=BLUE).read()).canary == 100


@pytest.mark.parametrize(
    ("percent", "live", "preview"), [(100, "green", "blue"), (0, "blue", "green")]
)
async def test_what_is_written_is_what_is_read_and_the_preview_shows_the_other(
    world, percent, live, preview
):
    router = world.switch()

    written = await router.write(percent, token=(await router.read()).token, fence="1.1")

    assert await selected(world) == (live, preview)
    assert await world.switch().read() == written
    assert (written.canary, written.fence) == (percent, "1.1")


async def test_a_preview_that_is_not_configured_is_not_touched(world):
    before = await world.object("services", PREVIEW)

    await switch(world, 100, preview=None)

    assert await world.object("services", PREVIEW) == before
    assert await selected(world) == ("green", "green")


@pytest.mark.parametrize("percent", [1, 50, 99.9, -1, 100.5, float("nan"), float("inf")])
async def test_anything_but_all_or_nothing_is_refused_before_anything_is_sent(fake, percent):
    with pytest.raises(RefusedError) as refused:
        await switch(fake, percent)

    assert refused.value.code == "weights_unreachable"
    assert not any(method == "PATCH" for method, _ in fake.fake.requests)


async def test_rules_are_refused(fake):
    router = fake.switch()
    rules = [HeaderRule("x-user-tier", equals="beta")]

    with pytest.raises(RefusedError) as refused:
        await router.write(0, token=(await router.read()).token, fence="1.1", rules=rules)

    assert refused.value.code == "no_header_routes"


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    router = world.switch()
    token = (await router.read()).token
    await world.edit("services", lambda body: body["metadata"].update(labels={"team": "a"}))

    for other in (router, world.switch()):
        with pytest.raises(ConflictError):
            await other.write(100, token=token, fence="1.1")

    assert (await selected(world))[0] == "blue"


async def test_a_newer_fence_is_written_even_when_the_selector_is_as_asked(world):
    router = world.switch()
    first = await router.read()

    second = await router.write(0, token=first.token, fence="1.1")

    assert second.fence == "1.1"
    assert second.token != first.token


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(world, older):
    await switch(world, 0, fence="7.10")

    with pytest.raises(RefusedError, match=r"7\.10") as refused:
        await switch(world, 100, fence=older)

    assert refused.value.code == "fenced"
    assert await selected(world) == ("blue", "green")


async def test_two_writers_with_one_token_switch_once(world):
    token = (await world.switch().read()).token
    writers = [world.switch(preview=None) for _ in range(5)]

    done = await asyncio.gather(
        *(w.write(100, token=token, fence="1.1") for w in writers), return_exceptions=True
    )

    assert sorted(type(result).__name__ for result in done) == ["ConflictError"] * 4 + ["Split"]


async def test_somebody_elses_switch_is_read_with_their_name(world):
    green = {"app": SERVICE, "version": "green"}
    await world.edit("services", lambda body: body["spec"].update(selector=green), manager="argocd")

    split = await world.switch().read()

    assert split.canary == 100
    assert re.fullmatch(r"argocd at \d\d:\d\d:\d\d UTC", split.changed_by)


async def test_a_mark_of_an_offline_rollback_is_read(world):
    note = {"sluice/rollback": "kim at noon"}
    await world.edit("services", lambda body: body["metadata"].update(annotations=note))

    assert (await world.switch().read()).mark == "kim at noon"


async def test_everything_else_on_the_service_stays_as_it_was(world):
    def decorate(body):
        body["metadata"] |= {"annotations": {"note": "café ~/"}, "labels": {"a": "b"}}
        body["spec"]["selector"]["tier"] = "web"

    await world.edit("services", decorate)
    before = await world.object("services")

    await switch(world, 100)

    after = await world.object("services")
    assert after["spec"]["selector"] == {"app": SERVICE, "tier": "web", "version": "green"}
    after["spec"]["selector"]["version"] = "blue"
    assert frozen(before) == frozen(after)


async def test_the_label_may_be_another_one_with_a_slash_in_it(world):
    key = "orion.io/colour"

    def paint(colour):
        return lambda body: body["spec"]["template"]["metadata"]["labels"].update({key: colour})

    for name, colour in ((BLUE, "b"), (GREEN, "g")):
        await world.edit("deployments", paint(colour), name)
    for name, colour in ((SERVICE, "b"), (PREVIEW, "g")):
        await world.edit(
            "services", lambda body, c=colour: body["spec"]["selector"].update({key: c}), name
        )

    await switch(world, 100, key=key)

    service = await world.object("services")
    assert service["spec"]["selector"] == {"app": SERVICE, "version": "blue", key: "g"}


@pytest.mark.parametrize("selector", [{"app": SERVICE}, {"app": SERVICE, "version": "red"}])
async def test_a_service_that_selects_neither_lane_is_refused(world, selector):
    await world.delete("services")
    service = {
        "metadata": {"name": SERVICE},
        "spec": {"selector": selector, "ports": [{"port": 80}]},
    }
    await world.apply("services", {"apiVersion": "v1", "kind": "Service", **service})

    with pytest.raises(RefusedError, match="neither lane") as refused:
        await world.switch().read()

    assert refused.value.code == "selector_unknown"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"key": "colour"}, "label_missing"),
        ({"key": "app"}, "lanes_not_distinct"),
        ({"service": "web"}, "service_missing"),
        ({"canary": "web"}, "deployment_missing"),
    ],
)
async def test_what_cannot_be_told_apart_is_refused_and_found_before_a_rollout(
    world, options, code
):
    with pytest.raises(RefusedError) as refused:
        await world.switch(**options).read()

    findings = await world.switch(**options).inspect(canary_pods=False)
    assert refused.value.code == code
    assert [(finding.code, finding.fatal) for finding in findings] == [(code, True)]


async def test_a_service_deleted_after_the_read_is_gone(world):
    router = world.switch()
    token = (await router.read()).token
    await world.delete("services")

    with pytest.raises(GoneError):
        await router.write(100, token=token, fence="1.1")


async def test_a_preview_that_cannot_be_turned_stops_the_way_forward_before_the_switch(fake):
    fake.fake.fail(503, method="PATCH", path=PREVIEW)

    with pytest.raises(TryAgainError):
        await switch(fake, 100)

    assert await selected(fake) == ("blue", "green")


@pytest.mark.parametrize("status", [403, 409, 503])
async def test_a_preview_that_cannot_be_turned_never_holds_up_a_rollback(fake, status):
    await switch(fake, 100)
    fake.fake.fail(status, method="PATCH", path=PREVIEW)

    with pytest.raises(TryAgainError, match="is home") as unsure:
        await switch(fake, 0, fence="1.2")

    assert unsure.value.code == "preview_not_turned"
    assert (await fake.switch().read()).canary == 0


async def test_a_write_whose_answer_is_lost_is_unknown_and_read_back(fake):
    router = fake.switch()
    token = (await router.read()).token
    fake.fake.drop(path=f"{SERVICE}")

    with pytest.raises(TryAgainError):
        await router.write(0, token=token, fence="1.1")

    assert (await router.read()).fence == "1.1"


async def test_a_write_that_lands_after_the_rollback_changes_nothing(fake):
    router = fake.switch(preview=None)
    token = (await router.read()).token
    fake.fake.hold()
    with pytest.raises(TryAgainError):
        await router.write(100, token=token, fence="3.4")
    await router.write(0, token=(await router.read()).token, fence="3.5")

    assert await fake.fake.land() == [409]
    assert (await selected(fake))[0] == "blue"


async def test_a_forbidden_write_names_the_verb_and_the_resource(fake):
    fake.fake.fail(403, method="PATCH")

    with pytest.raises(RefusedError, match=f"patch services {SERVICE}") as refused:
        await switch(fake, 0)

    assert refused.value.code == "forbidden"


async def test_reading_is_one_get_and_writing_after_it_is_one_patch(fake):
    router = fake.switch(preview=None)
    await router.read()
    fake.fake.requests.clear()

    await router.write(100, token=(await router.read()).token, fence="1.1")

    assert [method for method, _ in fake.fake.requests] == ["GET", "PATCH"]
