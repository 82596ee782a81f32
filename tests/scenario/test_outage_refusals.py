"""F30, F31: Slack says no, limits, or loses its answers: no question decides unseen, no channel fills with copies."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, ANA, DEPLOYS, Stage
from tests.scenario.test_outage_channels import shut
from tests.scenario.test_outage_digest import digests

NOT_HISTORY = ("conversations.history", "conversations.replies")


def questions(stage: Stage, channel: str = DEPLOYS):
    return [m for m in stage.slack.messages(channel) if "[Promote" in stage.slack.text_of(m)]


async def without_history(stage: Stage) -> None:
    for method in NOT_HISTORY:
        stage.slack.refuse(method, "missing_scope")


@pytest.mark.sweep
async def test_a_limit_that_lasts_is_paged_and_no_question_expires_behind_it(tmp_path):
    async with Stage.opened(tmp_path, expires="10m", on_expiry="rollback") as stage:
        await stage.deploy()
        stage.slack.rate_limit("chat.postMessage", times=10**9, retry_after=3600)
        await stage.wait(75 + 900)
        assert (await stage.row()).phase is Phase.WAITING
        (page,) = await stage.alerts("rollout.needs_attention")
        assert "reached nobody: Slack takes no message because of a rate limit" in page["reason"]
        status, ready = await stage.rest("GET", "/readyz")
        assert (status, ready["status"]) == (503, "degraded")
        assert "rate limit" in ready["parts"]["slack"]
        stage.slack.recover()
        await stage.wait(3000)
        assert len(questions(stage)) == 1
        assert "While Slack limited me" in digests(stage)[0]
        assert (await stage.rest("GET", "/readyz"))[1]["parts"]["slack"] == "ok"


@pytest.mark.sweep
async def test_where_edits_are_refused_an_hour_adds_few_messages_and_old_ones_decide_nothing(stage):
    await stage.deploy_to_gate()
    stage.slack.refuse("chat.update", "edit_window_closed")
    before = len(stage.slack.chat.messages)
    await stage.wait(1500)
    for version in ("v1.0.0", "v2.0.0"):  # of both: that is no reason to go home
        stage.traffic.set_errors(version, 1)
    await stage.wait(1500)
    assert len(stage.slack.chat.messages) - before <= 16
    first, *later = questions(stage)
    assert "@sre" in stage.slack.text_of(first)
    assert later
    assert not any("@sre" in stage.slack.text_of(m) for m in later)
    assert stage.slack.thread(first.ts)[-1].text.count("It goes on here") == 1

    await stage.slack.click(ANA, first.ts, "Promote to 100 %")
    await stage.settled()
    assert "older_copy" in stage.heard(ANA)
    assert later[-1].ts.replace(".", "") in stage.heard(ANA)
    assert (await stage.row()).phase is Phase.WAITING
    await stage.slack.click(ANA, first.ts, "Roll back to v1.0.0")
    await stage.settled()
    assert (await stage.row()).phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}


@pytest.mark.sweep
async def test_lost_answers_make_three_copies_in_an_hour_of_which_one_calls(stage):
    await without_history(stage)
    await stage.deploy()
    stage.slack.lose_answer("chat.postMessage", 10**9)
    await stage.wait(75 + 310)
    assert "gate_undeliverable:gate_undeliverable" not in await stage.told()
    await stage.wait(3000)
    first, *more = questions(stage)
    assert len(more) == 2
    assert "@sre" in stage.slack.text_of(first)
    for copy in more:
        assert "@sre" not in stage.slack.text_of(copy)
        assert "Slack lost my first answer" in stage.slack.text_of(copy)
    assert (await stage.told()).count("gate_undeliverable:gate_undeliverable") == 1
    # Nobody knows of that copy, and its numbers are those of now: it counts.
    await stage.slack.click(ANA, first.ts, "Promote to 100 %")
    await stage.settled()
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_a_digest_whose_answer_was_lost_is_one_whatever_happens_meanwhile(stage):
    await stage.deploy_to_gate()
    stage.slack.down = True
    await stage.wait(900)
    stage.slack.recover()
    answered, lost = stage.slack.answer, []

    async def answer(request, method, args):
        said = await answered(request, method, args)
        if method == "chat.postMessage" and "📭" in str(args) and not lost:
            lost.append(method)
            request.transport.abort()
        return said

    stage.slack.answer = answer
    for _ in range(60):
        await stage.wait(1)
        if lost == ["chat.postMessage"]:
            await stage.say("/deploy pause auth-service")
            lost.append("paused")
    await stage.wait(400)
    assert lost[1:] == ["paused"]
    assert len(digests(stage)) == 1


@pytest.mark.sweep
async def test_a_question_that_people_saw_does_not_expire_while_slack_is_away(tmp_path):
    async with Stage.opened(tmp_path, expires="20m", on_expiry="rollback") as stage:
        await stage.deploy_to_gate()
        stage.slack.down = True
        await stage.wait(1100)
        assert not any(d.body["type"].endswith("needs_attention") for d in stage.sink.deliveries)
        await stage.wait(1500)
        assert (await stage.row()).phase is Phase.WAITING
        (page,) = await stage.alerts("rollout.needs_attention")
        assert "cannot be answered at Slack: Slack cannot be reached since" in page["reason"]
        stage.slack.recover()
        await stage.wait(90)
        gate = (await stage.row()).gate
        assert gate.unseen is None
        assert (gate.expires - stage.clock.at).total_seconds() > 200
        assert "Slack is back after" in stage.story
        await stage.wait(1300)
        assert (await stage.row()).phase is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_reminders_follow_a_question_to_where_it_stands(stage):
    await stage.deploy()
    await shut(stage, DEPLOYS)
    await stage.wait(75 + 1860)
    assert any("Still waiting for a decision" in text for text in stage.channel(ALERTS))
    await stage.slack.click(ANA, questions(stage, ALERTS)[0].ts, "Promote to 100 %")
    await stage.settled()
    assert not any("Still waiting for a decision" in text for text in stage.channel(ALERTS))
