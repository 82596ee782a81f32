"""A4–A6, E.3: who may is asked at the click; forward fails closed, back never waits, the glass is loud."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Channel, Group, Person
from tests.scenario.stage import ALERTS, ANA, BEN, DANA, DEPLOYS, OLU, Stage

GUEST = Person("U0GUEST", "Guest", is_restricted=True)


# ---- at the moment of the click --------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_whoever_left_the_group_between_the_question_and_the_click_no_longer_decides(stage):
    """A6: the group is looked up at the click, and an event drops what was remembered."""
    await stage.deploy_to_gate()
    await stage.press("Promote to 100 %", by=OLU)  # the group is remembered now
    await stage.slack.add_group(Group("S0SRE", "sre", (BEN,)))
    await stage.slack.tell("subteam_members_changed", subteam_id="S0SRE")
    await stage.press("Promote to 100 %", by=ANA)
    assert "not_approver" in stage.heard(ANA)
    assert (await stage.row()).gate.votes == ()


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("event", "what"),
    [
        ("subteam_updated", {"subteam": {"id": "S0SRE"}}),
        ("subteam_members_changed", {"subteam_id": "S0SRE"}),
    ],
)
async def test_a_new_member_of_the_group_decides_at_once(stage, event, what):
    await stage.deploy_to_gate()
    await stage.press("Promote to 100 %", by=OLU)
    assert "not_approver" in stage.heard(OLU)
    await stage.slack.add_group(Group("S0SRE", "sre", (ANA, OLU)))
    await stage.slack.tell(event, **what)
    await stage.press("Promote to 100 %", by=OLU)
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_without_an_event_what_was_remembered_counts_for_a_minute(stage):
    await stage.deploy_to_gate()
    await stage.press("Promote to 100 %", by=OLU)
    await stage.slack.add_group(Group("S0SRE", "sre", (BEN,)))
    await stage.wait(61)
    await stage.press("Promote to 100 %", by=ANA)
    assert "not_approver" in stage.heard(ANA)


@pytest.mark.sweep
async def test_a_name_that_looks_like_an_approvers_is_no_approver(stage):
    """A5: people count by their id; what they call themselves is decoration."""
    await stage.slack.add_person(Person("U0EVE", "Ana"))
    await stage.deploy_to_gate()
    await stage.press("Promote to 100 %", by="U0EVE")
    assert "not_approver" in stage.heard("U0EVE")
    assert (await stage.row()).gate is not None


@pytest.mark.sweep
async def test_whoever_lost_the_role_between_two_votes_does_not_count_when_the_next_is_counted(
    tmp_path,
):
    """E.3 no. 7: with two needed, the vote of somebody who has left the group since falls."""
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.slack.add_group(Group("S0SRE", "sre", (ANA, BEN, OLU)))
        await stage.deploy_to_gate()
        await stage.press("Promote", by=ANA)
        await stage.slack.add_group(Group("S0SRE", "sre", (BEN, OLU)))
        await stage.slack.tell("subteam_members_changed", subteam_id="S0SRE")
        await stage.press("Promote", by=BEN)
        r = await stage.row()
        assert [vote.actor for vote in r.gate.votes] == [BEN]
        assert "The earlier approval of" in stage.story
        await stage.press("Promote", by=OLU)
        assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_a_voter_who_was_deactivated_does_not_count_either(tmp_path):
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.deploy_to_gate()
        await stage.press("Promote", by=ANA)
        stage.slack.chat.people[ANA] = replace(stage.slack.chat.people[ANA], deleted=True)
        await stage.slack.tell("user_change", user={"id": ANA})
        await stage.press("Promote", by=BEN)
        assert [vote.actor for vote in (await stage.row()).gate.votes] == [BEN]


@pytest.mark.sweep
async def test_whoever_changed_what_runs_does_not_approve_it(tmp_path):
    """A7: Ana starts what Dana scheduled, and is an editor from then on."""
    async with Stage.opened(tmp_path) as stage:
        soon = stage.clock.now() + timedelta(minutes=2)
        await stage.say(f"/deploy auth-service v2.0.0 at={soon:%H:%M} steps=50,100")
        await stage.deploy("v1.5.0")  # the target is busy when the time has come
        await stage.wait(20 * 60)
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        waits = next(r for r in await stage.bot.store.history() if r.version == "v2.0.0")
        assert waits.phase is Phase.SCHEDULED
        await stage.press("Start now", by=ANA)
        await stage.wait(90)
        r = await stage.bot.store.get(waits.id)
        assert (r.requester, r.editors) == (DANA, (ANA,))
        await stage.press("Promote to 100 %", by=ANA)
        assert "self_approval" in stage.heard(ANA)
        assert "You changed what runs" in stage.heard(ANA)
        await stage.press("Promote to 100 %", by=BEN)
        assert (await stage.bot.store.get(waits.id)).phase is Phase.RUNNING


# ---- going back never waits ------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_stranger_to_the_bot_goes_back_at_once_and_everybody_is_told_who_it_was(stage):
    """E.3 no. 6: the commit waits for nobody; that it was a guest is said in the thread and the alert channel."""
    await stage.slack.add_person(GUEST)
    await stage.deploy_to_gate()
    await stage.press("Roll back", by="U0GUEST")
    assert (await stage.row()).phase is Phase.ROLLING_BACK
    await stage.wait(30)
    assert stage.as_armed
    assert "is a guest" in stage.story
    assert any("is a guest" in line for line in stage.channel(ALERTS))


@pytest.mark.sweep
async def test_a_guest_who_is_known_as_one_goes_back_no_more(stage):
    await stage.slack.add_person(GUEST)
    await stage.deploy_to_gate()
    await stage.press("Pause", by="U0GUEST")
    await stage.press("Roll back", by="U0GUEST")
    assert "guest" in stage.heard("U0GUEST")
    assert (await stage.row()).phase is Phase.PAUSED


@pytest.mark.sweep
async def test_a_member_goes_back_while_slack_is_silent_and_is_looked_up_when_it_speaks(stage):
    await stage.slack.add_person(GUEST)
    await stage.deploy_to_gate()
    stage.slack.fail("users.info", times=10**9)
    await stage.press("Roll back", by="U0GUEST")
    await stage.wait(30)
    assert stage.as_armed
    assert "is a guest" not in stage.story
    stage.slack.recover()
    await stage.wait(90)
    assert "is a guest" in stage.story


# ---- channels of other companies -------------------------------------------------------------------------------------


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["is_ext_shared", "is_pending_ext_shared"])
async def test_a_shared_channel_takes_no_commands_but_those_that_go_back(stage, how):
    """A4: Slack Connect. What our own people do to stop something is done wherever they stand."""
    shared = Channel("C0SHARED", "with-acme", **{how: True})
    await stage.slack.add_channel(shared)
    told = await stage.say("/deploy auth-service v2.0.0", channel="C0SHARED")
    assert "external_channel" in told
    assert "external_channel" in await stage.say("/deploy status", channel="C0SHARED")
    await stage.deploy_to_gate()
    told = await stage.say("/deploy promote auth-service", by=ANA, channel="C0SHARED")
    assert "external_channel" in told
    await stage.say("/deploy pause auth-service", channel="C0SHARED")
    assert (await stage.row()).phase is Phase.PAUSED
    await stage.say("/rollback auth-service", channel="C0SHARED")
    await stage.wait(30)
    assert stage.as_armed


@pytest.mark.sweep
async def test_buttons_in_a_channel_that_was_just_shared_do_nothing_forward(stage):
    await stage.deploy_to_gate()
    await stage.slack.add_channel(Channel(DEPLOYS, "deploys", is_ext_shared=True))
    await stage.slack.tell("channel_shared", channel=DEPLOYS, connected_team_id="T0ELSE")
    await stage.press("Promote to 100 %", by=ANA)
    assert "external_channel" in stage.heard(ANA)
    assert (await stage.row()).gate is not None
    await stage.press("Roll back", by=ANA)
    assert (await stage.row()).phase is Phase.ROLLING_BACK


async def test_nothing_starts_whose_card_outsiders_would_read(stage):
    await stage.slack.add_channel(Channel(DEPLOYS, "deploys", is_ext_shared=True))
    told = await stage.say("/deploy auth-service v2.0.0", channel=ALERTS)
    assert "external_channel" in told
    status, body = await stage.rest(
        "POST", "/api/v1/deployments", json={"service": "auth-service", "version": "v2.0.0"}
    )
    assert (status, body["code"]) == (403, "external_channel")
    assert await stage.bot.store.history() == []


@pytest.mark.sweep
async def test_where_slack_does_not_say_whether_a_channel_is_shared_work_goes_on(stage, caplog):
    stage.slack.refuse("conversations.info", "missing_scope")
    await stage.deploy_to_gate()
    assert "missing_scope" in caplog.text
    await stage.press("Promote to 100 %", by=ANA)
    assert (await stage.row()).phase is Phase.RUNNING


# ---- breaking the glass ----------------------------------------------------------------------------------------------

FROZEN = '[{from: "Mon 00:00", to: "Sun 23:59", timezone: UTC}]'


@pytest.mark.sweep
async def test_on_call_breaks_the_glass_of_a_freeze_and_everybody_hears_of_it(tmp_path):
    async with Stage.opened(tmp_path, freeze=FROZEN) as stage:
        told = await stage.say("/deploy auth-service v2.0.0", by=OLU)
        assert "frozen" in told
        await stage.press("Break glass", by=OLU)
        form = stage.slack.form(OLU)
        assert "deploy auth-service v2.0.0" in stage.slack.shown(form)
        assert await stage.slack.submit(OLU, form["id"], {"reason": "  "}) == {
            "reason": "Say why: everybody will read it."
        }
        await stage.slack.submit(OLU, form["id"], {"reason": "payments are *down* <!channel>"})
        await stage.settled()
        r = await stage.row()
        assert (r.version, r.requester) == ("v2.0.0", OLU)
        assert "glass_broken:frozen" in await stage.told()
        await stage.wait(5)
        for channel in (DEPLOYS, ALERTS):
            assert any("broke the glass (frozen)" in line for line in stage.channel(channel))
        assert "<!channel>" not in str([m.blocks for m in stage.slack.messages(ALERTS)])


async def test_the_glass_wants_a_reason_and_somebody_who_may(tmp_path):
    async with Stage.opened(tmp_path, freeze=FROZEN) as stage:
        line = "/deploy auth-service v2.0.0 break-glass"
        assert "missing_reason" in await stage.say(line, by=OLU)
        assert "may_not_break_glass" in await stage.say(f"{line} because I want to", by=BEN)
        status, body = await stage.rest(
            "POST", "/api/v1/commands",
            json={"text": "deploy auth-service v2.0.0 break-glass because x"},
        )  # fmt: skip
        assert (status, body["code"]) == (403, "glass_needs_a_person")
        late = await stage.say("/deploy auth-service v2.0.0 at=23:59 break-glass because x", by=OLU)
        assert "glass_is_for_now" in late
        assert await stage.bot.store.history() == []


@pytest.mark.sweep
async def test_on_call_promotes_through_the_glass_when_slack_names_no_approvers(stage):
    """Fail closed with a way out: last known members, a reason, aloud, and on the record."""
    await stage.say("/rollback auth-service", by=OLU)
    await stage.deploy_to_gate()
    await stage.press("Promote to 100 %", by=OLU)
    assert "not_approver" in stage.heard(OLU)
    await stage.press("Break glass", by=OLU)
    form = stage.slack.form(OLU)
    await stage.slack.submit(OLU, form["id"], {"reason": "all approvers sleep"})
    await stage.settled()
    assert (await stage.row()).phase is Phase.RUNNING
    assert "glass_broken:not_approver" in await stage.told()
    await stage.wait(5)
    assert any("all approvers sleep" in line for line in stage.channel(ALERTS))


@pytest.mark.sweep
async def test_the_requester_does_not_promote_their_own_through_the_glass(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await stage.say("/deploy auth-service v2.0.0 to production steps=50,100", by=OLU)
        await stage.wait(90)
        line = "/deploy promote auth-service break-glass because nobody is here"
        assert "self_approval" in await stage.say(line, by=OLU)
        assert (await stage.row()).gate is not None


@pytest.mark.sweep
async def test_one_person_behind_broken_glass_is_one_person(tmp_path):
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.deploy_to_gate()
        await stage.wait(6)
        await stage.say("/deploy promote auth-service break-glass because it burns", by=OLU)
        r = await stage.row()
        assert (r.phase, [v.actor for v in r.gate.votes]) == (Phase.WAITING, [OLU])
        await stage.press("Promote", by=ANA)
        assert (await stage.row()).phase is Phase.RUNNING
