"""Argo Rollouts leads, people decide at its pauses: told as a chat."""

import asyncio
from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.fakes.argo import argo_objects
from tests.scenario.leading import V1, V2, V3, ArgoStage
from tests.scenario.stage import ANA, BEN, DANA, OLU, WHERE

STATUS = "/apis/argoproj.io/v1alpha1/namespaces/orion/rollouts/auth-service/status"


@pytest.fixture
async def stage(tmp_path):
    async with ArgoStage.leading(tmp_path) as opened:
        yield opened


async def yes_without_an_answer(stage: ArgoStage) -> None:
    """Somebody says yes, the row has it, and the write of it hangs."""
    stage.cluster.hang(method="PATCH", path="/status")
    message, label = stage._find("Promote to 50 %", ANA)
    await stage.slack.click(ANA, message.ts, label)
    async with asyncio.timeout(4):
        while ("PATCH", STATUS) not in stage.cluster.requests:  # noqa: ASYNC110 - a fake's counter
            await asyncio.sleep(0)


# ---- from pause to pause ------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_at_each_pause_people_are_asked_and_at_the_end_it_is_live(stage):
    await stage.begin()
    assert (stage.asked_for, stage.share) == (V2, 25)
    assert (
        "The controller waits: step 2 of 4 pauses until somebody promotes." in stage.channel()[-1]
    )
    assert "25 %, step 2 of 4" in stage.card
    await stage.press("Promote to 50 %")
    await stage.wait(20)
    assert stage.share == 50
    await stage.press("Promote to 100 %")
    assert await stage.ended() is Phase.SUCCEEDED
    assert stage.status["stableRS"] == stage.status["currentPodHash"]
    assert stage.orders == ["image", "pauseConditions", "pauseConditions"]
    assert "live: v2.0.0 in production" in stage.story


@pytest.mark.sweep
async def test_while_nobody_decides_the_controller_waits_and_the_question_gets_its_numbers(stage):
    await stage.begin()
    await stage.wait(120)
    assert stage.share == 25
    assert "canary" in stage.channel()[-1]
    assert "all checks pass" in stage.channel()[-1]


async def test_who_asked_for_it_may_not_approve_it(stage):
    await stage.begin()
    await stage.press("Promote", by=DANA)
    await stage.wait(10)
    assert stage.share == 25
    assert "somebody else has to approve it" in stage.heard(DANA)


# ---- the wrong pause is never approved ----------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_yes_to_a_pause_that_is_over_is_refused_and_nothing_is_resumed(stage):
    await stage.begin()
    await stage.promoted_by_hand()
    assert stage.share == 50  # at its second pause; the card still shows the first one
    before = stage.orders
    await stage.press("Promote to 50 %")
    assert "The pause of auth-service that you saw is over" in stage.heard(ANA)
    await stage.wait(10)
    assert (stage.share, stage.orders) == (50, before)
    assert "Closed: it was moved on by itself or by somebody else (step 4 of 4) · " in "".join(
        stage.channel()
    )
    await stage.press("Promote to 100 %")
    assert await stage.ended() is Phase.SUCCEEDED


@pytest.mark.sweep
async def test_moved_on_between_the_yes_and_the_write_the_next_pause_stays_closed(stage):
    await stage.begin()
    r = await stage.row()
    await yes_without_an_answer(stage)
    await stage.promoted_by_hand()
    await stage.restart()
    await stage.wait(10)
    assert (stage.share, stage.orders) == (50, ["image"])
    row = await stage.row()
    assert row.id == r.id
    assert (row.phase, row.gate.votes) == (Phase.WAITING, ())


@pytest.mark.sweep
async def test_a_pause_that_goes_on_by_itself_closes_its_question(tmp_path):
    steps = [{"setWeight": 25}, {"pause": {"duration": "60s"}}, {"setWeight": 50}, {"pause": {}}]
    strategy = {"canary": {"trafficRouting": {"istio": {}}, "steps": steps}}
    async with ArgoStage.leading(tmp_path, strategy) as stage:
        await stage.begin()
        assert "then goes on by itself" in stage.channel()[-1]
        await stage.wait(80)
        assert stage.share == 50
        assert "The pause is over without a decision here" in stage.story
        assert (await stage.row()).gate.votes == ()
        assert "step 4 of 4 pauses until somebody promotes" in stage.channel()[-1]


