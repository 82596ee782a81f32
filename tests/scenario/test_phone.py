"""M6: an emergency from a phone. The Home tab, the shortcuts and what a tap on them does."""

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Person
from integrations.base import Lane
from tests.scenario.phone import Phone, gate_of
from tests.scenario.stage import ANA, DANA, DEPLOYS, OLU


@pytest.mark.sweep
async def test_one_tap_on_the_home_tab_turns_around_what_is_in_flight(stage):
    """M6 b."""
    olu = Phone(stage)
    await stage.deploy()
    home = await olu.open_home()
    assert home.index("In flight") < home.index("auth-service v2.0.0 → production* — 50 %")
    assert olu.buttons() == ["Refresh", "Roll back auth-service"]

    await olu.tap("Roll back auth-service")
    assert "Rolling auth-service in production back to v1.0.0 now." in olu.home
    assert "[Roll back auth-service]" not in olu.home
    assert stage.weights == (100, 0)

    await stage.wait(60)
    assert stage.as_armed
    assert "v1.0.0 has all traffic of auth-service in production again" in olu.direct[0]
    assert len(olu.direct) == 1


@pytest.mark.sweep
async def test_what_is_live_is_asked_about_once_more_on_the_home_tab_itself(stage):
    """M6: the second step is rendered by the server."""
    olu = Phone(stage)
    await stage.ship("v2.0.0")
    await stage.wait(60)
    assert "Last 60 minutes" in await olu.open_home()

    await olu.tap("Roll back auth-service")
    assert "Roll auth-service in production back from v2.0.0 to v1.0.0?" in olu.home
    assert "[Yes, roll back now] [No]" in olu.home
    assert (await stage.row()).version == "v2.0.0"

    await olu.tap("No")
    assert "Nothing was changed." in olu.home
    await olu.tap("Roll back auth-service")
    await olu.tap("Yes, roll back now")
    assert "Rolling auth-service in production back to v1.0.0 now" in olu.home
    assert (await stage.row()).rollback_of
    await stage.wait(120)
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v1.0.0")
    assert len(olu.direct) == 1
    assert "v1.0.0 has all traffic of auth-service in production again" in olu.direct[0]


@pytest.mark.sweep
async def test_the_home_tab_says_what_waits_for_whoever_looks(stage):
    await stage.deploy_to_gate()
    assert "Waiting for your decision" in await Phone(stage, ANA).open_home()
    assert "Waiting for your decision" not in await Phone(stage, DANA).open_home()
    assert "Go to the question" in Phone(stage, ANA).home


async def test_a_guest_gets_a_sentence_and_no_buttons(stage):
    await stage.slack.add_person(Person("U0GUS", "Gus", is_restricted=True))
    await stage.deploy()
    gus = Phone(stage, "U0GUS")
    home = await gus.open_home()
    assert "Guests" in home
    assert "auth-service" not in home
    assert gus.buttons() == ["Refresh"]


@pytest.mark.sweep
async def test_the_emergency_shortcut_lists_what_can_be_undone_and_one_tap_does_it(stage):
    """M6: behind the composer's +, where no channel has to be found first."""
    olu = Phone(stage)
    assert "There is nothing to undo." in await olu.shortcut("rollback_global")
    await stage.deploy()
    assert "[Roll back auth-service]" in await olu.shortcut("rollback_global")

    await olu.tap("Roll back auth-service", form=True)
    assert "Rolling auth-service in production back to v1.0.0 now." in olu.form
    assert "card" in olu.form
    assert stage.weights == (100, 0)
    await stage.wait(60)
    assert len(olu.direct) == 1


@pytest.mark.sweep
async def test_the_second_step_of_what_is_live_stands_in_the_form(stage):
    olu = Phone(stage)
    await stage.ship("v2.0.0")
    await olu.shortcut("rollback_global")
    await olu.tap("Roll back auth-service", form=True)
    assert "Roll auth-service in production back from v2.0.0 to v1.0.0?" in olu.form
    await olu.tap("No", form=True)
    assert "Nothing was changed." in olu.form
    assert not (await stage.row()).rollback_of

    await olu.shortcut("rollback_global")
    await olu.tap("Roll back auth-service", form=True)
    await olu.tap("Yes, roll back now", form=True)
    assert "Rolling auth-service in production back to v1.0.0 now" in olu.form
    assert (await stage.row()).rollback_of


