"""What people read of the counts: why a version went home, why it may go on, what is missing, and where to look."""

import re

import pytest

from bot.rollout.values import Phase
from bot.sandbox.traffic import SimulatedTraffic
from integrations.base import Lane
from tests.scenario.stage import ALERTS, ANA, Stage

V1, V2 = "v1.0.0", "v2.0.0"


class Detours(SimulatedTraffic):
    """A mesh with a route that takes requests of the canary to stable, whatever the weights say."""

    taken = 0.0

    def detour(self, share: float) -> None:
        self.tick()
        self.taken = share
        self._flows = self._sample()

    def _flow(self, lane, share):
        canary = self._ways.shares().get(Lane.CANARY, 0.0)
        off = canary * self.taken
        return super()._flow(lane, share - off if lane is Lane.CANARY else share + off)


class Detour(Stage):
    traffic_type = Detours


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, soak="5m", min_requests=1000) as opened:
        yield opened


@pytest.fixture
async def detour(tmp_path):
    async with Detour.opened(tmp_path, soak="5m", min_requests=1000) as opened:
        yield opened


# ---- rolled back ---------------------------------------------------------------------------------------------------


async def test_two_points_more_under_the_limit_go_home_and_everybody_reads_why(stage):
    stage.traffic.set_rps(100)
    stage.traffic.set_errors(V2, 2.2)
    await stage.deploy(options="steps=25,100")
    await stage.wait(180)
    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
    why = (
        r"fails \d+× more often \(2\.\d % vs 0\.\d\d %; \d+ of [\d,]+ vs \d+ of [\d,]+ requests, "
        r"at least [\d.]+× is certain\)"
    )
    assert re.search(f"Automatic rollback: the new version {why} at 25 %", stage.story)
    call = stage.channel()[-1]
    assert "Rolled back auth-service v2.0.0" in call
    assert re.search(why, call)
    assert re.search(r"evidence this strong would appear in fewer than \d+ of 1,000 rollouts", call)
    assert "of all requests failed (25 % of the traffic with 2." in call
    assert re.search(why, stage.card)


@pytest.mark.sweep
async def test_slow_requests_are_told_with_what_is_slow(tmp_path):
    async with Stage.opened(tmp_path, soak="5m", min_requests=1000, slow="rollback") as stage:
        stage.traffic.set_latency(V2, 200)
        await stage.deploy(options="steps=25,100")
        await stage.wait(300)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        said = r"\d+ % of the new version's requests take longer than 100 ms, stable [\d.]+ % \("
        assert re.search(said, stage.channel()[-1])


async def test_the_alert_and_the_journal_keep_what_it_rests_on(stage):
    stage.traffic.set_errors(V2, 3)
    await stage.deploy(options="steps=25,100")
    await stage.wait(120)
    alert = (await stage.alerts("rollout.rolled_back"))[0]
    told = alert["checks"]
    assert [one["verdict"] for one in told] == ["PASS", "PASS", "FAIL"]
    counted = told[-1]
    assert counted["metric"] == "failed_requests"
    assert counted["baseline"] < 0.5
    assert counted["canary"] > 2.5
    assert counted["counts"]["canary"]["of"] > 1000
    assert 0 < counted["chance"] <= 0.01
    lines = await stage.bot.store.journal((await stage.row()).id)
    kept = next(x.entry.data for x in lines if x.entry.verb == "rollback_started")["evidence"]
    assert kept["counts"]["errors"]["canary"] == counted["counts"]["canary"]
    assert kept["policy"]["alpha"] == 0.01
    assert re.fullmatch(r"istio [0-9a-f]{16}", kept["queries"]["counts"])
    assert re.fullmatch(r"[0-9a-f]{64}", kept["digest"])
    assert (alert["queries"], alert["digest"]) == (kept["queries"], kept["digest"])
    await stage.press("Details")
    assert f"(evidence {kept['digest'][:12]})" in stage.heard(ANA)


@pytest.mark.sweep
async def test_where_limits_alone_decide_the_line_keeps_the_numbers_of_the_look(tmp_path):
    own = "{metric: depth, above: 10, query: 'depth{workload=\"$workload\"}'}"
    checks = f"[{{metric: latency_p95, above: 500, then: warn}}, {own}]"
    async with Stage.opened(tmp_path, soak="5m", checks=checks) as stage:
        stage.traffic.set_figure("depth", "v1.0.0", 4)
        stage.traffic.set_figure("depth", V2, 44)
        await stage.deploy(options="steps=25,100")
        await stage.wait(120)
        lines = await stage.bot.store.journal((await stage.row()).id)
        kept = next(x.entry.data for x in lines if x.entry.verb == "rollback_started")["evidence"]
        depth = next(one for one in kept["limits"] if one["metric"] == "depth")
        assert (depth["canary"], depth["stable"], depth["limit"]) == (44, 4, "≤ 10")
        assert (depth["verdict"], kept["looked"]["window_s"] > 0) == ("FAIL", True)
        assert kept["queries"] == {"depth": 'depth{workload="$workload"}'}


async def test_the_details_have_the_counts_of_every_question(stage):
    stage.traffic.set_errors(V2, 3)
    await stage.deploy(options="steps=25,100")
    await stage.wait(120)
    await stage.press("Details")
    said = stage.heard(ANA)
    assert "Counted" in said
    assert re.search(r"failed requests: \d\.\d % of [\d,]+ requests, stable 0\.\d+ % of", said)
    assert "tolerated ≤ stable × 1.05 + 0.05 points" in said
    assert "tolerated ≤ 5 %" in said


