"""An A/B test is over and a person says which version stays: B by an approver, A by anybody who may roll back."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, ANA, DANA, OLU, Stage
from tests.scenario.test_ab_test import (
    LINE,
    MANUAL,
    asked,
    assert_a_stays,
    b_is_better,
    house,
    live,
)

pytestmark = pytest.mark.sweep


async def over(stage: Stage, line: str = LINE) -> str:
    """Let a test end that B would win; returns the path of its actions."""
    b_is_better(stage)
    await asked(stage, line)
    row = await stage.row()
    assert (row.phase, row.gate.kind, row.winner) == (Phase.WAITING, "winner", "")
    return f"/api/v1/deployments/{row.id}"


@pytest.fixture
async def stage(tmp_path, request):
    """The token of REST is an approver here, too."""
    shape = getattr(request, "param", "mesh")
    async with house(tmp_path, shape=shape, approvers='[S0SRE, "token:root"]') as opened:
        yield opened


everywhere = pytest.mark.parametrize("stage", ["mesh", "fixed"], indirect=True)


async def test_it_waits_for_as_long_as_it_takes_and_the_numbers_decide_nothing(stage):
    await over(stage)
    await stage.wait(180)
    assert await stage.phase() == (Phase.WAITING, "")
    assert stage.weights == (50, 50)
    question = stage.channel()[-1]
    assert (
        "which version of auth-service stays in production, A (v1.0.0) or B (v2.0.0)?" in question
    )
    assert "B leads 100 : 0" in question
    assert "[Promote B (v2.0.0)] [Keep A (v1.0.0)]" in question


@everywhere
async def test_an_approver_promotes_b_and_it_is_promoted_without_another_question(stage):
    await over(stage)
    await stage.press("Promote B", by=ANA)
    await stage.wait(60)
    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert live(stage) == "v2.0.0"
    assert (await stage.told()).count("gate_opened") == 1
    assert "Promoted B to 100 % by @Ana" in "\n".join(stage.channel())
    assert "Winner: *B (v2.0.0)*, decided by @Ana" in stage.card


async def test_who_asked_for_the_test_cannot_promote_b_but_can_keep_a(stage):
    await over(stage)
    await stage.press("Promote B", by=DANA)
    assert "self_approval" in stage.heard(DANA)
    await stage.wait(30)
    assert stage.weights == (50, 50)
    await stage.press("Keep A", by=DANA)
    await stage.wait(30)
    await assert_a_stays(stage)


@everywhere
async def test_who_is_no_approver_cannot_promote_b_but_can_keep_a(stage):
    await over(stage)
    await stage.press("Promote B", by=OLU)
    assert "not_approver" in stage.heard(OLU)
    await stage.press("Keep A", by=OLU)
    await stage.wait(30)
    await assert_a_stays(stage)
    assert "decided by @Olu" in stage.card


async def test_in_chat_promote_means_b(stage):
    await over(stage)
    await stage.say("/deploy promote auth-service because it sells better", by=ANA)
    await stage.wait(60)
    assert live(stage) == "v2.0.0"
    assert "(it sells better)" in "\n".join(stage.channel())


async def test_in_chat_rollback_ends_the_test_like_any_other_rollout(stage):
    await over(stage)
    await stage.say("/rollback auth-service wrong metrics", by=OLU)
    await stage.wait(30)
    assert await stage.phase() == (Phase.ROLLED_BACK, "asked")
    assert stage.as_armed


@pytest.mark.parametrize("named", ["v1.0.0", "A", "a"])
async def test_by_rest_a_is_named_by_its_letter_or_its_version(stage, named):
    path = await over(stage)
    asking = {"winningVersion": named, "reason": "B costs more"}
    status, body = await stage.rest("POST", f"{path}/promote", json=asking)
    assert (status, body["winner"]) == (200, "A")
    await stage.wait(30)
    await assert_a_stays(stage)
    assert "B costs more" in stage.story
    lines = [line.entry for line in await stage.bot.store.journal(body["id"])]
    (end,) = [entry for entry in lines if entry.verb == "succeeded"]
    assert (end.actor, end.event) == ("token:root", "")


@pytest.mark.parametrize("named", ["v2.0.0", "B", None])
async def test_by_rest_b_is_named_or_meant_and_its_reason_is_kept(stage, named):
    path = await over(stage)
    body = {"reason": "more revenue"} | ({"winningVersion": named} if named else {})
    status, _ = await stage.rest("POST", f"{path}/promote", json=body)
    assert status == 200
    await stage.wait(60)
    assert live(stage) == "v2.0.0"
    assert "(more revenue)" in stage.story


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"winningVersion": "v9.9.9"}, 422),
        ({"winningVersion": True}, 422),
        ({"winningVersion": None}, 422),
        ({"winningVersion": "C"}, 422),
        ({"winner": "A"}, 422),
    ],
)
async def test_a_winner_that_took_no_part_is_refused_and_nothing_changes(stage, body, status):
    path = await over(stage)
    found, problem = await stage.rest("POST", f"{path}/promote", json=body)
    assert (found, problem["key"]) == (status, next(iter(body)))
    await stage.wait(30)
    assert await stage.phase() == (Phase.WAITING, "")
    assert stage.weights == (50, 50)


async def test_a_version_that_is_a_number_may_be_named_as_a_number(tmp_path):
    async with house(tmp_path, approvers='["token:root"]', approvals=1) as stage:
        path = await over(stage, LINE.replace("v2.0.0", "2"))
        status, _ = await stage.rest("POST", f"{path}/promote", json={"winningVersion": 2})
        assert status == 200
        await stage.wait(60)
        assert live(stage) == "2"


async def test_a_winner_cannot_be_named_before_the_test_is_over_or_where_there_is_none(stage):
    await stage.say(LINE)
    await stage.wait(30)
    path = f"/api/v1/deployments/{(await stage.row()).id}"
    status, problem = await stage.rest("POST", f"{path}/promote", json={"winningVersion": "A"})
    assert (status, problem["key"]) == (422, "winningVersion")
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)
    await stage.deploy_to_gate("v3.0.0")
    path = f"/api/v1/deployments/{(await stage.row()).id}"
    status, problem = await stage.rest("POST", f"{path}/promote", json={"winningVersion": "A"})
    assert (status, problem["key"]) == (422, "winningVersion")
    assert stage.weights == (50, 50)


async def test_only_the_first_of_two_answers_counts(stage):
    await over(stage)
    stage.slack.fail("chat.update", times=3)
    await stage.press("Keep A", by=OLU)
    await stage.press("Promote B", by=ANA)
    assert "gate_closed" in stage.heard(ANA)
    stage.slack.recover()
    await stage.wait(60)
    await assert_a_stays(stage)


async def test_a_check_that_fails_while_it_waits_goes_home_with_an_alert(stage):
    await over(stage)
    stage.traffic.set_errors("v2.0.0", 40)
    await stage.wait(150)
    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
    assert stage.as_armed
    assert len(await stage.alerts("rollout.rolled_back")) == 1


async def test_with_a_quorum_of_two_b_needs_two_people_and_a_needs_one(tmp_path):
    async with house(tmp_path, approvals=2) as stage:
        await over(stage)
        await stage.press("Promote B", by=ANA)
        await stage.wait(30)
        assert "B: 1 of 2 approvals" in stage.channel()[-1]
        assert stage.weights == (50, 50)
        await stage.press("Keep A", by=OLU)
        await stage.wait(30)
        await assert_a_stays(stage)


async def test_nobody_decides_and_it_holds_until_somebody_resumes(tmp_path):
    async with house(tmp_path, expires="5m") as stage:
        await over(stage)
        await stage.wait(300)
        assert await stage.phase() == (Phase.PAUSED, "gate_expired")
        assert stage.weights == (50, 50)
        assert len(await stage.alerts("rollout.paused")) == 1
        await stage.press("Resume", by=OLU)
        await stage.wait(30)
        assert (await stage.row()).gate.kind == "winner"
        await stage.press("Promote B", by=ANA)
        await stage.wait(60)
        assert live(stage) == "v2.0.0"


async def test_nobody_decides_and_it_goes_home_where_that_is_configured(tmp_path):
    async with house(tmp_path, expires="5m", on_expiry="rollback") as stage:
        await over(stage)
        assert ": rolls back" in stage.channel()[-1]
        await stage.wait(330)
        assert await stage.phase() == (Phase.ROLLED_BACK, "gate_expired")
        assert stage.as_armed
        assert len(await stage.alerts("rollout.rolled_back")) == 1
        assert stage.channel(ALERTS)


async def test_the_question_survives_a_restart_and_its_buttons_work(tmp_path):
    async with house(tmp_path, MANUAL) as stage:
        await over(stage)
        asked_before = len(stage.channel())
        await stage.restart()
        assert len(stage.channel()) == asked_before
        await stage.press("Keep A", by=OLU)
        await stage.wait(30)
        await assert_a_stays(stage)
