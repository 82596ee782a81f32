"""A/B tests by what is certain: nobody wins by chance, a worse variant loses at once, a broken split asks."""

import re

import pytest

from bot.rollout.ledger_text import ledger_from_text
from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, ANA, OLU, Stage
from tests.scenario.test_ab_test import LINE, assert_a_stays, house, live

pytestmark = pytest.mark.sweep

WARN = "[{metric: error_rate, above: 50, then: warn}]"
USERS = 'users: "users_total{workload=\\"$workload\\"}"'
CONVERSIONS = 'conversions: "conversions_total{workload=\\"$workload\\"}"'


def certain(folder, *, winner="auto", duration="30m", more="", **overrides):
    """A stage whose tests end by what is certain, without checks that would end them before."""
    block = f"score: sequential, winner: {winner}{more}"
    values = {"checks": WARN, "approvals": 0, **overrides}
    return house(
        folder, f"{block}", metrics="[error_rate, latency_p95]", duration=duration, **values
    )


async def watched(stage: Stage, minutes: int, *, a=(0, 0.0), b=(0, 0.0)) -> None:
    """Let time pass in which so many users a minute come to each variant, and this share of them converts."""
    for _ in range(minutes):
        for version, (users, share) in (("v1.0.0", a), ("v2.0.0", b)):
            for metric, more in (("users_total", users), ("conversions_total", users * share)):
                known = stage.traffic.figure(metric, [version]) or [0.0]
                stage.traffic.set_figure(metric, version, known[0] + more)
        await stage.wait(60)


async def test_equal_variants_have_no_clear_winner_and_a_stays(tmp_path):
    async with certain(tmp_path) as stage:
        await stage.say(LINE)
        await stage.wait(20 * 60)
        assert (await stage.row()).phase is Phase.RUNNING
        assert "In 30 min at this traffic it can see errors that are" in stage.story
        assert "No winner yet after 19 min" in stage.card
        await stage.wait(11 * 60)
        row = await stage.row()
        assert (row.phase, row.code, row.winner) == (Phase.SUCCEEDED, "no_clear_winner", "A")
        assert "No clear winner after 30 min – keep A" in stage.card
        assert "no amount of time would decide" in stage.card
        assert stage.as_armed
        assert stage.channel(ALERTS) == []


async def test_a_variant_that_fails_a_fifth_more_loses_long_before_the_end(tmp_path):
    async with certain(tmp_path, duration="2h") as stage:
        stage.traffic.set_errors("v1.0.0", 5)
        stage.traffic.set_errors("v2.0.0", 6)
        await stage.say(LINE)
        await stage.wait(60 * 60)
        await assert_a_stays(stage)
        assert "A wins after" in stage.card
        assert "6.00 % errors instead of 5.00 %" in stage.card


async def test_a_variant_that_fails_less_for_certain_wins_long_before_the_end(tmp_path):
    async with certain(tmp_path, duration="2h") as stage:
        stage.traffic.set_errors("v1.0.0", 5)
        stage.traffic.set_errors("v2.0.0", 1)
        await stage.say(LINE)
        await stage.wait(15 * 60)
        assert (await stage.row()).winner == "B"
        assert live(stage) == "v2.0.0"
        assert "Variant B (v2.0.0) won: B wins after" in stage.story
        assert stage.card.count("B has 1.00 % errors instead of 5.00 %") == 1


async def ended(stage: Stage, *verbs: str) -> dict:
    """Return what the line that ended a test keeps."""
    lines = [one.entry for one in await stage.bot.store.journal((await stage.row()).id)]
    return next(one for one in lines if one.verb in verbs).data["evidence"]


@pytest.mark.parametrize(
    ("b", "verb"), [(1, "winner"), (8, "rollback_started"), (5, "rollback_started")]
)
async def test_the_line_that_ends_it_keeps_both_variants_as_they_were_counted(tmp_path, b, verb):
    async with certain(tmp_path) as stage:
        stage.traffic.set_errors("v1.0.0", 5)
        stage.traffic.set_errors("v2.0.0", b)
        await stage.say(LINE)
        await stage.wait(33 * 60)
        kept = await ended(stage, verb)
        a, other = (kept["test"]["counted"][arm] for arm in "ab")
        assert a["errors"] / a["requests"] == pytest.approx(0.05, rel=0.05)
        assert other["errors"] / other["requests"] == pytest.approx(b / 100, rel=0.05)
        assert {one["metric"] for one in kept["test"]["outcome"]["intervals"]} >= {"errors", "slow"}
        assert (kept["policy"]["experiment"]["alpha"], kept["policy"]["guardrails"]["alpha"]) == (
            0.1,
            0.01,
        )
        assert kept["queries"]["counts"].startswith("istio ")
        assert re.fullmatch("[0-9a-f]{64}", kept["digest"])


async def test_a_question_who_stays_keeps_what_it_rests_on_and_its_queries(tmp_path):
    async with certain(tmp_path, winner="manual", more=f", {USERS}, {CONVERSIONS}") as stage:
        await watched(stage, 1)
        await stage.say(LINE)
        await watched(stage, 33, a=(100, 0.03), b=(100, 0.03))
        kept = await ended(stage, "gate_opened")
        assert kept["test"]["counted"]["a"]["converted"] > 0
        assert set(kept["queries"]) >= {"counts", "users", "conversions"}


