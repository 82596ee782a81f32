"""Kill the bot at every side effect, in every way: what comes out is what would have come out anyway.

The default run takes a seeded sample; `pytest -m sweep` takes them all.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.rollout.values import Phase, Rollout
from tests.scenario.crashing import CrashStage, Mode

pytestmark = pytest.mark.filterwarnings("ignore:The garbage collector is trying to clean up")

PLAN = {"steps": "[50, 100]"}
SLACK_OF_TIME = timedelta(seconds=25)
"""What a lost answer may cost: a few polls and one backoff, far less than a soak of a minute."""
SHARDS = 48


@dataclass(frozen=True)
class Outcome:
    """What is compared with the run in which nothing went wrong."""

    phase: Phase
    world: dict
    verbs: tuple[str, ...]
    weights: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    outcome: Outcome
    took: timedelta
    points: tuple[str, ...]


def clean_verbs(verbs) -> tuple[str, ...]:
    """Leave out what a lost answer adds to the story: that the target was out of reach for a moment."""
    return tuple(verb for verb in verbs if verb != "trouble")


async def run(folder: Path, *, broken: bool, chosen: int = -1, mode: Mode = "before") -> Run:
    async with CrashStage.opened(folder, **PLAN) as stage:
        stage.points.chosen, stage.points.mode = chosen, mode
        r = await stage.play(broken=broken)
        journal = await stage.bot.store.journal(r.id)
        await check_promises(stage, r, chosen, mode)
        assert r.ended is not None
        verbs = clean_verbs(row.entry.verb for row in journal)
        weights = tuple(stage.weights_written())
        outcome = Outcome(r.phase, stage.world(), verbs, tuple(dict.fromkeys(weights)))
        return Run(outcome, r.ended - r.created, tuple(stage.points.names))


async def check_promises(stage: CrashStage, r: Rollout, chosen: int, mode: Mode) -> None:
    where = f"{dict(enumerate(stage.points.names)).get(chosen, 'nowhere')}, {mode}"
    assert set(stage.weights_written()) <= {0, 50, 100}, where
    twice = {key: n for key, n in Counter(stage.posted()).items() if n > 1}
    assert not twice, f"posted twice at {where}"
    assert await stage.bot.store.unsettled() == [], f"a click was forgotten at {where}"
    verbs = Counter(row.entry.verb for row in await stage.bot.store.journal(r.id))
    assert verbs["promoted"] == verbs["gate_opened"], (
        f"a click was lost or counted twice at {where}"
    )
    alerts = {d.id for d in stage.sink.deliveries if d.body["type"] == "rollout.rolled_back"}
    assert len(alerts) == (r.phase is Phase.ROLLED_BACK), f"alerts at {where}"
    assert await stage.bot.store.untold_ids() == [], f"something was not told at {where}"


def ways(points: tuple[str, ...]) -> list[tuple[int, Mode]]:
    """What can go wrong: a commit happens or not; a request fails, succeeds unheard, or is late."""
    found: list[tuple[int, Mode]] = []
    for index, name in enumerate(points):
        if name == "commit":
            modes: tuple[Mode, ...] = ("before", "after")
        elif " GET " in name:
            modes = ("before", "lost") if index % 5 == 0 else ()
        elif " PATCH " in name:
            modes = ("before", "after", "lost", "late")
        else:
            modes = ("before", "after", "lost")
        found += [(index, mode) for mode in modes]
    return found


async def clean_run(*, broken: bool) -> Run:
    with TemporaryDirectory() as folder:
        return await run(Path(folder), broken=broken)


async def compare(wanted: Run, chosen: list[tuple[int, Mode]], *, broken: bool) -> None:
    for index, mode in chosen:
        with TemporaryDirectory() as folder:
            found = await run(Path(folder), broken=broken, chosen=index, mode=mode)
        where = f"point {index} ({wanted.points[index]}), {mode}"
        assert found.outcome == wanted.outcome, where
        assert found.took <= wanted.took + SLACK_OF_TIME, where


@pytest.mark.parametrize("broken", [False, True], ids=["the walk", "the way back"])
async def test_a_crash_anywhere_changes_nothing_but_the_time_it_takes(broken):
    wanted = await clean_run(broken=broken)
    await compare(wanted, random.Random(7).sample(ways(wanted.points), 6), broken=broken)


@pytest.mark.sweep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("broken", [False, True], ids=["the walk", "the way back"])
async def test_a_crash_at_every_point_in_every_way_changes_nothing(broken, shard):
    wanted = await clean_run(broken=broken)
    await compare(wanted, ways(wanted.points)[shard::SHARDS], broken=broken)


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_click_counts_after_a_crash_exactly_if_it_was_recorded(tmp_path, mode):
    async with CrashStage.opened(tmp_path, **PLAN) as stage:
        await stage.deploy_to_gate()
        stage.points.counting, stage.points.chosen, stage.points.mode = True, 0, mode
        await stage.act(stage.press("Promote to 100 %"))
        assert stage.points.names[0] == "commit"
        assert stage.deaths == 1
        verbs = [row.entry.verb for row in await stage.bot.store.journal((await stage.row()).id)]
        assert verbs.count("promoted") == (mode == "after")
        assert await stage.bot.store.unsettled() == []


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_rollback_takes_effect_in_the_commit_that_records_it(tmp_path, mode):
    async with CrashStage.opened(tmp_path, **PLAN) as stage:
        await stage.deploy_to_gate()
        stage.points.counting, stage.points.chosen, stage.points.mode = True, 0, mode
        await stage.act(stage.press("Roll back"))
        await stage.wait(30)
        expected = Phase.ROLLED_BACK if mode == "after" else Phase.WAITING
        assert (await stage.row()).phase is expected
