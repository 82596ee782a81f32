"""A4–A7, E.3, F38: nobody gets round the gates by going back, by a token, by an outage or by a file of yesterday."""

import json

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Channel, Group, Person
from tests.scenario.pressing import Finger, question
from tests.scenario.stage import ALERTS, ANA, BEN, DANA, DEPLOYS, OLU, Stage
from tests.scenario.test_authority_doors import BASE, form, knock

ALWAYS = 10**9


# ---- no way back leads to what was taken back ------------------------------------------------------------------------


@pytest.mark.sweep
async def test_no_way_back_leads_to_what_was_taken_back_and_passed_over_versions_stay_open(stage):
    await stage.ship("v2.0.0")
    await stage.say("/rollback auth-service now it leaks money", by=ANA)
    await stage.wait(90)
    told = await stage.say("/rollback auth-service to v2.0.0 now", by=DANA)
    assert "was_taken_back" in told
    assert "“it leaks money”" in told
    assert "/deploy auth-service v2.0.0 to production" in told
    assert stage.versions == {"v1.0.0": 4}
    await stage.ship("v2.0.0")  # forward again, with its gates: what happened before is forgiven
    await stage.ship("v3.0.0")
    await stage.say("/rollback auth-service to v1.0.0 now", by=ANA)
    await stage.wait(90)
    assert "was_taken_back" in await stage.say("/rollback auth-service to v3.0.0 now", by=DANA)
    assert "back to v2.0.0" in await stage.say("/rollback auth-service to v2.0.0 now", by=DANA)
    await stage.wait(90)
    assert stage.versions == {"v2.0.0": 4}


# ---- a click waits for Slack -----------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_click_that_slack_says_nothing_about_waits_and_counts_when_it_does(stage):
    await stage.deploy_to_gate()
    stage.slack.fail("usergroups.users.list", ALWAYS)
    await stage.press("Promote to 100 %", by=ANA)
    assert "Your approval is recorded" in stage.heard(ANA)
    assert "who is in @sre (status 503)" in stage.heard(ANA)
    await stage.restart()
    stage.slack.recover()
    await stage.wait(70)
    assert (await stage.row()).phase is Phase.RUNNING
    assert "Promoted to 100 % by @Ana" in stage.story


@pytest.mark.sweep
async def test_a_click_in_an_outage_is_answered_when_it_is_over(stage):
    await stage.deploy_to_gate()
    finger, asked = Finger(stage), question(stage)
    stage.slack.down = True
    assert await finger.deliver(finger.body(ANA, asked, "Promote to 100 %")) == 200
    await stage.settled()
    await stage.wheel.turn(60, stage.settled)
    assert stage.slack.ephemerals(ANA) == []
    stage.slack.recover()
    await stage.wait(70)
    assert "your approval is counted" in stage.heard(ANA)
    assert (await stage.row()).closed[-1].people == (ANA,)


@pytest.mark.sweep
async def test_who_is_no_approver_after_all_hears_it_in_the_thread_as_well(stage):
    await stage.deploy_to_gate()
    stage.slack.fail("usergroups.users.list", ALWAYS)
    await stage.press("Promote to 100 %", by=OLU)
    await stage.wait(30)
    stage.slack.recover()
    await stage.wait(60)
    assert "not_approver" in stage.heard(OLU)
    assert "The approval that @Olu gave" in stage.story
    assert "was not counted: You are not an approver" in stage.story


@pytest.mark.sweep
async def test_a_click_waits_for_ten_minutes_and_a_rollback_meanwhile_wins(stage):
    await stage.deploy_to_gate()
    stage.slack.fail("usergroups.users.list", ALWAYS)
    await stage.press("Promote to 100 %", by=ANA)
    await stage.wait(660)
    assert "so this promotion is refused" in stage.heard(ANA)
    await stage.press("Promote to 100 %", by=ANA)
    await stage.press("Roll back", by=BEN)
    stage.slack.recover()
    await stage.wait(90)
    assert "gate_closed" in stage.heard(ANA)
    assert stage.as_armed


