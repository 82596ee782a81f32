"""A turn can be interrupted, repeated, lost or raced; a rollback waits for nothing."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from aiohttp import web

from bot.reconciler import Reconciler
from bot.rollout.values import Phase
from bot.sandbox.prometheus import SimulatedPrometheus
from tests.scenario.stage import Stage

WRITTEN_WITHIN = 2.5
"""Seconds from the click to the router write."""


class SlowPrometheus(SimulatedPrometheus):
    """Answers at once, until it does not answer at all."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.slow = False
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def _query(self, request: web.Request) -> web.Response:
        if self.slow:
            self.asked.set()
            await self.let_go.wait()
        return await super()._query(request)


class SlowStage(Stage):
    prometheus_type = SlowPrometheus


@pytest.fixture
async def slow(tmp_path):
    async with SlowStage.opened(tmp_path) as opened:
        yield opened
        opened.prometheus.let_go.set()


def router_writes(stage: Stage) -> int:
    return sum(
        method == "PATCH" and "virtualservices" in path for method, path in stage.cluster.requests
    )


async def until(condition: Callable[[], bool]) -> None:
    """Let everything else go on until something is so, four seconds at most."""
    async with asyncio.timeout(4):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a fake's counter
            await asyncio.sleep(0)


async def turn_begins(stage: Stage) -> str:
    """Let a look be due and begin its turn, without waiting for it."""
    r = await stage.row()
    stage.clock.at += timedelta(seconds=20)
    stage.bot.reconciler.ring(r.id)
    return r.id


async def roll_back_quickly(stage: Stage) -> float:
    """Click, and return the seconds until the router was written."""
    before = router_writes(stage)
    message, label = stage._find("Roll back", "U0ANA")
    began = time.perf_counter()
    await stage.slack.click("U0ANA", message.ts, label)
    await until(lambda: router_writes(stage) > before)
    return time.perf_counter() - began


# ---- interrupted ----------------------------------------------------------------------------------


async def test_a_rollback_does_not_wait_for_a_metrics_query_that_hangs(slow):
    await slow.deploy()
    slow.prometheus.slow = True
    await turn_begins(slow)
    await slow.prometheus.asked.wait()
    assert await roll_back_quickly(slow) < WRITTEN_WITHIN
    slow.prometheus.slow = False
    await slow.wait(30)
    assert (await slow.row()).phase is Phase.ROLLED_BACK


async def test_a_rollback_does_not_wait_for_a_cluster_that_hangs_on_the_turn_before(stage):
    await stage.deploy()
    stage.cluster.hang(method="GET", path="virtualservices")
    asked = len(stage.cluster.requests)
    await turn_begins(stage)
    await until(lambda: len(stage.cluster.requests) >= asked + 2)
    assert await roll_back_quickly(stage) < WRITTEN_WITHIN
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.ROLLED_BACK


async def test_two_commands_in_one_moment_interrupt_the_same_turn(stage):
    seen: list[str] = []
    hanging = asyncio.Event()

    async def target_of(r):
        seen.append(r.id)
        hanging.set()
        if len(seen) == 1:
            await asyncio.Event().wait()
        raise LookupError("no such target")

    await stage.say("/deploy auth-service v2.0.0 to production")
    r = await stage.row()
    reconciler = Reconciler(stage.bot.store, target_of, stage.clock.now, lambda _: None)
    reconciler.ring(r.id)
    await hanging.wait()
    reconciler.wake(r)
    reconciler.wake(r)
    async with asyncio.timeout(2):
        await reconciler.settled()
    assert len(seen) >= 2


async def test_turns_of_one_rollout_never_overlap(stage):
    inside, most = 0, 0

    async def target_of(_):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.sleep(0.03)  # an interrupted turn may need a moment to end
            finally:
                inside -= 1

    await stage.say("/deploy auth-service v2.0.0 to production")
    r = await stage.row()
    reconciler = Reconciler(stage.bot.store, target_of, stage.clock.now, lambda _: None)
    for n in range(12):
        reconciler.wake(r) if n % 3 else reconciler.ring(r.id)
        await asyncio.sleep(0.01)
    await reconciler.stop()
    await reconciler.settled()
    assert inside == 0
    assert most == 1


@pytest.mark.parametrize(
    "slip", [KeyError("FunctionVersion"), IndexError("no item"), TypeError("of None")]
)
async def test_a_turn_that_fails_by_any_slip_is_tried_again(stage, slip):
    async def target_of(_):
        raise slip

    await stage.say("/deploy auth-service v2.0.0 to production")
    r = await stage.row()
    alarms: list[str] = []
    reconciler = Reconciler(stage.bot.store, target_of, stage.clock.now, lambda _: None)
    reconciler.use(Alarms(alarms))
    reconciler.ring(r.id)
    await reconciler.settled()
    assert alarms == [r.id]


@dataclass
class Alarms:
    """Timers that only note for whom they were set."""

    noted: list[str]

    def wake(self, rollout: str, _: datetime) -> None:
        self.noted.append(rollout)

    def drop(self, rollout: str) -> None:
        self.noted.append(f"dropped {rollout}")


async def deploy_with_a_late_write(stage: Stage) -> None:
    """Deploy up to the moment in which the first weight is on its way and nobody knows where it is."""
    stage.cluster.hold(path="virtualservices")
    await stage.say("/deploy auth-service v2.0.0 to production")
    for _ in range(30):
        await stage.wait(1)
        if (await stage.row()).trouble is not None:
            break
    assert stage.weights == (100, 0)
    assert (await stage.row()).intent is not None