# ---- back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pauses", [0, 1])
async def test_roll_back_from_each_pause(stage, pauses):
    await stage.begin()
    for _ in range(pauses):
        await stage.press("Promote")
        await stage.wait(20)
    await stage.press("Roll back to v1.0.0", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.share, stage.status["abort"], stage.asked_for) == (0, True, V2)
    assert "All traffic is on v1.0.0" in stage.story
    assert "still names v2.0.0" in stage.story


async def test_roll_back_while_it_moves(stage):
    await stage.say("/deploy auth-service v2.0.0 to production")
    await stage.wait(2)
    await stage.say("/rollback auth-service", by=BEN)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.share, stage.status["abort"]) == (0, True)


@pytest.mark.sweep
async def test_what_was_aborted_begins_anew_when_it_is_asked_for_again(stage):
    await stage.begin()
    await stage.press("Roll back")
    assert await stage.ended() is Phase.ROLLED_BACK
    await stage.begin()
    assert "was aborted before; it begins anew" in stage.story
    assert (stage.share, stage.orders[-1]) == (25, "abort")
    await stage.press("Promote to 50 %")
    await stage.wait(20)
    await stage.press("Promote to 100 %")
    assert await stage.ended() is Phase.SUCCEEDED


async def test_bad_numbers_abort_it(stage):
    stage.traffic.set_errors("v2.0.0", 30)
    await stage.begin()
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.share, stage.status["abort"]) == (0, True)
    (alert,) = await stage.alerts("rollout.rolled_back")
    assert alert["reason_code"] == "check_failed"


async def test_an_abort_by_the_controller_is_told_with_its_message(tmp_path):
    steps = [{"setWeight": 25}, {"analysis": {"templates": []}}, {"pause": {}}]
    strategy = {"canary": {"trafficRouting": {"istio": {}}, "steps": steps}}
    async with ArgoStage.leading(tmp_path, strategy) as stage:
        stage.cluster.analyses[V2] = "Failed"
        await stage.begin()
        assert await stage.ended() is Phase.ROLLED_BACK
        assert stage.orders == ["image"]
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert alert["reason_code"] == "controller_aborted"
        assert "assessed Failed due to failed (1)" in stage.story


@pytest.mark.sweep
async def test_an_analysis_without_conclusion_asks_and_a_yes_leaves_its_step_out(tmp_path):
    steps = [{"setWeight": 25}, {"analysis": {"templates": []}}, {"setWeight": 75}, {"pause": {}}]
    strategy = {"canary": {"trafficRouting": {"istio": {}}, "steps": steps}}
    async with ArgoStage.leading(tmp_path, strategy) as stage:
        stage.cluster.analyses[V2] = "Inconclusive"
        await stage.begin()
        assert "an analysis came to no conclusion at step 2 of 4" in stage.channel()[-1]
        await stage.press("Promote to 75 %")
        await stage.wait(20)
        assert stage.share == 75


@pytest.mark.sweep
async def test_after_success_the_old_version_is_asked_for_at_once(stage):
    await stage.begin()
    for goal in ("50 %", "100 %"):
        await stage.press(f"Promote to {goal}")
        await stage.wait(20)
    assert await stage.ended() is Phase.SUCCEEDED
    await stage.say("/rollback auth-service production now", by=OLU)
    assert await stage.ended() is Phase.SUCCEEDED
    assert stage.asked_for == V1
    assert stage.status["stableRS"] == stage.status["currentPodHash"]
    assert stage.orders[-2:] == ["image", "promoteFull"]


