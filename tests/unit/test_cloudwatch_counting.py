"""Lanes may be told at different times, and looks come when they come: a minute is counted once, as it was."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rollout.ledger import Ledger, fold
from integrations.counters import Counted, Counters
from integrations.metrics.cloudwatch import counting
from integrations.metrics.cloudwatch.minutes import STALE, moment
from integrations.metrics.cloudwatch.templates import TEMPLATES
from tests.unit.test_ledger import NOBODY, NOW, lane, row

BEGIN = 10_000
LAMBDA = TEMPLATES["lambda"]
LANES = ("stable", "canary")

minutes = st.lists(
    st.tuples(*[st.tuples(st.integers(1, 50), st.floats(0, 1)) for _ in LANES]), min_size=12, max_size=12
)  # fmt: skip
"""Calls of each lane, and the share of them that failed."""
lateness = st.fixed_dictionaries(
    {
        f"{lane}_{name}": st.integers(0, STALE - 1)
        for lane in LANES
        for name in ("requests", "errors")
    }
)


class World:
    """Both lanes as CloudWatch tells them by now; before `BEGIN` each had ten calls a minute."""

    def __init__(self, told, late: Mapping[str, int]) -> None:
        self.calls: dict[str, dict[int, float]] = {name: {} for name in late}
        self.late = late
        for index, name in enumerate(LANES):
            for minute in range(BEGIN - 70, BEGIN + len(told)):
                calls, share = told[minute - BEGIN][index] if minute >= BEGIN else (10, 0)
                self.calls[f"{name}_requests"][minute] = float(calls)
                self.calls[f"{name}_errors"][minute] = float(round(calls * share))

    def series(self, sight) -> dict:
        def known(ident: str) -> dict[int, float]:
            return {
                minute: value
                for minute, value in self.calls[ident].items()
                if minute in sight.span
                and (minute + 1) * 60 + self.late[ident] <= sight.now.timestamp()
            }

        untold = [f"{lane}_{one}" for lane in LANES for one in counting.series_of(LAMBDA)]
        return {ident: known(ident) if ident in self.calls else {} for ident in untold}


def windows(world: World, gaps: list[int]) -> list[Counted]:
    """Look after each of the gaps, and often enough at the end; return what was counted."""
    now, memory, found = moment(BEGIN) + timedelta(seconds=120), None, []
    for gap in [0, *gaps, *[60] * 20]:
        now += timedelta(seconds=gap)
        sight = counting.sight(memory, now, 50)
        if sight is None:
            continue
        told, memory = counting.count(memory, world.series(sight), LAMBDA, sight)
        found += [told] if told.closed else []
    assert isinstance(memory, Counters)
    return found


@pytest.mark.sweep
@given(minutes, lateness, st.lists(st.integers(1, 400), max_size=20))
def test_every_minute_of_busy_lanes_is_counted_once_however_late_each_is_told(told, late, gaps):
    world = World(told, late)
    found = windows(world, gaps)

    assert found[0].since == moment(BEGIN)
    assert found[-1].at == moment(BEGIN + len(told))
    assert all(now.since == before.at for before, now in pairwise(found))
    for name in ("requests", "errors"):
        for which in LANES:
            counted = sum(getattr(getattr(one, which), name) for one in found)
            truth = world.calls[f"{which}_{name}"]
            assert counted == sum(truth[BEGIN + minute] for minute in range(len(told)))


def counted_in(minute: int) -> Ledger:
    """Return the ledger after one window that began so many minutes after the weight changed, read late."""
    since = NOW + timedelta(minutes=minute)
    read = since + timedelta(minutes=3)
    told = Counted(read, 60.0, lane(1900.0, 19.0), lane(100.0, 1.0), since=since)
    before = Ledger(opened=read - timedelta(minutes=1))
    return fold(before, told, Counters(at=1.0, interval=60.0), NOBODY, row(), read)


@pytest.mark.parametrize(("minute", "counts"), [(-1, False), (0, True)])
def test_a_minute_counts_when_it_began_behind_the_change_of_the_weight(minute, counts):
    assert bool(counted_in(minute).memory.trials) is counts


def test_a_minute_is_as_old_as_it_was_when_it_ended_and_not_when_it_is_read():
    (window,) = counted_in(1).windows
    assert window.age == 120
