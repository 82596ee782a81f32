"""What stands in the way of a rollout is noticed before anything is written."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import Stage

LINE = "/deploy auth-service v2.0.0 to production"
ARGO = {"argo-rollouts.argoproj.io/managed-by-rollouts": "auth"}
SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "auth", "namespace": "orion"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "auth-service"}},
}


def pause(stage: Stage, name: str = "auth-service") -> None:
    stage.cluster.edit("deployments", "orion", name, lambda body: body["spec"].update(paused=True))


def pause_stable(stage: Stage) -> None:
    pause(stage, "auth-service-stable")


def pause_green(stage: Stage) -> None:
    pause(stage, "auth-service-green")


def mistype_a_label(stage: Stage) -> None:
    def mistype(body):
        body["spec"]["subsets"][1]["labels"] = {"track": "cannary"}

    stage.cluster.edit("destinationrules", "orion", "auth-service", mistype)


def let_argo_drive(stage: Stage) -> None:
    stage.cluster.edit(
        "services", "orion", "auth-service", lambda body: body["metadata"].update(annotations=ARGO)
    )


@pytest.mark.parametrize(
    ("shape", "obstacle", "code"),
    [
        ("one", pause, "deployment_paused"),
        ("fixed", pause_stable, "deployment_paused"),
        ("swap", pause_green, "deployment_paused"),
        ("swap", let_argo_drive, "owned_by_another"),
        ("fixed", mistype_a_label, "subset_missing"),
    ],
)
async def test_a_fatal_one_ends_it_with_its_sentence_and_without_a_write(
    tmp_path, shape, obstacle, code
):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        obstacle(stage)

        await stage.say(LINE)
        await stage.wait(5)

        row = await stage.row()
        assert (row.phase, row.code) == (Phase.CANCELLED, code)
        assert "PATCH" not in {method for method, _ in stage.cluster.requests}


async def test_a_remark_stands_in_the_journal_and_the_rollout_goes_on(tmp_path):
    async with Stage.opened(tmp_path, shape="one") as stage:
        stage.cluster.put(SCALER)

        await stage.say(LINE)
        await stage.wait(5)

        assert (await stage.row()).phase is Phase.RUNNING
        assert "HorizontalPodAutoscaler auth may change how many instances" in stage.story


@pytest.mark.parametrize(("shape", "obstacle"), [("one", pause), ("swap", let_argo_drive)])
async def test_a_preflight_says_it_before_anybody_deploys(tmp_path, shape, obstacle):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        obstacle(stage)
        body = {"service": "auth-service", "version": "v2.0.0", "environment": "production"}

        status, answer = await stage.rest("POST", "/api/v1/deployments?dry_run=true", json=body)

        assert status == 200
        assert any("is paused" in w or "Argo Rollouts drives" in w for w in answer["warnings"])


@pytest.mark.sweep
async def test_a_deployment_paused_in_the_middle_is_named_when_it_turns_back(tmp_path):
    async with Stage.opened(tmp_path, approvals=0, steps="[50, 100]") as stage:
        await stage.say(LINE)
        await stage.wait(20)
        pause_stable(stage)

        await stage.wait(300)

        why = "Deployment auth-service-stable in namespace orion is paused"
        assert f"Automatic rollback: {why}" in stage.story
