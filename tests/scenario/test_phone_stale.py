"""A button that is read late: it does what it said when it was shown, or it asks anew."""

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Channel, Group
from tests.scenario.phone import Phone
from tests.scenario.stage import ANA, BEN, DANA, DEPLOYS, OLU
from tests.scenario.test_preview import previewing
from tests.scenario.test_preview_form import GIVEN, form, sent, words


@pytest.mark.sweep
async def test_a_yes_to_an_older_question_undoes_nothing_else(stage):
    """A8: what was asked about is not what is there now."""
    await stage.ship("v2.0.0")
    asked = await stage.say("/rollback auth-service", by=OLU)
    assert "back from v2.0.0 to v1.0.0?" in asked
    old = stage.slack.ephemerals(OLU)[-1]

    await stage.deploy("v3.0.0")
    await stage.slack.click(OLU, old.ts, "Yes, roll back now")
    await stage.settled()
    heard = stage.heard(OLU)
    assert "Things changed meanwhile: v3.0.0 is in flight" in heard
    assert "[Roll back v3.0.0] [No]" in heard
    assert "things_changed" in heard
    assert (await stage.row()).phase is Phase.RUNNING

    await stage.press("Roll back v3.0.0", by=OLU)
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_a_yes_in_a_form_asks_anew_about_what_is_live_now(stage):
    olu = Phone(stage)
    await stage.ship("v2.0.0")
    await olu.shortcut("rollback_global")
    await olu.tap("Roll back auth-service", form=True)

    await stage.ship("v3.0.0")
    await olu.tap("Yes, roll back now", form=True)
    assert "Things changed meanwhile: Roll auth-service" in olu.form
    assert "back from v3.0.0 to v2.0.0?" in olu.form
    assert (await stage.row()).version == "v3.0.0"

    await olu.tap("Yes, roll back now", form=True)
    assert (await stage.row()).version == "v2.0.0"
    assert (await stage.row()).rollback_of


@pytest.mark.sweep
async def test_a_yes_on_the_home_tab_asks_anew_about_what_is_in_flight_now(stage):
    olu = Phone(stage)
    await stage.ship("v2.0.0")
    await stage.wait(60)
    await olu.open_home()
    await olu.tap("Roll back auth-service")
    await stage.deploy("v3.0.0")
    await olu.tap("Yes, roll back now")
    assert "Things changed meanwhile: v3.0.0 is in flight" in olu.home
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_the_reason_goes_along_with_the_question(stage):
    await stage.ship("v2.0.0")
    await stage.say("/rollback auth-service payments are failing since 02:58", by=OLU)
    await stage.press("Yes, roll back now", by=OLU)
    assert (await stage.row()).reason == "payments are failing since 02:58"
    await stage.wait(60)
    assert "payments are failing" in stage.card
    assert "payments are failing" in stage.story


@pytest.mark.sweep
async def test_a_full_stop_and_capitals_behind_a_version_are_the_phones(stage):
    await stage.ship("v2.0.0")
    for words_ in ("auth-service to V1.0.0", "auth-service to v1.0.0."):
        assert "from v2.0.0 to v1.0.0?" in await stage.say(f"/rollback {words_}", by=OLU)
    await stage.deploy("v3.0.0")
    assert "back to v2.0.0 now" in await stage.say("/rollback auth-service to V2.0.0.", by=OLU)
    assert (await stage.row()).phase is Phase.ROLLING_BACK


@pytest.mark.sweep
async def test_what_people_shout_in_a_thread_is_offered_as_a_rollback_of_that_rollout(stage):
    olu = Phone(stage)
    await stage.deploy()
    card = stage.slack.card(DEPLOYS).ts
    assert "in progress" in await olu.say_in_thread(card, "@Ana @sluice, status please")
    heard = await olu.say_in_thread(card, "@sluice: STOP!")
    assert "Did you mean" in heard
    await stage.press("Yes, rollback auth-service production", by=OLU)
    assert (await stage.row()).phase is Phase.ROLLING_BACK


@pytest.mark.sweep
async def test_one_clear_slip_of_a_service_has_a_red_button(stage):
    await stage.deploy()
    assert "unknown_service" in await stage.say("/rollback auth-serivce it burns", by=OLU)
    await stage.press("Yes, rollback auth-service it burns", by=OLU)
    r = await stage.row()
    assert (r.phase, r.back.reason if r.back else "") == (Phase.ROLLING_BACK, "it burns")


