"""Flagger leads and asks at its gates, people decide: told as a chat."""

import pytest

from bot.rollout.values import Phase
from tests.fakes.flagger import INTERVAL
from tests.scenario.gated import TOKEN, FlaggerStage
from tests.scenario.leading import V1, V2, V3
from tests.scenario.stage import ANA, BEN, DANA, OLU


@pytest.fixture
async def stage(tmp_path):
    async with FlaggerStage.gated(tmp_path) as opened:
        yield opened


async def to_traffic(stage: FlaggerStage) -> None:
    """Bring v2.0.0 to 25 %, where Flagger asks whether to go on."""
    await stage.begin()
    await stage.step("Promote to its first pods")
    await stage.step("Promote to 25 %")
    assert stage.at == ("Progressing", 25)


# ---- from gate to gate --------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_at_each_gate_people_are_asked_and_at_the_end_it_is_live(stage):
    await stage.begin()
    assert stage.at == ("Waiting", 0)
    assert "Flagger asks before it begins" in stage.channel()[-1]
    await stage.step("Promote to its first pods")
    assert stage.at == ("Progressing", 0)
    await stage.step("Promote to 25 %")
    assert stage.at == ("Progressing", 25)
    assert "Flagger asks at 25 % before it goes to 50 %" in stage.channel()[-1]
    await stage.step("Promote to 50 %")
    assert stage.at == ("Progressing", 50)
    await stage.step("Promote past the last weight")
    assert stage.at == ("WaitingPromotion", 50)
    assert "Flagger asks at 50 % before it promotes it" in stage.channel()[-1]
    await stage.press("Promote to 100 %")
    assert await stage.ended() is Phase.SUCCEEDED
    assert (stage.serving, stage.at) == (V2, ("Succeeded", 0))
    assert "live: v2.0.0 in production" in stage.story
    # One write, and one yes for each gate where somebody said so.
    assert [write.method for write in stage.cluster.log] == ["PATCH"]
    assert [stage.answers(g).count(200) for g in ("confirm-rollout", "confirm-promotion")] == [1, 1]
    assert stage.answers("confirm-traffic-increase").count(200) == 3
    assert 200 not in stage.answers("rollback")


async def test_who_asked_for_it_may_not_confirm_it_and_the_gate_stays_shut(stage):
    await stage.begin()
    await stage.press("Promote", by=DANA)
    await stage.wait(5 * INTERVAL)
    assert stage.at == ("Waiting", 0)
    assert set(stage.answers("confirm-rollout")) == {403}
    assert "somebody else has to approve it" in stage.heard(DANA)


@pytest.mark.sweep
async def test_asking_again_and_again_changes_nothing(stage):
    await stage.begin()
    before = await stage.row()
    await stage.wait(10 * INTERVAL)
    after = await stage.row()
    assert (after.told, after.gate.id) == (before.told, before.gate.id)
    assert len(stage.answers("confirm-rollout")) > 10
    assert [entry for entry in await stage.told() if entry == "gate_opened"] == ["gate_opened"]


@pytest.mark.sweep
async def test_a_yes_that_was_lost_on_its_way_is_given_again_at_the_same_place(stage):
    await to_traffic(stage)
    stage.flagger.lose = 2  # the answers at the rollback gate and at this one
    await stage.step("Promote to 50 %")
    assert stage.at == ("Progressing", 50)


# ---- the wrong gate is never opened -------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_new_revision_needs_a_new_yes(stage):
    await to_traffic(stage)
    before = await stage.row()
    stage.cluster.push(V3)
    await stage.wait(4 * INTERVAL)
    new, old = await stage.bot.store.history(limit=2)
    assert (old.id, old.phase, old.code) == (before.id, Phase.CANCELLED, "superseded")
    assert (new.version, new.phase) == ("v3.0.0", Phase.WAITING)
    assert new.told.checksum != before.told.checksum
    assert stage.at == ("Progressing", 0)


async def test_a_yes_to_one_revision_does_not_let_the_next_one_pass(stage):
    await stage.begin()
    yes_before = len(stage.flagger.asked)
    await stage.press("Promote to its first pods")
    stage.cluster.push(V3)  # before Flagger comes to fetch the answer
    await stage.flagger.turn()
    await stage.settled()
    assert {s for _, s in stage.flagger.asked[yes_before:]} == {403}
    assert stage.at == ("Waiting", 0)


@pytest.mark.sweep
async def test_a_yes_at_one_weight_does_not_open_the_gate_at_the_next(stage):
    await to_traffic(stage)
    await stage.press("Promote to 50 %")
    for _ in range(4):  # faster than the bot can look
        await stage.flagger.turn()
    assert stage.at == ("Progressing", 50)


