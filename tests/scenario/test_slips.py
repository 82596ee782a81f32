"""What a stranger found who tried to break it, held down."""

import asyncio
import sqlite3
from dataclasses import replace

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ANA, DANA, DEPLOYS, OLU


async def said_to(stage, person) -> str:
    """Return the first thing that only this person sees, as soon as it is there."""
    for _ in range(100):
        if stage.slack.ephemerals(person):
            return stage.slack.text_of(stage.slack.ephemerals(person)[0])
        await asyncio.sleep(0.02)
    raise AssertionError(f"nothing was said to {person}")


@pytest.mark.sweep
async def test_a_click_that_the_disk_delays_has_its_effect_and_its_answer_all_the_same(stage):
    await stage.say("/deploy auth-service v2.0.0 steps=50,100")
    await stage.wait(90)
    message, label = stage._find("Promote to 100 %", ANA)
    file = stage.environ["SLUICE_DATABASE_URL"].removeprefix("sqlite+aiosqlite:///")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # somebody else writes and takes their time
    await stage.slack.click(ANA, message.ts, label)
    told = await said_to(stage, ANA)
    other.execute("ROLLBACK")
    other.close()
    await stage.settled()
    await stage.wait(20)

    assert "not known yet" in told
    assert stage.weights == (0, 100)


@pytest.mark.sweep
async def test_the_button_of_an_old_card_undoes_nothing_but_what_it_names(stage):
    await stage.say("/deploy auth-service v2.0.0 steps=50,100")
    for goal in ("100 %", "stable"):
        await stage.wait(90)
        await stage.press(f"Promote to {goal}")
    await stage.wait(90)
    old = stage.slack.messages(DEPLOYS)[0]
    await stage.say("/deploy auth-service v3.0.0 steps=50,100")
    await stage.wait(60)

    await stage.slack.click(OLU, old.ts, "Roll back to v1.0.0")
    await stage.settled()

    row = await stage.row()
    assert (row.version, row.phase in {Phase.RUNNING, Phase.WAITING}) == ("v3.0.0", True)
    told = stage.slack.text_of(stage.slack.ephemerals(OLU)[-1])
    assert "v3.0.0 is in flight" in told


@pytest.mark.sweep
async def test_going_back_to_what_is_live_is_refused_at_once(stage):
    await stage.say("/deploy auth-service v2.0.0")
    await stage.wait(30)
    await stage.say("/rollback auth-service")
    await stage.wait(60)

    answer = await stage.say("/rollback auth-service to v1.0.0")

    assert "v1.0.0 is what is live" in answer


@pytest.mark.sweep
async def test_a_wrong_gate_is_told_which_one_is_open(stage):
    await stage.say("/deploy auth-service v2.0.0")
    await stage.wait(90)
    row = await stage.row()

    status, body = await stage.rest(
        "POST", f"/api/v1/deployments/{row.id}/promote", json={"gate": "r-other.3.1"}
    )

    assert (status, body["code"]) == (409, "gate_closed")
    assert row.gate is not None
    assert row.gate.id in body["detail"]


async def test_a_guest_starts_nothing_and_is_known_as_one_from_then_on(stage):
    stage.slack.chat.people[DANA] = replace(stage.slack.chat.people[DANA], is_restricted=True)
    refused = await stage.say("/deploy auth-service v2.0.0")
    await stage.say("/deploy auth-service v2.0.0", by=OLU)
    await stage.wait(20)
    stopped = await stage.say("/deploy pause auth-service", by=DANA)

    assert "Guests cannot use this bot" in refused
    assert (await stage.row()).requester == OLU
    assert "Guests cannot use this bot" in stopped
    assert (await stage.row()).phase is Phase.RUNNING
