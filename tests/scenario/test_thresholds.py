"""Limits and what they do: roll back, warn or ask; against a number or the live version; on enough requests only."""

from pathlib import Path

import pytest

from bot.rollout.values import Phase
from bot.settings.checks import SETS
from strategies.verdict import Verdict, metric_label
from tests.scenario.stage import ANA, Stage

pytestmark = pytest.mark.sweep

V1, V2 = "v1.0.0", "v2.0.0"


def watched(folder: Path, checks: str, shape: str = "fixed", **overrides):
    """A stage with these checks, and nothing that is counted beside them.

    `deploy` takes it to 50 % at once, watched for a minute.
    """
    alone = {"approvals": 0, "extra": "      evidence: {mode: off}"}
    return Stage.opened(folder, shape=shape, checks=checks, **{**alone, **overrides})


async def ill(stage: Stage, **figures: float) -> None:
    """Let v2.0.0 have other numbers than v1.0.0."""
    for metric, value in figures.items():
        match metric:
            case "errors":
                stage.traffic.set_errors(V2, value)
            case "p95":
                stage.traffic.set_latency(V2, value)
            case _:
                stage.traffic.set_figure(metric, V2, value)


def check(metric: str, bound: str, value: float, then: str, more: str = "") -> str:
    return f"[{{metric: {metric}, {bound}: {value:g}, then: {then}{more}}}]"


BOUNDS = [
    # v1.0.0 has 0.2 % errors and a p95 of 120 ms; each line: the limit, and numbers beyond and within it
    ("error_rate", "above", 5, {"errors": 12}, {"errors": 4}),
    ("success_rate", "below", 95, {"errors": 12}, {"errors": 4}),
    ("error_rate", "above_baseline", 5, {"errors": 12}, {"errors": 4}),
    ("latency_p95", "times_baseline", 1.5, {"p95": 300}, {"p95": 150}),
    ("latency_p99", "above", 1000, {"p95": 1500}, {"p95": 300}),
    ("latency_avg", "above", 200, {"latency_avg": 260}, {"latency_avg": 150}),
    ("connection_failures", "above", 10, {"connection_failures": 20}, {"connection_failures": 3}),
    (
        "circuit_breaker_trips",
        "above",
        100,
        {"circuit_breaker_trips": 150},
        {"circuit_breaker_trips": 90},
    ),
    ("cpu", "above", 80, {"cpu": 91}, {"cpu": 60}),
    ("memory", "above", 80, {"memory": 91}, {"memory": 60}),
]
BOUND = pytest.mark.parametrize(
    ("metric", "bound", "value", "beyond", "within"),
    BOUNDS,
    ids=[f"{metric} {bound}" for metric, bound, *_ in BOUNDS],
)


# ---- what a limit does -----------------------------------------------------------------------------


@BOUND
async def test_beyond_a_limit_it_rolls_back_and_says_which(
    tmp_path, metric, bound, value, beyond, within
):
    async with watched(tmp_path, check(metric, bound, value, "rollback")) as stage:
        await ill(stage, **beyond)
        await stage.deploy()
        await stage.wait(120)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert [(c["metric"], c["verdict"]) for c in alert["checks"]] == [(metric, "FAIL")]
        assert metric_label(metric) in stage.card


@BOUND
async def test_within_its_limit_it_goes_on(tmp_path, metric, bound, value, beyond, within):
    async with watched(tmp_path, check(metric, bound, value, "rollback")) as stage:
        await ill(stage, **within)
        await stage.deploy()
        await stage.wait(240)
        assert await stage.phase() == (Phase.SUCCEEDED, "")


@BOUND
async def test_a_warning_is_said_once_for_a_stage_and_stops_nothing(
    tmp_path, metric, bound, value, beyond, within
):
    async with watched(tmp_path, check(metric, bound, value, "warn")) as stage:
        await ill(stage, **beyond)
        await stage.deploy()
        await stage.wait(40)
        assert (await stage.told()).count("warned:check_warned") == 1
        assert f"Warning: {metric_label(metric)}" in stage.story
        await stage.wait(200)
        assert await stage.phase() == (Phase.SUCCEEDED, "")


@BOUND
async def test_ask_opens_a_gate_at_once_and_a_yes_goes_on(
    tmp_path, metric, bound, value, beyond, within
):
    async with watched(tmp_path, check(metric, bound, value, "ask"), approvals=1) as stage:
        await ill(stage, **beyond)
        await stage.deploy()
        await stage.wait(20)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
        assert metric_label(metric) in stage.channel()[-1]
        await stage.press("Promote to 100 %", by=ANA)
        await stage.wait(20)
        assert stage.weights == (0, 100)