async def test_a_shared_channel_opens_no_form_for_a_deploy(stage):
    await stage.slack.add_channel(Channel("C0EXT", "partners", is_ext_shared=True))
    assert await stage.say("/deploy", channel="C0EXT") == ""
    assert "shared with another company" in words(stage)
    assert "submit" not in form(stage)
    told = await Phone(stage, DANA).say_in_thread("", "@sluice deploy", "C0EXT")
    assert "shared with another company" in told


async def test_a_channel_that_is_shared_meanwhile_takes_no_start_of_a_form(stage):
    await stage.slack.add_channel(Channel("C0NEW", "later"))
    await stage.say("/deploy", channel="C0NEW")
    await sent(stage, GIVEN)
    await Phone(stage, DANA).tap("Edit…", form=True)
    await sent(stage, GIVEN)
    await stage.slack.add_channel(Channel("C0NEW", "later", is_ext_shared=True))
    await stage.slack.tell("channel_shared", channel="C0NEW")
    await stage.settled()
    await sent(stage, {})
    assert "shared with another company" in words(stage)
    assert await stage.bot.store.history() == []


@pytest.mark.sweep
async def test_a_page_in_place_of_an_answer_is_trouble_like_any_other(stage):
    """F30: HTTP 200 with HTML."""
    await stage.deploy_to_gate()
    await stage.wait(120)
    stage.slack.fail("usergroups.users.list", 3, status=200)
    await stage.press("Promote to 100 %")
    assert "identity_unavailable" in stage.heard(ANA)


async def test_a_refused_form_says_so_and_the_emergency_comes_as_a_message(stage):
    olu = Phone(stage)
    await stage.deploy()
    stage.slack.refuse("views.open", "missing_scope")
    await stage.say("/deploy")
    assert "Slack refused the form (missing_scope)." in stage.heard()
    await stage.slack.shortcut(OLU, "rollback_global")
    await stage.settled()
    assert "[Roll back auth-service]" in olu.direct[-1]
    assert "missing_scope" in olu.direct[-1]


async def test_a_refused_home_tab_is_told_once_and_tried_again_ever_later(stage):
    olu = Phone(stage)
    stage.slack.refuse("views.publish", "internal_trouble")
    await stage.slack.open_home(OLU)
    await stage.wait(300)
    assert len(olu.direct) == 1
    assert "Slack refused your Home tab (internal_trouble)." in olu.direct[0]
    assert olu.direct[0].endswith("(Type `/rollback` here; plain words I do not read.)")
    assert sum(name == "views.publish" for name, _ in stage.slack.calls) == 3
    stage.slack.recover()
    await stage.wait(600)
    assert "In flight" in olu.home


@pytest.mark.sweep
async def test_the_home_tab_of_whoever_left_the_approvers_no_longer_asks_them(stage):
    await stage.deploy_to_gate()
    ana = Phone(stage, ANA)
    assert "Waiting for your decision" in await ana.open_home()
    await stage.slack.add_group(Group("S0SRE", "sre", (BEN,)))
    await stage.slack.tell("subteam_members_changed", subteam_id="S0SRE")
    await stage.wait(15)
    assert "Waiting for your decision" not in ana.home


async def test_an_edited_plan_leaves_out_what_its_strategy_has_no_use_for(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say("/deploy plan auth-service v2.0.0 strategy=rolling batch-size=25%")
        await stage.press("Edit…", by=DANA)
        assert await sent(stage, {"strategy": "canary", "version": "v2.0.0."}) == {}
        assert "batch-size`. canary has no use for that." in words(stage)
        assert "Deploy auth-service v2.0.0 → production" in words(stage)

        stage.slack.refuse("views.update", "not_found")
        await Phone(stage, DANA).tap("Edit…", form=True)
        assert "Slack refused the form (not_found)." in Phone(stage, DANA).direct[-1]


async def test_a_reason_that_is_too_long_is_refused_at_its_field_and_never_cut(tmp_path):
    async with previewing(tmp_path) as stage:
        await stage.say(f"/deploy plan auth-service v2.0.0 because {'漢' * 700}")
        await stage.press("Edit…", by=DANA)
        assert await sent(stage, {}) == {"reason": "That is 700 characters: use 300 at most."}
        assert await sent(stage, {"reason": '"' * 300}) == {}
        assert await sent(stage, {}) == {}
        assert (await stage.row()).reason == '"' * 300


async def test_a_plan_that_fits_on_no_button_says_why_it_has_no_start(tmp_path):
    async with previewing(tmp_path) as stage:
        told = await stage.say(f"/deploy plan auth-service v2.0.0 because {'x' * 1990}")
        assert "There is no Start here" in told
        assert "Start rollout" not in stage.buttons
