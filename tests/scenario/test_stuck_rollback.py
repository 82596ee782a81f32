"""M5 at its worst: a rollback that does not get through calls people, says what to paste, reminds, and ends by hand."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, ANA, BEN, DANA, DEPLOYS, OLU, Stage

MINUTE = 60


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await stage.deploy()
        yield stage


def calls(stage, channel=DEPLOYS):
    return [text for text in stage.channel(channel) if "needs hands" in text]


async def test_a_stuck_rollback_says_what_to_paste_and_what_is_pasted_works(stage):
    stage.cluster.fail(500, times=10**6)
    await stage.press("Roll back", by=DANA)
    await stage.wait(MINUTE)
    assert len(calls(stage)) == len(calls(stage, ALERTS)) == 1
    [call] = calls(stage, ALERTS)
    assert call.startswith(
        "@oncall 🔥 *The rollback of auth-service v2.0.0 in production to v1.0.0 needs hands* · card"
    )
    assert (
        "kubectl -n orion edit virtualservice auth-service # weights: auth-service-stable 100, auth-service-canary 0"
    ) in call
    line = next(one for one in call.splitlines() if one.startswith("/deploy resolve"))

    assert "🔥 rolling back, does not get on · *auth-service v2.0.0 → production*" in stage.card
    assert "*It does not get on* since 2026-11-21 03:10 UTC: The cluster failed (500)" in stage.card
    assert "tried again at least once a minute" in stage.card
    assert "*Hands are needed*" in stage.card
    for words in ("/rollback", "/rollback auth-service"):
        told = await stage.say(words)
        assert "already rolling back, and does not get on since 2026-11-21 03:10 UTC" in told
        assert "resolve auth-service production REASON" in told

    await stage.say(line, by=OLU)
    assert await stage.phase() == (Phase.CANCELLED, "resolved")
    assert "⚪ ended by hand" in stage.card
    assert "Ended by hand by @Olu 2026-11-21 03:11 UTC: done by hand" in stage.card
    stage.cluster.heal()
    await stage.wait(10 * MINUTE)
    assert stage.weights == (50, 50), "nothing is written any more"
    assert len(calls(stage)) == 1


@pytest.mark.sweep
async def test_people_are_reminded_of_it_until_somebody_looks_then_once_an_hour(stage):
    stage.cluster.fail(500, times=10**6)
    await stage.press("Roll back", by=DANA)
    await stage.wait(32 * MINUTE)
    assert len(calls(stage)) == len(calls(stage, ALERTS)) == 3
    assert "Still not home after 31 min. The cluster failed (500)" in calls(stage)[-1]
    assert "kubectl -n orion" in calls(stage)[-1]

    await stage.press("I look at it", by=OLU)
    assert "@Olu looks at it since" in stage.card
    await stage.wait(58 * MINUTE)
    assert len(calls(stage)) == 3
    await stage.wait(4 * MINUTE)
    assert len(calls(stage)) == 4

    stage.cluster.heal()
    await stage.wait(3 * MINUTE)
    assert stage.as_armed
    assert "Rolled back by @Dana 2026-11-21 03:10 UTC: no reason given" in stage.card


async def test_a_rollback_that_gets_on_cannot_be_resolved(stage):
    stage.cluster.fail(500, times=1)
    await stage.press("Roll back", by=DANA)
    assert "nothing_to_resolve" in await stage.say("/deploy resolve auth-service by hand")
    await stage.wait(MINUTE)
    assert stage.as_armed


# ---- who did it, and who hears of it ---------------------------------------------------------------------------------


async def test_the_card_says_who_paused_resumed_and_took_it_back_and_the_requester_is_told(stage):
    await stage.say("/deploy pause auth-service because the login looks odd", by=BEN)
    paused = "Paused by @Ben 2026-11-21 03:10 UTC: the login looks odd. *Resume* goes on, *Roll back* takes it home."
    assert paused in stage.card
    await stage.press("Resume", by=ANA)
    assert "Resumed by @Ana 2026-11-21 03:10 UTC" in stage.card
    assert "Paused by" not in stage.card
    await stage.say("/rollback auth-service because too slow", by=BEN)
    await stage.wait(MINUTE)
    assert "Rolled back by @Ben 2026-11-21 03:10 UTC: too slow" in stage.card
    assert "automatically" not in stage.card
    told = stage.channel(f"D{DANA[1:]}")
    assert told == ["@Ben is rolling back your auth-service v2.0.0 in production: too slow. card"]


async def test_whoever_takes_back_their_own_is_not_told_so(stage):
    await stage.press("Roll back", by=DANA)
    await stage.wait(MINUTE)
    assert not [told for told in stage.channel(f"D{DANA[1:]}") if "your" in told]


@pytest.mark.sweep
async def test_the_requester_hears_that_what_was_live_is_taken_back(tmp_path):
    async with Stage.opened(tmp_path, approvals=0, soak="10s", steps="[100]") as stage:
        for version in ("v2.0.0", "v3.0.0"):
            await stage.say(f"/deploy auth-service {version}")
            await stage.wait(90)
        await stage.say("/rollback auth-service now because it leaks", by=BEN)
        told = stage.channel(f"D{DANA[1:]}")
        assert told == [
            "@Ben is rolling back your auth-service v3.0.0 in production: it leaks. card"
        ]


@pytest.mark.sweep
async def test_a_pause_is_brought_to_mind_in_the_thread_then_in_the_channel_then_daily(stage):
    await stage.press("Pause", by=ANA)
    before = len(stage.channel())
    await stage.wait(31 * MINUTE)
    assert "Still paused at 50 %, by @Ana since 2026-11-21 03:10 UTC, 30 min by now" in stage.story
    assert len(stage.channel()) == before

    await stage.wait(3.6 * 3600)
    *_, reminder = stage.channel()
    assert reminder.startswith("@Dana, @Ana ⏸ paused · *auth-service v2.0.0 → production* · card\n")
    assert "4 h by now:" in reminder
    assert "[Resume] [Roll back to v1.0.0]" in reminder
    assert not stage.channel(ALERTS), "nobody on call is needed for that"
    assert len(stage.channel()) == before + 1

    await stage.press("Resume", by=ANA)
    await stage.wait(MINUTE)
    assert len(stage.channel()) <= before + 2
