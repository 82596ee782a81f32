"""What can be wrong, typed or broken: a sentence with a code for the person who asked, and nothing half-done."""

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ALERTS, ANA, BEN, DANA, OLU, Stage
from tests.sweeping import mostly_swept

LINES = [
    ("/deploy auth-servise v2.0.0", "unknown_service"),
    ("/deploy auth-service", "missing_version"),
    ("/deploy auth-service v2.0.0 to staging", "unknown_environment"),
    ("/deploy auth-service v2.0.0 colour=red", "unknown_option"),
    ("/deploy auth-service v2.0.0 strategy=bigbang", "bad_value"),
    ("/deploy auth-service v2.0.0 strategy=rolling soak=5m", "option_not_for_strategy"),
    ("/deploy auth-service v2.0.0 steps=50,25", "bad_value"),
    ("/deploy auth-service v2.0.0 approvals=0", "bad_value"),
    ("/deploy auth-service v2.0.0 namespace=other", "other_target"),
    ("/deploy auth-service v2.0.0 batch-size=2", "option_not_for_strategy"),
    ("/deploy auth-service !!", "bad_version"),
    ("/rollback auth-servise", "unknown_service"),
    ("/rollback auth-service to", "missing_version"),
]


@pytest.mark.parametrize(("line", "code"), LINES)
async def test_wrong_words_are_answered_to_the_one_who_typed_them(stage, line, code):
    answer = await stage.say(line)
    assert f"code {code}" in answer.replace("`", "")
    assert stage.channel() == []
    assert await stage.bot.store.history() == []


async def test_a_request_may_only_raise_the_approvals(tmp_path):
    async with Stage.opened(tmp_path, approvals=2) as stage:
        assert "approvals_lowered" in await stage.say("/deploy auth-service v2.0.0 approvals=1")


async def cancelled(stage: Stage, code: str, sentence: str, wait: float = 10) -> None:
    """The rollout did not start: said to Dana alone and in its thread; nothing was written."""
    await stage.say("/deploy auth-service v2.0.0")
    await stage.wait(wait)
    assert await stage.phase() == (Phase.CANCELLED, code)
    assert sentence in stage.heard(DANA)
    assert sentence in stage.story
    assert [w for w in stage.cluster.log if w.method == "PATCH"] == []
    assert "not started" in stage.card


async def test_a_missing_virtual_service_is_named(stage):
    stage.cluster.remove("virtualservices", "orion", "auth-service")
    await cancelled(
        stage,
        "virtual_service_missing",
        "There is no VirtualService auth-service in namespace orion",
    )


@pytest.mark.parametrize("lane", Lane)
async def test_a_missing_deployment_is_named(stage, lane):
    stage.cluster.remove("deployments", "orion", f"auth-service-{lane}")
    await cancelled(stage, "deployment_missing", f"There is no Deployment auth-service-{lane}")


async def test_ambiguous_routes_are_listed_and_none_is_guessed(stage):
    def twice(body):
        body["spec"]["http"].append(dict(body["spec"]["http"][0]))

    stage.cluster.edit("virtualservices", "orion", "auth-service", twice)
    await cancelled(stage, "ambiguous_routes", "Several routes could be split")


async def test_a_subset_without_definition_is_named(stage):
    def drop(body):
        body["spec"]["subsets"] = body["spec"]["subsets"][:1]

    stage.cluster.edit("destinationrules", "orion", "auth-service", drop)
    await cancelled(stage, "subset_missing", "No DestinationRule defines subset canary")


async def test_a_start_split_that_is_not_clean_is_refused(stage):
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(90, 10))
    await cancelled(stage, "split_not_clean", "The canary already receives 10 %")


async def test_an_unhealthy_stable_is_refused(stage):
    stage.cluster.break_image("ghcr.io/orion/auth:v1.0.0", "never_ready")
    await cancelled(stage, "subset_without_pods", "No ready pod stands behind subset stable")


async def test_the_live_version_is_refused(stage):
    await stage.say("/deploy auth-service v1.0.0")
    assert await stage.phase() == (Phase.CANCELLED, "already_live")
    assert "v1.0.0 is what already runs as stable" in stage.heard()


async def test_another_image_is_refused(stage):
    answer = await stage.say("/deploy auth-service evil.example/auth:v2")
    assert "bad_version" in answer
    assert await stage.bot.store.history() == []


