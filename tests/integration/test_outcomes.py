"""How rollouts ended, as the database keeps it: written once with the last revision, summed up in SQL."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.api.exposition import KEPT, Exposition
from bot.rollout.accounting import Outcome
from bot.rollout.part import Armed, LaneMemo
from bot.rollout.values import Back, Entry, Phase, Rollout
from bot.store import Store
from strategies.plan import Plan, Prepare, Promote, SetWeight

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
STEPS = (Prepare(), SetWeight(100.0), Promote())
MEMO = LaneMemo("app:v1", 4, 4)
ARMED = Armed(0, MEMO, MEMO, NOW)
BACK = Back("check_failed", "slow", "sluice", NOW, automatic=True, weight=5.0)
WARNED = (Entry("warned", "sluice", "Slow.", code="check_warned"),)
GOOD = {"phase": Phase.SUCCEEDED, "ended": NOW + timedelta(seconds=600)}
BAD = {"phase": Phase.ROLLED_BACK, "ended": NOW + timedelta(seconds=500), "back": BACK}
NEVER = {"phase": Phase.CANCELLED, "ended": NOW + timedelta(seconds=9)}


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def rollout(name: str = "r-1", strategy: str = "canary", **changes) -> Rollout:
    service = changes.pop("service", "checkout")
    plan = Plan(service, "production", "v2", strategy, STEPS)
    row = Rollout(name, service, "production", "v2", plan, "U0DANA", NOW, 0)
    return replace(row, **changes)


@pytest.fixture
async def store(tmp_path):
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path}/sluice.db")
    yield opened
    await opened.close()


async def lived(store: Store, r: Rollout, *rows: tuple[dict, float]) -> Rollout:
    """Create a rollout and save it with these changes, so many seconds after its creation."""
    async with store.writing() as writing:
        r = await writing.create(r)
    for changes, seconds in rows:
        r = await store.save(replace(r, **changes), later(seconds))
    return r


async def outcomes(store: Store, **given) -> list[Outcome]:
    return await store.outcomes(NOW, limit=100, **given)


async def test_the_last_save_of_a_rollout_writes_its_outcome_with_its_warnings(store):
    await lived(
        store,
        rollout(),
        ({"phase": Phase.WAITING, "news": WARNED}, 100),
        ({"phase": Phase.RUNNING}, 400),
        (GOOD, 600),
    )

    (found,) = await outcomes(store)

    assert (found.end, found.machine_s, found.waited_s, found.warnings) == (
        "succeeded", 300, 300, 1,
    )  # fmt: skip


async def test_what_is_saved_after_the_end_counts_nothing_twice(store):
    r = await lived(store, rollout(), (BAD, 500), ({"recheck_at": None}, 800))
    await store.save(replace(r, back=replace(BACK, automatic=False)), later(900))

    (found,) = await outcomes(store)

    assert (found.rollback, found.machine_s) == ("automatic", 500)


async def test_an_undoing_is_a_rollback_of_the_strategy_that_it_undid(store):
    await lived(store, rollout("r-1", "blue-green"), (GOOD, 600))
    await lived(store, rollout("r-2", "direct", rollback_of="r-1"), (GOOD, 700))
    await lived(store, rollout("r-3", "direct", rollback_of="unknown"), (GOOD, 700))

    assert {(o.rollout, o.strategy, o.end) for o in await outcomes(store)} == {
        ("r-1", "blue-green", "succeeded"),
        ("r-2", "blue-green", "undo"),
        ("r-3", "direct", "undo"),
    }
    found = await store.totals()
    assert found.rollouts == [("blue-green", "production", "succeeded", 1)]
    assert found.rollbacks == [
        ("blue-green", "after_success", 1),
        ("direct", "after_success", 1),
    ]


async def test_the_window_and_the_service_choose_what_is_looked_at(store):
    await lived(store, rollout("r-1"), (GOOD, 600))
    await lived(store, rollout("r-2", service="cart"), (BAD, 500))

    assert [o.rollout for o in await outcomes(store)] == ["r-1", "r-2"]
    assert [o.rollout for o in await outcomes(store, service="cart")] == ["r-2"]
    assert [o.rollout for o in await store.outcomes(later(550), limit=9)] == ["r-1"]
    assert [o.rollout for o in await store.outcomes(NOW, limit=1)] == ["r-1"]


async def test_the_histograms_hold_every_time_that_was_measured(store):
    await lived(store, rollout("r-1"), ({"phase": Phase.WAITING}, 20), (GOOD, 600))
    await lived(store, rollout("r-2"), (GOOD, 600))
    await lived(store, rollout("r-3"), (NEVER, 9))
    found = await store.totals()

    (machine,), (waited,) = found.machine, found.waited
    assert (machine.total, machine.count, machine.within[0]) == (620, 2, 1)
    assert (waited.total, waited.count, waited.within[:5]) == (580, 2, (1, 1, 1, 2, 2))


async def test_a_scrape_is_kept_for_a_moment_and_then_made_anew(store):
    at = NOW
    exposition = Exposition(store, lambda: at)
    before = await exposition.text()
    await lived(store, rollout(), (GOOD, 600))
    soon = await exposition.text()
    at += KEPT
    afterwards = await exposition.text()

    assert before == soon
    assert 'environment="production",outcome="succeeded"} 1\n' in afterwards


async def test_rollouts_that_ended_before_the_upgrade_are_counted_without_times(tmp_path):
    file = tmp_path / "sluice.db"
    url = f"sqlite+aiosqlite:///{file}"
    store = await Store.open(url)
    await lived(store, rollout("r-1", "blue-green"), (GOOD, 600))
    await lived(store, rollout("r-2", rollback_of="r-1"), (GOOD, 600))
    await lived(store, rollout("r-3"), ({"news": WARNED}, 5), ({**BAD, "armed": ARMED}, 500))
    await lived(store, rollout("r-4"), (NEVER, 9))
    await lived(store, rollout("r-5"), (GOOD, 600))
    measured = {o.rollout: o for o in await outcomes(store)}
    await store.close()
    with sqlite3.connect(file) as db:
        db.execute("UPDATE rollouts SET body = '{' WHERE id = 'r-5'")
        for made_since in ("TABLE outcomes", "TABLE locks", "TABLE looks", "TABLE notices"):
            db.execute(f"DROP {made_since}")
        for index in ("posts_by_place", "inbox_by_rollout"):
            db.execute(f"DROP INDEX {index}")
        db.execute("UPDATE alembic_version SET version_num = '0002'")
    db.close()

    again = await Store.open(url)
    found = {o.rollout: o for o in await outcomes(again)}
    await again.close()

    del measured["r-5"]
    assert found == {
        name: replace(o, machine_s=None, waited_s=None) for name, o in measured.items()
    }