# ---- pausing ------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_pause_holds_the_controller_and_resume_lets_it_go(tmp_path):
    steps = [{"setWeight": 25}, {"pause": {"duration": "60s"}}, {"setWeight": 50}, {"pause": {}}]
    strategy = {"canary": {"trafficRouting": {"istio": {}}, "steps": steps}}
    async with ArgoStage.leading(tmp_path, strategy) as stage:
        await stage.begin()
        await stage.say("/deploy pause auth-service", by=BEN)
        await stage.wait(300)
        assert (stage.share, stage.cluster.rollout()["spec"]["paused"]) == (25, True)
        assert (await stage.row()).phase is Phase.PAUSED
        await stage.say("/deploy resume auth-service", by=BEN)
        await stage.wait(30)
        assert (stage.share, stage.cluster.rollout()["spec"]["paused"]) == (50, False)


async def test_a_rollback_of_what_is_held_brings_the_traffic_home(stage):
    await stage.begin()
    await stage.say("/deploy pause auth-service", by=BEN)
    await stage.wait(10)
    await stage.say("/rollback auth-service", by=BEN)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.share, stage.cluster.rollout()["spec"]["paused"]) == (0, False)


@pytest.mark.sweep
async def test_nobody_decides_in_time(tmp_path):
    async with ArgoStage.leading(tmp_path, expires="10m", on_expiry="rollback") as stage:
        await stage.begin()
        await stage.wait(700)
        assert await stage.ended() is Phase.ROLLED_BACK
        assert stage.share == 0


# ---- what others begin --------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_push_to_git_gets_its_rollout_and_card_by_itself(stage):
    stage.cluster.push(V2)
    await stage.wait(20)
    row = await stage.row()
    assert (row.version, row.requester, row.phase) == (
        "v2.0.0",
        "controller:argo-rollouts",
        Phase.WAITING,
    )
    assert stage.orders == []  # adopted: nothing was written
    assert "Adopted under way" in stage.story
    await stage.press("Promote to 50 %")
    await stage.wait(20)
    await stage.press("Promote to 100 %")
    assert await stage.ended() is Phase.SUCCEEDED
    assert stage.orders == ["pauseConditions", "pauseConditions"]
    await stage.wait(60)
    assert len(await stage.bot.store.history()) == 1


@pytest.mark.sweep
async def test_a_movement_is_taken_up_once_also_after_a_restart(stage):
    stage.cluster.push(V2)
    await stage.wait(20)
    await stage.restart()
    await stage.press("Roll back")
    assert await stage.ended() is Phase.ROLLED_BACK
    await stage.wait(60)
    await stage.restart()
    await stage.wait(60)
    assert len(await stage.bot.store.history()) == 1


@pytest.mark.sweep
async def test_what_a_person_took_off_the_bots_hands_is_not_taken_up_again(stage):
    stage.cluster.push(V2)
    await stage.wait(20)
    stage.cluster.forbid("patch", "rollouts/status")
    await stage.press("Promote to 50 %")
    await stage.wait(10)
    assert (await stage.row()).phase is Phase.NEEDS_ATTENTION
    await stage.say("/deploy resolve auth-service production done by hand", by=BEN)
    assert (await stage.row()).phase is Phase.CANCELLED
    await stage.wait(60)
    assert len(await stage.bot.store.history()) == 1


@pytest.mark.sweep
async def test_what_was_rolled_back_and_is_tried_again_by_hand_gets_a_rollout_of_its_own(stage):
    await stage.begin()
    await stage.press("Roll back")
    assert await stage.ended() is Phase.ROLLED_BACK
    stage.cluster.kubectl(abort=False)
    await stage.wait(30)
    again, first = await stage.bot.store.history(limit=2)
    assert (first.phase, again.phase) == (Phase.ROLLED_BACK, Phase.WAITING)
    assert again.requester == "controller:argo-rollouts"


@pytest.mark.sweep
async def test_a_new_push_in_the_middle_ends_this_rollout_and_begins_another(stage):
    await stage.begin()
    stage.cluster.push(V3)
    await stage.wait(30)
    new, old = await stage.bot.store.history(limit=2)
    assert (old.phase, old.code) == (Phase.CANCELLED, "superseded")
    assert (new.version, new.phase) == ("v3.0.0", Phase.WAITING)
    assert "superseded" in "".join(stage.channel())


