"""What the store and the metrics add to a plan: in what is shown, on the row, in its journal; never in the way."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.commands import Commands, World
from bot.commands import cautions as room
from bot.grammar.verbs import Deploy, Options, ShowPlan
from bot.planning import plan_for
from bot.policy import Actor, Membership
from bot.rollout.values import Phase, Rollout
from bot.settings.check import read_config
from bot.store import Store

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
TARGET = """
      cluster: prod
      namespace: shop
      workload: {kind: deployment, stable: app-stable, canary: app-canary, container: app, image: r/app}
      traffic: {kind: istio, virtual_service: app}
      metrics: {source: main}
"""
CONF = read_config(
    f"""\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{kubeconfig: /nowhere}}}}
metrics: {{main: {{kind: prometheus, url: "http://127.0.0.1:9"}}}}
environments: {{production: {{approvers: [S0SRE]}}}}
services:
  app:
    production: {TARGET}
    staging: {TARGET}
  lonely:
    production: {TARGET}
""",
    "sluice.yaml",
)
CI = Actor("token:ci", "api")
UNTRIED = "v2 has never succeeded in staging."


class SilentSlack:
    """Nobody says who is in which group: a caution about people is then left out."""

    async def membership(self, actor, groups):
        return Membership(known=False)


@pytest.fixture
async def store(tmp_path):
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path}/sluice.db")
    yield opened
    await opened.close()


def commands(store: Store, traffic=None) -> Commands:
    names = iter(f"r-{n}" for n in range(9))
    return Commands(
        World(
            store, CONF, directory=SilentSlack(), now=lambda: NOW, wake=lambda _: None, traffic=traffic,
            new_id=lambda: next(names),
        )
    )  # fmt: skip


async def warnings(store: Store, service="app", version="v2", traffic=None) -> tuple[str, ...]:
    shown = ShowPlan(Deploy(service, version, "production"))
    return (await commands(store, traffic).handle(shown, CI)).plan.warnings


async def finished(store: Store, version: str, phase=Phase.SUCCEEDED, **changes) -> None:
    plan = plan_for(Deploy("app", version, "staging"), CONF)
    row = Rollout(f"s-{version}", "app", "staging", version, plan, "U0ANA", NOW, 0)
    async with store.writing() as writing:
        row = await writing.create(row)
    await store.save(replace(row, phase=phase, ended=NOW, **changes), NOW)


async def test_a_version_that_staging_never_saw_is_warned_of(store):
    assert UNTRIED in await warnings(store)
    assert not any("staging" in warning for warning in await warnings(store, "lonely"))


@pytest.mark.parametrize("spelling", ["v2", "r/app:v2"])
async def test_a_success_in_staging_counts_however_the_version_is_written(store, spelling):
    await finished(store, "v2")

    assert not any("staging" in warning for warning in await warnings(store, version=spelling))


@pytest.mark.parametrize("ended", [{"phase": Phase.ROLLED_BACK}, {"winner": "A"}])
async def test_a_failure_in_staging_or_the_loser_of_a_test_does_not(store, ended):
    await finished(store, "v2", **ended)

    assert UNTRIED in await warnings(store)


async def test_thin_traffic_is_warned_of_with_the_requests_of_the_very_target(store):
    async def traffic(service: str, environment: str) -> float:
        return {("app", "production"): 1.0}[service, environment]

    thin = [w for w in await warnings(store, traffic=traffic) if "to be expected" in w]

    assert [w.partition(" about")[0] for w in thin] == ["At 10 %", "At 50 %", "At 100 %"]


async def test_a_source_that_fails_or_does_not_answer_stops_nothing(store, monkeypatch):
    monkeypatch.setattr(room, "PATIENCE", 0.05)

    async def broken(_service: str, _environment: str) -> float:
        raise ConnectionError

    async def silent(_service: str, _environment: str) -> float:
        await asyncio.Event().wait()
        return 1.0

    for traffic in (broken, silent):
        assert not any("expected" in w for w in await warnings(store, traffic=traffic))


async def test_a_start_keeps_them_on_its_plan_and_in_its_journal_with_the_same_digest(store):
    command = Deploy("app", "v2", "production")
    started = await commands(store).handle(command, CI)
    row = await store.get(started.rollout.id)

    assert UNTRIED in row.plan.warnings
    assert row.plan.digest == plan_for(command, CONF).digest
    journal = await store.journal(row.id)
    assert [row.entry.text for row in journal if row.entry.code == "plan_warning"] == [UNTRIED]


async def test_a_dry_run_shows_them_with_the_advice(store):
    command = Deploy("app", "v2", "production", Options(dry_run=True))
    shown = await commands(store).handle(command, CI)

    assert UNTRIED in shown.plan.warnings
    assert "guide to strategies" in shown.advice
    assert await store.in_flight() == []