# ---- raced ----------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_forward_write_that_lands_after_the_rollback_is_fenced_off(stage):
    await deploy_with_a_late_write(stage)
    await stage.press("Roll back")
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert await stage.cluster.land() in ([409], [422])
    assert stage.weights == (100, 0)


async def test_a_forward_write_that_lands_in_the_middle_of_the_rollback_is_undone(stage):
    await deploy_with_a_late_write(stage)
    stage.cluster.fail(503, method="PATCH", path="virtualservices")
    await stage.press("Roll back")
    assert await stage.cluster.land() == [200]
    assert stage.weights == (95, 5)
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.weights == (100, 0)


@pytest.mark.sweep
async def test_a_storm_of_conflicts_is_ridden_out_slowly(stage):
    stage.cluster.fail(409, times=10_000, method="PATCH", path="virtualservices")
    await stage.deploy()
    assert 6 <= router_writes(stage) <= 18
    await stage.wait(240)
    assert router_writes(stage) <= 60
    stage.cluster._faults.clear()
    await stage.wait(75)
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_forward_writes_that_fail_for_minutes_call_people_once_and_go_on_when_they_work(
    stage,
):
    stage.cluster.fail(500, times=10_000, method="PATCH", path="virtualservices")
    await stage.deploy()
    await stage.wait(900)
    assert [d.body["type"] for d in stage.sink.deliveries] == ["rollout.paused"]
    stage.cluster._faults.clear()
    await stage.wait(120)
    assert stage.weights == (50, 50)


@pytest.mark.sweep
async def test_a_rollback_whose_writes_fail_calls_people_once_and_goes_on_trying(stage):
    await stage.deploy()
    stage.cluster.fail(500, times=10_000, method="PATCH", path="virtualservices")
    await stage.press("Roll back")
    await stage.wait(300)
    assert [d.body["type"] for d in stage.sink.deliveries] == ["rollout.needs_attention"]
    stage.cluster._faults.clear()
    await stage.wait(90)
    assert (await stage.row()).phase is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_a_rollback_gets_through_a_storm_of_conflicts(stage):
    await stage.deploy()
    stage.cluster.fail(409, times=20, method="PATCH", path="virtualservices")
    await stage.press("Roll back")
    await stage.wait(120)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.weights == (100, 0)


# ---- lost -----------------------------------------------------------------------------------------


async def test_a_lost_timer_is_found_by_the_sweep(stage):
    await stage.deploy()
    stage.wheel.due.clear()
    await stage.wait(300)
    assert (await stage.row()).phase is Phase.RUNNING
    await stage.bot.reconciler.sweep(lambda name: name in stage.wheel.due)
    await stage.settled()
    await stage.wait(15)
    assert (await stage.row()).phase is Phase.WAITING


@pytest.mark.sweep
async def test_a_row_that_cannot_be_read_stops_nobody_else(stage, tmp_path):
    await stage.deploy()
    file = sqlite3.connect(tmp_path / "sluice.db")
    file.execute(
        "INSERT INTO rollouts SELECT 'r-bad', 'billing', environment, version, phase, revision, created, ended, '{' "
        "FROM rollouts"
    )
    file.commit()
    file.close()
    await stage.restart()
    assert any("r-bad" in text and "cannot be read" in text for text in stage.channel("C0ALERTS"))
    assert [d.body["data"]["reason_code"] for d in stage.sink.deliveries] == ["poisoned_row"]
    assert "auth-service" in await stage.say("/deploy status")
    await stage.wait(75)
    await stage.bot.reconciler.sweep(lambda name: name in stage.wheel.due)
    await stage.settled()
    assert (await stage.row()).phase is Phase.WAITING
    assert len(stage.sink.deliveries) == 1


async def test_a_target_held_by_a_row_that_cannot_be_read_says_so(stage, tmp_path):
    await stage.deploy()
    file = sqlite3.connect(tmp_path / "sluice.db")
    file.execute("UPDATE rollouts SET body = '{'")
    file.commit()
    file.close()
    answer = await stage.say("/deploy auth-service v3.0.0 to production")
    assert "cannot be read" in answer


@pytest.mark.sweep
async def test_a_locked_database_costs_a_moment_and_not_the_rollback(stage, tmp_path):
    await stage.deploy()
    async with stage.bot.store._writer.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout=20")
    await stage.press("Roll back")
    other = sqlite3.connect(tmp_path / "sluice.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await stage.wait(8)
    other.execute("ROLLBACK")
    other.close()
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_with_slack_down_the_rollout_goes_to_its_next_gate_and_holds(stage):
    await stage.deploy()
    stage.slack.down = True
    await stage.wait(1200)
    r = await stage.row()
    assert (r.phase, r.weight) == (Phase.WAITING, 50)
    messages, lines = len(stage.channel()), len(stage.story.splitlines())
    stage.slack.down = False
    await stage.wait(61)
    question, reminder, digest = stage.channel()[messages:]
    assert question.startswith("🟡 *Decision needed:*")
    assert reminder.startswith("⏰ Still waiting")
    assert digest.startswith("📭 *While Slack could not be reached*")
    assert len(stage.story.splitlines()) > lines
    await stage.press("Promote to 100 %")
    assert (await stage.row()).phase is Phase.RUNNING