async def test_a_push_of_the_old_version_in_the_middle_is_a_rollback(stage):
    await stage.begin()
    stage.cluster.push(V1)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (await stage.row()).code == "reverted"
    assert stage.orders == ["image"]


@pytest.mark.sweep
async def test_where_watching_is_off_a_push_gets_no_card(tmp_path, monkeypatch):

    monkeypatch.setitem(
        WHERE,
        "argo",
        WHERE["argo"].replace("canary: auth-canary", "canary: auth-canary, watch: false"),
    )
    async with ArgoStage.leading(tmp_path) as stage:
        stage.cluster.push(V2)
        await stage.wait(60)
        assert await stage.bot.store.history() == []


# ---- interrupted --------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_killed_between_the_yes_and_its_write_it_goes_on_once(stage):
    await stage.begin()
    await yes_without_an_answer(stage)
    assert stage.share == 25
    await stage.restart()
    await stage.wait(20)
    assert (stage.share, stage.orders) == (50, ["image", "pauseConditions"])


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["drop", "hold"])
async def test_an_order_without_an_answer_is_read_back_never_given_to_another_pause(stage, how):
    await stage.begin()
    getattr(stage.cluster, how)(method="PATCH", path="/status")
    await stage.press("Promote to 50 %")
    await stage.wait(30)
    await stage.cluster.land()
    await stage.wait(30)
    assert stage.share == 50
    assert (await stage.row()).phase is Phase.WAITING
    assert stage.orders.count("pauseConditions") == 1


async def test_a_late_start_cannot_land_behind_a_rollback(stage):
    stage.cluster.hold(method="PATCH", path="rollouts")
    await stage.say("/deploy auth-service v2.0.0 to production")
    await stage.say("/rollback auth-service", by=BEN)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert await stage.cluster.land() == [409]
    assert stage.asked_for == V1


# ---- other ways, other trouble ------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_blue_green_switch_is_asked_about(tmp_path):
    strategy = {"blueGreen": {"activeService": "auth", "autoPromotionEnabled": False}}
    async with ArgoStage.leading(tmp_path, strategy) as stage:
        await stage.begin(options="strategy=blue-green")
        assert "the preview is ready and waits to get the traffic" in stage.channel()[-1]
        active = stage.status["blueGreen"]["activeSelector"]
        assert active == stage.status["stableRS"] != stage.status["currentPodHash"]
        await stage.press("Promote to 100 %")
        assert await stage.ended() is Phase.SUCCEEDED
        assert stage.status["blueGreen"]["activeSelector"] == stage.status["currentPodHash"]


@pytest.mark.sweep
async def test_a_pause_by_somebodys_hand_is_asked_about_and_a_yes_ends_it(tmp_path):
    strategy = {
        "canary": {"trafficRouting": {"istio": {}}, "steps": [{"setWeight": 25}, {"setWeight": 50}]}
    }
    async with ArgoStage.leading(tmp_path, strategy) as stage:
        await stage.say("/deploy auth-service v2.0.0 to production")
        stage.cluster.edit(
            "rollouts", "orion", "auth-service", lambda body: body["spec"].update(paused=True)
        )
        await stage.wait(20)
        assert "it is paused by hand (spec.paused)" in stage.channel()[-1]
        await stage.press("Promote")
        assert await stage.ended() is Phase.SUCCEEDED


@pytest.mark.sweep
async def test_a_check_that_asks_holds_the_controller_until_people_have_decided(tmp_path):
    steps = [{"setWeight": 25}, {"analysis": {}}, {"setWeight": 50}, {"pause": {}}]
    strategy = {"canary": {"trafficRouting": {"istio": {}}, "steps": steps}}
    checks = "[{metric: latency_p95, above: 500, then: ask}]"
    async with ArgoStage.leading(tmp_path, strategy, checks=checks) as stage:
        stage.cluster.analysis_takes = 120
        stage.traffic.set_latency("v2.0.0", 900)
        await stage.begin()
        await stage.wait(60)
        assert stage.cluster.rollout()["spec"]["paused"] is True
        assert "The metrics cannot decide" in stage.channel()[-1]
        await stage.press("Promote to 50 %")
        await stage.wait(150)
        assert stage.share == 50


@pytest.mark.sweep
async def test_two_people_have_to_say_yes_at_each_pause(tmp_path):
    async with ArgoStage.leading(tmp_path, approvals=2) as stage:
        await stage.begin()
        await stage.press("Promote", by=ANA)
        await stage.wait(20)
        assert stage.share == 25
        await stage.press("Promote", by=BEN)
        await stage.wait(20)
        assert stage.share == 50
        assert (await stage.row()).gate.votes == ()


@pytest.mark.sweep
async def test_direct_asks_once_and_goes_to_the_end(stage):
    await stage.begin(options="strategy=direct")
    assert stage.orders == []
    await stage.press("Promote")
    assert await stage.ended() is Phase.SUCCEEDED
    assert stage.orders == ["image", "promoteFull"]


async def test_what_is_live_already_is_not_begun(stage):
    await stage.begin("v1.0.0")
    assert await stage.phase() == (Phase.CANCELLED, "already_live")
    assert stage.cluster.log == []


@pytest.mark.sweep
async def test_a_rollout_that_a_push_began_is_superseded_by_the_next_one(stage):
    stage.cluster.push(V2)
    await stage.wait(20)
    stage.cluster.push(V3)
    await stage.wait(30)
    new, old = await stage.bot.store.history(limit=2)
    assert (old.code, new.version, new.phase) == ("superseded", "v3.0.0", Phase.WAITING)


@pytest.mark.sweep
async def test_a_controller_that_does_not_look_is_told_after_five_minutes_and_goes_on_by_itself(
    stage,
):
    stage.cluster.lagging.add("rollouts")
    await stage.say("/deploy auth-service v2.0.0 to production")
    await stage.wait(400)
    assert await stage.phase() == (Phase.PAUSED, "controller_silent")
    stage.cluster.lagging.clear()
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.WAITING
    assert stage.share == 25


@pytest.mark.sweep
async def test_a_cluster_that_does_not_answer_holds_nothing_up_for_long(stage):
    await stage.begin()
    await stage.cluster.down()
    await stage.wait(60)
    await stage.cluster.up()
    await stage.press("Roll back")
    assert await stage.ended() is Phase.ROLLED_BACK
    assert stage.share == 0


@pytest.mark.sweep
async def test_a_push_during_a_freeze_is_followed_and_a_command_is_not(tmp_path):
    freeze = '[{from: "Mon 00:00", to: "Sun 23:59", timezone: UTC}]'
    async with ArgoStage.leading(tmp_path, freeze=freeze) as stage:
        assert "frozen" in await stage.say("/deploy auth-service v2.0.0 to production")
        stage.cluster.push(V2)
        await stage.wait(20)
        assert (await stage.row()).phase is Phase.WAITING


async def test_a_rollback_of_what_became_live_meanwhile_asks_for_the_old_version(stage):
    await stage.begin()
    stage.cluster.lagging.add("rollouts")
    await stage.wait(2)
    stage.cluster.fail(503, method="PATCH", path="/status", times=2)
    await stage.press("Roll back", by=OLU)
    stage.cluster.lagging.clear()
    stage.cluster.kubectl(promoteFull=True)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert stage.status["stableRS"] == stage.status["currentPodHash"]
    assert (stage.asked_for, stage.orders[-2:]) == (V1, ["image", "promoteFull"])


# ---- what is moved is a template, not an image --------------------------------------------------------------------


def configured(stage: ArgoStage, value: str) -> None:
    """Somebody pushes another configuration of the same image."""

    def change(body):
        body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "X", "value": value}]

    stage.cluster.edit("rollouts", "orion", "auth-service", change)
    stage.cluster.rollout()


