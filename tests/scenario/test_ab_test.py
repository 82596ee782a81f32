"""A/B tests: both versions side by side, a table with its winner, and whoever stays, the other one is retired."""

from contextlib import asynccontextmanager

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ALERTS, ANA, OLU, Stage

pytestmark = pytest.mark.sweep

LINE = "/deploy auth-service v2.0.0 to production strategy=ab-test"
MANUAL, AUTO = "winner: manual", "winner: auto"


@asynccontextmanager
async def house(
    folder,
    block: str = MANUAL,
    *,
    metrics="[error_rate, latency_p95]",
    more="",
    duration="2m",
    **overrides,
):
    """A stage where a test lasts two minutes."""
    extra = f"      ab_test: {{duration: {duration}, metrics: {metrics}, {block}}}\n{more}"
    async with Stage.opened(folder, **{"extra": extra, "shape": "mesh", **overrides}) as stage:
        yield stage


def b_is_better(stage: Stage) -> None:
    stage.traffic.set_errors("v2.0.0", 0.05)
    stage.traffic.set_latency("v2.0.0", 60)


def a_is_better(stage: Stage) -> None:
    stage.traffic.set_errors("v2.0.0", 2)
    stage.traffic.set_latency("v2.0.0", 300)


async def under_test(stage: Stage, line: str = LINE) -> None:
    """Start it and look at it in the middle of the test."""
    await stage.say(line)
    await stage.wait(60)
    assert (await stage.row()).step.step == "Compare"


async def asked(stage: Stage, line: str = LINE) -> None:
    """Start it and let the test come to its end."""
    await under_test(stage, line)
    await stage.wait(80)


def live(stage: Stage) -> str:
    """The version that has all of the traffic."""
    assert set(stage.weights) == {0, 100}
    lane = Lane.STABLE if stage.weights == (100, 0) else Lane.CANARY
    return stage.image(lane).rpartition("auth:")[2].partition("@")[0]


async def assert_a_stays(stage: Stage) -> None:
    """It ended well with A: traffic home, B retired, and nobody was alerted."""
    row = await stage.row()
    assert (row.phase, row.code, row.winner) == (Phase.SUCCEEDED, "variant_a_won", "A")
    assert stage.as_armed
    assert "🟢 A stays" in stage.card
    assert "v1.0.0 keeps all traffic, v2.0.0 is retired" in stage.card
    assert stage.channel(ALERTS) == []
    assert stage.sink.deliveries == []


# ---- while it runs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "split", "weights"),
    [
        ("mesh", "", (50, 50)),
        ("fixed", " split=70/30", (70, 30)),
        ("mesh", " split=95/5", (95, 5)),
    ],
)
async def test_both_variants_share_the_traffic_as_asked(tmp_path, shape, split, weights):
    async with house(tmp_path, shape=shape) as stage:
        await under_test(stage, LINE + split)
        assert stage.weights == weights
        assert stage.pods(Lane.STABLE) == 4


async def test_the_card_has_the_table_with_the_winner_of_each_line(tmp_path):
    async with house(tmp_path, metrics="[]") as stage:
        stage.traffic.set_errors("v2.0.0", 0.05)
        stage.traffic.set_latency("v2.0.0", 200)
        await under_test(stage)
        lines = {line.split("  ")[0]: line for line in stage.card.splitlines()}
        assert lines["Metric"].split("  ")[-1].strip() == "Winner"
        assert lines["Error rate"].endswith("B ✓")
        assert lines["p95"].endswith("A ✓")
        assert "40 %" in lines["Error rate"]
        assert {"Requests/s", "CPU"} <= lines.keys()
        assert "Score A" in stage.card


async def test_the_longer_it_runs_the_newer_the_table(tmp_path):
    async with house(tmp_path) as stage:
        b_is_better(stage)
        await under_test(stage)
        assert "B leads" in stage.card
        stage.traffic.set_errors("v2.0.0", 4)
        stage.traffic.set_latency("v2.0.0", 450)
        await stage.wait(60)
        assert "A leads" in stage.card


