"""The database: who was first wins, nothing is half there, one bad row does not spoil the others."""

import asyncio
import gc
import json
import sqlite3
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError

from bot.rollout.values import Entry, Phase, Rollout
from bot.store import BusyError, Inbound, PoisonedRowError, Post, StaleError, Store
from bot.store.rows import dump
from bot.store.tables import METADATA
from strategies.plan import Plan, Prepare, Promote, SetWeight, Soak

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
STEPS = (Prepare(), SetWeight(50.0), Soak(60), SetWeight(100.0), Soak(60), Promote())


def rollout(name: str = "r-1", service: str = "auth-service", **changes) -> Rollout:
    plan = Plan(
        service=service, environment="production", version="v2", strategy="canary", steps=STEPS
    )
    r = Rollout(
        id=name,
        service=service,
        environment="production",
        version="v2",
        plan=plan,
        requester="U0DANA",
        created=NOW,
        counter=0,
    )
    return replace(r, **changes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sluice.db"


@pytest.fixture
async def store(file: Path):
    opened = await Store.open(f"sqlite+aiosqlite:///{file}")
    yield opened
    await opened.close()


async def create(store: Store, r: Rollout) -> Rollout:
    async with store.writing() as writing:
        return await writing.create(r)


# ---- who was first -------------------------------------------------------------------------------


async def test_of_twenty_people_who_start_the_same_target_exactly_one_wins(store):
    async def attempt(n: int) -> Rollout | BusyError:
        try:
            return await create(store, rollout(f"r-{n}"))
        except BusyError as busy:
            return busy

    outcomes = await asyncio.gather(*(attempt(n) for n in range(20)))
    winners = [o for o in outcomes if isinstance(o, Rollout)]
    assert len(winners) == 1
    assert {o.rollout for o in outcomes if isinstance(o, BusyError)} == {winners[0].id}


async def test_two_processes_on_one_file_cannot_start_the_same_target_twice(store, file):
    other = await Store.open(f"sqlite+aiosqlite:///{file}")
    try:
        outcomes = await asyncio.gather(
            *(create(s, rollout(f"r-{n}")) for n, s in enumerate([store, other] * 5)),
            return_exceptions=True,
        )
    finally:
        await other.close()
    assert sum(isinstance(o, Rollout) for o in outcomes) == 1
    assert sum(isinstance(o, BusyError) for o in outcomes) == 9


async def test_of_many_saves_from_one_revision_one_is_kept_and_the_others_are_stale(store):
    r = await create(store, rollout())
    outcomes = await asyncio.gather(
        *(store.save(replace(r, reason=str(n)), NOW) for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(o, StaleError) for o in outcomes) == 9
    kept = next(o for o in outcomes if isinstance(o, Rollout))
    assert await store.get(r.id) == kept
    assert kept.revision == r.revision + 1


async def test_a_stale_save_leaves_no_line_in_the_journal(store):
    r = await create(store, rollout())
    await store.save(replace(r, reason="first"), NOW)
    with pytest.raises(StaleError):
        await store.save(r.tell(Entry("promoted", "U0ANA", "never happened")), NOW)
    assert await store.journal(r.id) == []


async def test_the_fence_counter_of_a_target_only_grows(store):
    first = await create(store, rollout("r-1"))
    armed = first.tell(Entry("armed", "sluice", "Another database left fence 40.7 on the target."))
    await store.save(replace(armed, phase=Phase.SUCCEEDED, counter=41), NOW)
    second = await create(store, rollout("r-2"))
    elsewhere = await create(store, rollout("r-3", service="billing"))
    assert (first.counter, second.counter, elsewhere.counter) == (1, 42, 1)


async def test_what_is_received_twice_counts_once(store):
    async def receive() -> bool:
        async with store.writing() as writing:
            return await writing.receive(
                Inbound("act:1", "slack", "U0ANA", {"gate": "g"}, NOW, "r-1")
            )

    assert sorted(await asyncio.gather(*(receive() for _ in range(5)))) == [False] * 4 + [True]
    assert [inbound.key for inbound in await store.unsettled()] == ["act:1"]


async def test_an_error_in_a_transaction_undoes_all_of_it(store):
    with suppress(ZeroDivisionError):
        async with store.writing() as writing:
            await writing.create(rollout())
            raise ZeroDivisionError
    with pytest.raises(KeyError):
        await store.get("r-1")
    assert (await create(store, rollout())).counter == 1


async def test_a_writer_that_is_cancelled_does_not_block_the_next(store):
    inside = asyncio.Event()

    async def hang() -> None:
        async with store.writing() as writing:
            await writing.create(rollout())
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    async with asyncio.timeout(2):
        assert (await create(store, rollout("r-2"))).counter == 1


async def test_cancelling_at_any_moment_loses_no_connection(store):
    r = await create(store, rollout())

    async def work() -> None:
        while True:
            await store.get(r.id)
            with suppress(StaleError):
                async with store.writing() as writing:
                    await writing.save(replace(r, revision=99), NOW)

    for n in range(150):
        tasks = {asyncio.create_task(work()) for _ in range(3)}
        await asyncio.wait(tasks, timeout=n / 20_000)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    checked_out = store._writer.pool.checkedout(), store._reader.pool.checkedout()
    gc.collect()  # complains about connections that were lost
    assert checked_out == (0, 0)
    async with asyncio.timeout(2):
        await store.save(r, NOW)


# ---- what goes wrong underneath ------------------------------------------------------------------


async def test_a_lock_held_by_another_process_is_waited_for(store, file):
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    saving = asyncio.create_task(create(store, rollout()))
    done, _ = await asyncio.wait({saving}, timeout=0.3)
    assert not done
    other.execute("ROLLBACK")
    assert (await saving).id == "r-1"
    other.close()


async def test_a_lock_held_for_too_long_is_an_error_and_reading_goes_on(store, file):
    await create(store, rollout())
    async with store._writer.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout=50")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="locked"):
        await create(store, rollout("r-2", service="billing"))
    assert (await store.get("r-1")).service == "auth-service"
    other.close()
    assert (await create(store, rollout("r-2", service="billing"))).id == "r-2"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"text"',
        "null",
        '{"plan": "text"}',
        '{"plan": {}}',
        "[" * 100_000,
        json.dumps({**json.loads(dump(rollout())), "phase": "DANCING"}),
        json.dumps({**json.loads(dump(rollout())), "created": "yesterday"}),
        json.dumps({**json.loads(dump(rollout())), "plan": {"steps": [{"step": "Teleport"}]}}),
    ],
    ids=lambda body: body[:25] or "nothing",
)
async def test_a_poisoned_row_is_refused_and_hides_no_other(store, file, body):
    await create(store, rollout("r-bad"))
    await create(store, rollout("r-good", service="billing"))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE rollouts SET body = ? WHERE id = 'r-bad'", [body])
    connection.close()
    with pytest.raises(PoisonedRowError):
        await store.get("r-bad")
    assert [r.id for r in await store.in_flight()] == ["r-good"]
    assert [r.id for r in await store.history()] == ["r-good"]