async def test_roll_back_this_works_on_the_card_on_the_question_and_on_a_reply(stage):
    """M6 c: at once while it is in flight, and the form says so with the link."""
    olu = Phone(stage)
    for version, message in [
        ("v2.0.0", lambda: stage.slack.card(DEPLOYS).ts),
        ("v2.0.1", lambda: gate_of(stage)),
        ("v2.0.2", lambda: stage.slack.thread(stage.slack.card(DEPLOYS).ts)[-1].ts),
        ("v2.0.3", lambda: stage.slack.post(ANA, DEPLOYS, "hm", stage.slack.card(DEPLOYS).ts).ts),
    ]:
        await stage.deploy_to_gate(version)
        told = await olu.shortcut("rollback_message", message())
        assert "Rolling auth-service in production back to v1.0.0 now." in told, version
        assert "card" in told
        await stage.wait(90)
        assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert len(olu.direct) == 4


@pytest.mark.sweep
async def test_roll_back_this_asks_once_more_where_it_is_live_already(stage):
    olu = Phone(stage)
    await stage.ship("v2.0.0")
    told = await olu.shortcut("rollback_message", stage.slack.card(DEPLOYS).ts)
    assert "Roll auth-service in production back from v2.0.0 to v1.0.0?" in told
    await olu.tap("Yes, roll back now", form=True)
    assert (await stage.row()).rollback_of


async def test_roll_back_this_on_a_message_of_somebody_else_says_so_and_lists_the_rest(stage):
    olu = Phone(stage)
    await stage.deploy()
    lunch = stage.slack.post(DANA, DEPLOYS, "lunch?")
    told = await olu.shortcut("rollback_message", lunch.ts)
    assert "belongs to no rollout of mine, so nothing was changed" in told
    assert "[Roll back auth-service]" in told
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_roll_back_this_on_what_is_about_no_rollout_lists_what_can_be_undone(stage):
    """A digest is about several, an alert about a lock about none: neither is a rollout that there is not."""
    olu = Phone(stage)
    await stage.deploy()
    stage.slack.down = True
    await stage.wait(700)
    stage.slack.recover()
    await stage.wait(90)
    digest = next(m for m in stage.slack.messages(DEPLOYS) if "📭" in stage.slack.text_of(m))
    await stage.say("/deploy lock auth-service because audit", by=ANA)
    lock = stage.slack.messages(DEPLOYS)[-1]
    for message in (digest, lock):
        told = await olu.shortcut("rollback_message", message.ts)
        assert "belongs to no rollout of mine, so nothing was changed" in told
        assert "[Roll back auth-service]" in told
        assert "There is no rollout" not in await olu.say_in_thread(
            message.ts, "<@U0SLUICE> rollback"
        )


async def test_roll_back_this_is_carried_out_and_told_even_if_slack_opens_no_form(stage):
    olu = Phone(stage)
    await stage.deploy()
    stage.slack.refuse("views.open", "expired_trigger_id")
    await stage.slack.shortcut(OLU, "rollback_message", stage.slack.card(DEPLOYS).ts)
    await stage.settled()
    assert "Rolling auth-service in production back to v1.0.0 now." in stage.heard(OLU)
    assert stage.weights == (100, 0)
    assert olu.person not in {v["user"] for v in stage.slack.views.open.values()}


async def test_a_shortcut_of_another_version_of_the_bot_is_answered(stage):
    await stage.slack.shortcut(OLU, "teleport_global")
    await stage.settled()
    assert "from another version of the bot" in Phone(stage).direct[0]


@pytest.mark.sweep
async def test_whoever_rolls_back_by_the_card_where_all_see_it_gets_no_direct_message(stage):
    await stage.deploy()
    await stage.press("Roll back", by=OLU)
    await stage.wait(60)
    assert stage.as_armed
    assert Phone(stage).direct == []


@pytest.mark.sweep
async def test_whoever_typed_it_hears_when_the_traffic_is_home_once_and_across_a_restart(stage):
    await stage.deploy()
    await stage.say("/rollback auth-service", by=OLU)
    await stage.restart()
    await stage.wait(90)
    (told,) = Phone(stage).direct
    assert "v1.0.0 has all traffic of auth-service in production again" in told
