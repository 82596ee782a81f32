"""A start whose limits stable breaks by itself: refused where it did so all day, warned of where it burns now."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands import Commands, Refusal, World
from bot.commands import cautions as room
from bot.grammar.verbs import Deploy, Options, Rollback, ShowPlan
from bot.policy import Actor, Membership, Person
from bot.rollout.values import Phase
from bot.settings.check import read_config
from bot.store import Store
from strategies.doing import Doing

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
MINUTES, HOUR, DAY = 300, 3600, 86400
CONF = read_config(
    """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {prod: {kubeconfig: /nowhere}}
metrics: {main: {kind: prometheus, url: "http://127.0.0.1:9"}}
environments: {production: {approvers: [S0SRE], break_glass: [S0SRE]}}
services:
  app:
    production:
      cluster: prod
      namespace: shop
      workload: {kind: deployment, stable: app-stable, canary: app-canary, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}
      metrics: {source: main}
      canary: {steps: [50, 100], soak: 5m}
      checks: [{metric: error_rate, above: 5}, {metric: latency_p95, above: 500}]
""",
    "sluice.yaml",
)
DANA = Actor("U0DANA", "slack")
CI = Actor("token:ci", "rest")
ALL_DAY = {MINUTES: 6.2, HOUR: 6.0, DAY: 5.8}
BURNING = {MINUTES: 12.0, HOUR: 7.0, DAY: 0.4}
UNREAD = "The numbers of stable cannot be read now, so the limits were not held against it."


class Slack:
    """Dana is in every group."""

    def recalled(self, actor, groups=(), others=()):
        return Membership({one: frozenset({DANA.id}) for one in groups}, Person(actor.id))

    async def membership(self, actor, groups, others=()):
        return self.recalled(actor, groups)


@pytest.fixture
async def store(tmp_path):
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path}/sluice.db")
    yield opened
    await opened.close()


def stable(errors: Mapping[int, float], rps: float = 100, since: float = DAY, **numbers: float):
    """Return what is told of a stable that fails so often by window, and has run for so many seconds."""

    async def lately(_service: str, _environment: str, window: int) -> list[Doing]:
        requests = rps * min(window, since)
        return [Doing(rps, requests, {"error_rate": errors[window], "latency_p95": 100, **numbers})]

    return lately


def commands(store: Store, lately=None) -> Commands:
    names = iter(f"r-{n}" for n in range(9))
    return Commands(
        World(
            store, CONF, directory=Slack(), now=lambda: NOW, wake=lambda _: None, lately=lately,
            new_id=lambda: next(names),
        )
    )  # fmt: skip


def deploy(**options) -> Deploy:
    return Deploy("app", "v2", "production", Options(**options))


def held(plan) -> tuple[str, ...]:
    """Return what a plan says about its limits, of all its warnings."""
    return tuple(one for one in plan.warnings if one.startswith(_ABOUT_LIMITS))


_ABOUT_LIMITS = ("Stable ", "A limit is", "A version as good", "The numbers of stable")


async def started(store: Store, lately, actor=CI, reason="", **options):
    command = replace(deploy(**options), reason=reason)
    answer = await commands(store, lately).handle(command, actor)
    return await store.get(answer.rollout.id)


async def refused(store: Store, lately, actor=DANA, **options) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await started(store, lately, actor, **options)
    assert await store.in_flight() == []
    return caught.value


async def plan(store: Store, lately, actor=DANA, **options):
    return await commands(store, lately).handle(ShowPlan(deploy(**options)), actor)


async def test_a_limit_that_stable_broke_all_day_is_refused_with_one_that_has_room(store):
    said = await refused(store, stable(ALL_DAY))

    assert (said.code, said.status, said.key) == ("limit_broken_by_stable", 422, "error-threshold")
    assert said.suggestion == "error-threshold=13"
    assert str(said) == (
        "Stable has broken this limit by itself for a day, so no version as good as it could stay: Error rate 6.20 % "
        "on stable, limit ≤ 5 %. Add `error-threshold=13`, or write `above: 13` at error_rate in sluice.yaml. To "
        "start it as it is, break the glass."
    )


async def test_its_button_starts_with_that_limit_and_is_let_in(store):
    first, glass = (await refused(store, stable(ALL_DAY))).offers

    assert (first.label, glass.form) == ("Start with error-threshold=13", "break-glass")
    assert "error-threshold=13" in first.line
    row = await started(store, stable(ALL_DAY), error_threshold=13.0)
    assert row.phase is Phase.RUNNING


async def test_a_stable_that_burns_since_an_hour_keeps_no_repair_out(store):
    row = await started(store, stable(BURNING))

    assert held(row.plan) == (
        (
            "Stable breaks a limit by itself now: Error rate 12 % on stable, limit ≤ 5 %. A version that does not mend "
            "that is held or rolled back. If this is no repair: `error-threshold=24` would be far enough."
        ),
    )


@pytest.mark.parametrize("since", [600, HOUR, 5 * HOUR])
async def test_a_few_hours_of_numbers_are_no_day(store, since):
    row = await started(store, stable(ALL_DAY, since=since))

    assert len(held(row.plan)) == 1


async def test_too_few_requests_refuse_nothing(store):
    row = await started(store, stable(ALL_DAY, rps=3))

    assert not any("breaks a limit" in one for one in row.plan.warnings)


async def test_who_breaks_the_glass_starts_it_as_it_is_and_that_is_on_the_record(store):
    row = await started(store, stable(ALL_DAY), DANA, "the limit is on purpose", break_glass=True)

    told = {one.entry.code: one.entry.text for one in await store.journal(row.id)}
    assert (
        "broke the glass (limit_broken_by_stable): the limit is on purpose"
        in told["limit_broken_by_stable"]
    )


async def test_a_preview_says_it_where_it_would_be_refused_and_leads_on(store):
    answer = await plan(store, stable(ALL_DAY))

    assert answer.preview.barred.code == "limit_broken_by_stable"
    assert [one for one in answer.plan.warnings if "has broken a limit by itself for a day" in one]
    assert (await plan(store, stable(ALL_DAY), break_glass=True)).preview.barred is None
    assert (await plan(store, stable(ALL_DAY), at="23:00")).preview.barred is None
    assert (await plan(store, stable(BURNING))).preview.barred is None


async def test_what_starts_later_is_only_warned_of_and_asks_when_it_is_due(store):
    bot = commands(store, stable(ALL_DAY))
    answer = await bot.handle(deploy(at="23:00"), DANA)
    row = await store.get(answer.rollout.id)

    assert row.phase is Phase.SCHEDULED
    assert len(held(row.plan)) == 1
    found = await bot.afresh(row)
    assert found.barred.code == "limit_broken_by_stable"
    assert found.barred.why == (
        "stable has broken a limit of it by itself for a day (Error rate 6.20 % on stable, limit ≤ 5 %)"
    )


async def test_a_way_back_is_never_asked_about(store):
    bot = commands(store, stable(ALL_DAY))
    answer = await bot.handle(deploy(error_threshold=13.0), CI)
    row = await store.get(answer.rollout.id)
    done = replace(row, phase=Phase.SUCCEEDED, ended=NOW - timedelta(hours=2), from_version="v1")
    await store.save(done, NOW)

    back = await bot.handle(Rollback("app", "production", now=True), DANA)

    assert back.rollout.rollback_of == row.id


async def test_a_limit_nearer_than_twice_and_an_alarming_chance_are_warnings(store):
    row = await started(store, stable(dict.fromkeys(ALL_DAY, 4.5)))

    assert held(row.plan) == (
        (
            "A limit is nearer than twice what stable does: Error rate 4.50 % on stable, limit ≤ 5 %. "
            "`error-threshold=9` would be far enough."
        ),
        (
            "A version as good as stable would be rolled back in about 1 of 3 rollouts, most often by Error rate ≤ 5 % "
            "at 100 %."
        ),
    )


async def test_a_calm_service_has_no_warning_and_its_plan_a_promise(store):
    answer = await plan(store, stable(dict.fromkeys(ALL_DAY, 1.0)))

    assert held(answer.plan) == ()
    assert (
        answer.expectation
        == "A version as good as stable would be rolled back in at most 1 of 100 rollouts, apart from what hits both "
        "versions while it runs alone at 100 %."
    )


async def test_the_worst_of_several_targets_is_what_counts(store):
    calm, near = stable(dict.fromkeys(ALL_DAY, 1.0)), stable(dict.fromkeys(ALL_DAY, 4.5))

    async def both(*asked) -> list[Doing]:
        return [*await calm(*asked), *await near(*asked)]

    assert "about 1 of 3" in (await plan(store, both)).expectation


async def test_numbers_that_cannot_be_read_refuse_nothing_and_it_is_said_once(store, monkeypatch):
    monkeypatch.setattr(room, "PATIENCE", 0.05)

    async def broken(*_) -> list[Doing]:
        raise ConnectionError

    async def silent(*_) -> list[Doing]:
        await asyncio.Event().wait()
        return []

    async def down(*_) -> None:
        return None

    for lately in (broken, silent, down):
        answer = await plan(store, lately)
        assert held(answer.plan) == (UNREAD,)
        assert "at 100 %. The fixed limits were not held" in answer.expectation
    assert held((await started(store, silent)).plan) == (UNREAD,)


async def test_a_service_without_any_numbers_yet_has_nothing_to_be_warned_of(store):
    async def nothing(*_) -> list[Doing]:
        return []

    answer = await plan(store, nothing)

    assert held(answer.plan) == ()
    assert "The fixed limits were not held" in answer.expectation


async def test_a_long_look_that_fails_refuses_nothing(store):
    now = stable(ALL_DAY)

    async def lately(service: str, environment: str, window: int) -> list[Doing]:
        if window == DAY:
            raise ConnectionError
        return await now(service, environment, window)

    assert (await started(store, lately)).phase is Phase.RUNNING
