"""A number of one's own beside stable's: kafka lag is no count, and is compared all the same."""

import pytest

from bot.rollout.values import Phase
from bot.sandbox.traffic import SimulatedTraffic
from bot.settings import ConfigError, read_config
from tests.scenario.stage import ANA, Stage
from tests.unit.settings_example import changed

V1, V2 = "v1.0.0", "v2.0.0"
LAG = "metric: kafka_lag, better: lower, margin: 10, query: 'kafka_lag{{workload=\"$workload\"}}'"


def house(tmp_path, then="rollback", **overrides):
    lag = LAG.replace("{{", "{").replace("}}", "}")
    checks = f"[{{metric: error_rate, above: 5}}, {{{lag}, then: {then}}}]"
    return Stage.opened(tmp_path, checks=checks, **{"soak": "10m", **overrides})


def lagging(stage: Stage, stable: float, canary: float) -> None:
    stage.traffic.set_figure("kafka_lag", V1, stable)
    stage.traffic.set_figure("kafka_lag", V2, canary)


@pytest.mark.sweep
async def test_twice_the_lag_of_stable_is_rolled_back_with_a_sentence(tmp_path):
    async with house(tmp_path, soak="30m") as stage:
        lagging(stage, 400, 800)
        await stage.deploy(options="steps=25,100")
        await stage.wait(600)
        assert await stage.phase() == (Phase.RUNNING, "")
        await stage.wait(1200)
        row = await stage.row()
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
        assert "kafka_lag is 100 % higher than on stable, by" in stage.story
        assert "for certain" in stage.story
        assert stage.as_armed
        lines = await stage.bot.store.journal(row.id)
        kept = next(x.entry.data for x in lines if x.entry.verb == "rollback_started")["evidence"]
        (found,) = kept["compared"]
        assert (found["metric"], found["margin"], found["proven"]) == ("kafka_lag", 10, True)
        assert found["pairs"] >= 3
        assert found["change"] == pytest.approx(100)
        lag = kept["limits"][-1]
        assert (lag["canary"], lag["stable"]) == (800, 400)
        assert kept["queries"]["kafka_lag"] == 'kafka_lag{workload="$workload"}'


async def test_the_same_lag_goes_on_when_the_soak_is_over(tmp_path):
    async with house(tmp_path) as stage:
        lagging(stage, 400, 420)
        await stage.deploy(options="steps=25,100")
        await stage.wait(620)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "approve")
        said = row.gate.judgement.results[1].sentence
        assert said == "kafka_lag is 5 % higher than on stable (2 × 200 s compared)"


@pytest.mark.sweep
@pytest.mark.parametrize("canary", [4000, 800])
async def test_no_gate_of_a_usual_canary_is_passed_far_beyond_the_margin(tmp_path, canary):
    async with house(tmp_path, soak="5m", steps="[5, 25, 50, 100]") as stage:
        lagging(stage, 400, canary)
        await stage.deploy(options="")
        await stage.wait(60 * 60)
        row = await stage.row()
        assert row.gate is None or row.gate.kind == "ask"
        assert (
            row.code == "check_failed" or "but not for certain yet" in row.gate.judgement.sentence
        )
        assert row.weight in (0.0, 5.0)


@pytest.mark.sweep
async def test_a_stage_waits_for_the_first_comparison_and_not_for_the_proof(tmp_path):
    async with house(tmp_path, soak="1m") as stage:
        lagging(stage, 400, 410)
        await stage.deploy(options="steps=25,100")
        await stage.wait(90)
        assert "kafka_lag has no opinion yet" in stage.story
        await stage.wait(60)
        assert (await stage.row()).gate.kind == "approve"


@pytest.mark.sweep
async def test_a_restart_in_the_middle_loses_no_comparison(tmp_path):
    async with house(tmp_path, soak="30m") as stage:
        lagging(stage, 400, 1600)
        await stage.deploy(options="steps=25,100")
        for _ in range(12):
            await stage.wait(100)
            await stage.restart()
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")


@pytest.mark.sweep
async def test_lag_that_nobody_can_read_holds_and_asks(tmp_path):
    async with house(tmp_path, soak="1m") as stage:
        stage.traffic.set_figure("kafka_lag", V1, 400)
        await stage.deploy(options="steps=25,100")
        await stage.wait(300)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
        assert "kafka_lag: no data" in row.gate.judgement.sentence


@pytest.mark.sweep
async def test_what_only_warns_holds_nothing_and_says_it_once(tmp_path):
    async with house(tmp_path, then="warn", soak="30m") as stage:
        lagging(stage, 400, 1600)
        await stage.deploy(options="steps=25,100")
        await stage.wait(1900)
        assert (await stage.row()).gate.kind == "approve"
        assert stage.story.count("Warning: kafka_lag is 300 % higher than on stable") == 1


@pytest.mark.sweep
async def test_a_person_is_asked_where_that_is_wanted(tmp_path):
    async with house(tmp_path, then="ask", soak="30m") as stage:
        lagging(stage, 400, 1600)
        await stage.deploy(options="steps=25,100")
        await stage.wait(1500)
        assert (await stage.row()).gate.kind == "ask"
        await stage.press("Roll back", by=ANA)
        await stage.wait(60)
        assert stage.as_armed


class Overheard(SimulatedTraffic):
    """Remembers for which windows it was asked."""

    windows: frozenset[int] = frozenset()

    def figure(self, metric, words):
        words = list(words)
        spans = {int(word[:-1]) for word in words if word[:-1].isdigit()}
        self.windows = self.windows | spans
        return super().figure(metric, words)


class Heard(Stage):
    traffic_type = Overheard


@pytest.mark.sweep
async def test_neighbouring_pairs_are_not_made_of_the_same_minutes(tmp_path):
    lag = """metric: kafka_lag, query: 'kafka_lag{workload="$workload", over="$window"}'"""
    checks = f"[{{{lag}, better: lower, margin: 10}}]"
    async with Heard.opened(tmp_path, checks=checks, soak="10m") as stage:
        lagging(stage, 400, 420)
        await stage.deploy(options="steps=25,100")
        await stage.wait(500)
        assert max(stage.traffic.windows) == 120


def test_a_query_that_does_not_tell_both_versions_apart_is_refused_at_the_door():
    old = "{metric: latency_p95, above: 500, then: warn}"
    text = changed(old, "{metric: kafka_lag, better: lower, margin: 10, query: 'max(kafka_lag)'}")
    with pytest.raises(ConfigError, match=r"query_not_per_lane: .*\$workload or \$lane"):
        read_config(text, "sluice.yaml")
