"""Clicks that come twice, too late, crossed, or from a picture that is long gone: F34, F35, F36, F37."""

import asyncio
from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import BOT_USER
from tests.scenario.pressing import Finger, question
from tests.scenario.stage import ANA, BEN, OLU, Stage

MILLI = timedelta(milliseconds=1)
PROMOTE = "Promote to 100 %"


class SlowLookup:
    """Slack does not say who is in the group before it is let go."""

    def __init__(self, stage):
        self.gate = asyncio.Event()
        answer = stage.slack.answer

        async def slowly(request, method, args):
            if method == "usergroups.users.list":
                await self.gate.wait()
            return await answer(request, method, args)

        stage.slack.answer = slowly

    def let_go(self):
        self.gate.set()


@pytest.mark.sweep
@pytest.mark.parametrize("order", ["ABBAA", "BAB"])
async def test_f34_however_often_and_in_whatever_order_clicks_arrive_each_person_counts_once(
    tmp_path, order
):
    """F34."""
    async with Stage.opened(tmp_path, approvals=2) as stage:
        await stage.deploy_to_gate()
        finger, asked = Finger(stage), question(stage)
        clicks = {"A": finger.body(ANA, asked, PROMOTE), "B": finger.body(BEN, asked, PROMOTE)}
        for who in order:
            assert await finger.deliver(clicks[who]) == 200
        await stage.settled()
        told = await stage.told()
        assert (told.count("voted"), told.count("promoted")) == (1, 1)
        assert not [*stage.slack.ephemerals(ANA), *stage.slack.ephemerals(BEN)]


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("stop", "won"),
    [("Pause", "Paused at 50 % by @Olu"), ("Roll back to v1.0.0", "Rolled back by @Olu")],
)
async def test_f35_a_stop_beats_a_promote_that_is_still_being_looked_up_and_the_loser_is_told(
    stage, stop, won
):
    """F35."""
    await stage.deploy_to_gate()
    finger, asked, slow = Finger(stage), question(stage), SlowLookup(stage)
    assert await finger.deliver(finger.body(ANA, asked, PROMOTE)) == 200
    assert await finger.deliver(finger.body(OLU, asked, stop)) == 200
    slow.let_go()
    await stage.settled()
    assert "gate_closed" in stage.heard(ANA)
    assert won in stage.heard(ANA)
    assert "promoted" not in await stage.told()
    await stage.wait(60)
    assert stage.weights == ((50, 50) if stop == "Pause" else (100, 0))


@pytest.mark.sweep
async def test_f35_a_rollback_after_the_promote_is_taken_all_the_same(stage):
    """F35."""
    await stage.deploy_to_gate()
    finger, asked = Finger(stage), question(stage)
    await finger.press(ANA, asked, PROMOTE)
    assert (await stage.row()).phase is Phase.RUNNING
    await finger.press(OLU, asked, "Roll back to v1.0.0")
    await stage.wait(60)
    assert stage.as_armed


# ---- at the deadline ------------------------------------------------------------------------------------------------


async def at_the_deadline(stage, offset):
    """Let the clock stand so far from the deadline, with nothing done about it yet."""
    await stage.deploy_to_gate()
    gate = (await stage.row()).gate
    stage.clock.at = gate.expires + offset
    return question(stage)


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("offset", "first", "counts"),
    [
        (-MILLI, "click", True),
        (MILLI * 0, "click", False),
        (MILLI, "click", False),
        (MILLI, "clock", False),
    ],
)
async def test_f37_a_click_at_the_deadline_counts_before_it_and_not_after_whoever_is_first(
    tmp_path, offset, first, counts
):
    """F37."""
    async with Stage.opened(tmp_path, expires="2m") as stage:
        asked = await at_the_deadline(stage, offset)
        if first == "clock":
            await stage.wait(0)
        told = await Finger(stage).press(ANA, asked, PROMOTE)
        if not counts:
            assert "gate_closed" in told
            assert "expired" in told or "Nobody decided in time" in told
        await stage.wait(0.01)
        assert ("promoted" in await stage.told()) == counts
        assert ("gate_expired:gate_expired" in await stage.told()) != counts


@pytest.mark.sweep
@pytest.mark.parametrize("turned", [True, False])
async def test_f37_what_was_recorded_in_time_counts_unless_the_expiry_was_committed_first(
    tmp_path, turned
):
    """F37: only one of the two wins, and a click that lost is told so."""
    async with Stage.opened(tmp_path, expires="2m") as stage:
        asked = await at_the_deadline(stage, -MILLI)
        finger, slow = Finger(stage), SlowLookup(stage)
        assert await finger.deliver(finger.body(ANA, asked, PROMOTE)) == 200
        stage.clock.at += 2 * MILLI
        if turned:
            stage.bot.ring((await stage.row()).id)
            await stage.bot.reconciler.settled()
        slow.let_go()
        await stage.settled()
        assert ("promoted" in await stage.told()) == (not turned)
        assert turned == any(
            "gate_closed" in stage.slack.text_of(m) for m in stage.slack.ephemerals(ANA)
        )


# ---- what is long gone ----------------------------------------------------------------------------------------------


class Album:
    """Every picture with buttons that the bot ever showed."""

    def __init__(self, stage):
        self.stage = stage
        self.pictures = []
        post = stage.slack.chat.post

        def keeping(message):
            kept = post(message)
            if kept.user == BOT_USER and not kept.only_for:
                self.pictures.append(kept)
            return kept

        stage.slack.chat.post = keeping

    def gone(self):
        """Buttons that no message shows any more, each once: message, label."""
        now = {key for m in self.stage.slack.chat.messages.values() for key in _keys(m)}
        found = {key: (m, key[2]) for m in self.pictures for key in _keys(m) if key not in now}
        return list(found.values())


def _keys(message):
    for block in message.blocks:
        for element in block.get("elements", ()):
            if element.get("type") == "button":
                yield message.ts, element["value"], element["text"]["text"]
            for option in element.get("options", ()):
                yield message.ts, option["value"], option["text"]["text"]


STOPS = ("Pause", "Roll back")
"""A stop is always taken while anything can be stopped, from however old a picture (F35)."""


async def press_all_that_is_gone(stage, album):
    before = await stage.row()
    state = (
        before.phase,
        before.cursor,
        before.weight,
        before.gate,
        before.back,
        before.progress.extended,
    )
    untold = []
    for message, label in album.gone():
        if label.startswith(STOPS) and not before.phase.final:
            continue
        if label.startswith(("Extend 10", "Details")):
            continue
        told = await Finger(stage).press(ANA, message, label)
        row = await stage.row()
        assert row.id == before.id
        now = (row.phase, row.cursor, row.weight, row.gate, row.back, row.progress.extended)
        assert now == state, (label, told)
        if not told:
            untold.append(label)
    assert not untold


@pytest.mark.sweep
@pytest.mark.parametrize("end", ["back", "through"])
async def test_f36_no_button_of_the_past_does_anything_but_stop_in_any_later_state(tmp_path, end):
    """F36."""
    async with Stage.opened(tmp_path, extra="limits: {commands: 10000}") as stage:
        album = Album(stage)
        await stage.deploy_to_gate()
        await press_all_that_is_gone(stage, album)
        await stage.press("Pause", by=BEN)
        await stage.wait(61)
        await press_all_that_is_gone(stage, album)
        await stage.press("Resume", by=BEN)
        await stage.wait(61)
        assert (await stage.row()).phase is Phase.WAITING
        await press_all_that_is_gone(stage, album)
        await stage.press(PROMOTE)
        await stage.wait(30)
        await press_all_that_is_gone(stage, album)
        await stage.wait(60)
        await press_all_that_is_gone(stage, album)
        await stage.press("Roll back" if end == "back" else "Promote to stable")
        await stage.wait(90)
        assert (await stage.row()).phase.final
        assert len(album.gone()) >= 8
        await press_all_that_is_gone(stage, album)
