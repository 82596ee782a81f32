"""Rolling: some instances at a time, never more at once than allowed, each batch watched; and home when one is ill."""

from datetime import timedelta
from math import ceil
from typing import Any

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from strategies.plan import Batch
from tests.scenario.rolling import (
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
from tests.scenario.stage import ANA, DEPLOYS, OLU, Stage

pytestmark = pytest.mark.sweep

# ---- the size of a batch ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "batch", "after_each"),
    [
        ("one", '"25%"', [3, 6, 9, 10]),
        ("one", '"12.5%"', [2, 4, 6, 8, 10]),
        ("one", '"50%"', [5, 10]),
        ("one", '"99%"', [10]),
        ("one", '"100%"', [10]),
        ("one", "4", [4, 8, 10]),
        ("one", "12", [10]),
        ("fixed", '"25%"', [25, 50, 75, 100]),
        ("fixed", '"40%"', [40, 80, 100]),
        ("fixed", "3", [75, 100]),
        ("mesh", '"40%"', [40, 80, 100]),
        ("mesh", "1", [25, 50, 75, 100]),
    ],
)
async def test_a_batch_is_a_number_of_instances_or_percent_of_them_rounded_up(
    tmp_path, shape, batch, after_each
):
    async with rolling(tmp_path, shape, options=f"batch={batch}") as stage:
        await begin(stage)
        seen: list[int] = []
        async for row in seconds(stage):
            if row.batches > len(seen):
                seen.append(reached(stage))
        assert seen == after_each
        assert await stage.phase() == (Phase.SUCCEEDED, "")


@pytest.mark.parametrize(
    ("option", "after_each"), [("batch-size=5", [5, 10]), ("batch-size=60%", [6, 10])]
)
async def test_the_request_has_the_last_word_on_the_size(tmp_path, option, after_each):
    async with rolling(tmp_path) as stage:
        await begin(stage, options=option)
        for batch, instances in enumerate(after_each, 1):
            await watching(stage, batch)
            assert reached(stage) == instances


# ---- pace ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "most"), [("one", 1), ("one", 2), ("fixed", 1), ("mesh", 2)])
async def test_never_more_than_max_concurrent_are_on_their_way_and_nobody_is_missed(
    tmp_path, shape, most
):
    async with rolling(tmp_path, shape, options=f'batch="75%" max_concurrent={most}') as stage:
        await begin(stage)
        on_their_way: set[int] = set()
        async for row in seconds(stage):
            total, ready = (10, sum(stage.versions.values())) if shape == "one" else (4, 0)
            if shape == "one":
                assert ready >= total - most
            else:
                assert stage.deployment(Lane.CANARY)["status"].get("readyReplicas", 0) >= ceil(
                    total * stage.weights[1] / 100
                )
            on_their_way.add(starting(stage))
            assert max(on_their_way) <= most, row.step
        assert most in on_their_way
        assert (await stage.phase())[0] is Phase.SUCCEEDED


@pytest.mark.parametrize(("shape", "delay"), [("one", 20), ("fixed", 45), ("mesh", 20)])
async def test_each_batch_is_watched_for_the_delay_before_the_next_begins(tmp_path, shape, delay):
    async with rolling(tmp_path, shape, options=f'batch="50%" delay={delay}s') as stage:
        await begin(stage)
        await watching(stage, 1)
        began, last = stage.clock.at, starting(stage)
        assert last == 0
        while starting(stage) == 0:
            await stage.wait(1)
        assert delay <= (stage.clock.at - began).total_seconds() <= delay + 3


async def test_without_a_delay_one_batch_follows_the_other(tmp_path):
    async with rolling(tmp_path, options="delay=0s") as stage:
        await begin(stage)
        assert (await ended(stage)).phase is Phase.SUCCEEDED
        row = await stage.row()
        assert [type(step) for step in row.plan.steps] == [Batch]
        assert row.ended - row.started < timedelta(seconds=60)


async def test_the_timeout_counts_for_each_instance_and_not_for_the_batch(tmp_path):
    async with rolling(tmp_path, options='batch="100%" max_concurrent=1 timeout=15s') as stage:
        await begin(stage)  # ten instances, one after the other, ten seconds each
        assert (await ended(stage)).phase is Phase.SUCCEEDED


async def test_the_card_counts_instances_and_batches(tmp_path):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await watching(stage, 2)
        assert "6 of 10 instances, batch 2 of 4" in stage.card


async def test_the_hand_over_of_a_pair_is_no_batch_of_its_own(tmp_path):
    async with rolling(tmp_path, "fixed") as stage:
        await begin(stage)
        async for row in seconds(stage):
            if row.stable_touched:
                break
        await stage.wait(2)
        assert "batch 4 of 4" in stage.card
        assert "Making v2.0.0 the stable version" in stage.card
        await ended(stage)


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_one_gate_stands_before_the_first_batch(tmp_path, shape):
    async with rolling(tmp_path, shape, approvals=1) as stage:
        await begin(stage)
        await stage.wait(120)
        assert await stage.phase() == (Phase.WAITING, "")
        assert stage.as_armed
        await stage.press("Promote in batches", by=ANA)
        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert (await stage.told()).count("gate_opened") <= 1