# ---- going on ------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_the_question_says_what_is_ruled_out_and_by_how_many_requests(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(330)
    said = r"more than 0\.\d+ points of additional errors are ruled out \(95 %, [\d,]+ requests\)"
    assert re.search(f"25 % looked well for 5 min: all checks pass; {said}", stage.story)
    assert re.search(f"Counted: {said}", stage.channel()[-1])


@pytest.mark.sweep
async def test_at_100_percent_it_says_what_cannot_be_seen(stage):
    await stage.deploy(options="steps=50,100")
    await stage.wait(330)
    await stage.press("Promote to 100 %")
    await stage.wait(345)
    assert "nothing runs beside it to compare with" in stage.channel()[-1]


# ---- little traffic ------------------------------------------------------------------------------------------------


@pytest.fixture
async def brief(tmp_path):
    async with Stage.opened(tmp_path, soak="1m", min_requests=1000) as opened:
        yield opened


async def little(stage):
    stage.traffic.set_rps(1)
    await stage.deploy(options="steps=5,50")
    await stage.wait(210)
    row = await stage.row()
    assert (row.phase, row.gate.kind) == (Phase.WAITING, "ask")


async def test_too_few_requests_end_in_the_question_with_its_numbers(brief):
    await little(brief)
    asked = brief.channel()[-1]
    assert re.search(
        r"\d+ requests of the new version are too few; \d+ more requests needed, about \d+ min at this rate\. "
        r"Wait, raise the weight, or decide\.",
        asked,
    )
    assert re.search(
        r"\[Promote to 50 %\] \[Wait \d+ min\] \[Pause\] \[Roll back to v1\.0\.0\]", asked
    )


@pytest.mark.sweep
async def test_to_wait_lets_it_soak_on_and_go_on_by_itself_once_it_is_enough(brief):
    await little(brief)
    before = (await brief.row()).gate.id
    await brief.press("Wait")
    row = await brief.row()
    assert (row.phase, row.weight, row.gate) == (Phase.RUNNING, 5.0, None)
    assert "@Ana lets 5 % soak" in brief.story
    await brief.wait(600)
    row = await brief.row()
    assert row.gate.id != before
    assert row.gate.kind == "approve"
    assert "5 % looked well" in brief.story


@pytest.mark.sweep
async def test_where_waiting_was_not_enough_it_is_asked_again(brief):
    await little(brief)
    before = (await brief.row()).gate.id
    brief.traffic.set_rps(0.1)
    await brief.press("Wait")
    await brief.wait(1500)
    row = await brief.row()
    assert (row.phase, row.gate.kind, row.weight) == (Phase.WAITING, "ask", 5.0)
    assert row.gate.id != before


@pytest.mark.sweep
async def test_to_raise_the_weight_is_the_other_way_on(brief):
    await little(brief)
    await brief.press("Promote to 50 %")
    await brief.wait(30)
    assert brief.weights == (50, 50)


# ---- what keeps it from being judged -------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_both_fail_with_little_traffic_and_it_holds(stage):
    stage.traffic.set_rps(4)
    await stage.deploy(options="steps=50,100")
    for version in (V1, V2):
        stage.traffic.set_errors(version, 30)
    await stage.wait(330)
    assert re.search(
        r"both versions fail \(\d+ % and \d+ % of [\d,]+ and [\d,]+ requests\)", stage.story
    )
    assert "probably a dependency, not this change" in stage.story
    assert (await stage.row()).weight == stage.weights[1] == 50


@pytest.mark.sweep
async def test_a_canary_that_nobody_asks_is_said_once_and_promotes_nothing(detour):
    await detour.deploy(options="steps=25,100")
    detour.traffic.detour(1.0)
    await detour.wait(960)
    row = await detour.row()
    assert (row.phase, row.gate.kind, row.weight) == (Phase.WAITING, "ask", 25.0)
    said = "the new version got no request for"
    assert detour.story.count(f"Warning: {said}") == 1
    assert said in detour.channel()[-1]
    assert "check the route" in detour.channel()[-1]


@pytest.mark.sweep
async def test_a_share_that_is_not_the_weight_is_warned_of_once(detour):
    await detour.deploy(options="steps=25,100")
    detour.traffic.detour(0.6)
    await detour.wait(240)
    assert re.search(
        r"Warning: the new version got 1\d % of [\d,]+ requests, not 25 %", detour.story
    )
    assert detour.story.count("requests, not 25 %") == 1
    assert (await detour.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_a_limit_where_no_bucket_ends_is_said_once(tmp_path):
    checks = "[{metric: error_rate, above: 5}, {metric: latency_p95, above: 333, then: rollback}]"
    async with Stage.opened(tmp_path, soak="5m", min_requests=1000, checks=checks) as stage:
        await stage.deploy(options="steps=25,100")
        await stage.wait(330)
        said = "no bucket of its histogram ends at 333 ms"
        assert stage.story.count(said) == 1
        assert await stage.phase() == (Phase.WAITING, "")


@pytest.mark.sweep
async def test_a_quiet_rollout_is_warned_of_nothing(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(330)
    assert "warned" not in {line.partition(":")[0] for line in await stage.told()}
    assert not any("Warning" in line for line in stage.channel(ALERTS))
