"""F30, F32: what was deleted or can no longer be edited is there again; a limit on one thing keeps no other back."""

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Message
from tests.scenario.stage import ALERTS, DEPLOYS, Stage


async def bring_to(stage: Stage, phase: str) -> None:
    await stage.deploy()
    if phase == "waiting":
        await stage.wait(75)
    elif phase == "paused":
        await stage.say("/deploy pause auth-service")
    elif phase == "rolling back":
        stage.traffic.set_errors("v2.0.0", 40)
        await stage.wait(45)


async def move_on(stage: Stage, phase: str) -> None:
    """Let something happen that a message has to show."""
    match phase:
        case "running":
            await stage.wait(75)
        case "waiting":
            await stage.say("/deploy promote auth-service", by="U0ANA")
        case "paused":
            await stage.say("/deploy resume auth-service")
    await stage.wait(330)


def cards(stage: Stage) -> list[Message]:
    return [m for m in stage.slack.messages(DEPLOYS) if "plan " in stage.slack.text_of(m)]


@pytest.mark.sweep
@pytest.mark.parametrize("phase", ["running", "waiting", "paused", "rolling back"])
async def test_everything_deleted_in_any_phase_and_the_rollout_is_there_again(stage, phase):
    await bring_to(stage, phase)
    for message in list(stage.slack.chat.messages.values()):
        stage.slack.chat.delete(message)
    await move_on(stage, phase)
    (card,) = cards(stage)
    row = await stage.row()
    shown = stage.slack.text_of(card)
    assert row.version in shown
    if row.gate is not None:
        (question,) = [m for m in stage.channel() if "[Promote" in m]
        assert "Decision needed" in question
    else:
        assert not any("[Promote" in m for m in stage.channel())
    assert stage.slack.thread(card.ts)


@pytest.mark.sweep
async def test_a_question_that_was_deleted_with_the_card_is_asked_again(stage):
    await stage.deploy_to_gate()
    for message in stage.slack.messages(DEPLOYS):
        stage.slack.chat.delete(message)
    await stage.say("/deploy extend auth-service 30m")
    await stage.wait(10)
    assert len(cards(stage)) == 1
    assert len([m for m in stage.channel() if "[Promote" in m]) == 1
    await stage.press("Promote to 100 %")
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
@pytest.mark.parametrize("code", ["edit_window_closed", "cant_update_message", "is_inactive"])
async def test_where_edits_are_refused_question_and_card_go_on_in_new_ones_with_links(stage, code):
    await stage.deploy_to_gate()
    old = stage.slack.card(DEPLOYS)
    (asked,) = [m for m in stage.slack.messages(DEPLOYS) if "[Promote" in stage.slack.text_of(m)]
    stage.slack.refuse("chat.update", code)
    await stage.press("Promote to 100 %")
    await stage.wait(10)
    stage.slack.recover()
    await stage.wait(60)
    for message in (old, asked):
        assert "It goes on here" in stage.slack.thread(message.ts)[-1].text
    assert "by @Ana" in "".join(stage.channel())


@pytest.mark.sweep
async def test_a_decided_question_that_somebody_deleted_stays_deleted(stage):
    await stage.deploy_to_gate()
    (asked,) = [m for m in stage.slack.messages(DEPLOYS) if "[Promote" in stage.slack.text_of(m)]
    stage.slack.chat.delete(asked)
    await stage.say("/deploy promote auth-service", by="U0ANA")
    await stage.wait(30)
    assert not any("Promoted" in text for text in stage.channel())
    assert "Promoted to 100 % by @Ana" in stage.story


@pytest.mark.sweep
async def test_a_limit_on_edits_keeps_no_question_and_no_alert_back(stage):
    await stage.deploy()
    stage.slack.calls.clear()
    stage.slack.rate_limit("chat.update", times=1, retry_after=600)
    await stage.wait(75)
    assert any("[Promote" in text for text in stage.channel())
    stage.traffic.set_errors("v2.0.0", 40)
    await stage.wait(60)
    assert any("automatically" in text for text in stage.channel(ALERTS))
    edits = [name for name, _ in stage.slack.calls if name == "chat.update"]
    assert len(edits) == 1
    await stage.wait(600)
    assert "rolled back" in stage.slack.text_of(cards(stage)[0])


@pytest.mark.sweep
async def test_a_storm_of_limits_loses_nothing(stage):
    for method in ("chat.postMessage", "chat.update"):
        stage.slack.rate_limit(method, times=25, retry_after=5)
    await stage.deploy_to_gate()
    await stage.wait(240)
    assert len(cards(stage)) == 1
    assert len([m for m in stage.channel() if "[Promote" in m]) == 1
    for line in ("Started: ", "50 % of the traffic on v2.0.0", "looked well"):
        assert stage.story.count(line) == 1


@pytest.mark.sweep
async def test_cards_are_drawn_again_at_a_start_when_their_words_have_changed(stage):
    await stage.ship("v2.0.0")
    (card,) = cards(stage)
    r = await stage.row()
    async with stage.bot.store.writing() as writing:
        post = (await stage.bot.store.posts(r.id))["card"]
        await writing.put_post(
            type(post)(**{**{f: getattr(post, f) for f in post.__slots__}, "digest": "old"})
        )
    stage.slack.chat.edit(card, text="as an older version worded it", blocks=())
    await stage.restart()
    assert "🟢 live" in stage.slack.text_of(cards(stage)[0])


async def test_an_answer_that_slack_does_not_take_as_blocks_is_text(stage):
    stage.slack.refuse("chat.postEphemeral", "invalid_blocks", times=1)
    await stage.slack.mention("U0DANA", DEPLOYS, "status")
    await stage.settled()
    assert stage.heard().startswith("1 service in production: auth-service nothing yet")
    assert not stage.slack.ephemerals("U0DANA")[-1].blocks