async def test_of_several_limits_the_hardest_counts(tmp_path):
    checks = (
        "[{metric: error_rate, above: 1, then: warn}, {metric: error_rate, above: 3, then: ask},"
        " {metric: error_rate, above: 9, then: rollback}]"
    )
    async with watched(tmp_path, checks) as stage:
        await ill(stage, errors=2)
        await stage.deploy()
        await stage.wait(20)
        assert (await stage.row()).phase is Phase.RUNNING
        assert "warned:check_warned" in await stage.told()
        await ill(stage, errors=6)
        await stage.wait(30)
        assert (await stage.row()).phase is Phase.WAITING
        await ill(stage, errors=30)
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.ROLLED_BACK


# ---- how often -------------------------------------------------------------------------------------


async def test_a_single_bad_look_of_several_is_forgiven(tmp_path):
    checks = check("latency_avg", "above", 200, "rollback", ", failures: 2, of: 4")
    async with watched(tmp_path, checks) as stage:
        await stage.deploy()
        await stage.wait(7)  # a look every six seconds
        await ill(stage, latency_avg=900)
        await stage.wait(6)
        await ill(stage, latency_avg=90)
        await stage.wait(6)
        assert (await stage.row()).progress.fails == ((False, True, False),)
        await stage.wait(200)
        assert await stage.phase() == (Phase.SUCCEEDED, "")


async def test_the_second_bad_look_of_four_rolls_back(tmp_path):
    checks = check("latency_avg", "above", 200, "rollback", ", failures: 2, of: 4")
    async with watched(tmp_path, checks) as stage:
        await stage.deploy()
        for value in (90, 900, 90, 900, 90):
            await ill(stage, latency_avg=value)
            await stage.wait(6)
        await stage.wait(30)
        row = await stage.row()
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
        assert "in 2 of" in row.back.reason


async def test_what_earlier_looks_said_survives_a_restart(tmp_path):
    checks = check("latency_avg", "above", 200, "rollback", ", failures: 3, of: 3")
    async with watched(tmp_path, checks, soak="5m") as stage:
        await ill(stage, latency_avg=900)
        await stage.deploy()
        await stage.wait(27)
        assert (await stage.row()).phase is Phase.RUNNING
        assert (await stage.row()).progress.fails == ((True,),)
        await stage.restart()
        await stage.wait(18)  # two more looks
        assert (await stage.row()).phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}


# ---- on enough requests ----------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["rollback", "warn", "ask"])
async def test_on_too_few_requests_no_limit_has_an_opinion_and_a_person_is_asked(tmp_path, then):
    checks = check("error_rate", "above", 5, then)
    async with watched(tmp_path, checks, approvals=1, min_requests=5000) as stage:
        stage.traffic.set_rps(2)
        await ill(stage, errors=40)
        await stage.deploy()
        await stage.wait(65)
        row = await stage.row()
        assert row.phase is Phase.RUNNING
        assert row.progress.extended > 0
        assert "of 5,000 requests needed to judge" in stage.story
        await stage.wait(150)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
        assert row.gate.judgement.verdict is Verdict.INCONCLUSIVE
        await stage.press("Promote to 100 %", by=ANA)
        await stage.wait(20)
        assert stage.weights == (0, 100)


async def test_thin_traffic_is_enough_once_the_soak_was_extended(tmp_path):
    checks = check("error_rate", "above", 5, "rollback")
    async with watched(tmp_path, checks, min_requests=80) as stage:
        stage.traffic.set_rps(2)
        await stage.deploy()
        await stage.wait(65)
        assert (await stage.row()).weight == 50
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(60)
        assert (await stage.row()).weight == 100


@pytest.mark.parametrize("down", [True, False])
async def test_a_metric_without_numbers_holds_and_asks_and_never_decides(tmp_path, down):
    metric = "error_rate" if down else "cold_start_rate"
    async with watched(
        tmp_path, check(metric, "above", 5, "rollback"), approvals=1, soak="30s"
    ) as stage:
        await stage.deploy()
        stage.prometheus.down = down
        await stage.wait(120)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")
        assert stage.weights == (50, 50)
        said = "metrics" if down else "Cold starts: not available"
        assert said in "\n".join([*stage.channel(), stage.story])


# ---- sets of checks by name ------------------------------------------------------------------------

