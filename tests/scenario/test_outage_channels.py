"""F31, F33: a channel that takes nothing, a token that is refused: another way, or the clock stands still."""

import logging
from dataclasses import replace

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, ANA, DANA, DEPLOYS, Stage


async def shut(stage: Stage, *names: str, **how: bool) -> None:
    for name in names:
        channel = replace(stage.slack.chat.channels[name], **(how or {"is_archived": True}))
        await stage.slack.add_channel(channel)


async def reopen(stage: Stage, *names: str) -> None:
    await shut(stage, *names, is_archived=False, is_member=True)


def direct(stage: Stage, person: str) -> list[str]:
    return stage.channel(f"D{person[1:]}")


@pytest.mark.sweep
@pytest.mark.parametrize("how", [{"is_archived": True}, {"is_member": False}])
async def test_a_question_that_its_channel_does_not_take_is_asked_in_the_alert_channel(stage, how):
    await stage.deploy()
    await shut(stage, DEPLOYS, **how)
    await stage.wait(75)
    question = next(text for text in stage.channel(ALERTS) if "Decision needed" in text)
    assert "[Promote to 100 %]" in question
    assert "takes no message" in question
    assert "gate_undeliverable" not in await stage.told()

    message = next(m for m in stage.slack.messages(ALERTS) if "[Promote" in stage.slack.text_of(m))
    await stage.slack.click(ANA, message.ts, "Promote to 100 %")
    await stage.settled()
    assert (await stage.row()).phase is Phase.RUNNING
    assert "[Promote" not in "".join(stage.channel(ALERTS))


@pytest.mark.sweep
async def test_where_no_channel_works_people_are_asked_one_by_one(stage):
    await stage.deploy()
    await shut(stage, DEPLOYS, ALERTS)
    await stage.wait(75)
    assert "[Promote to 100 %]" in direct(stage, DANA)[-1]
    assert "[Promote to 100 %]" in direct(stage, ANA)[-1]
    assert (await stage.row()).gate.unseen is None

    await reopen(stage, DEPLOYS, ALERTS)
    await stage.wait(900)
    assert any("[Promote" in text for text in stage.channel(DEPLOYS))
    assert "asked in its own channel again" in direct(stage, ANA)[-1]
    await stage.press("Promote to 100 %")
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
@pytest.mark.parametrize("code", ["restricted_action", "message_limit_exceeded"])
async def test_a_question_that_reaches_nobody_is_paged_and_its_clock_stands_still(tmp_path, code):
    async with Stage.opened(tmp_path, expires="10m") as stage:
        await stage.deploy()
        stage.slack.refuse("chat.postMessage", code)
        await stage.wait(75)
        assert "gate_undeliverable:gate_undeliverable" in await stage.told()
        paged = await stage.alerts("rollout.needs_attention")
        assert [data["reason_code"] for data in paged] == ["gate_undeliverable"]
        await stage.wait(720)
        assert (await stage.row()).phase is Phase.WAITING
        stage.slack.recover()
        while (gate := (await stage.row()).gate).unseen is not None:
            await stage.wait(30)
        assert 500 < (gate.expires - stage.clock.at).total_seconds() <= 600
        assert any("[Promote" in text for text in stage.channel(DEPLOYS))
        await stage.wait(620)
        assert await stage.phase() == (Phase.PAUSED, "gate_expired")


@pytest.mark.sweep
@pytest.mark.parametrize("code", ["token_revoked", "account_inactive", "invalid_auth"])
async def test_a_lost_token_is_said_once_and_rollouts_hold_at_their_next_gate(stage, code, caplog):
    await stage.deploy()
    for method in ("chat.postMessage", "chat.update"):
        stage.slack.refuse(method, code)
    caplog.clear()
    caplog.set_level(logging.WARNING, "sluice")
    await stage.wait(600)
    assert (await stage.row()).phase is Phase.WAITING
    status, ready = await stage.rest("GET", "/readyz")
    assert (status, ready["status"]) == (503, "degraded")
    assert ready["parts"]["slack"].startswith(f"{code}: ")
    assert "SLACK_BOT_TOKEN" in ready["parts"]["slack"]
    pages = [d for d in await stage.alerts("rollout.needs_attention") if d["reason_code"] == code]
    assert len(pages) == 1
    assert 5 <= sum(record.name == "sluice.line" for record in caplog.records) <= 11

    await stage.restart()
    await stage.wait(120)
    stage.slack.recover()
    await stage.wait(90)
    assert (await stage.rest("GET", "/readyz"))[1]["parts"]["slack"] == "ok"
    assert any("[Promote" in text for text in stage.channel(DEPLOYS))
    pages = [d for d in await stage.alerts("rollout.needs_attention") if d["reason_code"] == code]
    assert len(pages) == 1


@pytest.mark.sweep
async def test_an_automatic_plan_goes_on_without_a_token(tmp_path):
    async with Stage.opened(tmp_path, approvals=0) as stage:
        for method in ("chat.postMessage", "chat.update"):
            stage.slack.refuse(method, "token_revoked")
        await stage.deploy(options="steps=50,100 auto-promote")
        await stage.wait(400)
        assert (await stage.row()).phase is Phase.SUCCEEDED
