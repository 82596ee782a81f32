"""M6 a and c: two words on a phone keyboard, and the same words in the thread of a rollout."""

# ruff: noqa: RUF001 - what phones write is what this is about

from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from tests.scenario.phone import Phone, gate_of
from tests.scenario.stage import ANA, DEPLOYS, OLU

WAYS = [
    "auth-service",
    "AUTH-service ",
    "Auth–service",
    "auth‑service",
    "“auth-service”",
    "auth-service.",
    " \u00a0auth-service\u00a0",
    "auth\u200b-service",
    "ａｕｔｈ－ｓｅｒｖｉｃｅ",
    "auth-service Now.",
    "auth-service —now",
    "auth-service prod errors don’t stop",
    "auth-service because “it’s burning”",
]
"""What phones make of two words: every one of them goes back at once while the rollout is in flight."""


async def test_rollback_survives_every_keyboard(stage):
    for n, words in enumerate(WAYS):
        await stage.deploy(f"v2.0.{n}")
        heard = await stage.say(f"/rollback {words}", by=OLU)
        assert "Rolling auth-service in production back to v1.0.0 now." in heard, words
        assert stage.weights == (100, 0)
        await stage.wait(60)


async def test_rollback_alone_lists_what_can_be_undone_and_a_button_does_it(stage):
    await stage.deploy()
    for words in ["", "\u200b", "now", "Now.", "—now"]:
        assert "What can be undone" in await stage.say(f"/rollback {words}", by=OLU), words
    await stage.press("Roll back auth-service", by=OLU)
    assert stage.weights == (100, 0)


@pytest.mark.sweep
async def test_the_list_begins_with_what_is_in_flight(stage):
    await stage.ship("v2.0.0")
    assert "v2.0.0" in (await stage.say("/rollback", by=OLU))
    await stage.deploy("v3.0.0")
    lines = (await stage.say("/rollback", by=OLU)).splitlines()
    assert "v3.0.0" in lines[1]


# ---- in threads -----------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_rollback_in_the_thread_means_that_rollout(stage):
    olu = Phone(stage)
    said = ["rollback", "Rollback.", "rollback now", "rollback errors climb", "rollback prod"]
    for n, words in enumerate(said):
        await stage.deploy_to_gate(f"v2.0.{n}")
        ts = gate_of(stage) if n % 2 else stage.slack.card(DEPLOYS).ts
        told = await olu.say_in_thread(ts, words)
        assert "Rolling auth-service in production back to v1.0.0 now." in told, words
        assert stage.weights == (100, 0)
        await stage.wait(60)


@pytest.mark.sweep
async def test_the_thread_steers_its_rollout(stage):
    ana = Phone(stage, ANA)
    await stage.deploy_to_gate()
    card = stage.slack.card(DEPLOYS).ts
    assert "v2.0.0 → production" in await ana.say_in_thread(card, "status")
    before = (await stage.row()).gate.expires
    await ana.say_in_thread(card, "extend 30m")
    assert (await stage.row()).gate.expires - before == timedelta(minutes=30)
    await ana.say_in_thread(card, "Pause because of lunch")
    assert (await stage.row()).phase is Phase.PAUSED
    await ana.say_in_thread(card, "resume")
    await stage.wait(45)
    assert (await stage.row()).phase is Phase.WAITING
    await stage.wait(6)
    await ana.say_in_thread(card, "promote")
    await stage.wait(15)
    assert stage.weights == (0, 100)


@pytest.mark.sweep
async def test_an_old_thread_never_undoes_a_newer_rollout(stage):
    olu = Phone(stage)
    await stage.deploy("v2.0.0")
    old = stage.slack.card(DEPLOYS).ts
    await stage.say("/rollback auth-service")
    await stage.wait(90)
    await stage.deploy("v3.0.0")
    told = await olu.say_in_thread(old, "rollback")
    assert "Nothing was changed" in told
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_rollback_in_the_thread_of_what_is_live_asks_once_and_now_skips_it(stage):
    olu = Phone(stage)
    await stage.ship("v2.0.0")
    card = stage.slack.card(DEPLOYS).ts
    assert "back from v2.0.0 to v1.0.0?" in await olu.say_in_thread(card, "rollback")
    assert not (await stage.row()).rollback_of
    await olu.say_in_thread(card, "rollback now")
    assert (await stage.row()).rollback_of


async def test_a_slip_of_a_name_in_a_thread_is_asked_about_and_no_reason(stage):
    await stage.deploy()
    told = await Phone(stage).say_in_thread(stage.slack.card(DEPLOYS).ts, "rollback auth-servce")
    assert "auth-service" in told
    assert (await stage.row()).phase is Phase.RUNNING


async def test_elsewhere_the_words_need_their_service(stage):
    await stage.deploy()
    lunch = stage.slack.post(ANA, DEPLOYS, "lunch?").ts
    assert "Which service?" in await Phone(stage).say_in_thread(lunch, "pause")
    assert (await stage.row()).phase is Phase.RUNNING


async def test_help_says_what_to_do_in_a_thread(stage):
    assert "*In threads*" in await stage.say("/deploy help")
