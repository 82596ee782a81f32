"""Alerts on their way to a pager: what ends something never overtakes what began it, and what came twice calls once."""

import pytest

from bot.outbox import Subscription
from integrations.alerts.schedule import retry_delay
from tests.contract.sink_worlds import WORLDS
from tests.integration.test_outbox import House

ATTENTION, RESUMED, BACK = "rollout.needs_attention", "rollout.resumed", "rollout.rolled_back"


@pytest.fixture
async def house(tmp_path):
    opened = House(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(params=["pagerduty", "opsgenie"])
async def pager(request, house):
    world = WORLDS[request.param]
    fake = await world.fake().start()
    sink = world.sink(fake.url, name="pager")
    heard = sink.follows.union({ATTENTION, BACK})
    house.subscriptions.append(Subscription(sink, heard, retry_delay))
    yield fake
    await fake.stop()


async def test_an_end_waits_for_its_beginning_however_long_that_takes(house, pager):
    pager.answers = [503, 503]
    async with house.delivering():
        await house.happens(ATTENTION)
        await house.wait(1)
        await house.happens(RESUMED)
        await house.wait(60)
        assert len(pager.asked) == 2
        await house.wait(400)
    assert len(pager.asked) == 4
    assert len(pager.changes) == 1
    assert pager.open() == []


async def test_another_rollout_does_not_wait_for_it(house, pager):
    pager.answers = [503]
    async with house.delivering():
        await house.happens(ATTENTION, "r-1")
        await house.wait(1)
        await house.happens(ATTENTION, "r-2")
        await house.wait(1)
        assert len(pager.changes) == 1
        assert "r-2" in pager.changes[0]
        await house.wait(60)
    assert len(pager.changes) == 2


async def test_what_was_done_but_not_marked_before_a_restart_calls_nobody_anew(house, pager):
    pager.dropping = True
    async with house.delivering():
        await house.happens(ATTENTION)
        await house.wait(1)
    pager.dropping = False
    async with house.delivering():
        await house.happens(RESUMED)
        await house.wait(60)
    assert len(pager.changes) == 1
    assert pager.open() == []


async def test_a_call_that_is_refused_for_good_does_not_keep_the_next_one(house, pager):
    pager.answers = [400]
    async with house.delivering():
        await house.happens(ATTENTION)
        await house.happens(BACK)
        await house.wait(1)
    assert pager.open() == ["rollback"]
