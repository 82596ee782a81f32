"""What a failed batch undoes, and how a roll that holds goes on or goes home."""

from typing import Any

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.rolling import (
    IMAGE,
    SHAPES,
    TWO_BATCHES,
    V1,
    V2,
    begin,
    ended,
    held,
    mended,
    mixed,
    reached,
    rolling,
    starting,
    third_batch_fails,
    watching,
)
from tests.scenario.stage import ALERTS, DEPLOYS, OLU, Stage

pytestmark = pytest.mark.sweep

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
