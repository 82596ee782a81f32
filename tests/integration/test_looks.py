"""The numbers of every look are kept in the save that brings them, whole, and not for ever."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.rollout.part import Part
from bot.rollout.values import Phase
from bot.store import StaleError, Store
from bot.store.looks import EVERY, KEPT_FOR, MOST
from strategies.verdict import Look, Sample
from tests.integration.test_store import NOW, create, rollout

LOOK = Look(
    NOW,
    60,
    (
        Sample("requests", 48210.0, 2000.0),
        Sample("error_rate", 0.19, 0.21),
        Sample("latency_p95", None, 412.0, why_stable="no data"),
        Sample("kafka_lag", None, None, "not available", "not available"),
    ),
    beside=True,
)


@pytest.fixture
async def store(tmp_path):
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path}/sluice.db")
    yield opened
    await opened.close()


def look(seconds: float, **changes) -> Look:
    return replace(LOOK, at=NOW + timedelta(seconds=seconds), **changes)


async def saved(store: Store, r, seconds: float, **changes):
    return await store.save(replace(r, look=look(seconds), **changes), NOW)


async def test_a_look_is_kept_whole_and_can_be_judged_again(store):
    r = await create(store, rollout())
    await saved(store, r, 0, cursor=2, weight=25.0)

    [kept] = await store.looks(r.id)
    assert (kept.cursor, kept.weight, kept.place) == (2, 25.0, "")
    assert kept.look == LOOK


async def test_a_save_without_a_new_look_keeps_nothing_more(store):
    r = await create(store, rollout())
    r = await saved(store, r, 0)
    r = await store.save(replace(r, reason="somebody voted"), NOW)
    await saved(store, r, 15)
    assert [kept.look.at for kept in await store.looks(r.id)] == [NOW, NOW + timedelta(seconds=15)]


async def test_a_refused_save_keeps_no_look(store):
    r = await create(store, rollout())
    await store.save(replace(r, reason="first"), NOW)
    with pytest.raises(StaleError):
        await saved(store, r, 0)
    assert not await store.looks(r.id)


async def test_of_several_targets_it_is_known_whose_look_it_was(store):
    r = await create(store, rollout())
    parts = (Part("us", look=look(0, window=30)), Part("eu", look=LOOK))
    await saved(store, r, 0, parts=parts)
    [kept] = await store.looks(r.id)
    assert kept.place == "eu"


async def test_no_number_and_one_that_is_none_come_back_as_none(store):
    r = await create(store, rollout())
    odd = replace(LOOK, samples=(Sample("error_rate", float("nan"), float("inf")),))
    await store.save(replace(r, look=odd), NOW)
    [kept] = await store.looks(r.id)
    assert kept.look.samples == (Sample("error_rate", None, None),)


async def test_one_row_that_cannot_be_read_does_not_hide_the_others(store):
    r = await create(store, rollout())
    r = await saved(store, r, 0)
    await saved(store, r, 15)
    async with store._writer.begin() as db:
        await db.execute(text("UPDATE looks SET body = '[' WHERE at = (SELECT min(at) FROM looks)"))
    assert len(await store.looks(r.id)) == 1


async def test_of_too_many_looks_every_second_of_the_older_half_goes(store):
    r = await create(store, rollout())
    body = json.dumps({"window": 60, "samples": []})
    rows = [
        {"rollout": r.id, "at": NOW.timestamp() + i, "cursor": 2, "weight": 5.0, "body": body}
        for i in range(MOST)
    ]
    columns = "(rollout, at, cursor, weight, body) VALUES (:rollout, :at, :cursor, :weight, :body)"
    async with store._writer.begin() as db:
        await db.execute(text(f"INSERT INTO looks {columns}"), rows[1:])
        await db.execute(text(f"UPDATE rollouts SET revision = {2 * EVERY - 1}"))
    await saved(store, replace(r, revision=2 * EVERY - 1), MOST)

    seconds = [int((kept.look.at - NOW).total_seconds()) for kept in await store.looks(r.id)]
    assert len(seconds) == MOST - MOST // 4
    assert seconds[:3] == [1, 3, 5]
    assert seconds[-3:] == [MOST - 2, MOST - 1, MOST]


async def test_looks_go_thirty_days_after_the_end_and_not_before(store):
    for name, age in (("r-old", KEPT_FOR + timedelta(days=1)), ("r-young", timedelta(days=1))):
        r = await create(store, rollout(name, service=name))
        r = await saved(store, r, 0)
        await store.save(replace(r, phase=Phase.SUCCEEDED, ended=NOW - age), NOW)
    await saved(store, await create(store, rollout("r-live", service="live")), 0)

    await store.forget_looks(NOW)

    kept = [name for name in ("r-old", "r-young", "r-live") if await store.looks(name)]
    assert kept == ["r-young", "r-live"]