async def test_a_check_that_fails_in_the_middle_goes_home_with_one_alert(tmp_path):
    async with house(tmp_path) as stage:
        await under_test(stage)
        stage.traffic.set_errors("v2.0.0", 40)
        await stage.wait(60)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed
        assert (await stage.row()).winner == ""
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert (alert["strategy"], alert["weight"]) == ("ab-test", 50)
        (told,) = [text for text in stage.channel(ALERTS) if "@oncall" in text]
        assert "in production automatically" in told
        assert "at 50 %" in told


async def test_a_check_that_asks_is_not_outvoted_by_the_score(tmp_path):
    checks = "[{metric: latency_p95, above: 500, then: ask}]"
    async with house(tmp_path, checks=checks) as stage:
        stage.traffic.set_errors("v2.0.0", 0.05)
        await under_test(stage)
        stage.traffic.set_latency("v2.0.0", 900)
        await stage.wait(30)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "winner")
        assert "A check asks: p95 " in stage.channel()[-1]


async def test_a_pause_stops_its_clock_and_the_checks_go_on(tmp_path):
    async with house(tmp_path) as stage:
        await under_test(stage)
        await stage.press("Pause", by=OLU)
        await stage.wait(600)
        assert await stage.phase() == (Phase.PAUSED, "paused")
        assert stage.weights == (50, 50)
        await stage.press("Resume", by=OLU)
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(30)
        assert (await stage.row()).gate.kind == "winner"


async def test_a_check_that_fails_while_it_is_paused_goes_home(tmp_path):
    async with house(tmp_path) as stage:
        await under_test(stage)
        await stage.say("/deploy pause auth-service", by=OLU)
        stage.traffic.set_errors("v2.0.0", 40)
        await stage.wait(150)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed


async def test_it_can_be_given_more_time(tmp_path):
    async with house(tmp_path) as stage:
        await under_test(stage)
        await stage.say("/deploy extend auth-service 10m", by=ANA)
        await stage.wait(600)
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(90)
        assert (await stage.row()).phase is Phase.WAITING


async def test_a_restart_in_the_middle_changes_nothing(tmp_path):
    async with house(tmp_path) as stage:
        await under_test(stage)
        await stage.restart()
        await stage.wait(50)
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(30)
        assert (await stage.row()).gate.kind == "winner"
        assert (await stage.told()).count("gate_opened") == 1


@pytest.mark.parametrize("shape", ["mesh", "fixed"])
async def test_its_audience_gets_b_all_the_time_and_no_route_stays_behind(tmp_path, shape):
    def routes():
        found = stage.cluster.object("virtualservices", "orion", "auth-service")
        return {route["name"]: route for route in found["spec"]["http"]}

    more = '      match: [{header: x-user, regex: "beta-.*"}]'
    async with house(tmp_path, more=more, shape=shape) as stage:
        await under_test(stage)
        assert list(routes()) == ["sluice-1", "primary"]
        ours = routes()["sluice-1"]
        assert ours["match"] == [{"headers": {"x-user": {"regex": "beta-.*"}}}]
        (only,) = ours["route"]
        assert only["destination"]["subset"] == ("canary" if shape == "fixed" else "green")
        assert [part["weight"] for part in routes()["primary"]["route"]] == [50, 50]
        assert "Whatever the weight, requests with" in stage.card
        await stage.wait(80)
        await stage.press("Keep A", by=OLU)
        await stage.wait(30)
        assert list(routes()) == ["primary"]
        await assert_a_stays(stage)


# ---- the winner by itself ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "score"), [("mesh", "weighted"), ("fixed", "weighted"), ("mesh", "wins")]
)
async def test_b_wins_gets_everything_and_is_promoted(tmp_path, shape, score):
    async with house(tmp_path, f"{AUTO}, score: {score}", approvals=0, shape=shape) as stage:
        b_is_better(stage)
        await asked(stage)
        await stage.wait(60)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert live(stage) == "v2.0.0"
        assert "Winner: *B (v2.0.0)*" in stage.card
        assert "Variant B (v2.0.0) won" in stage.story
        assert stage.sink.deliveries == []


async def test_where_approvals_are_due_the_winner_b_still_needs_one(tmp_path):
    async with house(tmp_path, AUTO) as stage:
        b_is_better(stage)
        await asked(stage)
        assert (await stage.row()).gate.kind == "approve"
        assert stage.weights == (50, 50)
        await stage.press("Promote to 100 %", by=ANA)
        await stage.wait(60)
        assert live(stage) == "v2.0.0"


@pytest.mark.parametrize("shape", ["mesh", "fixed"])
async def test_a_wins_and_nobody_is_alerted(tmp_path, shape):
    async with house(tmp_path, AUTO, shape=shape) as stage:
        a_is_better(stage)
        await asked(stage)
        await stage.wait(30)
        await assert_a_stays(stage)
        assert "rolled_back" not in " ".join(await stage.told())


@pytest.mark.parametrize(
    ("metrics", "overrides", "sentence"),
    [
        ("[connection_failures]", {}, "both variants are equal in every metric"),
        ("[error_rate]", {"min_requests": 10_000_000}, "No winner yet: A has"),
        ('[{metric: revenue, better: higher, query: "revenue{workload=\\"$workload\\"}"}]', {},
         "no metric has numbers for both variants"),
    ],
)  # fmt: skip
async def test_without_a_clear_winner_a_person_is_asked(tmp_path, metrics, overrides, sentence):
    async with house(tmp_path, AUTO, metrics=metrics, approvals=0, **overrides) as stage:
        await asked(stage)
        row = await stage.row()
        assert (row.phase, row.gate.kind, row.winner) == (Phase.WAITING, "winner", "")
        assert sentence in row.comparison.sentence
        assert sentence in "\n".join(stage.channel())
        await stage.press("Promote B", by=ANA)
        await stage.wait(60)
        assert live(stage) == "v2.0.0"


async def test_a_business_metric_decides_where_its_query_has_numbers_for_both(tmp_path):
    query = '[{metric: revenue, better: higher, query: "revenue{workload=\\"$workload\\"}"}]'
    async with house(tmp_path, AUTO, metrics=query) as stage:
        a_is_better(stage)
        stage.traffic.set_figure("revenue", "v1.0.0", 100)
        stage.traffic.set_figure("revenue", "v2.0.0", 140)
        await asked(stage)
        row = await stage.row()
        assert row.winner == "B"
        (line,) = row.comparison.lines
        assert (line.a, line.b, line.winner) == (100, 140, "B")


# ---- after A stayed ------------------------------------------------------------------------------


async def after_a_stayed(stage: Stage) -> None:
    """v1.0.0 came before the test by a rollout of its own, over v0.9.0; then it won."""
    await stage.say("/deploy auth-service v1.1.0 to production strategy=direct")
    await stage.wait(15)
    await stage.press("Promote to 100 %")
    await stage.wait(90)
    assert live(stage) == "v1.1.0"
    await stage.wait(7200)
    await asked(stage)
    await stage.press("Keep A", by=OLU)
    await stage.wait(30)
    assert live(stage) == "v1.1.0"


async def test_what_was_live_is_what_history_and_undoing_take_for_live(tmp_path):
    async with house(tmp_path, shape="fixed") as stage:
        await after_a_stayed(stage)
        assert "🟢 A stays" in await stage.say("/deploy history auth-service")
        listed = await stage.say("/rollback", by=OLU)
        assert "v1.1.0 → production" in listed
        assert "v2.0.0" not in listed
        answer = await stage.say("/rollback auth-service", by=OLU)
        assert "Roll auth-service in production back from v1.1.0 to v1.0.0?" in answer
        await stage.press("Yes", by=OLU)
        await stage.wait(60)
        assert live(stage) == "v1.0.0"


async def test_a_test_that_a_won_has_nothing_to_undo(tmp_path):
    async with house(tmp_path, shape="fixed") as stage:
        await after_a_stayed(stage)
        kept = await stage.row()
        assert "Roll back" not in stage.card
        status, body = await stage.rest("POST", f"/api/v1/deployments/{kept.id}/rollback")
        assert (status, body["code"]) == (409, "already_ended")
        await stage.wait(60)
        assert live(stage) == "v1.1.0"


async def test_the_version_that_lost_can_be_tried_again(tmp_path):
    async with house(tmp_path, AUTO) as stage:
        a_is_better(stage)
        await asked(stage)
        await stage.wait(30)
        b_is_better(stage)
        await asked(stage)
        assert (await stage.row()).winner == "B"
