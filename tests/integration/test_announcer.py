"""What is said in Slack: nothing twice, nothing lost, nothing in vain."""

from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from bot.rollout.question import ClosedGate, Gate
from bot.rollout.values import Entry, Phase, Rollout
from bot.slack.announcer import Announcer
from bot.slack.speaking import web_client
from bot.store import Store
from strategies.plan import Plan, Prepare, Promote, SetWeight, Soak
from tests.fakes.slack import FakeSlack
from tests.fakes.wheel import VirtualClock, VirtualWheel

DEPLOYS, ALERTS = "C0DEPLOYS", "C0ALERTS"
STEPS = (Prepare(), SetWeight(50.0), Soak(60), SetWeight(100.0), Soak(60), Promote())


class Newsroom:
    """An announcer between a database and a workspace."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.slack = FakeSlack("http://127.0.0.1:9", "secret", "xoxb-t")

    async def open(self, url: str) -> None:
        await self.slack.start()
        await self.slack.populate()
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self.store = await Store.open(url)
        self.restart()
        plan = Plan("auth-service", "production", "v2", "canary", STEPS)
        r = Rollout(
            "r-1", "auth-service", "production", "v2", plan, "U0DANA", self.clock.now(), 0,
            channel=DEPLOYS, from_version="v1",
        )  # fmt: skip
        async with self.store.writing() as writing:
            self.r = await writing.create(r.tell(Entry("created", "U0DANA", "Here we go.")))

    def restart(self) -> None:
        client = web_client("xoxb-t", f"{self.slack.url}/api/", self.session)
        self.announcer = Announcer(self.store, client, self.clock.now, ALERTS)
        self.wheel = VirtualWheel(self.clock, self.announcer.touch)
        self.announcer.use(self.wheel.wake)

    async def show(self) -> None:
        self.announcer.touch("r-1")
        await self.announcer.settled()

    async def change(self, *lines: str, tell: str = "thread", **changes) -> None:
        """Save the row with changes and lines for the journal, and show it."""
        r = replace(self.r, **changes)
        for line in lines:
            r = r.tell(Entry("told", "sluice", line, tell=tell))
        self.r = await self.store.save(r, self.clock.now())
        await self.show()

    async def wait(self, seconds: float) -> None:
        await self.wheel.turn(seconds, self.announcer.settled)

    async def close(self) -> None:
        await self.announcer.stop()
        await self.store.close()
        await self.session.close()
        await self.slack.stop()

    def sent(self, method: str) -> list[dict]:
        return [args for name, args in self.slack.calls if name == method]

    @property
    def story(self) -> list[str]:
        card = self.slack.card(DEPLOYS)
        return [self.slack.text_of(m) for m in self.slack.thread(card.ts)]

    def said(self, channel: str = DEPLOYS) -> list[str]:
        return [self.slack.text_of(m) for m in self.slack.messages(channel)]


@pytest.fixture
async def room(tmp_path):
    opened = Newsroom()
    await opened.open(f"sqlite+aiosqlite:///{tmp_path}/sluice.db")
    yield opened
    await opened.close()


def gate(room: Newsroom) -> Gate:
    now = room.clock.now()
    return Gate("r-1.3.1", "approve", now, now + timedelta(hours=1), 1, ("S0SRE",))


# ---- what is sent ---------------------------------------------------------------------------------


async def test_what_has_not_changed_is_not_sent_again(room):
    await room.show()
    calls = len(room.slack.calls)
    await room.show()
    await room.show()
    assert len(room.slack.calls) == calls
    assert room.story == ["Here we go."]


async def test_lines_that_come_together_are_one_message_and_a_broadcast_is_one_of_its_own(room):
    await room.show()
    row = room.r.tell(Entry("told", "sluice", "one")).tell(Entry("told", "sluice", "two"))
    row = row.tell(Entry("alarm", "sluice", "It broke.", tell="broadcast"))
    room.r = await room.store.save(row.tell(Entry("told", "sluice", "three")), room.clock.now())
    await room.show()
    assert room.story[1] == "one\ntwo"
    assert "It broke." in room.story[2]
    assert room.story[3] == "three"
    assert sum("It broke." in text for text in room.said()) == 1
    assert ["It broke." in text for text in room.said(ALERTS)] == [True]


async def test_a_long_stretch_is_several_messages_and_no_line_is_cut(room):
    lines = [f"{n:03} " + "x < y & z " * 12 for n in range(60)]
    await room.change(*lines)
    told = "\n".join(room.story)
    assert all(line.strip() in told for line in lines)
    assert max(len(m.text) for m in room.slack.thread(room.slack.card(DEPLOYS).ts)) < 4000


async def test_a_card_is_edited_every_five_seconds_at_most(room):
    await room.show()
    for n in range(5):
        await room.change(weight=float(n + 1))
    assert room.sent("chat.update") == []
    await room.wait(5)
    assert len(room.sent("chat.update")) == 1
    assert "5 %" in room.said()[0]
    await room.wait(60)
    assert len(room.sent("chat.update")) == 1


async def test_a_new_phase_is_shown_at_once(room):
    await room.show()
    await room.change(phase=Phase.PAUSED, code="paused")
    await room.change(phase=Phase.ROLLING_BACK)
    assert len(room.sent("chat.update")) == 2
    assert "rolling back" in room.said()[0]


async def test_a_decided_gate_loses_its_buttons(room):
    await room.change(phase=Phase.WAITING, gate=gate(room))
    assert "[Promote" in room.said()[1]
    closed = (ClosedGate("r-1.3.1", "Promoted by U0ANA.", ("U0ANA",)),)
    await room.change(phase=Phase.RUNNING, gate=None, closed=closed)
    assert "[Promote" not in room.said()[1]
    assert "Promoted by @Ana" in room.said()[1]


# ---- what Slack refuses ---------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message"])
async def test_a_card_that_can_no_longer_be_edited_goes_on_in_a_new_one_with_a_link(room, error):
    await room.show()
    old = room.slack.card(DEPLOYS)
    room.slack.refuse("chat.update", error, times=1)
    await room.change("Going on.", phase=Phase.PAUSED, code="paused")
    new = room.slack.messages(DEPLOYS)[-1]
    assert "paused" in room.slack.text_of(new)
    link = f"p{new.ts.replace('.', '')}"
    assert link in room.slack.thread(old.ts)[-1].text
    assert [room.slack.text_of(m) for m in room.slack.thread(new.ts)] == ["Going on."]
    await room.change(phase=Phase.RUNNING)
    assert room.sent("chat.update")[-1]["ts"] == new.ts


async def test_a_card_that_somebody_deleted_is_posted_again_without_a_word_to_the_old_one(room):
    await room.show()
    room.slack.chat.delete(room.slack.card(DEPLOYS))
    await room.change(phase=Phase.PAUSED, code="paused")
    assert len(room.said()) == 1
    assert len(room.sent("chat.postMessage")) == 3


async def test_a_line_for_a_card_that_somebody_deleted_brings_the_card_back(room):
    await room.show()
    room.slack.chat.delete(room.slack.card(DEPLOYS))
    await room.change("Still here.")
    await room.wait(5)
    assert "Still here." in room.story


async def test_refused_blocks_are_sent_as_text(room):
    room.slack.refuse("chat.postMessage", "invalid_blocks", times=1)
    await room.show()
    assert room.said()[0].startswith("🔵 in progress: auth-service v2")
    assert "blocks" not in room.sent("chat.postMessage")[1]


async def test_refused_blocks_in_an_edit_do_not_leave_the_old_buttons(room):
    await room.show()
    room.slack.refuse("chat.update", "invalid_blocks", times=1)
    await room.change(phase=Phase.PAUSED, code="paused")
    assert room.slack.buttons(room.slack.messages(DEPLOYS)[0]) == []
    assert "paused" in room.said()[0]


async def test_a_lost_channel_does_not_keep_the_alert_channel_from_being_told(room):
    await room.show()
    channel = room.slack.chat.channels[DEPLOYS]
    await room.slack.add_channel(replace(channel, is_archived=True))
    await room.change("It broke.", tell="broadcast", phase=Phase.ROLLING_BACK)
    assert ["It broke." in text for text in room.said(ALERTS)] == [True]
    await room.wait(3600)
    assert len(room.said(ALERTS)) == 1
    await room.slack.add_channel(channel)
    await room.wait(900)
    assert "It broke." in room.story[-1]


async def test_a_rate_limit_is_waited_out_by_all_rollouts(room):
    room.slack.rate_limit("chat.postMessage", retry_after=30)
    await room.show()
    calls = len(room.slack.calls)
    for _ in range(3):
        await room.show()
    await room.wait(29)
    assert len(room.slack.calls) == calls
    await room.wait(1)
    assert room.story == ["Here we go."]


# ---- what gets lost -------------------------------------------------------------------------------


async def test_after_two_hours_of_silence_there_is_one_digest_and_one_message_in_the_thread(room):
    await room.show()
    room.slack.down = True
    for n in range(12):
        await room.change(f"line {n}", weight=float(n))
        await room.wait(600)
    room.slack.down = False
    room.slack.calls.clear()
    await room.wait(61)
    assert len(room.story) == 2
    assert [line.split("  ")[1] for line in room.story[1].splitlines()[1:]] == [
        f"line {n}" for n in range(12)
    ]
    assert "11 %" in room.said()[0]
    assert (
        "While Slack could not be reached* (2026-11-21 03:00 UTC – 2026-11-21 05:0"
        in room.said()[1]
    )
    assert len(room.sent("chat.postMessage") + room.sent("chat.update")) == 3


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "after a restart"])
@pytest.mark.parametrize("nth", [1, 2], ids=["card", "line"])
async def test_a_message_whose_answer_was_lost_is_found_and_not_posted_twice(room, nth, restarted):
    if nth == 2:
        await room.show()
        room.r = await room.store.save(room.r.tell(Entry("x", "y", "Second.")), room.clock.now())
    room.slack.lose_answer("chat.postMessage")
    await room.show()
    if restarted:
        await room.announcer.stop()
        room.restart()
        await room.announcer.boot()
        await room.announcer.settled()
    await room.wait(10)
    assert len(room.said()) == 1
    assert room.story == ["Here we go.", "Second."][:nth]


async def test_where_slack_does_not_let_us_look_a_lost_message_appears_twice_at_most(room):
    room.slack.refuse("conversations.history", "missing_scope")
    room.slack.lose_answer("chat.postMessage")
    await room.show()
    await room.wait(3600)
    assert len(room.said()) == 2


@pytest.mark.parametrize("status", [500, 503])
async def test_a_broken_answer_is_no_proof_that_nothing_was_posted(room, status):
    room.slack.fail("chat.postMessage", status=status)
    await room.show()
    await room.wait(10)
    assert room.sent("conversations.history")
    assert len(room.said()) == 1


async def test_what_ended_while_nobody_was_told_is_told_after_the_restart(room):
    await room.show()
    room.slack.down = True
    await room.change("It is live.", phase=Phase.SUCCEEDED, ended=room.clock.now())
    await room.announcer.stop()
    room.slack.down = False
    room.restart()
    await room.announcer.boot()
    await room.announcer.settled()
    assert room.story[-1] == "It is live."
    assert "🟢 live" in room.said()[0]


async def test_a_row_that_cannot_be_read_is_told_to_the_alert_channel_once(room):
    await room.show()
    async with room.store._writer.begin() as connection:
        await connection.exec_driver_sql("UPDATE rollouts SET body = '{'")
    async with room.store.writing() as writing:
        await writing.poison("r-1", room.clock.now())
    await room.show()
    await room.show()
    assert ["cannot be read" in text for text in room.said(ALERTS)] == [True]