async def test_a_missing_right_is_named(stage):
    stage.cluster.fail(403, path="virtualservices", times=1000)
    await cancelled(stage, "forbidden", "The bot may not read virtualservices.networking.istio.io")


async def test_a_cluster_that_is_down_at_the_start_is_tried_for_five_minutes(stage):
    await stage.cluster.down()
    await stage.say("/deploy auth-service v2.0.0")
    await stage.wait(200)
    assert (await stage.row()).phase is Phase.RUNNING
    assert "did not answer" in stage.card
    await stage.wait(200)
    assert await stage.phase() == (Phase.CANCELLED, "unreachable")
    assert "Not started: The cluster did not answer" in stage.heard()
    await stage.cluster.up()


async def test_a_cluster_that_comes_back_in_time_is_no_matter(stage):
    await stage.cluster.down()
    await stage.say("/deploy auth-service v2.0.0 steps=50,100")
    await stage.wait(100)
    await stage.cluster.up()
    await stage.wait(90)
    assert stage.weights == (50, 50)


@pytest.mark.sweep
@pytest.mark.parametrize("where", mostly_swept(["soak", "gate"], lambda where: where == "gate"))
async def test_a_cluster_that_is_down_on_the_way_holds_pages_once_and_goes_on(stage, where):
    await stage.deploy()
    if where == "gate":
        await stage.wait(75)
    await stage.cluster.down()
    await stage.wait(1200)
    assert len(stage.channel(ALERTS)) == 1
    assert "The cluster did not answer" in stage.channel(ALERTS)[0]
    await stage.cluster.up()
    await stage.wait(180)
    assert "answers again" in stage.story
    assert (await stage.row()).phase is Phase.WAITING
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_a_write_that_does_not_get_through_pages_once_and_is_tried_on(stage):
    stage.cluster.fail(503, method="PATCH", path="virtualservices", times=100_000)
    await stage.deploy()
    await stage.wait(1800)
    assert len(stage.channel(ALERTS)) == 1
    assert stage.weights == (100, 0)
    stage.cluster.heal()
    await stage.wait(90)
    assert stage.weights == (50, 50)
    assert "answers again" in stage.story


@pytest.mark.sweep
async def test_a_breached_check_goes_back_although_the_cluster_is_down(stage):
    await stage.deploy()
    await stage.cluster.down()
    stage.traffic.set_errors("v2.0.0", 40)
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.ROLLING_BACK
    await stage.cluster.up()
    await stage.wait(90)
    assert stage.as_armed


def weights(stable: int, canary: int):
    def change(body):
        for route, weight in zip(body["spec"]["http"][0]["route"], (stable, canary), strict=True):
            route["weight"] = weight

    return change


@pytest.mark.sweep
async def test_a_foreign_edit_of_the_weights_holds_names_the_editor_and_resume_writes_again(stage):
    await stage.deploy()
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(99, 1), "argocd")
    await stage.wait(20)
    assert await stage.phase() == (Phase.PAUSED, "drift")
    assert "changed by argocd at " in stage.channel()[-1]
    await stage.wait(300)
    assert stage.weights == (99, 1)
    await stage.press("Resume", by=ANA)
    await stage.wait(5)
    assert stage.weights == (50, 50)
    assert (await stage.row()).phase is Phase.RUNNING
    assert len(stage.channel(ALERTS)) == 1


@pytest.mark.sweep
async def test_a_smaller_foreign_weight_can_be_kept_and_the_plan_goes_on_from_there(stage):
    await stage.deploy()
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(80, 20))
    await stage.wait(20)
    await stage.press("Keep 20 %")
    await stage.wait(5)
    assert await stage.phase() == (Phase.RUNNING, "")
    assert stage.weights == (80, 20)
    await stage.wait(80)
    # Whoever changed what runs does not approve it.
    await stage.press("Promote to 100 %", by=ANA)
    assert "self_approval" in stage.heard(ANA)
    await stage.press("Promote to 100 %", by=BEN)
    await stage.wait(20)
    assert stage.weights == (0, 100)


