"""Somebody rewrites the VirtualService in the middle of a rollout: going back still takes all from the canary."""

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.contract.mangling import (
    MANGLING,
    no_stable,
    ours_doubled,
    ours_edited,
    ours_in_a_ruin,
    renamed,
    replaced,
    to_the_canary,
)
from tests.scenario.stage import OLU, Stage

AUTH = ("orion", "auth-service")
SOON = "      blue_green: {smoke_for: 5s, soak: 10m}"
AT_50 = [one for one in MANGLING if not one.__name__.startswith(("ours", "moved"))]
WITH_AUDIENCE = [ours_edited, ours_doubled, ours_in_a_ruin]


def mangle(stage: Stage, how) -> None:
    stage.cluster.edit("virtualservices", *AUTH, how)


async def to_green(stage: Stage) -> None:
    await stage.say("/deploy auth-service v2.0.0 to production strategy=blue-green")
    await stage.wait(60)
    await stage.press("Promote")
    await stage.wait(30)
    assert stage.selected == "green"


def left_to_the_canary(stage: Stage) -> list:
    return to_the_canary(stage.cluster.object("virtualservices", *AUTH))


async def is_home(stage: Stage) -> None:
    assert (await stage.phase())[0] is Phase.ROLLED_BACK
    assert left_to_the_canary(stage) == []
    assert (stage.image(Lane.CANARY), stage.pods(Lane.CANARY)) == ("ghcr.io/orion/auth:v1.0.0", 0)
    assert "traffic_home" in await stage.told()


@pytest.mark.sweep
@pytest.mark.parametrize("how", AT_50)
async def test_a_rollback_gets_through_whatever_was_done_to_the_route(stage, how):
    await stage.deploy()
    assert stage.weights == (50, 50)
    mangle(stage, how)

    await stage.say("/rollback auth-service", by=OLU)
    assert left_to_the_canary(stage) == []
    await stage.wait(30)

    await is_home(stage)


@pytest.mark.sweep
@pytest.mark.parametrize("how", WITH_AUDIENCE)
async def test_a_rollback_takes_the_audience_along_whatever_was_done_to_its_route(stage, how):
    await stage.deploy(options="steps=50,100 user-tier=beta")
    mangle(stage, how)

    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)

    await is_home(stage)


@pytest.mark.sweep
async def test_going_forward_stops_and_asks_and_going_back_gets_through_from_there(stage):
    await stage.deploy()
    mangle(stage, renamed)
    await stage.wait(60)

    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "route_missing")
    assert left_to_the_canary(stage) != []
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)
    await is_home(stage)


@pytest.mark.sweep
async def test_without_a_stable_destination_people_are_called_and_it_goes_on_when_there_is_one(
    stage,
):
    await stage.deploy()
    mangle(stage, no_stable)
    rule = stage.cluster.object("destinationrules", *AUTH)
    stage.cluster.edit("destinationrules", *AUTH, lambda body: body["spec"]["subsets"].clear())

    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)

    assert (await stage.phase())[0] is Phase.ROLLING_BACK
    assert "kubectl edit" in stage.story
    assert "rollback_failing:cannot_cut_off" in await stage.told()
    stage.cluster.edit("destinationrules", *AUTH, lambda body: body.update(spec=rule["spec"]))
    await stage.wait(120)
    await is_home(stage)


@pytest.mark.sweep
async def test_colours_that_only_their_labels_tell_apart_are_known_in_a_ruin_too(tmp_path):
    async with Stage.opened(tmp_path, shape="mesh") as stage:
        await stage.deploy()
        assert stage.weights == (50, 50)
        mangle(stage, replaced)

        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(30)

        (route,) = stage.cluster.object("virtualservices", *AUTH)["spec"]["http"]
        assert [entry["destination"]["subset"] for entry in route["route"]] == ["blue"]
        assert (await stage.phase())[0] is Phase.ROLLED_BACK


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["mesh", "swap"])
async def test_with_the_dark_colours_deployment_gone_the_traffic_comes_home_after_a_restart(
    tmp_path, shape
):
    async with Stage.opened(tmp_path, shape=shape, extra=SOON) as stage:
        if shape == "mesh":
            await stage.deploy()
        else:
            await to_green(stage)
        stage.cluster.remove("deployments", "orion", "auth-service-green")
        await stage.restart()

        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(30)

        assert "All traffic is back on v1.0.0, read back." in stage.story
        if shape == "mesh":
            assert stage.weights == (100, 0)
        else:
            assert stage.selected == "blue"


@pytest.mark.sweep
async def test_a_service_that_selects_no_colour_any_more_is_turned_back(tmp_path):
    async with Stage.opened(tmp_path, shape="swap", extra=SOON) as stage:
        await to_green(stage)
        stage.cluster.edit("services", *AUTH, lambda body: body["spec"]["selector"].pop("version"))
        await stage.wait(30)
        assert await stage.phase() == (Phase.NEEDS_ATTENTION, "selector_unknown")

        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(30)

        assert (stage.selected, (await stage.phase())[0]) == ("blue", Phase.ROLLED_BACK)
