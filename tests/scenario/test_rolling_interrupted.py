"""What may happen between two batches: other hands, autoscalers, restarts, writes that are lost or late."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.rolling import (
    SHAPES,
    V1,
    V2,
    begin,
    ended,
    held,
    rolling,
    seconds,
    starting,
    watching,
)
from tests.scenario.stage import ANA, DANA, OLU, Stage

pytestmark = pytest.mark.sweep

V9 = "ghcr.io/orion/auth:v9.9.9"


# ---- foreign edits ---------------------------------------------------------------------------------


def set_image(image: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        body["spec"]["template"]["spec"]["containers"][0]["image"] = image

    return change


async def somebody_sets(stage: Stage, image: str, *, mid_batch: bool, batch: int = 1) -> None:
    """Let somebody set the image of the one Deployment: while a batch is watched, or on its way."""
    await begin(stage)
    if batch:
        await watching(stage, batch)
    while mid_batch and starting(stage) == 0:
        await stage.wait(1)
    stage.cluster.edit(
        "deployments", "orion", "auth-service", set_image(image), manager="kubectl-edit"
    )


WHEN = pytest.mark.parametrize(
    ("mid_batch", "batch"), [(True, 0), (True, 1), (False, 1), (False, 2)]
)


@WHEN
@pytest.mark.parametrize("image", [V9, f"ghcr.io/orion/auth:{V1}"])
async def test_a_foreign_image_in_the_middle_holds_and_resume_writes_ours_again(
    tmp_path, image, mid_batch, batch
):
    async with rolling(tmp_path) as stage:
        await somebody_sets(stage, image, mid_batch=mid_batch, batch=batch)
        assert await held(stage) == "drift"
        assert image in stage.story
        assert "kubectl-edit" in stage.story
        writes = len(stage.cluster.log)
        await stage.wait(300)
        assert len(stage.cluster.log) == writes
        await stage.say("/deploy resume auth-service")
        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert stage.versions == {V2: 10}


async def test_an_image_that_somebody_set_at_the_gate_is_found_before_the_first_batch(tmp_path):
    async with rolling(tmp_path, approvals=1) as stage:
        await begin(stage)
        await stage.wait(30)
        stage.cluster.edit("deployments", "orion", "auth-service", set_image(V9))
        await stage.press("Promote in batches", by=ANA)
        assert await held(stage) == "drift"
        assert stage.image(Lane.CANARY) == V9
        await stage.say("/deploy resume auth-service")
        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert stage.versions == {V2: 10}


async def test_an_image_that_somebody_sets_while_ours_is_on_its_way_is_not_written_over(tmp_path):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await watching(stage, 1)
        stage.cluster.fail(503, times=1, method="PATCH")
        while stage.cluster._faults[0].times:
            await stage.wait(1)
        stage.cluster.edit("deployments", "orion", "auth-service", set_image(V9))
        assert await held(stage) == "drift"
        assert stage.image(Lane.CANARY) == V9


@WHEN
async def test_rollback_leaves_a_foreign_image_alone_and_asks(tmp_path, mid_batch, batch):
    async with rolling(tmp_path) as stage:
        await somebody_sets(stage, V9, mid_batch=mid_batch, batch=batch)
        await held(stage)
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert await stage.phase() == (Phase.NEEDS_ATTENTION, "stable_changed")
        assert stage.image(Lane.CANARY) == V9
        await stage.say("/deploy resolve auth-service v9 stays", by=OLU)
        assert await stage.phase() == (Phase.CANCELLED, "resolved")


async def test_rollback_is_already_there_where_somebody_went_home_by_hand(tmp_path):
    async with rolling(tmp_path) as stage:
        await somebody_sets(stage, f"ghcr.io/orion/auth:{V1}", mid_batch=False)
        await held(stage)
        await stage.say("/rollback auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed


def scale(replicas: int) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["spec"].update(replicas=replicas)


@pytest.mark.parametrize(
    ("replicas", "mid_batch"), [(4, True), (6, False), (14, True), (40, True), (40, False)]
)
async def test_an_autoscaler_in_the_middle_of_a_roll_is_no_drift(tmp_path, replicas, mid_batch):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await watching(stage, 2)
        while mid_batch and starting(stage) == 0:
            await stage.wait(1)
        stage.cluster.edit("deployments", "orion", "auth-service", scale(replicas), manager="hpa")
        await stage.wait(20)
        async for row in seconds(stage):
            if row.batches >= 3:
                assert starting(stage) <= 5
        assert (await stage.row()).phase is Phase.SUCCEEDED
        assert stage.versions == {V2: replicas}
        assert stage.deployment(Lane.CANARY)["spec"].get("minReadySeconds", 0) == 0


@pytest.mark.parametrize("replicas", [6, 14])
async def test_going_home_leaves_the_number_of_instances_to_the_autoscaler(tmp_path, replicas):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await watching(stage, 2)
        stage.cluster.edit("deployments", "orion", "auth-service", scale(replicas), manager="hpa")
        await stage.wait(5)
        await stage.say("/rollback auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.versions == {V1: replicas}


# ---- interruptions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_restart_every_few_seconds_is_survived(tmp_path, shape):
    async with rolling(tmp_path, shape, options='batch="50%"') as stage:
        await begin(stage)
        async for _ in seconds(stage, 40):
            await stage.wait(6)
            await stage.restart()
        assert (await stage.row()).phase is Phase.SUCCEEDED
        assert (await stage.row()).batches == 2


@pytest.mark.parametrize("how", ["drop", "hold"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_restart_with_a_write_in_flight_is_survived(tmp_path, shape, how):
    async with rolling(tmp_path, shape) as stage:
        await begin(stage)
        await watching(stage, 1)
        getattr(stage.cluster, how)()
        while stage.cluster._faults[0].times:
            await stage.wait(1)
        await stage.restart()
        await stage.wait(10)
        await stage.cluster.land()
        assert (await ended(stage)).phase is Phase.SUCCEEDED


async def test_a_batch_that_lands_after_the_rollback_is_fenced_off(tmp_path):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await watching(stage, 1)
        stage.cluster.hold(path="deployments")
        while stage.cluster._faults[0].times:
            await stage.wait(1)
        await stage.say("/rollback auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert set(await stage.cluster.land()) <= {409, 422}
        await stage.wait(60)
        assert stage.as_armed


@pytest.mark.parametrize("shape", SHAPES)
async def test_conflicts_are_read_again_and_tried_again(tmp_path, shape):
    async with rolling(tmp_path, shape) as stage:
        stage.cluster.fail(409, times=12, method="PATCH")
        await begin(stage)
        assert (await ended(stage)).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_missing_right_needs_a_person_and_resume_goes_on_with_it(tmp_path, shape):
    async with rolling(tmp_path, shape) as stage:
        await begin(stage)
        await watching(stage, 1)
        stage.cluster.fail(403, times=1000, method="PATCH")
        await stage.wait(60)
        assert await stage.phase() == (Phase.NEEDS_ATTENTION, "forbidden")
        stage.cluster.heal()
        await stage.say("/deploy resume auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_cluster_that_is_down_holds_up_a_rollback_and_does_not_end_it(tmp_path, shape):
    async with rolling(tmp_path, shape) as stage:
        await begin(stage)
        await watching(stage, 2)
        await stage.cluster.down()
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(900)
        assert (await stage.row()).phase is Phase.ROLLING_BACK
        assert [d.body["type"] for d in stage.sink.deliveries] == ["rollout.needs_attention"]
        await stage.cluster.up()
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed


async def test_a_paused_deployment_is_named_and_goes_on_when_it_is_released(tmp_path):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await watching(stage, 1)
        stage.cluster.edit(
            "deployments", "orion", "auth-service", lambda body: body["spec"].update(paused=True)
        )
        await stage.wait(60)
        assert await stage.phase() == (Phase.NEEDS_ATTENTION, "deployment_paused")
        assert "kubectl rollout resume deployment/auth-service -n orion" in stage.card
        stage.cluster.edit(
            "deployments", "orion", "auth-service", lambda body: body["spec"].pop("paused")
        )
        await stage.say("/deploy resume auth-service", by=DANA)
        assert (await ended(stage)).phase is Phase.SUCCEEDED


async def test_instances_that_somebody_starts_while_all_are_to_stop_are_a_drift(tmp_path):
    async with rolling(tmp_path) as stage:
        stage.cluster.stalled = True
        await stage.say(f"/deploy auth-service {V2} to production strategy=recreate")
        stage.cluster.edit("deployments", "orion", "auth-service", scale(3))
        stage.cluster.stalled = False
        assert await held(stage) == "drift"
        assert "There shall be 3 instances where this rollout asked for 0" in stage.story
        await stage.say("/rollback auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed
