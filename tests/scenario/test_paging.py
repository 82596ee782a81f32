"""Who is called when: a whole bot between a cluster, PagerDuty, Opsgenie and Grafana."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bot.rollout.values import Phase
from tests.fakes.grafana import TOKEN, FakeGrafana
from tests.fakes.opsgenie import API_KEY, FakeOpsgenie
from tests.fakes.pagerduty import ROUTING_KEY, FakePagerDuty
from tests.scenario.stage import ALERTS, ANA, Stage
from tests.scenario.test_alertmanager import HOOK, alert, fires

SINKS = """\
alerts:
  - {{kind: pagerduty, url: "{pagerduty}", routing_key: "${{PAGERDUTY_KEY}}"}}
  - {{kind: opsgenie, url: "{opsgenie}", api_key: "${{OPSGENIE_KEY}}", priority: P1}}
  - {{kind: grafana, url: "{grafana}", token: "${{GRAFANA_TOKEN}}", tags: [shop]}}
"""
VARIABLES = {
    "PAGERDUTY_KEY": ROUTING_KEY,
    "OPSGENIE_KEY": API_KEY,
    "GRAFANA_TOKEN": TOKEN,
}


class PagedStage(Stage):
    """A stage on which three more are told."""

    async def raise_world(self, folder, overrides):
        self.pagerduty = await FakePagerDuty().start()
        self.opsgenie = await FakeOpsgenie().start()
        self.grafana = await FakeGrafana().start()
        await super().raise_world(folder, overrides)

    def configure(self, folder, values, prometheus, sink):
        super().configure(folder, values, prometheus, sink)
        config = folder / "sluice.yaml"
        sinks = SINKS.format(
            pagerduty=self.pagerduty.url, opsgenie=self.opsgenie.url, grafana=self.grafana.url
        )
        config.write_text(config.read_text().replace("alerts:\n", sinks))
        self.environ |= VARIABLES

    async def strike(self):
        await super().strike()
        for fake in (self.pagerduty, self.opsgenie, self.grafana):
            await fake.stop()

    async def heard(self, what):
        """Wait until something is true of those who are told."""
        async with asyncio.timeout(5):
            while not what():
                await self.wait(1)

    @property
    def region(self):
        (one,) = self.grafana.annotations
        return (one["timeEnd"] - one["time"]) // 1000, one["tags"][-1]


@asynccontextmanager
async def paged(folder, **overrides):
    async with PagedStage.opened(folder, **overrides) as stage:
        yield stage


@pytest.fixture
async def stage(tmp_path):
    async with paged(tmp_path) as opened:
        yield opened


async def test_a_rollout_that_goes_well_calls_nobody_and_is_drawn(stage):
    await stage.ship("v2.0.0")
    await stage.heard(lambda: len(stage.pagerduty.deploys) == 2)
    await stage.wait(1)

    assert stage.pagerduty.incidents == []
    assert stage.opsgenie.alerts == []
    started, ended = (one["payload"]["summary"] for one in stage.pagerduty.deploys)
    assert started.startswith("auth-service v2.0.0 in production: Started: v1.0.0")
    assert "live: v2.0.0" in ended
    seconds, outcome = stage.region
    assert outcome == "succeeded"
    assert seconds > 100


@pytest.mark.sweep
async def test_a_rollback_by_itself_calls_once_and_stays_until_a_person_has_seen_it(stage):
    await stage.deploy()
    stage.traffic.set_errors("v2.0.0", 20)
    await stage.wait(120)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    await stage.heard(lambda: stage.pagerduty.incidents and stage.opsgenie.alerts)
    await stage.wait(600)

    (incident,) = stage.pagerduty.incidents
    assert (incident.open, incident.severity) == (True, "error")
    assert len(incident.summaries) == 2
    assert stage.opsgenie.open() == ["rollback"]
    assert stage.region[1] == "rolled_back"


@pytest.mark.sweep
async def test_a_rollback_that_a_person_asked_for_calls_nobody(stage):
    await stage.deploy()
    await stage.say("/rollback auth-service now", by=ANA)
    await stage.wait(60)
    await stage.heard(lambda: len(stage.pagerduty.deploys) == 2)

    assert stage.pagerduty.incidents == []
    assert stage.opsgenie.alerts == []


@pytest.mark.sweep
async def test_what_needs_attention_calls_until_somebody_has_decided(stage):
    await stage.deploy()
    stage.cluster.remove("virtualservices", "orion", "auth-service")
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.NEEDS_ATTENTION
    await stage.heard(lambda: stage.pagerduty.open() and stage.opsgenie.open())
    assert stage.pagerduty.open() == stage.opsgenie.open() == ["attention"]
    assert stage.pagerduty.incidents[0].severity == "critical"

    await stage.say("/deploy resolve auth-service seen to it", by=ANA)
    await stage.heard(lambda: not stage.pagerduty.open() and not stage.opsgenie.open())
    assert stage.region[1] == "cancelled"


@pytest.mark.sweep
async def test_a_rollback_by_an_alert_calls_like_one_by_a_check(tmp_path):
    async with paged(tmp_path, extra=HOOK) as stage:
        await stage.deploy()
        await fires(stage, alert(stage))
        await stage.wait(60)
        await stage.heard(lambda: stage.opsgenie.alerts and stage.pagerduty.incidents)
        assert stage.pagerduty.open() == stage.opsgenie.open() == ["rollback"]
        assert "HighErrorRate" in stage.pagerduty.incidents[0].summaries[0]


async def test_a_restart_in_between_loses_no_call_and_no_end(stage):
    stage.pagerduty.answers = [503] * 3
    await stage.deploy()
    await stage.restart()
    await stage.say("/rollback auth-service now", by=ANA)
    await stage.wait(3600)
    await stage.heard(lambda: len(stage.pagerduty.deploys) == 2)
    assert stage.region[1] == "rolled_back"


@pytest.mark.sweep
async def test_a_call_that_is_refused_is_told_once_where_people_look(stage):
    stage.pagerduty.answers = [403] * 10
    await stage.deploy()
    stage.cluster.remove("virtualservices", "orion", "auth-service")
    await stage.wait(60)
    await stage.heard(stage.opsgenie.open)
    await stage.wait(600)

    (told,) = (text for text in stage.channel(ALERTS) if "did not reach" in text)
    assert "pagerduty" in told
    assert "HTTP 403" in told
    url = f"http://127.0.0.1:{stage.bot.port}/metrics"
    async with stage.http.get(url) as response:
        text = await response.text()
    (dead,) = (line for line in text.splitlines() if 'outcome="dead"' in line)
    assert dead.startswith('sluice_alerts_sent_total{sink="pagerduty-')
    assert float(dead.rpartition(" ")[2]) >= 2


@pytest.mark.sweep
async def test_a_call_that_two_sinks_refuse_is_told_for_each(stage):
    stage.pagerduty.answers, stage.opsgenie.answers = [401] * 10, [401] * 10
    await stage.deploy()
    stage.cluster.remove("virtualservices", "orion", "auth-service")
    await stage.wait(120)
    assert len([text for text in stage.channel(ALERTS) if "did not reach" in text]) == 2


@pytest.mark.sweep
async def test_a_sink_put_before_the_others_loses_no_call_that_waits(stage, tmp_path):
    await stage.deploy()
    stage.pagerduty.answers = [503] * 10
    stage.cluster.remove("virtualservices", "orion", "auth-service")
    await stage.wait(60)
    stage.pagerduty.answers = []
    config = tmp_path / "sluice.yaml"
    first = f'alerts:\n  - {{kind: webhook, url: "{stage.grafana.url}", secret: abc}}\n'
    config.write_text(config.read_text().replace("alerts:\n", first, 1))
    await stage.restart()
    await stage.wait(7200)
    assert stage.pagerduty.open() == ["attention"]


@pytest.mark.sweep
async def test_nothing_that_is_secret_is_logged_or_stored(stage, caplog):
    stage.pagerduty.answers = [500]
    stage.opsgenie.answers = [403]
    stage.grafana.answers = [401]
    await stage.deploy()
    stage.traffic.set_errors("v2.0.0", 20)
    await stage.wait(200)
    await stage.heard(lambda: "sink" in caplog.text)
    async with stage.bot.store._reader.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT problem FROM deliveries")
        stored = " ".join(row.problem for row in rows)
    assert "HTTP 500" in caplog.text
    assert "HTTP 403" in stored
    for secret in (*VARIABLES.values(), "s3cret"):
        assert secret not in caplog.text
        assert secret not in stored
        assert secret not in repr(stage.settings)
