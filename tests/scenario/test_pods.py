"""Pods that fail are named on the card at the first look, and their last words stand in the thread once."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bot.rollout.values import Phase
from bot.sandbox.kubelet import NO_NODE
from tests.scenario.stage import Stage

V2 = "ghcr.io/orion/auth:v2.0.0"
STRATEGY = {"fixed": "canary steps=50,100", "swap": "blue-green", "one": "rolling"}
SECRET = "correct-horse-battery-staple"
TITLE = "The last lines of auth-service in pod auth-service"


def opened(
    folder: Path, shape: str = "fixed", **overrides: Any
) -> AbstractAsyncContextManager[Stage]:
    """A stage on which nothing asks."""
    return Stage.opened(folder, shape=shape, approvals=0, **overrides)


async def begin(stage: Stage) -> None:
    strategy = STRATEGY[stage.shape]
    await stage.say(f"/deploy auth-service v2.0.0 to production strategy={strategy}")
    assert (await stage.row()).version == "v2.0.0"


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["fixed", "swap", "one"])
@pytest.mark.parametrize(
    ("mishap", "said"),
    [
        (
            "crash_loop",
            "CrashLoopBackOff, restarted 1 times, it last ended with Error (exit code 1)",
        ),
        ("out_of_memory", "it last ended with OOMKilled (it needs more memory than its limit)"),
        ("image_pull", "does not run: ImagePullBackOff"),
    ],
)
async def test_pods_that_fail_turn_it_back_within_a_look_and_the_card_says_why(
    tmp_path, shape, mishap, said
):
    async with opened(tmp_path, shape) as stage:
        stage.cluster.break_image(V2, mishap)
        await begin(stage)

        await stage.wait(13)  # ten seconds to start, and one look

        row = await stage.row()
        assert (row.phase, row.code) in {(Phase.ROLLING_BACK, mishap), (Phase.ROLLED_BACK, mishap)}
        assert said in stage.card


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["fixed", "swap", "one"])
@pytest.mark.parametrize(
    ("mishap", "said"), [("unschedulable", NO_NODE), ("quota", "exceeded quota: team")]
)
async def test_what_the_cluster_may_still_mend_is_on_the_card_until_it_has(
    tmp_path, shape, mishap, said
):
    async with opened(tmp_path, shape) as stage:
        stage.cluster.break_image(V2, mishap)
        await begin(stage)

        await stage.wait(5)

        assert (await stage.row()).phase is Phase.RUNNING
        assert said.rstrip(".") in stage.card

        stage.mend("v2.0.0")
        await stage.wait(20)

        assert said.rstrip(".") not in stage.card
        assert (await stage.told()).count(f"sick:{mishap}") == 1


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["fixed", "swap", "one"])
async def test_the_last_words_of_a_pod_stand_in_the_thread_once_and_without_secrets(
    tmp_path, shape
):
    async with opened(tmp_path, shape) as stage:
        stage.cluster.break_image(V2, "crash_loop")
        await begin(stage)
        await stage.wait(60)

        assert (await stage.row()).phase is Phase.ROLLED_BACK
        assert (await stage.told()).count("log:crash_loop") == 1
        assert stage.story.count(TITLE) == 1
        assert "```\nINFO starting, reading configuration" in stage.story
        assert "postgres://[redacted]@db.orion:5432/auth" in stage.story
        assert SECRET not in stage.story
        assert SECRET not in repr(await stage.bot.store.journal((await stage.row()).id))

        await stage.restart()
        await stage.wait(60)

        assert (await stage.told()).count("log:crash_loop") == 1


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["fixed", "one"])
async def test_the_log_is_asked_for_after_the_write_that_takes_the_traffic_home(tmp_path, shape):
    async with opened(tmp_path, shape) as stage:
        await begin(stage)
        await stage.wait(30)
        stage.cluster.break_image(V2, "crash_loop")
        stage.cluster.requests.clear()
        await stage.wait(60)

        asked = [
            (method, path.rpartition("/")[2])
            for method, path in stage.cluster.requests
            if method == "PATCH" or path.endswith("/log")
        ]

        assert asked[0][0] == "PATCH"
        assert ("GET", "log") in asked


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["refused", "silent"])
async def test_a_log_that_cannot_be_had_holds_nothing_up(tmp_path, caplog, how):
    async with opened(tmp_path) as stage:
        if how == "refused":
            stage.cluster.forbid("get", "pods/log")
        else:
            stage.cluster.fail(503, method="GET", path="/log")
        stage.cluster.break_image(V2, "crash_loop")
        await begin(stage)
        await stage.wait(60)

        assert (await stage.row()).phase is Phase.ROLLED_BACK
        assert stage.as_armed
        assert "log:crash_loop" not in await stage.told()
        assert "the log of its pods could not be read" in caplog.text


@pytest.mark.sweep
async def test_a_hold_because_of_pods_has_its_log_too(tmp_path, caplog):
    block = "      rolling: {batch: 1, rollback: none}"
    async with opened(tmp_path, "one", extra=block) as stage:
        stage.cluster.break_next(V2, "crash_loop")
        await begin(stage)
        await stage.wait(30)

        assert await stage.phase() == (Phase.PAUSED, "crash_loop")
        assert (await stage.told()).count("log:crash_loop") == 1

        await stage.wait(180)

        assert (await stage.told()).count("log:crash_loop") == 1

        await stage.restart()
        await stage.wait(180)

        assert (await stage.told()).count("log:crash_loop") == 1
        assert "reading the log of its pods failed" not in caplog.text