@pytest.mark.sweep
async def test_a_yes_is_used_up_when_another_revision_came_between(stage):
    await stage.begin()
    await stage.step("Promote to its first pods")
    await stage.press("Promote to 25 %")
    await stage.flagger.turn()
    assert stage.at == ("Progressing", 25)
    for image in (V3, V2):  # faster than the bot can look
        stage.cluster.push(image)
        await stage.flagger.turn()
    assert stage.at == ("Progressing", 0)
    await stage.flagger.turn()
    await stage.settled()
    assert stage.flagger.asked[-1] == ("confirm-traffic-increase", 403)


@pytest.mark.sweep
async def test_nobody_comes_for_a_yes_so_that_is_told_and_the_yes_ends(tmp_path):
    async with FlaggerStage.gated(tmp_path, expires="10m") as stage:
        await to_traffic(stage)
        await stage.press("Promote to 50 %")
        stage.flagger.stopped = True
        await stage.wait(9 * 60)
        assert (await stage.told()).count("not_collected:controller_silent") == 1
        await stage.wait(2 * 60)
        assert (await stage.told())[-2:] == ["yes_ended", "gate_opened"]
        stage.flagger.stopped = False
        await stage.wait(INTERVAL)
        assert stage.at == ("Progressing", 25)
        assert stage.flagger.asked[-1] == ("confirm-traffic-increase", 403)


# ---- back ---------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_rollback_by_button_is_fetched_at_the_next_turn(stage):
    await to_traffic(stage)
    await stage.press("Roll back to v1.0.0", by=OLU)
    assert (await stage.row()).phase is Phase.ROLLING_BACK
    assert stage.at == ("Progressing", 25)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.at, stage.serving, stage.asked_for) == (("Failed", 0), V1, V2)
    assert stage.answers("rollback").count(200) == 1
    assert "still names v2.0.0" in stage.story


@pytest.mark.sweep
async def test_bad_numbers_here_let_flagger_go_back(stage):
    await to_traffic(stage)
    stage.traffic.set_errors("v2.0.0", 30)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert stage.at == ("Failed", 0)
    (alert,) = await stage.alerts("rollout.rolled_back")
    assert alert["reason_code"] == "check_failed"


@pytest.mark.sweep
async def test_flagger_gives_up_by_itself(stage):
    await to_traffic(stage)
    stage.flagger.failing = True
    assert await stage.ended() is Phase.ROLLED_BACK
    (alert,) = await stage.alerts("rollout.rolled_back")
    assert alert["reason_code"] == "controller_aborted"
    assert "Canary analysis failed" in stage.story
    assert 200 not in stage.answers("rollback")


async def test_before_its_beginning_it_is_home_already_and_its_gate_stays_shut(stage):
    await stage.begin()
    await stage.press("Roll back", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    await stage.wait(6 * INTERVAL)
    assert stage.at == ("Waiting", 0)
    assert len(await stage.bot.store.history()) == 1
    assert 200 not in {status for _, status in stage.flagger.asked}


@pytest.mark.sweep
@pytest.mark.parametrize("image", [V3, V1])
async def test_parked_at_its_first_gate_it_can_be_asked_for_another_version(stage, image):
    await stage.begin()
    await stage.press("Roll back", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    await stage.begin(image.rpartition(":")[2])
    row = await stage.row()
    assert (row.phase, row.image, stage.asked_for) == (Phase.WAITING, image, image)
    assert stage.at == ("Waiting", 0)
    await stage.step("Promote to its first pods")
    assert stage.at == ("Progressing", 0)


async def asked_back_behind_its_promotion(stage: FlaggerStage) -> None:
    """Roll back while it is being promoted, until v1.0.0 is asked for behind it."""
    await to_traffic(stage)
    await stage.step("Promote to 50 %")
    await stage.step("Promote past the last weight")
    await stage.press("Promote to 100 %")
    await stage.flagger.turn()
    assert stage.at[0] == "Promoting"
    await stage.press("Roll back", by=OLU)
    while stage.at[0] != "Succeeded":
        await stage.flagger.turn()
    stage.flagger.stopped = True
    while (await stage.row()).intent.order != "start" or stage.asked_for != V1:
        await stage.wait(INTERVAL)
    stage.flagger.stopped = False


@pytest.mark.sweep
async def test_behind_a_promotion_the_old_version_passes_and_no_other_question(stage):
    await asked_back_behind_its_promotion(stage)
    while stage.at != ("Progressing", 25):
        await stage.wait(INTERVAL)
    url = f"http://127.0.0.1:{stage.bot.port}/hooks/flagger/confirm-promotion/{TOKEN}"
    body = {"name": "auth-service", "namespace": "orion", "checksum": "bogus"}
    async with stage.http.post(url, json=body, headers={"Authorization": ""}) as response:
        assert response.status == 403
    assert await stage.ended() is Phase.ROLLED_BACK
    assert stage.serving == V1


@pytest.mark.sweep
async def test_behind_a_promotion_another_template_of_the_old_version_does_not_pass(stage):
    await asked_back_behind_its_promotion(stage)

    def change(body):
        body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "X", "value": "1"}]

    stage.cluster.edit("deployments", "orion", "auth-service", change, manager="kubectl")
    since = len(stage.flagger.asked)
    await stage.wait(8 * INTERVAL)
    assert 200 not in {status for _, status in stage.flagger.asked[since:]}
    assert (await stage.row()).phase is Phase.ROLLING_BACK