async def test_a_fixed_limit_that_rolls_back_ends_it_as_a_failure_with_an_alert(tmp_path):
    async with certain(tmp_path, checks="[{metric: error_rate, above: 50}]") as stage:
        stage.traffic.set_errors("v2.0.0", 60)
        await stage.say(LINE)
        await stage.wait(5 * 60)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert len(await stage.alerts("rollout.rolled_back")) == 1


async def test_who_converts_more_users_for_certain_wins(tmp_path):
    async with certain(tmp_path, duration="2h", more=f", {USERS}, {CONVERSIONS}") as stage:
        await watched(stage, 1)
        await stage.say(LINE)
        await watched(stage, 60, a=(30_000, 0.03), b=(30_000, 0.033))
        row = await stage.row()
        assert (row.winner, live(stage)) == ("B", "v2.0.0")
        assert "B converts 3.30 %" in stage.card
        assert "A 3.00 %" in stage.card
        assert "+10 %, between +" in stage.card


async def test_too_few_users_to_see_it_are_said_at_the_beginning_and_at_the_end(tmp_path):
    async with certain(tmp_path, more=f", {USERS}, {CONVERSIONS}") as stage:
        await watched(stage, 1)
        await stage.say(LINE)
        await watched(stage, 32, a=(100, 0.03), b=(100, 0.033))
        assert "no change of conversion with so few users" in stage.story
        assert (await stage.row()).code == "no_clear_winner"
        assert "about" in stage.card
        assert "more hours at this rate would decide" in stage.card


@pytest.mark.parametrize("winner", ["auto", "manual"])
async def test_users_that_were_not_assigned_as_the_split_says_end_it_with_a_question(
    tmp_path, winner
):
    async with certain(tmp_path, winner=winner, more=f", {USERS}, {CONVERSIONS}") as stage:
        await watched(stage, 1)
        await stage.say(LINE)
        await watched(stage, 10, a=(5_000, 0.03), b=(4_000, 0.06))
        row = await stage.row()
        assert (row.phase, row.gate.kind, row.winner) == (Phase.WAITING, "winner", "")
        assert "Experiment broken, no winner: B got" in stage.channel()[-1]
        assert (await stage.told()).count("warned:split_broken") == 1
        await stage.press("Keep A", by=OLU)
        await stage.wait(60)
        await assert_a_stays(stage)


async def test_where_a_person_decides_the_certain_winner_is_a_question_with_the_table(tmp_path):
    async with certain(tmp_path, winner="manual", duration="2h", approvals=1) as stage:
        stage.traffic.set_latency("v2.0.0", 60)
        await stage.say(LINE)
        await stage.wait(30 * 60)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "winner")
        question = next(one for one in stage.channel() if "Decision needed:* which" in one)
        assert "B wins after" in question
        assert "Slow requests" in question
        await stage.press("Promote B", by=ANA)
        await stage.wait(60)
        assert live(stage) == "v2.0.0"


async def test_without_requests_nobody_wins_and_a_person_is_asked(tmp_path):
    async with certain(tmp_path, duration="5m") as stage:
        await stage.say(LINE)
        stage.traffic.set_rps(0)
        await stage.wait(7 * 60)
        row = await stage.row()
        assert (row.phase, row.gate.kind) == (Phase.WAITING, "winner")


async def test_a_restart_in_the_middle_loses_nothing_and_counts_nothing_twice(tmp_path):
    async with certain(tmp_path, more=f", {USERS}, {CONVERSIONS}") as stage:
        await watched(stage, 1)
        await stage.say(LINE)
        await watched(stage, 10, a=(100, 0.03), b=(100, 0.03))
        await stage.restart()
        await watched(stage, 10, a=(100, 0.03), b=(100, 0.03))
        record = ledger_from_text((await stage.row()).ledger).record
        assert 1_000 < record.seconds <= 20 * 60
        for arm in (record.a, record.b):
            assert arm.requests == pytest.approx(100 * record.seconds, rel=0.001)
        assert 1_700 <= record.users[0] == record.users[1] <= 2_000
        assert record.conversions[0] == pytest.approx(0.03 * record.users[0])


async def test_beside_a_literal_score_stands_what_is_certain(tmp_path):
    async with house(tmp_path, "winner: manual", metrics="[]", approvals=0) as stage:
        stage.traffic.set_errors("v2.0.0", 0.19)
        await stage.say(LINE)
        await stage.wait(150)
        question = stage.channel()[-1]
        assert "Score A" in question
        assert "By the counts: No clear winner after 2 min – keep A" in question


async def test_beside_a_literal_score_it_is_told_once_who_is_worse_for_certain(tmp_path):
    async with house(
        tmp_path, "winner: manual", metrics="[]", duration="10m", approvals=0
    ) as stage:
        stage.traffic.set_errors("v2.0.0", 3)
        await stage.say(LINE)
        await stage.wait(640)
        assert (await stage.told()).count("warned:variant_certain") == 1
        assert re.search(r"By the counts: A wins after \d+ min: .*B runs worse", stage.story)
        assert (await stage.row()).gate.kind == "winner"