async def test_a_poisoned_row_pages_once_and_keeps_holding_its_target(store, file):
    await create(store, rollout())
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE rollouts SET body = '{'")
    connection.close()
    async with store.writing() as writing:
        assert await writing.poison("r-1", NOW)
        assert not await writing.poison("r-1", NOW)
    (line,) = await store.journal("r-1")
    assert line.entry.event == "rollout.needs_attention"
    assert "auth-service v2 in production" in line.entry.text
    assert await store.counts() == {"NEEDS_ATTENTION": 1}
    with pytest.raises(BusyError):
        await create(store, rollout("r-2"))


async def test_rubbish_in_the_details_of_a_line_or_a_click_spoils_neither_list(store, file):
    r = await create(store, rollout().tell(Entry("created", "U0DANA", "Hello.", event="x")))
    async with store.writing() as writing:
        await writing.receive(Inbound("act:1", "slack", "U0ANA", {"gate": "g"}, NOW, r.id))
        await writing.receive(Inbound("act:2", "slack", "U0ANA", {"gate": "g"}, NOW, r.id))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE journal SET data = '{'")
        connection.execute("UPDATE inbox SET body = '[' WHERE key = 'act:1'")
    connection.close()
    assert [row.entry.text for row in await store.events_since(0)] == ["Hello."]
    assert [dict(i.body) for i in await store.unsettled()] == [{}, {"gate": "g"}]


# ---- what is still to be said --------------------------------------------------------------------


async def test_a_rollout_is_untold_until_its_newest_line_is_in_slack(store):
    r = await create(store, rollout().tell(Entry("created", "U0DANA", "Hello.")))
    await create(store, rollout("r-2", service="billing").tell(Entry("x", "y", "z", tell="")))
    assert {row.rollout for row in await store.untold()} == {"r-1"}
    post = Post("r-1", "line:1", "C", "", "d", NOW)
    async with store.writing() as writing:
        await writing.put_post(post)
    assert {row.rollout for row in await store.untold()} == {"r-1"}
    async with store.writing() as writing:
        await writing.put_post(replace(post, ts="1.2"))
    assert await store.untold() == []
    await store.save(replace(r, phase=Phase.SUCCEEDED).tell(Entry("succeeded", "s", "!")), NOW)
    assert {row.rollout for row in await store.untold()} == {"r-1"}


async def test_an_ended_rollout_is_live_while_its_recheck_is_due(store):
    r = await create(store, rollout())
    r = await store.save(
        replace(r, phase=Phase.ROLLED_BACK, ended=NOW, recheck_at=NOW + timedelta(minutes=5)), NOW
    )
    assert await store.live_ids() == ["r-1"]
    await store.save(replace(r, recheck_at=None), NOW)
    assert await store.live_ids() == []


# ---- the schema ----------------------------------------------------------------------------------


async def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store):
    def differences(connection) -> list:
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    async with store._writer.begin() as connection:
        assert await connection.run_sync(differences) == []


async def test_opening_an_existing_database_keeps_what_is_in_it(store, file):
    await create(store, rollout())
    await store.close()
    again = await Store.open(f"sqlite+aiosqlite:///{file}")
    assert (await again.get("r-1")).version == "v2"
    await again.close()


async def test_the_database_is_opened_so_that_a_power_cut_loses_nothing(store):
    async with store._writer.connect() as connection:
        journal = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
        synchronous = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()
    assert (journal, synchronous) == ("wal", 2)


async def test_the_reading_side_cannot_write(store):
    async with store._reader.connect() as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.exec_driver_sql("DELETE FROM rollouts")
