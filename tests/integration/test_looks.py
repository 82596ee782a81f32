"""The numbers of every look are kept in the save that brings them, whole, and not for ever."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.rollout.part import Part
from bot.rollout.values import Phase
from bot.store import StaleError, Store
from bot.store.looking import MOST_WINDOWS, handed_on
from bot.store.looks import EVERY, KEPT_FOR, MOST
from strategies.evidence import Both, Tally, Window
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
    windows=(
        Window(15.0, 1, 25.0, 30.0, {"errors": Both(Tally(3.0, 100.0), Tally(1.0, 900.5))}),
        Window(15.2, 1, 25.0, 45.2, {"errors": Both(Tally(0.0, 90.0), None), "slow": Both()}),
    ),
)
BARE = json.dumps({"window": 60, "samples": []})


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


async def test_a_look_of_before_counting_is_read_without_windows(store):
    r = await create(store, rollout())
    await saved(store, r, 0)
    async with store._writer.begin() as db:
        await db.execute(text("UPDATE looks SET body = json_remove(body, '$.counted')"))
    [kept] = await store.looks(r.id)
    assert kept.look == replace(LOOK, windows=())


async def test_a_refused_save_keeps_no_look(store):
    r = await create(store, rollout())
    await store.save(replace(r, reason="first"), NOW)
    with pytest.raises(StaleError):
        await saved(store, r, 0)
    assert not await store.looks(r.id)


async def test_of_several_targets_it_is_known_whose_look_it_was(store):
    r = await create(store, rollout())
    parts = (Part("us", look=look(0, window=30)), Part("eu", look=LOOK))
    # The look of the row itself does not say what was counted; that of its target does.
    await store.save(replace(r, look=replace(LOOK, windows=()), parts=parts), NOW)
    [kept] = await store.looks(r.id)
    assert kept.place == "eu"
    assert kept.counted("eu") == kept.counted("us") == LOOK.windows
    assert kept.counted("ap") == ()


async def test_what_was_counted_on_a_target_that_was_not_looked_at_again_is_read_once(store):
    r = await create(store, rollout())
    us, eu = Part("us", look=look(0, window=30)), Part("eu", look=LOOK)
    r = await saved(store, r, 0, parts=(us, eu))
    await saved(store, r, 60, parts=(us, replace(eu, look=look(60))))
    first, second = await store.looks(r.id)
    assert (first.counted("us"), second.counted("us")) == (LOOK.windows, ())
    assert first.counted("eu") == second.counted("eu") == LOOK.windows


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


@pytest.mark.parametrize(
    "body",
    [
        "garbage",
        "{}",
        "[" * 100_000,
        '{"window": NaN, "samples": []}',
        '{"window": 15, "samples": [], "lost": 1e999}',
        '{"window": 15, "samples": [], "counted": {"": [1e400, []]}}',
        '{"window": 15, "samples": [], "counted": {"": [1e300, []]}}',
        '{"window": 15, "samples": [], "counted": {"": [0, [[1e300, 0, 5, 15, {}]]]}}',
        '{"window": 15, "samples": [], "counted": {"": [0, [[15, 0, 5, 15, {"errors": [[-1, 5], null]}]]]}}',
        '{"window": 15, "samples": [{"metric": "error_rate", "stable": "no", "canary": 1}]}',
        '{"window": 15, "samples": [{"metric": "error_rate", "stable": 1e400, "canary": 1}]}',
    ],
)
async def test_what_cannot_be_read_is_counted_and_never_another_figure(store, body):
    r = await create(store, rollout())
    await saved(store, await saved(store, r, 0), 60)
    statement = text("update looks set body = :body where at = (select min(at) from looks)")
    async with store._writer.begin() as db:
        await db.execute(statement, {"body": body})

    kept, broken = await store.looks_read(r.id)

    assert ([one.look for one in kept], broken) == ([look(60)], 1)
    assert await store.looks(r.id) == kept


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


async def test_what_a_dropped_look_had_counted_goes_to_the_next_one(store):
    r = await create(store, rollout())
    r = await saved(store, r, 0)
    r = await saved(store, r, 1)
    r = await saved(store, r, 2)
    rows = [
        {"rollout": r.id, "at": NOW.timestamp() + i, "cursor": 2, "weight": 5.0, "body": BARE}
        for i in range(3, MOST)
    ]
    columns = "(rollout, at, cursor, weight, body) VALUES (:rollout, :at, :cursor, :weight, :body)"
    async with store._writer.begin() as db:
        await db.execute(text(f"INSERT INTO looks {columns}"), rows)
        await db.execute(text(f"UPDATE rollouts SET revision = {2 * EVERY - 1}"))
    await saved(store, replace(r, revision=2 * EVERY - 1), MOST)

    first, second, third, *_ = await store.looks(r.id)
    assert [one.look.at for one in (first, second)] == [NOW, NOW + timedelta(seconds=2)]
    assert (first.look.windows, second.look.windows) == (LOOK.windows, LOOK.windows * 2)
    assert (third.look.windows, third.lost) == ((), 0)


def test_what_is_handed_on_has_a_bound_and_what_goes_beyond_it_is_told():
    bodies = [look_body(at, windows=30) for at in range(4)]
    heir = bodies[0]
    for body in bodies[1:]:
        heir = handed_on(heir, body)
    [kept] = json.loads(heir)["counted"].values()
    assert (kept[0], len(kept[1]), json.loads(heir)["lost"]) == (
        3,
        MOST_WINDOWS,
        120 - MOST_WINDOWS,
    )
    assert handed_on(BARE, heir) == heir
    assert handed_on("[", heir) == heir


def look_body(at: float, windows: int) -> str:
    return json.dumps(
        {"window": 60, "samples": [], "counted": {"": [at, [[15, 0, 5, 1, {}]] * windows]}}
    )


async def test_looks_go_thirty_days_after_the_end_and_not_before(store):
    for name, age in (("r-old", KEPT_FOR + timedelta(days=1)), ("r-young", timedelta(days=1))):
        r = await create(store, rollout(name, service=name))
        r = await saved(store, r, 0)
        await store.save(replace(r, phase=Phase.SUCCEEDED, ended=NOW - age), NOW)
    await saved(store, await create(store, rollout("r-live", service="live")), 0)

    await store.forget_looks(NOW)

    kept = [name for name in ("r-old", "r-young", "r-live") if await store.looks(name)]
    assert kept == ["r-young", "r-live"]