@pytest.mark.sweep
async def test_a_short_429_is_waited_for(stage):
    await stage.deploy_to_gate()
    stage.slack.rate_limit("usergroups.users.list", 1, retry_after=1)
    await stage.press("Promote to 100 %", by=ANA)
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_what_somebody_has_to_put_right_is_said_at_once(stage):
    await stage.deploy_to_gate()
    stage.slack.refuse("usergroups.users.list", "no_such_subteam")
    await stage.press("Promote to 100 %", by=ANA)
    assert "There is no such user group any more" in stage.heard(ANA)
    assert "is refused" in stage.heard(ANA)


# ---- who counts ------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_somebody_listed_by_name_needs_no_group_and_one_dead_group_stops_nobody(tmp_path):
    async with Stage.opened(tmp_path, approvers="[S0SRE, U0OLU]") as stage:
        await stage.deploy_to_gate()
        stage.slack.refuse("usergroups.users.list", "no_such_subteam")
        await stage.press("Promote to 100 %", by=OLU)
        assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_a_token_does_not_decide_with_a_vote_that_nobody_can_confirm_any_more(tmp_path):
    """E.3 no. 7: Ana left the group, Slack is silent, and the last vote needs no look-up."""
    approvers = '[S0SRE, "token:root"]'
    async with Stage.opened(tmp_path, approvals=2, approvers=approvers) as stage:
        stage.environ["SLUICE_API_TOKEN_OWNER"] = BEN
        await stage.restart()
        await stage.deploy_to_gate()
        await stage.press("Promote", by=ANA)
        await stage.slack.add_group(Group("S0SRE", "sre", (OLU,)))
        await stage.slack.tell("subteam_members_changed", subteam_id="S0SRE")
        stage.slack.fail("usergroups.users.list", ALWAYS)
        r = await stage.row()
        path = f"/api/v1/deployments/{r.id}/promote"
        status, body = await stage.rest("POST", path, json={})
        assert (status, body["code"]) == (403, "identity_unavailable")
        assert f"the earlier approval of {ANA}" in body["detail"]
        stage.slack.recover()
        await stage.rest("POST", path, json={})
        assert [vote.actor for vote in (await stage.row()).gate.votes] == ["token:root"]


@pytest.mark.sweep
async def test_a_token_that_names_nobody_is_no_second_person(tmp_path):
    async with Stage.opened(tmp_path, approvals=2, approvers='[S0SRE, "token:root"]') as stage:
        await stage.deploy_to_gate()
        await stage.press("Promote", by=ANA)
        r = await stage.row()
        await stage.rest("POST", f"/api/v1/deployments/{r.id}/promote", json={})
        await stage.wait(5)
        r = await stage.row()
        assert (r.phase, r.gate.missing) == (Phase.WAITING, 1)
        assert "does not count beside people" in stage.story
        await stage.press("Promote", by=BEN)
        assert (await stage.row()).closed[-1].people == (ANA, BEN)


@pytest.mark.sweep
async def test_the_question_says_that_a_token_without_an_owner_asked(stage):
    body = {"service": "auth-service", "version": "v2.0.0"}
    await stage.rest("POST", "/api/v1/deployments", json=body)
    await stage.wait(90)
    assert "token:root, which names no owner" in stage.slack.text_of(question(stage))


@pytest.mark.sweep
async def test_an_owner_of_the_root_token_does_not_approve_what_it_asked_for(stage):
    stage.environ["SLUICE_API_TOKEN_OWNER"] = ANA
    await stage.restart()
    await stage.rest(
        "POST", "/api/v1/commands", json={"text": "deploy auth-service v2.0.0 steps=50,100"}
    )
    await stage.wait(90)
    assert (await stage.row()).requester == ANA
    await stage.press("Promote", by=ANA)
    assert "self_approval" in stage.heard(ANA)


# ---- the configuration of today --------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_restart_with_other_approvers_counts_for_what_is_in_flight(tmp_path):
    async with Stage.opened(tmp_path, approvers="[U0ANA, U0BEN]") as stage:
        await stage.deploy_to_gate()
        file = tmp_path / "sluice.yaml"
        text = file.read_text().replace("[U0ANA, U0BEN]", "[U0BEN, U0OLU]")
        file.write_text(text.replace("approvals: 1", "approvals: 2"))
        await stage.restart()
        await stage.wait(5)
        assert stage.story.count("The approvers of production were changed") == 1
        await stage.press("Promote", by=ANA)
        assert "not_approver" in stage.heard(ANA)
        await stage.press("Promote", by=BEN)
        await stage.press("Promote", by=OLU)
        await stage.wait(90)
        gate = (await stage.row()).gate
        assert (gate.groups, gate.quorum) == ((BEN, OLU), 2)