PRESETS = [
    ("conservative", {"errors": 2}, {}),
    ("conservative", {"p95": 400}, {}),
    ("moderate", {"errors": 7}, {"errors": 2}),
    ("moderate", {"p95": 900}, {"p95": 400}),
    ("orion", {"errors": 7}, {"errors": 2}),
    ("orion", {"p95": 900}, {"p95": 550, "cpu": 90, "memory": 90}),
    ("mesh", {"errors": 30}, {"errors": 4}),
    ("mesh", {"p95": 300}, {"p95": 150}),
    ("mesh", {"connection_failures": 20}, {"connection_failures": 5}),
    ("mesh", {"circuit_breaker_trips": 200}, {"circuit_breaker_trips": 60}),
]


@pytest.mark.parametrize("shape", ["fixed", "mesh"])
@pytest.mark.parametrize(("preset", "beyond", "within"), PRESETS)
async def test_a_set_of_checks_goes_by_its_name(tmp_path, shape, preset, beyond, within):
    async with watched(tmp_path, preset, shape) as stage:
        await ill(stage, **within)
        await stage.deploy()
        await stage.wait(40)
        assert (await stage.row()).phase is Phase.RUNNING
        await ill(stage, **beyond)
        await stage.wait(90)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed


async def test_what_orion_only_warns_of_stops_nothing(tmp_path):
    async with watched(tmp_path, "orion") as stage:
        await ill(stage, p95=550, cpu=90, memory=90)
        await stage.deploy()
        await stage.wait(50)
        for metric in ("latency_p95", "cpu", "memory"):
            assert f"Warning: {metric_label(metric)}" in stage.story
        await stage.wait(200)
        assert (await stage.row()).phase is Phase.SUCCEEDED


async def test_a_set_and_checks_of_ones_own_are_held_together(tmp_path):
    checks = "[{preset: moderate}, {metric: connection_failures, above: 10, then: warn}]"
    async with watched(tmp_path, checks) as stage:
        await ill(stage, connection_failures=30)
        await stage.deploy()
        await stage.wait(30)
        assert "Warning: Connection failures" in stage.story
        await ill(stage, errors=30)
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.ROLLED_BACK


async def test_functions_on_a_target_with_pods_asks_for_what_it_cannot_know(tmp_path):
    async with watched(tmp_path, "functions", approvals=1, soak="30s") as stage:
        await stage.deploy()
        await stage.wait(120)
        assert (await stage.row()).phase is Phase.WAITING
        assert "Cold starts: not available" in stage.story


async def test_the_error_threshold_of_a_request_replaces_that_of_the_set(tmp_path):
    async with watched(tmp_path, "moderate") as stage:
        await ill(stage, errors=3)
        await stage.deploy(options="steps=50,100 error-threshold=2")
        await stage.wait(60)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert all(c.above != 5 for c in (await stage.row()).plan.steps[2].checks)
        assert len((await stage.row()).plan.steps[2].checks) == len(SETS["moderate"])


# ---- crash loops -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["fixed", "mesh"])
async def test_a_crash_loop_rolls_back_without_any_check(tmp_path, shape):
    async with watched(tmp_path, "[]", shape) as stage:
        await stage.deploy()
        stage.cluster.break_image(f"ghcr.io/orion/auth:{V2}", "crash_loop")
        await stage.wait(90)
        assert await stage.phase() == (Phase.ROLLED_BACK, "crash_loop")
        assert stage.as_armed


# ---- one place has no baseline ---------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["rolling", "canary", "direct"])
async def test_in_one_place_relative_limits_say_so_and_stop_nothing(tmp_path, strategy):
    extra = "      rolling: {batch: 50%, delay: 30s}\n      direct: {soak: 30s}"
    async with watched(tmp_path, "mesh", "one", soak="30s", extra=extra) as stage:
        await ill(stage, errors=3, p95=500)
        await stage.say(f"/deploy auth-service {V2} to production strategy={strategy}")
        await stage.wait(40)
        results = (await stage.row()).judgement.results
        relative = {r.metric: (r.sentence, r.counts) for r in results if "stable" in r.limit}
        assert set(relative) == {"error_rate", "latency_p95"}
        assert all(
            "no baseline" in sentence and not counts for sentence, counts in relative.values()
        )
        await stage.wait(400)
        assert await stage.phase() == (Phase.SUCCEEDED, "")


async def test_in_one_place_limits_of_their_own_still_roll_back(tmp_path):
    async with watched(
        tmp_path, "[{preset: mesh}, {metric: error_rate, above: 5}]", "one"
    ) as stage:
        await ill(stage, errors=90)
        await stage.say(f"/deploy auth-service {V2} to production strategy=rolling")
        await stage.wait(200)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed
