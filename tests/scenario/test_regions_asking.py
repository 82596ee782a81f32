"""What one of several targets asks or warns of is heard, under its own name."""

import re

import pytest

from bot.rollout.values import Phase
from tests.scenario.regions import EU, US, Regions

V2 = "v2.0.0"


def world(folder, then):
    checks = f"[{{metric: latency_p95, above: 500, then: {then}}}]"
    return Regions.opened(folder, approvals=0, checks=checks, steps="[50, 100]")


def slow(stage: Regions, *where: str) -> None:
    for name, traffic in ((US, stage.traffic), (EU, stage.traffic_abroad)):
        if name in where:
            traffic.set_latency(V2, 900)


@pytest.mark.sweep
@pytest.mark.parametrize("where", [(EU,), (US,), (US, EU)])
async def test_a_check_that_asks_holds_all_of_them_wherever_it_fails(tmp_path, where):
    async with world(tmp_path, "ask") as stage:
        slow(stage, *where)
        await stage.deploy()
        await stage.wait(120)
        row = await stage.row()
        assert (row.phase, row.gate and row.gate.kind, row.weight) == (Phase.WAITING, "ask", 50)
        said = row.gate.judgement.sentence
        assert re.findall(r"([a-z-]+): p95 9\d\d ms \(limit ≤ 500 ms\)", said) == [*where]
        assert "on every target" not in stage.story


@pytest.mark.sweep
@pytest.mark.parametrize("where", [(EU,), (US,), (US, EU)])
async def test_a_check_that_warns_says_once_where(tmp_path, where):
    async with world(tmp_path, "warn") as stage:
        slow(stage, *where)
        await stage.deploy()
        await stage.wait(50)
        assert re.findall(r"Warning: ([a-z-]+): p95 9\d\d ms", stage.story) == [*where]
        assert "on every target" not in stage.story


@pytest.mark.sweep
async def test_that_all_of_them_look_well_is_said_where_it_is_so(tmp_path):
    async with world(tmp_path, "warn") as stage:
        await stage.deploy()
        await stage.wait(150)
        assert "all checks pass on every target" in stage.story