def scaled(stage: ArgoStage, replicas: int) -> None:
    """An autoscaler changes the size, and the controller has not looked yet."""
    stage.cluster.lagging.add("rollouts")
    stage.cluster.edit(
        "rollouts", "orion", "auth-service", lambda body: body["spec"].update(replicas=replicas)
    )


def referring(stage: ArgoStage) -> None:
    """Let a Deployment carry the template."""
    template = stage.cluster.rollout()["spec"]["template"]
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "auth-service"}}}
    stage.cluster.put(
        {
            "kind": "Deployment",
            "metadata": {"name": "auth", "namespace": "orion"},
            "spec": {**spec, "template": template},
        }
    )

    def change(body):
        del body["spec"]["template"]
        body["spec"]["workloadRef"] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "auth",
        }

    stage.cluster.edit("rollouts", "orion", "auth-service", change)
    stage.cluster.rollout()


async def test_a_push_of_configuration_alone_is_rolled_back_like_any_other(stage):
    configured(stage, "1")
    await stage.wait(30)
    await stage.press("Roll back", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.share, stage.orders) == (0, ["abort"])
    assert "The change of its configuration is still asked for" in stage.story


@pytest.mark.sweep
async def test_bad_numbers_abort_a_push_of_configuration(stage):
    configured(stage, "1")
    await stage.wait(20)
    stage.traffic.set_errors("v1.0.0", 30, Lane.CANARY)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.share, (await stage.row()).code) == (0, "check_failed")


@pytest.mark.sweep
async def test_a_configuration_that_became_stable_meanwhile_is_a_question_for_people(stage):
    configured(stage, "1")
    await stage.wait(20)
    stage.cluster.fail(503, method="PATCH", path="/status", times=2)
    await stage.press("Roll back", by=OLU)
    stage.cluster.kubectl(promoteFull=True)
    await stage.wait(60)
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "cannot_ask_back")


@pytest.mark.sweep
async def test_a_version_that_is_pushed_again_later_gets_a_rollout_again(stage):
    for version in (V2, V3, V2):
        stage.cluster.push(version)
        await stage.wait(40)
    versions = [(r.version, r.phase) for r in await stage.bot.store.history()]
    assert versions == [
        ("v2.0.0", Phase.WAITING),
        ("v3.0.0", Phase.CANCELLED),
        ("v2.0.0", Phase.CANCELLED),
    ]


@pytest.mark.sweep
async def test_a_push_behind_a_rollback_by_image_ends_it(stage):
    await stage.begin()
    stage.cluster.lagging.add("rollouts")
    await stage.wait(2)
    stage.cluster.fail(503, method="PATCH", path="/status", times=2)
    await stage.press("Roll back", by=OLU)
    stage.cluster.lagging.clear()
    stage.cluster.kubectl(promoteFull=True)
    for _ in range(30):
        await stage.wait(1)
        if stage.asked_for == V1:
            break
    stage.cluster.push(V3)
    await stage.wait(60)
    new, old = await stage.bot.store.history(limit=2)
    assert (old.code, new.version, new.phase) == ("superseded", "v3.0.0", Phase.WAITING)


@pytest.mark.sweep
async def test_the_old_version_asked_for_behind_a_full_promotion_is_a_movement_of_its_own(stage):
    await stage.begin()
    await stage.bot.stop()
    stage.cluster.kubectl(promoteFull=True)
    stage.clock.at += timedelta(seconds=60)
    stage.cluster.push(V1)
    stage.clock.at += timedelta(seconds=30)
    await stage.start_bot()
    await stage.wait(60)
    new, old = await stage.bot.store.history(limit=2)
    assert (old.code, new.version, new.phase) == ("superseded", "v1.0.0", Phase.WAITING)


# ---- what the controller has not looked at yet is not known -------------------------------------------------------


