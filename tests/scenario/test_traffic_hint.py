"""What the traffic says about a plan, asked of the metric source: in what is shown, on the row, never in the way."""

import re

import pytest

from bot.commands import cautions
from bot.rollout.values import Phase
from tests.scenario.stage import Stage

LINE = "auth-service v2.0.0 to production steps=5,100"
BUSY = 200
"""Requests per second of the simulated service."""


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine answers late in real time; what is tested here is what becomes of the answer."""
    monkeypatch.setattr(cautions, "PATIENCE", 30.0)


async def hint(stage: Stage) -> list[str]:
    """Return what a plan says about the requests that are to be expected."""
    body = {"text": f"plan {LINE}"}
    status, answer = await stage.rest("POST", "/api/v1/commands", json=body)
    assert status == 200, answer
    return [one for one in answer["plan"].get("warnings", []) if "expected" in one]


@pytest.mark.parametrize("shape", ["fixed", "mesh", "one"])
async def test_a_stage_that_gets_too_few_requests_is_named_with_the_time_that_it_would_take(
    tmp_path, shape
):
    async with Stage.opened(tmp_path, shape=shape, min_requests=BUSY * 6) as stage:
        await stage.wait(300)
        (said,) = await hint(stage)

    # About 600 in the minute of the soak; the simulated numbers wobble around that.
    assert re.fullmatch(
        r"At 5 % about (5|6)\d\d requests are to be expected in 1m, "
        r"and a conclusion takes 1200: that would be (2|3)m\.",
        said,
    )


async def test_traffic_that_is_enough_is_not_mentioned(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await stage.wait(300)

        assert await hint(stage) == []


async def test_a_start_keeps_the_hint_and_the_next_minute_asks_nobody(tmp_path):
    async with Stage.opened(tmp_path, min_requests=BUSY * 6) as stage:
        await stage.wait(300)
        await hint(stage)
        await stage.prometheus.stop()

        await stage.say(f"/deploy {LINE}")

        assert any("At 5 % about" in one for one in (await stage.row()).plan.warnings)


async def test_a_metric_source_that_is_down_stops_no_start(tmp_path):
    async with Stage.opened(tmp_path, min_requests=BUSY * 6) as stage:
        await stage.prometheus.stop()

        await stage.say(f"/deploy {LINE}")

        row = await stage.row()
        assert row.phase is Phase.RUNNING
        assert not any("expected" in one for one in row.plan.warnings)
