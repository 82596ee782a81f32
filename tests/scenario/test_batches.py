"""What a failed batch undoes, how a roll that holds goes on, and what may happen between two batches."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ALERTS, DANA, DEPLOYS, OLU, Stage
from tests.scenario.test_rolling import (
    IMAGE,
    SHAPES,
    V1,
    V2,
    begin,
    ended,
    reached,
    rolling,
    seconds,
    starting,
    watching,
)

V9 = "ghcr.io/orion/auth:v9.9.9"


async def held(stage: Stage, limit: int = 300) -> str:
    """Wait until it holds by itself; return why."""
    async for row in seconds(stage, limit):
        if row.phase is Phase.PAUSED:
            return row.code
    raise AssertionError("unreachable")


def mixed(stage: Stage) -> tuple[int, int]:
    """How much is on the new version after two batches, and how much on the old."""
    if stage.shape == "one":
        return stage.versions.get(V2, 0), stage.versions.get(V1, 0)
    return stage.weights[1], stage.weights[0]


TWO_BATCHES = {"one": (6, 4), "fixed": (50, 50), "mesh": (50, 50)}


async def third_batch_fails(stage: Stage, how: str = "pods") -> None:
    """Two batches go well; then the pods of the third crash, or its numbers are bad."""
    await begin(stage)
    await watching(stage, 2)
    if how == "pods":
        stage.cluster.break_next(IMAGE, "crash_loop")
        return
    await watching(stage, 3)
    stage.traffic.set_errors(V2, 60)


async def mended(stage: Stage) -> None:
    """Take the cause away, and let the numbers show it."""
    stage.mend(V2)
    stage.traffic.set_errors(V2, 0.2)
    await stage.wait(60)


# ---- failed-batch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
async def test_where_the_first_batch_fails_everything_is_undone(tmp_path, shape):
    async with rolling(tmp_path, shape, options="rollback=failed-batch") as stage:
        stage.cluster.break_image(IMAGE, "crash_loop")
        await begin(stage)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed


@pytest.mark.parametrize("how", ["pods", "numbers"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_where_the_third_fails_two_stay_and_resume_completes_when_the_cause_is_gone(
    tmp_path, shape, how
):
    async with rolling(tmp_path, shape, options="rollback=failed-batch") as stage:
        await third_batch_fails(stage, how)
        assert await held(stage) == ("crash_loop" if how == "pods" else "check_failed")
        assert mixed(stage) == TWO_BATCHES[shape]
        await mended(stage)
        await stage.say("/deploy resume auth-service")
        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert reached(stage) == {"one": 10, "fixed": 0, "mesh": 100}[shape]
        if shape == "fixed":
            assert stage.image(Lane.STABLE).startswith(IMAGE)


@pytest.mark.parametrize("shape", SHAPES)
async def test_while_it_holds_with_two_versions_rollback_undoes_all(tmp_path, shape):
    async with rolling(tmp_path, shape, options="rollback=failed-batch") as stage:
        await third_batch_fails(stage)
        await held(stage)
        await stage.press(f"Roll back to {V1}", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ("one", "6 of 10 instances run v2.0.0, 4 run v1.0.0"),
        ("fixed", "50 % of the traffic on v2.0.0, 50 % on v1.0.0"),
        ("mesh", "50 % of the traffic on v2.0.0, 50 % on v1.0.0"),
    ],
)
async def test_the_card_says_how_many_run_which(tmp_path, shape, says):
    async with rolling(tmp_path, shape, options="rollback=failed-batch") as stage:
        await third_batch_fails(stage)
        await held(stage)
        await stage.wait(2)
        assert says in stage.card
        assert (
            "Held: crash loop. *Resume* completes it, *Roll back* undoes all of it." in stage.card
        )
        assert "Only the batch that failed was undone" in stage.story
        assert "CrashLoopBackOff" in stage.story
        (alert,) = await stage.alerts("rollout.paused")
        assert alert["reason_code"] == "crash_loop"
        assert any("Only the batch that failed" in text for text in stage.channel(ALERTS))


async def told_while(stage: Stage, seconds: float) -> list[str]:
    """What the journal, the channels and the sinks get in this time."""
    before = await stage.told()
    messages = len(stage.channel(DEPLOYS)) + len(stage.channel(ALERTS)) + len(stage.sink.deliveries)
    await stage.wait(seconds)
    after = len(stage.channel(DEPLOYS)) + len(stage.channel(ALERTS)) + len(stage.sink.deliveries)
    return (await stage.told())[len(before) :] + ["message"] * (after - messages)


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_goes_on_failing_while_it_holds_is_not_said_again(tmp_path, shape):
    async with rolling(tmp_path, shape, options="rollback=failed-batch") as stage:
        await third_batch_fails(stage, "numbers")
        await held(stage)
        assert await told_while(stage, 1800) == []
        assert (await stage.row()).phase is Phase.PAUSED
        stage.cluster.break_image(IMAGE, "crash_loop")
        assert await told_while(stage, 1800) == []
        assert (await stage.row()).phase is Phase.PAUSED


@pytest.mark.parametrize("shape", SHAPES)
async def test_resume_with_the_cause_still_there_ends_where_it_was(tmp_path, shape):
    async with rolling(tmp_path, shape, options="rollback=failed-batch") as stage:
        await third_batch_fails(stage)
        await held(stage)
        await stage.say("/deploy resume auth-service")
        await stage.wait(60)
        assert await held(stage) == "crash_loop"
        assert mixed(stage) == TWO_BATCHES[shape]
        assert (await stage.row()).batches == 2
        assert (await stage.told()).count("held:crash_loop") == 2


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_restart_while_it_holds_changes_nothing(tmp_path, shape):
    async with rolling(tmp_path, shape, options="rollback=failed-batch") as stage:
        await third_batch_fails(stage)
        await held(stage)
        writes = len(stage.cluster.log)
        await stage.restart()
        await stage.wait(600)
        assert await stage.phase() == (Phase.PAUSED, "crash_loop")
        assert (mixed(stage), len(stage.cluster.log)) == (TWO_BATCHES[shape], writes)
        await mended(stage)
        await stage.say("/deploy resume auth-service")
        assert (await ended(stage)).phase is Phase.SUCCEEDED


async def test_the_deployment_is_as_found_once_a_partly_undone_roll_is_undone(tmp_path):
    def own(body: dict[str, Any]) -> None:
        rolling_update = {"maxSurge": 2, "maxUnavailable": "10%"}
        body["spec"] |= {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling_update},
            "minReadySeconds": 2,
            "progressDeadlineSeconds": 99,
        }

    async with rolling(tmp_path, options="rollback=failed-batch") as stage:
        stage.cluster.edit("deployments", "orion", "auth-service", own)
        found = stage.deployment(Lane.CANARY)["spec"]
        await third_batch_fails(stage)
        await held(stage)
        assert stage.deployment(Lane.CANARY)["spec"] != found
        await stage.say("/rollback auth-service", by=OLU)
        await ended(stage)
        assert stage.deployment(Lane.CANARY)["spec"] == found
        assert stage.as_armed


# ---- none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["pods", "numbers"])
@pytest.mark.parametrize("shape", SHAPES)
async def test_none_holds_and_undoes_nothing(tmp_path, shape, how):
    async with rolling(tmp_path, shape, options="rollback=none") as stage:
        await third_batch_fails(stage, how)
        await held(stage)
        writes = len(stage.cluster.log)
        assert await told_while(stage, 900) == []
        assert len(stage.cluster.log) == writes
        assert "Nothing was undone, as the plan says" in stage.story
        await mended(stage)
        await stage.say("/deploy resume auth-service")
        assert (await ended(stage)).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_none_left_rollback_undoes(tmp_path, shape):
    async with rolling(tmp_path, shape, options="rollback=none") as stage:
        await third_batch_fails(stage)
        await held(stage)
        await stage.say("/rollback auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed


async def test_rollback_on_failure_false_of_a_body_holds_with_both_versions(tmp_path):
    body = {
        "functionName": "auth-service",
        "version": V2,
        "environment": "production",
        "strategy": "rolling",
        "config": {"batchSize": 25, "batchDuration": "PT30S", "rollbackOnFailure": False},
    }
    async with rolling(tmp_path) as stage:
        status, answer = await stage.rest("POST", "/api/v1/deployments", json=body)
        assert status == 201, answer
        await watching(stage, 1)
        stage.cluster.break_next(IMAGE, "crash_loop")
        assert await held(stage) == "crash_loop"
        assert stage.versions == {V2: 3, V1: 4}


# ---- by hand ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_roll_that_is_stuck_is_paused_and_completed_by_hand(tmp_path, shape):
    async with rolling(tmp_path, shape, options="timeout=1h") as stage:
        await begin(stage)
        await watching(stage, 2)
        stage.cluster.break_next(IMAGE, "unschedulable")
        await stage.wait(300)
        assert (await stage.row()).phase is Phase.RUNNING
        assert starting(stage) > 0
        await stage.say("/deploy pause auth-service")
        await stage.wait(120)
        stage.mend(V2)
        await stage.say("/deploy resume auth-service")
        assert (await ended(stage)).phase is Phase.SUCCEEDED


async def test_what_has_failed_may_be_completed_by_hand_on_the_cluster(tmp_path):
    async with rolling(tmp_path, options="rollback=none") as stage:
        await third_batch_fails(stage)
        await held(stage)
        await mended(stage)
        await stage.wait(120)
        assert stage.versions == {V2: 9, V1: 1}  # the batch that failed has come after all
        await stage.say("/deploy resume auth-service")
        assert (await ended(stage)).phase is Phase.SUCCEEDED


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
        await stage.say(f"/deploy auth-service {V2} to production strategy=recreate")
        stage.cluster.edit("deployments", "orion", "auth-service", scale(3))
        assert await held(stage) == "drift"
        assert "There shall be 3 instances where this rollout asked for 0" in stage.story
        await stage.say("/rollback auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed
