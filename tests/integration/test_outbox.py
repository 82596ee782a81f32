"""Alerts: at least once, with one id, in order per rollout, and no sink waits for another."""

import asyncio
import base64
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from bot.outbox import Outbox, Subscription
from bot.rollout.values import Entry, Phase, Rollout
from bot.store import Store
from integrations.alerts.schedule import retry_delay
from integrations.alerts.webhook import WebhookSink
from strategies.plan import Plan, Prepare
from tests.fakes.sink import Sink
from tests.fakes.wheel import VirtualClock, VirtualWheel

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
PAUSED, BACK = "rollout.paused", "rollout.rolled_back"


class House:
    """A store, a clock, and sinks that are all there or not."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite+aiosqlite:///{folder}/sluice.db"
        self.clock = VirtualClock()
        self.sinks: dict[str, Sink] = {}
        self.subscriptions: list[Subscription] = []
        self._rows: dict[str, Rollout] = {}

    async def open(self) -> None:
        self.store = await Store.open(self.url)

    async def add_sink(self, name: str, *events: str) -> Sink:
        sink = Sink(KEY)
        self.sinks[name] = sink
        adapter = WebhookSink(await sink.start(), secret=SECRET, name=name)
        self.subscriptions.append(Subscription(adapter, frozenset(events or {BACK}), retry_delay))
        return sink

    @asynccontextmanager
    async def delivering(self):
        outbox = Outbox(self.store, self.subscriptions, self.clock.now, no_links)
        self.wheel = VirtualWheel(self.clock, outbox.ring)
        outbox.use(self.wheel.wake)
        await outbox.start()
        self.outbox = outbox
        try:
            yield
        finally:
            await outbox.stop()

    async def happens(self, event: str = BACK, rollout: str = "r-1", text: str = "x") -> None:
        """Journal one event of a rollout."""
        entry = Entry("told", "sluice", text, code="check_failed", event=event)
        row = self._rows.get(rollout)
        if row is None:
            plan = Plan(rollout, "production", "v2", "canary", (Prepare(),))
            row = Rollout(
                rollout, rollout, "production", "v2", plan, "U0DANA", self.clock.now(), 0
            )  # one service per rollout, so that they do not stand in each other's way
            async with self.store.writing() as writing:
                self._rows[rollout] = await writing.create(row.tell(entry))
        else:
            self._rows[rollout] = await self.store.save(row.tell(entry), self.clock.now())
        self.outbox.touch()

    async def wait(self, seconds: float) -> None:
        await self.wheel.turn(seconds, self.outbox.settled)

    async def close(self) -> None:
        await self.store.close()
        for sink in self.sinks.values():
            await sink.stop()


async def no_links(_: Rollout) -> dict[str, str]:
    return {"journal_url": "http://bot/journal", "slack_permalink": ""}


@pytest.fixture
async def house(tmp_path):
    opened = House(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


async def test_an_event_is_delivered_once_signed_and_with_its_story(house):
    sink = await house.add_sink("hook")
    async with house.delivering():
        await house.happens(text="It broke.")
        await house.wait(3600)
    (delivery,) = sink.deliveries
    assert delivery.genuine
    assert delivery.body["type"] == BACK
    assert delivery.body["data"]["reason_code"] == "check_failed"
    assert delivery.body["data"]["journal_url"] == "http://bot/journal"


async def test_a_sink_gets_only_the_events_that_it_wants(house):
    sink = await house.add_sink("hook", PAUSED)
    async with house.delivering():
        await house.happens(BACK)
        await house.happens(PAUSED)
        await house.wait(1)
    assert [d.body["type"] for d in sink.deliveries] == [PAUSED]


async def test_failures_are_tried_again_on_the_schedule_with_the_same_id(house):
    sink = await house.add_sink("hook")
    sink.answers = [500, 503, 429]
    async with house.delivering():
        await house.happens()
        await house.wait(3600)
    gaps = [b.timestamp - a.timestamp for a, b in pairwise(sink.deliveries)]
    assert gaps == pytest.approx([5, 5 * 60, 30 * 60], rel=0.1)
    assert len({d.id for d in sink.deliveries}) == 1
    assert all(d.genuine for d in sink.deliveries)


async def test_a_sink_that_asks_for_more_time_gets_it(house):
    sink = await house.add_sink("hook")
    sink.answers = [(429, {"Retry-After": "600"})]
    async with house.delivering():
        await house.happens()
        await house.wait(599)
        assert len(sink.deliveries) == 1
        await house.wait(70)
        assert len(sink.deliveries) == 2


async def test_a_sink_that_is_gone_for_good_is_not_asked_again(house):
    sink = await house.add_sink("hook")
    sink.answers = [410]
    async with house.delivering():
        await house.happens()
        await house.wait(100_000)
        assert len(sink.deliveries) == 1
        await house.happens(rollout="r-2")
        await house.wait(1)
        assert len(sink.deliveries) == 2


async def test_after_the_last_try_the_next_event_gets_its_turn(house):
    sink = await house.add_sink("hook")
    sink.answers = [500] * 10
    async with house.delivering():
        await house.happens(text="first")
        await house.happens(text="second")
        await house.wait(10 * 24 * 3600)
    reasons = [d.body["data"]["reason"] for d in sink.deliveries]
    assert reasons == ["first"] * 10 + ["second"]


async def test_events_of_one_rollout_arrive_in_order_and_do_not_hold_up_another(house):
    sink = await house.add_sink("hook", PAUSED, BACK)
    sink.answers = [500]
    async with house.delivering():
        await house.happens(PAUSED, "r-1")
        await house.wait(0)
        await house.happens(BACK, "r-1")
        await house.happens(BACK, "r-2")
        await house.wait(1)
        assert [(d.body["data"]["id"], d.body["type"]) for d in sink.deliveries[1:]] == [
            ("r-2", BACK)
        ]
        await house.wait(60)
    seen = [(d.body["data"]["id"], d.body["type"]) for d in sink.deliveries]
    assert seen == [("r-1", PAUSED), ("r-2", BACK), ("r-1", PAUSED), ("r-1", BACK)]


async def test_a_restart_keeps_what_is_open_its_id_and_its_time(house):
    sink = await house.add_sink("hook")
    sink.answers = [500, 500]
    async with house.delivering():
        await house.happens()
        await house.wait(6)  # two failures: the next try is in five minutes
    async with house.delivering():
        await house.wait(60)
        assert len(sink.deliveries) == 2
        await house.wait(300)
    assert len(sink.deliveries) == 3
    assert len({d.id for d in sink.deliveries}) == 1


async def test_what_was_delivered_is_not_delivered_again_after_a_restart(house):
    sink = await house.add_sink("hook")
    async with house.delivering():
        await house.happens()
        await house.wait(1)
    async with house.delivering():
        await house.wait(3600)
    assert len(sink.deliveries) == 1


async def test_a_sink_that_never_answers_delays_no_other(house):
    slow, fast = await house.add_sink("slow"), await house.add_sink("fast")
    slow.hanging = True
    async with house.delivering():
        for expected in (1, 2):
            await house.happens()
            await asyncio.wait([house.outbox._errands._tasks["fast"]], timeout=3)
            assert len(fast.deliveries) == expected
    assert len(slow.deliveries) == 1


async def test_a_sink_that_is_added_later_gets_only_what_happens_from_then_on(house):
    await house.add_sink("old")
    async with house.delivering():
        await house.happens(text="before")
        await house.wait(1)
    new = await house.add_sink("new")
    async with house.delivering():
        await house.wait(1)
        await house.happens(text="after")
        await house.wait(1)
    assert [d.body["data"]["reason"] for d in new.deliveries] == ["after"]


async def test_what_waits_under_the_former_name_of_a_sink_is_taken_over(house):
    sink = await house.add_sink("webhook-0")
    sink.answers = [500]
    async with house.delivering():
        await house.happens()
        await house.wait(1)
    (old,) = house.subscriptions
    old.sink.name = "webhook-1a2b3c4d"
    house.subscriptions = [replace(old, formerly="webhook-0")]
    async with house.delivering():
        await house.wait(60)
    assert len({d.id for d in sink.deliveries}) == 1
    assert len(sink.deliveries) == 2


async def test_an_alert_that_is_given_up_is_told_once_in_the_thread_of_its_rollout(house):
    sink = await house.add_sink("hook")
    sink.answers = [500] * 20
    async with house.delivering():
        await house.happens()
        await house.happens()
        await house.wait(20 * 24 * 3600)
    told = [row.entry for row in await house.store.journal("r-1") if row.entry.code == "alert_lost"]
    assert [entry.tell for entry in told] == ["broadcast"]


async def test_hundreds_of_events_are_all_delivered_each_once(house):
    sink = await house.add_sink("hook")
    async with house.delivering():
        for n in range(230):
            await house.happens("rollout.other", text=str(n))
        sink.answers = []
        for n in range(20):
            await house.happens(text=str(n))
        await house.wait(1)
        for n in range(20, 260):
            await house.happens(text=str(n))
        await house.wait(1)
    assert [d.body["data"]["reason"] for d in sink.deliveries] == [str(n) for n in range(260)]


async def test_an_alert_of_a_row_that_cannot_be_read_still_goes_out(house):
    sink = await house.add_sink("hook")
    sink.answers = [500]
    async with house.delivering():
        await house.happens(text="It broke.")
        await house.wait(1)
        async with house.store._writer.begin() as connection:
            await connection.exec_driver_sql("UPDATE rollouts SET body = '{'")
        await house.wait(10)
    assert sink.deliveries[-1].body["data"] == {
        "id": "r-1",
        "reason": "It broke.",
        "reason_code": "check_failed",
    }


async def test_a_finished_rollout_is_told_with_what_it_was(house):
    sink = await house.add_sink("hook")
    async with house.delivering():
        await house.happens(PAUSED)
        row = await house.store.get("r-1")
        entry = Entry("rolled_back", "sluice", "Back.", code="asked", event=BACK)
        await house.store.save(
            replace(row, phase=Phase.ROLLED_BACK, ended=house.clock.now()).tell(entry),
            house.clock.now(),
        )
        house.outbox.touch()
        await house.wait(1)
    data = sink.deliveries[0].body["data"]
    assert (data["to_version"], data["timings"]["ended"][:10]) == ("v2", "2026-11-21")