@pytest.mark.sweep
async def test_scaling_ends_no_question_and_loses_no_vote(tmp_path):
    async with ArgoStage.leading(tmp_path, approvals=2) as stage:
        await stage.begin()
        await stage.wait(400)
        await stage.press("Promote", by=ANA)
        gate = (await stage.row()).gate
        scaled(stage, 6)
        await stage.wait(10)
        stage.cluster.lagging.clear()
        await stage.wait(20)
        row = await stage.row()
        assert (row.phase, row.gate.id, len(row.gate.votes)) == (Phase.WAITING, gate.id, 1)
        assert "moved on" not in stage.story
        assert "has not looked" not in stage.story


@pytest.mark.sweep
@pytest.mark.parametrize("failing", [False, True])
async def test_a_yes_while_an_autoscaler_works_is_kept_until_it_can_be_given(stage, failing):
    await stage.begin()
    if failing:
        stage.cluster.fail(503, method="PATCH", path="/status")
        await stage.press("Promote to 50 %")
        scaled(stage, 6)
    else:
        scaled(stage, 6)
        await stage.press("Promote to 50 %")
    await stage.wait(10)
    assert stage.share == 25
    stage.cluster.lagging.clear()
    await stage.wait(20)
    assert stage.share == 50


async def test_a_controller_that_stops_looking_at_a_pause_is_told_after_five_minutes(stage):
    await stage.begin()
    scaled(stage, 6)
    await stage.wait(400)
    assert await stage.phase() == (Phase.PAUSED, "controller_silent")
    stage.cluster.lagging.clear()
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.WAITING


# ---- going back needs no more than the abort ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["forbidden", "failing"])
async def test_a_rollback_does_not_wait_for_the_old_replicasets(stage, how):
    await stage.begin()
    if how == "forbidden":
        stage.cluster.forbid("list", "replicasets")
    else:
        stage.cluster.fail(500, method="GET", path="replicasets", times=1000)
    await stage.press("Roll back", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert stage.share == 0


@pytest.mark.sweep
async def test_a_rollback_does_not_need_the_container(stage):
    await stage.begin()

    def change(body):
        body["spec"]["template"]["spec"]["containers"][0] |= {"name": "app", "image": V3}

    stage.cluster.edit("rollouts", "orion", "auth-service", change)
    stage.cluster.rollout()
    await stage.wait(30)
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "container_missing")
    await stage.say("/rollback auth-service", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert stage.share == 0


@pytest.mark.sweep
async def test_a_rollback_is_written_although_the_deployment_of_the_template_is_gone(stage):
    referring(stage)
    await stage.begin()
    stage.cluster.remove("deployments", "orion", "auth")
    stage.cluster._lead = lambda key: None  # the real one does not get far either
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(10)
    assert stage.orders[-1] == "abort"


async def test_a_late_start_of_a_deployment_cannot_land_behind_a_rollback(stage):
    referring(stage)
    stage.cluster.hold(method="PATCH", path="deployments")
    await stage.say("/deploy auth-service v2.0.0 to production")
    await stage.say("/rollback auth-service", by=BEN)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert await stage.cluster.land() == [409]


@pytest.mark.sweep
async def test_a_rollback_of_a_rollout_that_was_deleted_is_a_question_in_the_end(stage):
    await stage.begin()
    stage.cluster.remove("rollouts", "orion", "auth-service")
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(500)
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "rollout_missing")
    await stage.say("/deploy resolve auth-service production it was taken down", by=BEN)
    assert (await stage.row()).phase is Phase.CANCELLED


async def test_an_abort_by_hand_is_not_called_automatic(stage):
    await stage.begin()
    stage.cluster.kubectl(abort=True)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert "Rollback asked for by somebody" in stage.story


# ---- numbers that need people -------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_check_that_asks_during_a_pause_holds_it_once_at_each_weight(tmp_path):
    pause = {"pause": {"duration": "120s"}}
    steps = [{"setWeight": 25}, pause, {"setWeight": 50}, pause, {"setWeight": 75}, pause]
    strategy = {"canary": {"trafficRouting": {"istio": {}}, "steps": steps}}
    checks = "[{metric: latency_p95, above: 500, then: ask}]"
    async with ArgoStage.leading(tmp_path, strategy, checks=checks) as stage:
        await stage.begin()
        stage.traffic.set_latency("v2.0.0", 900)
        await stage.wait(300)
        assert (stage.share, stage.cluster.rollout()["spec"]["paused"]) == (25, True)
        assert "The metrics cannot decide" in stage.channel()[-1]
        await stage.press("Promote to 50 %")
        await stage.wait(300)
        assert (stage.share, stage.cluster.rollout()["spec"]["paused"]) == (50, True)
        assert "The metrics cannot decide" in stage.channel()[-1]


