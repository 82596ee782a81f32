"""A rollback that could not succeed is refused before the first step; what else was noticed is said at the start."""

import pytest

from bot.app.examining import examine
from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import Stage

LINE = "/deploy auth-service v2.0.0 to production"
WEBHOOK = 'admission webhook "guard.orion" denied the request: frozen until Monday'
WRITTEN = {
    "fixed": ["virtualservices", "deployments"],
    "swap": ["services", "deployments"],
    "one": ["deployments"],
}
EVERYTHING = [(shape, plural) for shape, plurals in WRITTEN.items() for plural in plurals]


def writes(stage: Stage) -> list[str]:
    return [path for method, path in stage.cluster.requests if method == "PATCH"]


@pytest.mark.parametrize(("shape", "plural"), EVERYTHING)
async def test_a_right_that_going_back_lacks_is_named_before_the_first_step(
    tmp_path, shape, plural
):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        stage.cluster.forbid("patch", plural)

        await stage.say(LINE)
        await stage.wait(5)

        assert await stage.phase() == (Phase.CANCELLED, "rollback_forbidden")
        assert f"The bot may not patch {plural}" in stage.heard()
        assert "in namespace orion, and a rollback needs that" in stage.heard()
        assert (writes(stage), stage.as_armed) == ([], True)


@pytest.mark.parametrize(("shape", "plural"), EVERYTHING)
async def test_a_restore_that_the_cluster_refuses_is_said_in_its_words(tmp_path, shape, plural):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        stage.cluster.fail(403, times=9, method="TRY", path=f"/{plural}/", message=WEBHOOK)

        await stage.say(LINE)
        await stage.wait(5)

        assert await stage.phase() == (Phase.CANCELLED, "rollback_impossible")
        assert "frozen until Monday" in stage.heard()
        assert writes(stage) == []


@pytest.mark.parametrize("shape", WRITTEN)
async def test_what_is_only_remarkable_stands_in_the_first_line_of_the_story(tmp_path, shape):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        stage.cluster.edit(
            "deployments", "orion", stage.deployment(Lane.CANARY)["metadata"]["name"], forget_probe
        )
        await stage.wait(60)  # the pods of a changed template have to start

        await stage.say(LINE)
        await stage.wait(5)

        (armed,) = [
            line.entry.text
            for line in await stage.bot.store.journal((await stage.row()).id)
            if line.entry.verb == "armed"
        ]
        assert "has no readiness probe" in armed
        assert "has no readiness probe" in stage.story


def forget_probe(body: dict) -> None:
    (container,) = body["spec"]["template"]["spec"]["containers"]
    del container["readinessProbe"]


async def test_a_plan_in_slack_says_what_a_start_would_meet(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        stage.cluster.forbid("patch", "virtualservices")

        shown = await stage.say("/deploy plan auth-service v2.0.0 to production")

        assert "The bot may not patch virtualservices" in shown


@pytest.mark.sweep
async def test_a_plan_in_slack_does_not_wait_for_a_cluster_that_is_slow(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        stage.cluster.hang(method="GET", path="virtualservices")

        shown = await stage.say("/deploy plan auth-service v2.0.0 to production")

        assert "The cluster was not looked at in time" in shown


@pytest.mark.sweep
async def test_going_back_to_an_earlier_version_waits_for_no_proof(tmp_path):
    async with Stage.opened(tmp_path, approvals=0, steps="[100]") as stage:
        await stage.say(LINE)
        await stage.wait(150)
        assert (await stage.row()).phase is Phase.SUCCEEDED
        stage.cluster.fail(403, times=9, method="TRY", path="virtualservices", message=WEBHOOK)

        await stage.say("/rollback auth-service")
        if stage.slack.ephemerals("U0DANA"):
            await stage.press("Yes", by="U0DANA")
        await stage.wait(200)

        assert (await stage.row()).phase is Phase.SUCCEEDED
        assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v1.0.0")


def crowd(body: dict) -> None:
    """Leave stable and canary 90 of the traffic: 10 % of that is a whole number, 25 % is none."""
    entries = body["spec"]["http"][0]["route"]
    entries[0]["weight"] = 90
    entries.append({"destination": {"host": "legacy"}, "weight": 10})


async def test_steps_that_cannot_be_written_are_refused_before_the_first_one(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        stage.cluster.edit("virtualservices", "orion", "auth-service", crowd)
        line = "auth-service v2.0.0 to production steps=10,25,100"
        sentence = "25 % cannot be written exactly"
        assert sentence in await stage.say(f"/deploy plan {line}")

        await stage.say(f"/deploy {line}")
        await stage.wait(5)

        assert await stage.phase() == (Phase.CANCELLED, "inexact_weight")
        assert sentence in stage.heard()
        assert writes(stage) == []


@pytest.mark.parametrize(("steps", "state"), [("[10, 100]", "ok"), ("[10, 25, 100]", "fail")])
async def test_doctor_asks_for_the_steps_of_the_file(tmp_path, steps, state):
    async with Stage.opened(tmp_path, steps=steps) as stage:
        stage.cluster.edit("virtualservices", "orion", "auth-service", crowd)

        *_, row = await examine(tmp_path / "sluice.yaml", stage.clock.now)

        assert (row.name, row.status) == ("auth-service/production", state)
        assert ("inexact_weight" in row.fix) == (state == "fail")
