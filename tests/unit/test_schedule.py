"""The timer wheel rings, on time and once; what it forgets, the sweep finds."""

import asyncio
from datetime import timedelta

import pytest

from bot.app.clock import SystemClock
from bot.schedule import Wheel


@pytest.fixture
async def rung():
    return asyncio.Queue()


@pytest.fixture
async def wheel(rung):
    turning = Wheel(rung.put_nowait, SystemClock())
    turning.start(nothing)
    yield turning
    turning.stop()
    await asyncio.sleep(0)


async def nothing() -> None:
    pass


async def next_of(rung: asyncio.Queue) -> str:
    async with asyncio.timeout(5):
        return await rung.get()


def soon(seconds: float = 0.05):
    return SystemClock().now() + timedelta(seconds=seconds)


async def test_it_rings_when_the_time_has_come(wheel, rung):
    wheel.wake("r-2", soon(0.15))
    wheel.wake("r-1", soon(0.05))
    assert [await next_of(rung), await next_of(rung)] == ["r-1", "r-2"]
    assert not wheel.has("r-1")


async def test_a_time_that_has_passed_rings_at_once(wheel, rung):
    wheel.wake("r-1", soon(-3600))
    assert await next_of(rung) == "r-1"


async def test_a_new_time_replaces_the_old_one(wheel, rung):
    wheel.wake("r-1", soon(0.02))
    wheel.wake("r-1", soon(3600))
    wheel.wake("r-2", soon(0.1))
    assert await next_of(rung) == "r-2"
    assert rung.empty()
    assert wheel.has("r-1")


async def test_what_is_dropped_does_not_ring(wheel, rung):
    wheel.wake("r-1", soon(0.02))
    wheel.drop("r-1")
    wheel.drop("r-unknown")
    wheel.wake("r-2", soon(0.1))
    assert await next_of(rung) == "r-2"
    assert rung.empty()


async def test_timers_that_were_set_before_the_start_ring(rung):
    wheel = Wheel(rung.put_nowait, SystemClock())
    wheel.wake("r-1", soon(3600))
    wheel.wake("r-1", soon(0.05))
    wheel.wake("r-2", soon(0.02))
    wheel.drop("r-2")
    wheel.start(nothing)
    assert await next_of(rung) == "r-1"
    wheel.stop()
    await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["a coroutine function", "a lambda around one"])
async def test_the_sweep_really_runs(rung, kind):
    async def sweep() -> None:
        rung.put_nowait("swept")

    wheel = Wheel(rung.put_nowait, SystemClock())
    work = sweep if kind == "a coroutine function" else lambda: sweep()  # noqa: PLW0108
    wheel.start(work, every=timedelta(seconds=0.05))
    assert await next_of(rung) == "swept"
    wheel.stop()
    await asyncio.sleep(0)


async def test_a_faster_clock_rings_sooner(rung):
    clock = SystemClock(3600)
    wheel = Wheel(rung.put_nowait, clock)
    wheel.start(nothing)
    wheel.wake("r-1", clock.now() + timedelta(minutes=5))
    assert await next_of(rung) == "r-1"
    wheel.stop()
    await asyncio.sleep(0)