async def test_a_larger_foreign_weight_is_not_offered_to_be_kept(stage):
    await stage.deploy()
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(20, 80))
    await stage.wait(20)
    assert await stage.phase() == (Phase.PAUSED, "drift")
    with pytest.raises(AssertionError, match="no button"):
        await stage.press("Keep")
    row = await stage.row()
    status, body = await stage.rest("POST", f"/api/v1/deployments/{row.id}/adopt")
    assert (status, body["code"]) == (409, "nothing_to_adopt")


@pytest.mark.sweep
async def test_a_foreign_edit_of_the_weights_can_be_rolled_back(stage):
    await stage.deploy()
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(1, 99))
    await stage.wait(20)
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)
    assert stage.as_armed


@pytest.mark.sweep
async def test_a_foreign_edit_before_the_first_weight_is_written_over_on_resume(stage):
    stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", "never_ready")
    await stage.deploy()
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(60, 40))
    await stage.wait(5)
    assert await stage.phase() == (Phase.PAUSED, "drift")
    await stage.say("/deploy resume auth-service", by=ANA)
    await stage.wait(5)
    assert stage.weights == (100, 0)
    stage.mend("v2.0.0")
    await stage.wait(15)
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_a_foreign_edit_during_promote_never_leaves_traffic_on_a_canary_without_pods(stage):
    await stage.deploy_to_promote()
    await stage.wait(4)
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(40, 60))
    await stage.wait(5)
    assert await stage.phase() == (Phase.PAUSED, "drift")
    await stage.say("/deploy resume auth-service", by=ANA)
    for _ in range(60):
        await stage.wait(1)
        assert stage.weights[1] == 0 or stage.pods(Lane.CANARY) >= 2
    assert (await stage.row()).phase is Phase.SUCCEEDED
    assert stage.weights == (100, 0)


@pytest.mark.sweep
@pytest.mark.parametrize("lane", Lane)
async def test_a_foreign_image_holds_and_rollback_leaves_a_changed_stable_alone(stage, lane):
    def hotfix(body):
        body["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/orion/auth:hotfix"

    await stage.deploy()
    stage.cluster.edit("deployments", "orion", f"auth-service-{lane}", hotfix)
    await stage.wait(20)
    assert await stage.phase() == (Phase.PAUSED, "drift")
    assert "now runs ghcr.io/orion/auth:hotfix" in stage.channel()[-1]
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)
    assert stage.weights == (100, 0)
    stable = "hotfix" if lane is Lane.STABLE else "v1.0.0"
    assert stage.image(Lane.STABLE) == f"ghcr.io/orion/auth:{stable}"
    assert stage.image(Lane.CANARY) == "ghcr.io/orion/auth:v1.0.0"


@pytest.mark.sweep
async def test_a_stable_that_somebody_changed_during_promote_is_asked_about(stage):
    def hotfix(body):
        body["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/orion/auth:hotfix"

    await stage.deploy_to_promote()
    await stage.wait(4)
    stage.cluster.edit("deployments", "orion", "auth-service-stable", hotfix)
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "stable_changed")
    assert stage.image(Lane.STABLE) == "ghcr.io/orion/auth:hotfix"
    assert stage.weights == (0, 100)
    await stage.say("/deploy resolve auth-service hotfix is wanted", by=OLU)
    assert await stage.phase() == (Phase.CANCELLED, "resolved")
    assert "ended by hand" in stage.card


