"""F29, second half: Slack returns. One digest, one message per thread, alerts that say when it was."""

import re

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, DEPLOYS, Stage
from tests.scenario.test_outage import ask, decide, opened_for_ops


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, approvers="[S0SRE, 'token:ops']") as opened:
        await opened_for_ops(opened)
        yield opened


async def let_three_go_by(stage: Stage) -> None:
    """v2 started before Slack went away and is live, v3 came home alone, v4 waits at its gate."""
    await ask(stage, "v2.0.0", config={"trafficSteps": [50, 100]})
    await stage.wait(90)
    stage.slack.down = True
    await decide(stage)
    await stage.wait(90)
    await decide(stage)
    await stage.wait(330)
    await ask(stage, "v3.0.0", config={"trafficSteps": [50, 100]})
    await stage.wait(30)
    stage.traffic.set_errors("v3.0.0", 40)
    await stage.wait(420)
    await ask(stage, "v4.0.0", config={"trafficSteps": [50, 100]})
    await stage.wait(660)


async def slack_returns(stage: Stage) -> None:
    stage.slack.recover()
    stage.slack.calls.clear()
    await stage.wait(90)


def digests(stage: Stage, channel: str = DEPLOYS) -> list[str]:
    return [text for text in stage.channel(channel) if text.startswith("📭")]


@pytest.mark.sweep
async def test_slack_returns_to_cards_one_digest_one_story_per_thread_and_what_is_open(stage):
    await let_three_go_by(stage)
    await slack_returns(stage)
    v2, v3, v4 = [m for m in stage.slack.messages(DEPLOYS) if stage.slack.thread(m.ts)]

    (digest,) = digests(stage)
    assert "While Slack could not be reached* (2026-11-21 03:1" in digest
    assert "3 rollouts went on" in digest
    assert "auth-service v2.0.0 → production — now 🟢 live" in digest
    assert "auth-service v3.0.0 → production — now 🔴 rolled back" in digest
    assert "auth-service v4.0.0 → production — now 🟡 waiting for a decision at 50 %" in digest
    raw = next(m for m in stage.slack.messages(DEPLOYS) if "📭" in stage.slack.text_of(m))
    linked = re.findall(r"archives/\w+/p(\d+)\|", str(raw.blocks))
    assert linked == [m.ts.replace(".", "") for m in (v2, v3, v4)]

    told = stage.slack.text_of(stage.slack.thread(v2.ts)[-1])
    assert "While Slack could not be reached:" in told
    assert "Promoted to 100 %" in told
    assert "live: v2.0.0" in told
    assert len(stage.slack.thread(v4.ts)) <= 2  # the second says that its time runs now

    alarm, story = stage.slack.thread(v3.ts)
    assert alarm.broadcast
    assert "Happened 2026-11-21 03:" in stage.slack.text_of(alarm)
    assert "While Slack could not be reached:" in stage.slack.text_of(story)
    (alert,) = [text for text in stage.channel(ALERTS) if "v3.0.0" in text]
    assert "Happened 2026" in alert
    assert len(await stage.alerts("rollout.rolled_back")) == 1

    (question,) = [text for text in stage.channel() if "[Promote" in text]
    assert "auth-service v4.0.0" in question
    await stage.press("Promote to 100 %")
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_a_restart_in_the_middle_changes_nothing_and_nothing_is_summed_up_twice(stage):
    await ask(stage, "v2.0.0", config={"trafficSteps": [50, 100]})
    await stage.wait(90)
    stage.slack.down = True
    await decide(stage)
    await stage.wait(330)
    stage.slack.recover()  # a start waits for Slack; nothing is drawn before it is away again
    stage.slack.refuse("chat.update", "internal_error")
    stage.slack.refuse("chat.postMessage", "internal_error")
    await stage.restart()
    await stage.wait(60)
    assert digests(stage) == []
    await slack_returns(stage)
    assert len(digests(stage)) == 1
    assert "1 rollout went on" in digests(stage)[0]
    assert "Promoted to 100 %" in stage.story
    said = len(stage.slack.chat.messages)
    await stage.restart()
    await stage.wait(60)
    assert len(stage.slack.chat.messages) == said


@pytest.mark.sweep
async def test_a_short_silence_is_no_outage(stage):
    await ask(stage, "v2.0.0", config={"trafficSteps": [50, 100]})
    stage.slack.down = True
    await stage.wait(240)
    await slack_returns(stage)
    assert digests(stage) == []
    assert "While Slack" not in stage.story


@pytest.mark.sweep
async def test_a_question_that_nobody_could_see_keeps_its_time_and_calls_people(tmp_path):
    async with Stage.opened(tmp_path, expires="10m", on_expiry="rollback") as stage:
        await stage.deploy()
        stage.slack.down = True
        await stage.wait(900)
        row = await stage.row()
        assert row.phase is Phase.WAITING
        assert row.gate.unseen is not None
        assert (await stage.told()).count("gate_undeliverable:gate_undeliverable") == 1
        assert "reached nobody" in (await stage.alerts("rollout.needs_attention"))[0]["reason"]
        await slack_returns(stage)
        gate = (await stage.row()).gate
        assert gate.unseen is None
        left = (gate.expires - stage.clock.at).total_seconds()
        assert 500 < left <= 600
        await stage.wait(620)
        assert await stage.phase() == (Phase.ROLLED_BACK, "gate_expired")
