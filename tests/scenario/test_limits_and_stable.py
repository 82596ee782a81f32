"""What the numbers of stable say about the limits of a rollout, before it runs: over the real clients."""

from datetime import timedelta

import pytest

from bot.app.examining import preflight
from bot.cli.doors import Finding
from bot.commands import cautions
from bot.grammar.verbs import Deploy
from bot.planning import plan_for
from bot.rollout.values import Phase
from tests.scenario.stage import Stage

LINE = "auth-service v2.0.0 to production steps=50,100"
PROMISE = (
    "A version as good as stable would be rolled back in at most 1 of 100 rollouts, apart from what hits both "
    "versions while it runs alone at 100 %."
)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine answers late in real time; what is tested here is what becomes of the answer."""
    monkeypatch.setattr(cautions, "PATIENCE", 30.0)


def failing(stage: Stage, percent: float, **since: float) -> None:
    """Let stable have failed so often for so long."""
    stage.traffic.set_errors("v1.0.0", percent)
    stage.clock.at += timedelta(**since)


async def test_a_limit_that_stable_breaks_all_day_is_answered_with_a_button_for_one_with_room(
    tmp_path,
):
    async with Stage.opened(tmp_path) as stage:
        failing(stage, 6.2, days=1)

        told = await stage.say(f"/deploy {LINE}")

        assert "Stable has broken this limit by itself for a day" in told
        assert "limit_broken_by_stable" in told
        await stage.press("Start with error-threshold=1", by="U0DANA")
        row = await stage.row()
        assert row.phase is Phase.RUNNING
        assert next(c.above for s in row.plan.steps for c in getattr(s, "checks", ())) in {13, 14}


async def test_at_night_a_repair_of_what_has_burned_for_half_an_hour_starts_at_once(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        stage.clock.at += timedelta(days=1)
        failing(stage, 20, minutes=30)

        await stage.deploy()

        row = await stage.row()
        assert row.phase is Phase.RUNNING
        assert any("Stable breaks a limit by itself now" in one for one in row.plan.warnings)
        assert "Stable breaks a limit by itself now" in stage.story


async def test_a_plan_says_how_often_it_would_roll_back_for_nothing(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await stage.wait(300)
        body = {"text": f"plan {LINE}"}
        _, calm = await stage.rest("POST", "/api/v1/commands", json=body)
        seen = await stage.say(f"/deploy plan {LINE}")
        failing(stage, 4.6, hours=1)
        _, near = await stage.rest("POST", "/api/v1/commands", json=body)

    assert calm["expectation"] == PROMISE
    assert PROMISE in seen
    assert near["plan"]["warnings"][-2].startswith("A limit is nearer than twice what stable does")
    assert near["plan"]["warnings"][-1] == near["expectation"]


async def test_a_dry_run_over_rest_has_it_among_its_warnings(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        failing(stage, 6.2, days=1)
        body = {"service": "auth-service", "version": "v2.0.0", "environment": "production"}

        status, plan = await stage.rest("POST", "/api/v1/deployments?dry_run=true", json=body)
        refused, problem = await stage.rest("POST", "/api/v1/deployments", json=body)

    assert (status, refused, problem["code"]) == (200, 422, "limit_broken_by_stable")
    assert any("has broken a limit by itself for a day" in one for one in plan["warnings"])
    assert problem["suggestion"].startswith("error-threshold=1")


async def test_a_metric_source_that_is_down_lets_everything_start(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        failing(stage, 6.2, days=1)
        await stage.prometheus.stop()

        await stage.say(f"/deploy {LINE}")

        row = await stage.row()
        assert row.phase is Phase.RUNNING
        assert [one for one in row.plan.warnings if "cannot be read now" in one]


async def test_a_preflight_of_the_command_line_asks_the_numbers_too(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        failing(stage, 6.2, days=1)
        bad = await findings(stage)
        stage.traffic.set_errors("v1.0.0", 0.5)
        stage.clock.at += timedelta(days=2)
        good = await findings(stage)
        await stage.prometheus.stop()
        blind = await findings(stage)

    assert [(one.code, one.fatal) for one in bad] == [
        ("limit_broken_by_stable", True),
        ("false_rollbacks", False),
    ]
    assert "in almost every rollout" in bad[1].sentence
    assert [one.sentence for one in good] == [PROMISE]
    assert [(one.code, one.fatal) for one in blind] == [
        ("limits_not_held", False),
        ("false_rollbacks", False),
    ]


async def findings(stage: Stage) -> list[Finding]:
    config = stage.settings.config
    plan = plan_for(Deploy("auth-service", "v2.0.0", "production"), config)
    return [one for one in await preflight(config, plan, stage.clock.now) if one.code in CODES]


CODES = {"limit_broken_by_stable", "limit_near_stable", "false_rollbacks", "limits_not_held"}