@pytest.mark.sweep
async def test_a_quorum_that_can_never_be_reached_is_said_before_and_at_the_question(tmp_path):
    async with Stage.opened(tmp_path, approvers="[U0ANA]") as stage:
        line = "auth-service v2.0.0 steps=50,100"
        assert "This cannot be approved" in await stage.say(f"/deploy plan {line}", by=ANA)
        await stage.say(f"/deploy {line}", by=ANA)
        await stage.wait(90)
        assert "nobody but @Ana is listed, and @Ana asked for it" in stage.slack.text_of(
            question(stage)
        )


@pytest.mark.sweep
async def test_members_of_a_group_are_counted_as_well(tmp_path):
    async with Stage.opened(tmp_path, approvers="[S0SRE]", approvals=3) as stage:
        told = await stage.say("/deploy plan auth-service v2.0.0", by=ANA)
        assert "3 have to approve, and only" in told
        assert "This cannot be approved" in told


# ---- buttons and reasons ---------------------------------------------------------------------------------------------


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("value", "channel", "code"),
    [
        ({"g": None, "p": "", "n": 1}, DEPLOYS, "unknown_button"),
        ({"g": ["x"], "p": "", "n": 1}, DEPLOYS, "unknown_button"),
        ({"p": "x", "n": 1}, DEPLOYS, "unknown_button"),
        ({"g": "g", "n": True}, DEPLOYS, "unknown_button"),
        ({}, "C0ELSEWHERE", "another_channel"),
    ],
)
async def test_a_yes_from_elsewhere_or_of_another_form_counts_for_nothing(
    stage, value, channel, code
):
    """E.3 no. 3."""
    await stage.slack.add_channel(Channel("C0ELSEWHERE", "elsewhere"))
    await stage.deploy_to_gate()
    r = await stage.row()
    whole = {"r": r.id, "g": r.gate.id, "p": r.plan.digest, "n": r.gate.shown}
    held = json.dumps({"r": r.id, **value} if value else whole)
    action = {"action_id": "promote", "value": held, "action_ts": "1"}
    who = {"user": {"id": ANA, "team_id": BASE["team"]["id"]}, "channel": {"id": channel}}
    await knock(stage, *form({"type": "block_actions", **BASE, **who, "actions": [action]}))
    assert code in stage.heard(ANA)
    assert "['x']" not in stage.heard(ANA)
    assert (await stage.row()).gate is not None


@pytest.mark.sweep
async def test_the_glass_takes_a_reason_that_can_be_read_and_says_when_both_votes_are_through_it(
    tmp_path,
):
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.slack.add_person(Person("U0CY", "Cy"))
        await stage.slack.add_group(Group("S0ONCALL", "oncall", (OLU, "U0CY")))
        await stage.deploy_to_gate()
        await stage.press("Promote", by=OLU)
        await stage.press("Break glass", by=OLU)
        view = stage.slack.form(OLU)["id"]
        wrong = await stage.slack.submit(OLU, view, {"reason": "z" * 301})
        assert wrong == {"reason": "Say it in 300 characters; these are 301."}
        assert await stage.slack.submit(OLU, view, {"reason": "\u200b\u202e"})
        await stage.slack.submit(OLU, view, {"reason": "it burns"})
        await stage.settled()
        line = "/deploy promote auth-service break-glass because it still burns"
        await stage.say(line, by="U0CY")
        await stage.wait(5)
        assert any("both votes are by broken glass" in text for text in stage.channel(ALERTS))


@pytest.mark.sweep
async def test_a_reason_of_nothing_that_can_be_seen_is_no_reason(stage):
    await stage.deploy_to_gate()
    r = await stage.row()
    await stage.rest("POST", f"/api/v1/deployments/{r.id}/pause", json={"reason": "\u202e\u200b "})
    await stage.wait(5)
    assert "Paused at 50 % by token:root." in stage.story