@pytest.mark.sweep
async def test_a_virtual_service_deleted_on_the_way_needs_a_person_and_rollback_waits_for_it(stage):
    await stage.deploy()
    kept = stage.cluster.object("virtualservices", "orion", "auth-service")
    stage.cluster.remove("virtualservices", "orion", "auth-service")
    await stage.wait(30)
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "virtual_service_missing")
    assert "@oncall" in stage.channel(ALERTS)[-1]
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.ROLLING_BACK
    kept["metadata"].pop("resourceVersion")
    stage.cluster.put({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", **kept})
    await stage.wait(90)
    assert stage.as_armed


@pytest.mark.sweep
@pytest.mark.parametrize("trouble", ["down", "silence", "few"])
async def test_without_numbers_it_waits_three_soaks_then_asks_and_never_decides(stage, trouble):
    await stage.deploy()
    if trouble == "down":
        stage.prometheus.down = True
    else:
        stage.traffic.set_rps(0 if trouble == "silence" else 0.1)
    await stage.wait(100)
    row = await stage.row()
    assert (row.phase, stage.weights) == (Phase.RUNNING, (50, 50))
    if trouble == "down":
        assert "metrics unavailable" in stage.card
    await stage.wait(120)
    row = await stage.row()
    assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
    assert stage.weights == (50, 50)
    [call] = stage.channel(ALERTS)
    assert call.startswith("@oncall 🟡 waiting for a decision · *auth-service v2.0.0 → production*")
    assert "cannot decide" in call
    question = stage.channel()[-1]
    assert "@sre, @oncall" in question.splitlines()[0], "the question itself calls them"
    assert len([text for text in stage.channel() if "@oncall" in text]) == 1


@pytest.mark.sweep
async def test_an_outage_of_the_metrics_and_its_end_are_told_once_each(stage):
    await stage.deploy()
    stage.prometheus.down = True
    await stage.wait(220)
    assert stage.channel()[-1].count("answered with an error (HTTP 503)") == 1
    stage.prometheus.down = False
    await stage.wait(150)
    assert stage.story.count("The numbers moved") == 1
    assert "verdict" in stage.channel()[-1]


@pytest.mark.sweep
async def test_numbers_that_come_back_in_time_are_enough(stage):
    await stage.deploy()
    stage.prometheus.down = True
    await stage.wait(80)
    stage.prometheus.down = False
    await stage.wait(60)
    row = await stage.row()
    assert (row.phase, row.gate.kind) == (Phase.WAITING, "approve")


async def test_a_second_deploy_is_told_what_is_in_flight_and_changes_nothing(stage):
    await stage.deploy()
    first = await stage.row()
    answer = await stage.say("/deploy auth-service v3.0.0", by=ANA)
    assert "rollout_in_flight" in answer
    assert f"v2.0.0 in flight (at 50 %, {first.id}, by @Dana)" in answer
    assert len(await stage.bot.store.history()) == 1
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_a_subset_whose_pods_are_gone_is_not_given_more_traffic_and_people_are_called(stage):
    def elsewhere(body):
        body["spec"]["subsets"][1]["labels"] = {"track": "nowhere"}

    await stage.deploy_to_gate()
    stage.cluster.edit("destinationrules", "orion", "auth-service", elsewhere)
    await stage.press("Promote to 100 %")
    await stage.wait(60)
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "subset_missing")
    assert stage.weights == (50, 50)
    assert "Subset canary of auth-service" in stage.channel(ALERTS)[-1]
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(60)
    assert stage.weights == (100, 0)
    assert (await stage.phase())[0] is Phase.ROLLED_BACK


async def test_a_refused_write_needs_a_person(stage):
    stage.cluster.fail(403, method="PATCH", path="virtualservices", times=1000)
    await stage.deploy()
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "forbidden")
    assert stage.weights == (100, 0)
    assert "The bot may not patch virtualservices.networking.istio.io" in stage.channel(ALERTS)[-1]


@pytest.mark.sweep
async def test_a_router_that_answers_reads_and_takes_no_writes_holds_and_pages_once(stage):
    stage.cluster.fail(503, times=1000, method="PATCH", path="virtualservices")
    await stage.deploy()
    await stage.wait(400)
    assert await stage.phase() == (Phase.PAUSED, "unreachable")
    assert len(stage.channel(ALERTS)) == 1
    stage.cluster.heal()
    await stage.wait(60)
    assert stage.weights == (50, 50)


async def test_a_weight_that_was_changed_again_is_not_kept_unseen(stage):
    await stage.deploy()
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(80, 20))
    await stage.wait(20)
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(99, 1))
    await stage.press("Keep 20 %")
    await stage.wait(5)
    assert await stage.phase() == (Phase.PAUSED, "drift")
    assert stage.weights == (99, 1)
    await stage.press("Keep 1 %")
    await stage.wait(5)
    assert await stage.phase() == (Phase.RUNNING, "")
    assert stage.weights == (99, 1)


async def test_every_further_change_is_told_while_it_holds(stage):
    await stage.deploy()
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(80, 20))
    await stage.wait(20)
    stage.cluster.edit("virtualservices", "orion", "auth-service", weights(0, 100))
    await stage.wait(70)
    assert "the canary gets 100 % now" in stage.story