@pytest.mark.sweep
async def test_nobody_decides_about_a_pause_that_would_end_by_itself_so_it_is_held(tmp_path):
    steps = [{"setWeight": 25}, {"pause": {"duration": 1800}}, {"setWeight": 50}, {"pause": {}}]
    strategy = {"canary": {"trafficRouting": {"istio": {}}, "steps": steps}}
    async with ArgoStage.leading(tmp_path, strategy, expires="10m") as stage:
        await stage.begin()
        await stage.wait(2400)
        assert (stage.share, stage.cluster.rollout()["spec"]["paused"]) == (25, True)
        assert await stage.phase() == (Phase.PAUSED, "gate_expired")
        await stage.say("/deploy resume auth-service", by=BEN)
        await stage.wait(10)
        await stage.press("Promote to 50 %")
        await stage.wait(20)
        assert stage.share == 50


# ---- what cannot be followed is told ------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["ecr.aws/other/auth:v9", "ghcr.io/orion/auth", "x y <!here>"])
async def test_a_push_that_cannot_be_followed_is_told_once(stage, image):
    stage.cluster.push(image)
    await stage.wait(60)
    await stage.restart()
    await stage.wait(60)
    assert await stage.bot.store.history() == []
    (told,) = [text for text in stage.channel("C0ALERTS") if "without a rollout here" in text]
    assert "<!here>" not in told
    assert "at 25 %" in told


@pytest.mark.sweep
async def test_a_push_that_the_bot_has_no_right_to_bring_back_is_told_aloud(stage):
    stage.cluster.forbid("patch", "rollouts/status")
    stage.cluster.push(V2)
    await stage.wait(40)
    assert await stage.phase() == (Phase.CANCELLED, "rollback_forbidden")
    assert "It moves without being followed" in "".join(stage.channel("C0ALERTS"))


@pytest.mark.sweep
async def test_the_weights_of_a_router_with_more_than_a_hundred_shares_are_told_in_percent(
    tmp_path,
):
    steps = [{"setWeight": 250}, {"pause": {}}, {"setWeight": 500}, {"pause": {}}]
    routed = {"trafficRouting": {"istio": {}, "maxTrafficWeight": 1000}, "steps": steps}
    async with ArgoStage.leading(tmp_path, {"canary": routed}) as stage:
        await stage.begin()
        assert "25 %, step 2 of 4" in stage.card
        assert "from 25 % to 50 %" in stage.channel()[-1]


@pytest.mark.sweep
async def test_a_target_that_does_not_answer_keeps_no_other_from_being_taken_up(tmp_path):
    named = "name: auth-service, container: auth-service"
    other = WHERE["argo"].replace(named, "name: aaa, container: aaa")
    extra = (
        f"  aaa:\n    production:\n      cluster: prod\n      namespace: orion\n{other}\n"
        "      metrics: {source: main, template: istio}\n"
    )
    async with ArgoStage.leading(tmp_path, extra=extra) as stage:
        stage.cluster.put(argo_objects(name="aaa")[1])
        stage.cluster.rollout("aaa")
        stage.cluster.push(V2, name="aaa")
        stage.cluster.hang(method="GET", path="rollouts/auth-service")
        stage.bot.watcher.ring()
        async with asyncio.timeout(4):
            while not await stage.bot.store.history():  # noqa: ASYNC110 - a row of the database
                await asyncio.sleep(0)
        (row,) = await stage.bot.store.history()
        assert row.service == "aaa"
        await stage.bot.watcher.stop()
