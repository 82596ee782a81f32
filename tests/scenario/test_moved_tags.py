"""A8: the tag is moved after people have approved. What they saw is what stable gets, or it holds."""

import pytest

from bot.rollout.values import Phase
from bot.sandbox.kubelet import digest_for
from tests.scenario.stage import IMAGE, Stage

V2 = f"{IMAGE}:v2.0.0"


def stable_image(stage: Stage) -> str:
    body = stage.cluster.object("deployments", "orion", "auth-service-stable")
    return body["spec"]["template"]["spec"]["containers"][0]["image"]


def replace_pods(stage: Stage, image: str, most: int = 99) -> None:
    """Let nodes be drained: so many pods of an image start anew."""
    pods = stage.cluster.ready_pods("orion")
    ours = [pod for pod in pods if pod["spec"]["containers"][0]["image"] == image]
    for pod in ours[:most]:
        stage.cluster.remove("pods", "orion", pod["metadata"]["name"])


@pytest.mark.sweep
async def test_stable_gets_the_digest_that_was_judged_wherever_the_tag_points_now(stage):
    await stage.deploy_to_gate()
    stage.cluster.move_tag(V2, "somebody-elses-build")
    replace_pods(stage, V2, most=1)
    await stage.wait(30)
    await stage.restart()
    await stage.press("Promote to 100 %")
    await stage.wait(90)
    await stage.press("Promote to stable")
    await stage.wait(60)
    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert stable_image(stage) == f"{V2}@{digest_for(V2)}"


async def test_pods_that_run_something_else_under_the_same_tag_hold_it(stage):
    await stage.deploy_to_gate()
    stage.cluster.move_tag(V2, "somebody-elses-build")
    replace_pods(stage, V2)
    await stage.wait(30)
    await stage.press("Promote to 100 %")
    await stage.wait(60)
    row = await stage.row()
    assert (row.phase, row.code) == (Phase.PAUSED, "drift")
    assert "was moved" in stage.story
    assert digest_for(V2)[:19] in stage.story
    assert digest_for("somebody-elses-build")[:19] in stage.story
    assert stage.weights[1] <= 50
    await stage.say("/rollback auth-service")
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.as_armed