# ---- home ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_instance_that_is_not_healthy_in_time_brings_everything_back(tmp_path, shape):
    async with rolling(tmp_path, shape) as stage:
        stage.cluster.break_image(IMAGE, "never_ready")
        await begin(stage)
        await stage.wait(55)
        assert (await stage.row()).phase is Phase.RUNNING
        row = await ended(stage, 60)
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "not_ready_in_time")
        assert "60 s" in row.back.reason
        assert stage.as_armed
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert (alert["reason_code"], alert["strategy"]) == ("not_ready_in_time", "rolling")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("mishap", "says"),
    [("crash_loop", "CrashLoopBackOff"), ("image_pull", "ImagePullBackOff")],
)
async def test_pods_that_cannot_run_are_named_on_the_card(tmp_path, shape, mishap, says):
    async with rolling(tmp_path, shape) as stage:
        stage.cluster.break_image(IMAGE, mishap)
        await begin(stage)
        row = await ended(stage, 60)
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, mishap)
        assert says in stage.card
        assert "Container auth-service of pod auth-service-" in stage.card
        assert stage.as_armed


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_lack_of_room_is_waited_out_until_the_deadline(tmp_path, shape):
    async with rolling(tmp_path, shape) as stage:
        stage.cluster.break_image(IMAGE, "unschedulable")
        await begin(stage)
        await stage.wait(40)
        stage.mend(V2)
        assert (await ended(stage)).phase is Phase.SUCCEEDED


@pytest.mark.parametrize("shape", SHAPES)
async def test_all_means_all_also_from_the_second_batch(tmp_path, shape):
    async with rolling(tmp_path, shape) as stage:
        await begin(stage)
        await watching(stage, 2)
        stage.traffic.set_errors(V2, 60)
        row = await ended(stage, 120)
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed
        assert row.batches == 2


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_instance_that_crashes_while_it_is_watched_brings_everything_back(tmp_path, shape):
    async with rolling(tmp_path, shape) as stage:
        await begin(stage)
        await watching(stage, 1)
        stage.cluster.break_image(IMAGE, "crash_loop")
        row = await ended(stage, 120)
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "crash_loop")
        assert stage.as_armed


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_person_goes_home_from_the_middle_of_a_batch(tmp_path, shape):
    async with rolling(tmp_path, shape, options="max_concurrent=1") as stage:
        await begin(stage)
        await watching(stage, 1)
        while starting(stage) == 0:
            await stage.wait(1)
        await stage.say("/rollback auth-service it looks wrong", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert stage.as_armed


async def test_the_way_home_of_one_deployment_is_as_gentle_as_its_own_strategy(tmp_path):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await watching(stage, 3)
        await stage.say("/rollback auth-service", by=OLU)
        while not (await stage.row()).phase.final:
            assert sum(stage.versions.values()) >= 7  # 25 % may be missing unless it says otherwise
            await stage.wait(1)
        assert stage.as_armed


# ---- as it was found -------------------------------------------------------------------------------

OWN = {
    "nothing": {},
    "gentle": {
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "minReadySeconds": 3,
        "progressDeadlineSeconds": 120,
    },
    "stop first": {"strategy": {"type": "Recreate"}},
}


def own(stage: Stage, spec: dict[str, Any]) -> None:
    stage.cluster.edit(
        "deployments", "orion", "auth-service", lambda body: body["spec"].update(spec)
    )


def as_found(stage: Stage) -> dict[str, Any]:
    """The Deployment without its image, our fence, and what its controller counts."""
    body = stage.deployment(Lane.CANARY)
    notes = body["metadata"].get("annotations", {})
    body["spec"]["template"]["spec"]["containers"][0].pop("image")
    return {
        "spec": body["spec"],
        "labels": body["metadata"]["labels"],
        "notes": {k for k in notes if not k.startswith("deployment.kubernetes.io/")}
        - {"sluice/fence"},
    }


@pytest.mark.parametrize("spec", OWN.values(), ids=OWN)
async def test_success_leaves_the_deployment_as_it_was_but_for_the_image(tmp_path, spec):
    async with rolling(tmp_path) as stage:
        own(stage, spec)
        before = as_found(stage)
        await begin(stage)
        await watching(stage, 1)
        assert as_found(stage) != before
        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert as_found(stage) == before
        assert stage.versions == {V2: 10}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("spec", OWN.values(), ids=OWN)
async def test_a_rollback_leaves_the_deployment_as_it_was(tmp_path, spec, batch):
    async with rolling(tmp_path) as stage:
        own(stage, spec)
        before = as_found(stage)
        await begin(stage)
        await watching(stage, batch)
        await stage.say("/rollback auth-service", by=OLU)
        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert as_found(stage) == before
        assert stage.as_armed


# ---- after success ---------------------------------------------------------------------------------


async def test_after_success_rollback_asks_and_now_acts(tmp_path):
    async with rolling(tmp_path) as stage:
        for version in (V2, "v3.0.0"):
            await stage.wait(60)
            await begin(stage, version)
            await ended(stage)
        assert "confirmation_needed" in await stage.say("/rollback auth-service", by=OLU)
        assert stage.versions == {"v3.0.0": 10}
        await stage.say("/rollback auth-service now", by=OLU)
        row = await ended(stage)
        assert (row.phase, row.version, row.rollback_of != "") == (Phase.SUCCEEDED, V2, True)
        assert stage.versions == {V2: 10}


async def test_the_card_of_a_success_goes_back_after_one_question(tmp_path):
    async with rolling(tmp_path) as stage:
        await begin(stage)
        await ended(stage)
        await stage.press(f"Roll back to {V1}", by=OLU)
        await stage.press("Yes", by=OLU)
        row = await ended(stage)
        assert (row.phase, row.version) == (Phase.SUCCEEDED, V1)
        assert stage.as_armed
        assert "back to v1.0.0" in stage.slack.text_of(stage.slack.messages(DEPLOYS)[-1])