@pytest.mark.sweep
async def test_at_the_promotion_gate_it_goes_back_as_well(tmp_path):
    async with FlaggerStage.gated(tmp_path, gates=("confirm-promotion", "rollback")) as stage:
        await stage.begin()
        await stage.wait(6 * INTERVAL)
        assert stage.at == ("WaitingPromotion", 50)
        await stage.press("Roll back", by=OLU)
        assert await stage.ended() is Phase.ROLLED_BACK
        assert (stage.at, stage.serving) == (("Failed", 0), V1)


@pytest.mark.sweep
async def test_after_success_the_old_version_passes_all_gates_by_itself(stage):
    await to_traffic(stage)
    for button in ("Promote to 50 %", "Promote past", "Promote to 100 %"):
        await stage.step(button)
    assert await stage.ended() is Phase.SUCCEEDED
    await stage.say("/rollback auth-service production now", by=OLU)
    assert await stage.ended() is Phase.SUCCEEDED
    assert (stage.serving, stage.asked_for) == (V1, V1)
    assert 200 not in stage.answers("rollback")


@pytest.mark.sweep
async def test_what_failed_is_tried_again_when_it_is_asked_for_again(stage):
    await to_traffic(stage)
    await stage.press("Roll back", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    await stage.begin()
    assert stage.at == ("Waiting", 0)
    assert (await stage.row()).phase is Phase.WAITING
    assert "it begins anew" in stage.story


@pytest.mark.sweep
async def test_another_version_after_a_failure_is_not_taken_for_the_failed_one(stage):
    await to_traffic(stage)
    await stage.press("Roll back", by=OLU)
    assert await stage.ended() is Phase.ROLLED_BACK
    await stage.begin("v3.0.0")
    row = await stage.row()
    assert (row.version, row.phase, stage.at) == ("v3.0.0", Phase.WAITING, ("Waiting", 0))


# ---- what others begin, and trouble -------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_push_to_git_gets_its_card_and_its_question(stage):
    stage.cluster.push(V2)
    await stage.wait(4 * INTERVAL)
    row = await stage.row()
    assert (row.version, row.requester, row.phase) == (
        "v2.0.0",
        "controller:flagger",
        Phase.WAITING,
    )
    assert stage.cluster.log == []
    await stage.step("Promote to its first pods")
    assert stage.at == ("Progressing", 0)


@pytest.mark.sweep
async def test_suspended_it_stays_and_a_rollback_frees_it(stage):
    await to_traffic(stage)
    await stage.say("/deploy pause auth-service", by=BEN)
    await stage.wait(3 * INTERVAL)
    assert stage.cluster.canary()["spec"]["suspend"] is True
    await stage.say("/rollback auth-service", by=BEN)
    assert await stage.ended() is Phase.ROLLED_BACK
    assert (stage.at, stage.cluster.canary()["spec"]["suspend"]) == (("Failed", 0), False)


@pytest.mark.sweep
async def test_killed_between_the_yes_and_its_collection_it_is_given_once_more(stage):
    await to_traffic(stage)
    await stage.press("Promote to 50 %")
    await stage.restart()
    await stage.wait(2 * INTERVAL)
    assert stage.at == ("Progressing", 50)


@pytest.mark.sweep
async def test_while_the_bot_is_away_every_gate_is_shut(stage):
    await to_traffic(stage)
    await stage.bot.stop()
    for _ in range(5):
        await stage.flagger.turn()
    assert stage.at == ("Progressing", 25)
    await stage.start_bot()
    await stage.press("Promote to 50 %", by=ANA)
    await stage.wait(2 * INTERVAL)
    assert stage.at == ("Progressing", 50)


async def test_slack_is_away_and_the_gates_stay_shut(stage):
    await stage.slack.stop()
    stage.cluster.push(V2)
    await stage.wait(6 * INTERVAL)
    assert stage.at == ("Waiting", 0)
    assert (await stage.row()).phase is Phase.WAITING
    await stage.slack.start()


async def test_without_a_rollback_gate_nothing_is_begun(tmp_path):
    async with FlaggerStage.gated(tmp_path, gates=("confirm-rollout",)) as stage:
        await stage.begin()
        assert await stage.phase() == (Phase.CANCELLED, "rollback_impossible")
        assert (stage.asked_for, stage.cluster.log) == (V1, [])
