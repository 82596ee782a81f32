"""Kill the bot at every side effect, in every way: what comes out is what would have come out anyway.

The default run takes a seeded sample. `pytest -m sweep` takes every write to the target, and a seeded sample of the
rest. `--every-mishap` takes, of a canary on a pair, every commit and every word to Slack and the sink as well, and one
read in thirty (about 480 mishaps of 1200), and more of the other stories.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import pytest

from bot.rollout.values import Phase, Rollout
from tests.scenario.crashing import CrashStage
from tests.scenario.mishaps import Mode
from tests.scenario.regions import Regions

PLAN = {"steps": "[50, 100]"}
SLACK_OF_TIME = timedelta(seconds=25)
"""What a lost answer may cost: a few polls and one backoff, far less than a soak of a minute."""
SHARDS, FEWER_SHARDS = 24, 8
SAMPLED = {False: 4, True: 12}
"""How many of the other mishaps of one story of the other strategies the sweep takes, and with `--every-mishap`."""
OF_THE_CANARY = 60
"""The same for a canary on a pair, without `--every-mishap`."""
EXTRA = """\
      smoke: [{url: "DARK_LANE/{env}/health"}]
      rolling: {batch: "50%", delay: 30s, max_concurrent: 5, timeout: 60s}
      blue_green: {smoke_for: 10s, soak: 30s, retention: 40s}
      ab_test: {duration: 30s, winner: manual}
      recreate: {soak: 30s}"""


@dataclass(frozen=True)
class Story:
    """One rollout from its command to its end."""

    name: str
    shape: str = "fixed"
    options: str = ""
    broken: bool = False
    regions: bool = False

    @property
    def stage(self) -> type[CrashStage]:
        return CrashRegions if self.regions else CrashStage

    @property
    def plan(self) -> dict[str, Any]:
        if self.name == "canary":
            return PLAN
        return PLAN | {"shape": self.shape, "soak": "30s", "extra": EXTRA}

    def __str__(self) -> str:
        where = "two regions" if self.regions else self.shape
        return f"{self.name} on {where}, {'the way back' if self.broken else 'the walk'}"


def both(*told: str) -> list[Story]:
    return [Story(*told), Story(*told, broken=True)]


class CrashRegions(CrashStage, Regions):
    """Two regions; one thing goes wrong, once, in one of them."""

    async def land(self) -> None:
        await super().land()
        await self.abroad.land()

    def world(self):
        with self.as_abroad():
            there = super().world()
        return {"here": super().world(), "there": there}

    def shares(self):
        with self.as_abroad():
            there = super().shares()
        return [super().shares(), there]


CANARY = both("canary")
OTHERS = [
    *both("blue-green", "swap", "strategy=blue-green"),
    *both("rolling", "one", "strategy=rolling"),
    *both("recreate", "fixed", "strategy=recreate"),
    *both("ab-test", "mesh", "strategy=ab-test"),
    *both("canary for an audience", "mesh", "steps=50,100 header=x-canary=true"),
    Story("canary", regions=True),
    Story("canary", regions=True, broken=True),
]


@dataclass(frozen=True)
class Outcome:
    """What is compared with the run in which nothing went wrong."""

    phase: Phase
    world: dict
    verbs: tuple[str, ...]
    shares: list[Any]


@dataclass(frozen=True)
class Run:
    outcome: Outcome
    took: timedelta
    points: tuple[str, ...]


_CLEAN: dict[Story, Run] = {}
"""The runs in which nothing goes wrong, each made once."""

Mishap: TypeAlias = tuple[str, int, Mode]
"""What goes wrong: the n-th side effect of this name, in this way."""


def clean_verbs(verbs) -> tuple[str, ...]:
    """Leave out what a lost answer adds to the story: that the target was out of reach for a moment."""
    return tuple(verb for verb in verbs if verb != "trouble")


async def run(folder: Path, story: Story, mishap: Mishap | None = None) -> Run:
    async with story.stage.opened(folder, **story.plan) as stage:
        if mishap is not None:
            stage.points.chosen, stage.points.mode = mishap[:2], mishap[2]
        r = await stage.play(story.options, broken=story.broken)
        journal = await stage.bot.store.journal(r.id)
        await check_promises(stage, r, str(mishap))
        assert r.ended is not None
        verbs = clean_verbs(row.entry.verb for row in journal)
        outcome = Outcome(r.phase, stage.world(), verbs, stage.shares())
        return Run(outcome, r.ended - r.created, tuple(stage.points.names))


async def check_promises(stage: CrashStage, r: Rollout, where: str) -> None:
    assert not stage.points.rash, f"written before its commit at {where}"
    twice = {key: n for key, n in Counter(stage.posted()).items() if n > 1}
    assert not twice, f"posted twice at {where}"
    assert await stage.bot.store.unsettled() == [], f"a click was forgotten at {where}"
    verbs = Counter(row.entry.verb for row in await stage.bot.store.journal(r.id))
    assert verbs["promoted"] == verbs["gate_opened"], (
        f"a click was lost or counted twice at {where}"
    )
    alerts = {d.id for d in stage.sink.deliveries if d.body["type"] == "rollout.rolled_back"}
    assert len(alerts) == (r.phase is Phase.ROLLED_BACK), f"alerts at {where}"
    assert await stage.bot.store.untold() == [], f"something was not told at {where}"


def ways(points: tuple[str, ...]) -> list[Mishap]:
    """What can go wrong: a commit happens or not; a request fails, succeeds unheard, or is late."""
    found: list[Mishap] = []
    seen: Counter[str] = Counter()
    for index, name in enumerate(points):
        if name == "commit":
            modes: tuple[Mode, ...] = ("before", "after")
        elif " GET " in name:
            modes = ("before", "lost") if index % 30 == 0 else ()
        elif " PATCH " in name:
            modes = ("before", "after", "lost", "late")
        else:
            modes = ("before", "after", "lost")
        found += [(name, seen[name], mode) for mode in modes]
        seen[name] += 1
    return found


def sampled(points: tuple[str, ...], size: int) -> list[Mishap]:
    """Every write to the target in every way, and so many of the other ways."""
    writes = [way for way in ways(points) if " PATCH " in way[0]]
    others = [way for way in ways(points) if " PATCH " not in way[0]]
    return writes + random.Random(7).sample(others, size)


async def clean_run(story: Story) -> Run:
    if story not in _CLEAN:
        with TemporaryDirectory() as folder:
            _CLEAN[story] = await run(Path(folder), story)
    return _CLEAN[story]


async def compare(story: Story, wanted: Run, chosen: list[Mishap]) -> None:
    for mishap in chosen:
        with TemporaryDirectory() as folder:
            found = await run(Path(folder), story, mishap)
        assert found.outcome == wanted.outcome, mishap
        assert found.took <= wanted.took + SLACK_OF_TIME, mishap


@pytest.mark.timeout(180)
@pytest.mark.parametrize("story", CANARY, ids=str)
async def test_a_crash_anywhere_changes_nothing_but_the_time_it_takes(story):
    wanted = await clean_run(story)
    await compare(story, wanted, random.Random(7).sample(ways(wanted.points), 1))


@pytest.mark.sweep
@pytest.mark.timeout(180)
@pytest.mark.parametrize("story", [OTHERS[3], OTHERS[11]], ids=str)
async def test_a_crash_changes_no_other_strategy_either(story):
    wanted = await clean_run(story)
    await compare(story, wanted, random.Random(7).sample(ways(wanted.points), 1))


@pytest.mark.sweep
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("story", CANARY, ids=str)
async def test_a_crash_at_every_point_in_every_way_changes_nothing(story, shard, every_mishap):
    wanted = await clean_run(story)
    points = wanted.points
    chosen = ways(points) if every_mishap else sampled(points, OF_THE_CANARY)
    await compare(story, wanted, chosen[shard::SHARDS])


@pytest.mark.sweep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(FEWER_SHARDS))
@pytest.mark.parametrize("story", OTHERS, ids=str)
async def test_a_crash_at_every_write_of_every_strategy_changes_nothing(story, shard, every_mishap):
    wanted = await clean_run(story)
    chosen = sampled(wanted.points, SAMPLED[every_mishap])
    await compare(story, wanted, chosen[shard::FEWER_SHARDS])


@pytest.mark.sweep
@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_click_counts_after_a_crash_exactly_if_it_was_recorded(tmp_path, mode):
    async with CrashStage.opened(tmp_path, **PLAN) as stage:
        await stage.deploy_to_gate()
        stage.points.counting = True
        stage.points.chosen, stage.points.mode = ("commit", 0), mode
        await stage.act(stage.press("Promote to 100 %"))
        assert stage.deaths == 1
        verbs = [row.entry.verb for row in await stage.bot.store.journal((await stage.row()).id)]
        assert verbs.count("promoted") == (mode == "after")
        assert await stage.bot.store.unsettled() == []


@pytest.mark.sweep
@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_rollback_takes_effect_in_the_commit_that_records_it(tmp_path, mode):
    async with CrashStage.opened(tmp_path, **PLAN) as stage:
        await stage.deploy_to_gate()
        stage.points.counting = True
        stage.points.chosen, stage.points.mode = ("commit", 0), mode
        await stage.act(stage.press("Roll back"))
        await stage.wait(30)
        expected = Phase.ROLLED_BACK if mode == "after" else Phase.WAITING
        assert (await stage.row()).phase is expected
