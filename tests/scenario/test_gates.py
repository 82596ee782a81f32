"""M3: the question reads as a chat, counts live, is bound to the picture that was shown, and ends as one line."""

from datetime import timedelta

import pytest

from bot.rollout.values import Phase
from bot.sandbox.chat import Group
from bot.slack.limits import problems
from tests.scenario.pressing import Finger, question
from tests.scenario.stage import ANA, BEN, DANA, DEPLOYS, OLU, Stage


@pytest.fixture
async def two(tmp_path):
    """Two of @sre have to say yes."""
    async with Stage.opened(tmp_path, approvals=2) as opened:
        yield opened


def shown(stage, message) -> str:
    return stage.slack.text_of(stage.slack.chat.messages[message.ts])


@pytest.mark.sweep
async def test_m3_the_question_has_everything_that_a_decision_needs(two):
    """M3."""
    await two.deploy_to_gate()
    asked = question(two)
    text = two.slack.text_of(asked)
    head, _, rest = text.partition("```")
    assert "🟡 *Decision needed:* promote auth-service v2.0.0 from 50 % to 100 %?  @sre" in head
    table = rest.partition("```")[0].strip().splitlines()
    assert table[0].split() == ["Metric", "verdict", "canary", "stable", "limit"]
    errors = next(line for line in table if line.startswith("Error rate"))
    assert errors.split()[2] == "ok"
    assert errors.endswith("≤ 5 %")
    assert next(line for line in table if line.startswith("p95")).endswith("≤ 500 ms")
    assert not any(line.startswith("p99") for line in table), "no limit, so it is behind Details"
    assert max(len(line) for line in table) <= 46, "a phone shows no more in a line"
    assert "Δ Error rate " in text
    assert "p95: only warns" in text
    assert "60 s window, n = " not in head
    assert "window, n = " in text
    assert "0 of 2 approvals · any of @sre except @Dana · if nobody answers by 20" in text
    assert ": holds (nothing moves, rollback still works)" in text
    assert two.slack.buttons(asked) == [
        "Promote to 100 %", "Pause", "Roll back to v1.0.0", "Extend 30 min", "Details",
    ]  # fmt: skip
    styles = [e.get("style") for b in asked.blocks for e in b.get("elements", ())]
    assert (styles.count("primary"), styles.count("danger")) == (1, 1)
    assert problems({"text": asked.text, "blocks": list(asked.blocks)}) == []


@pytest.mark.sweep
async def test_m3_one_of_two_is_shown_live_and_the_end_is_one_line_without_buttons(two):
    """M3."""
    await two.deploy_to_gate()
    asked = question(two)
    await two.press("Promote to 100 %", by=ANA)
    assert "1 of 2 approvals – @Ana ✓ " in shown(two, asked)
    assert ", waiting for one more of @sre except @Dana" in shown(two, asked)
    await two.wait(120)
    await two.press("Promote to 100 %", by=BEN)
    record = shown(two, asked)
    assert record.startswith("✅ *auth-service v2.0.0* · Promoted to 100 % by @Ana, @Ben · 20")
    assert record.endswith("(took 2 min)")
    assert two.slack.buttons(two.slack.chat.messages[asked.ts]) == []


@pytest.mark.sweep
async def test_where_approvers_are_single_people_it_says_who_of_them_may_still(tmp_path):
    """M3."""
    async with Stage.opened(tmp_path, approvals=2, approvers="[U0DANA, U0ANA, U0BEN]") as stage:
        await stage.deploy_to_gate()
        await stage.press("Promote to 100 %", by=ANA)
        assert "waiting for one more of @Ben ·" in shown(stage, question(stage))


@pytest.mark.sweep
async def test_the_menu_gives_more_time_and_shows_details(stage):
    await stage.deploy_to_gate()
    until = (await stage.row()).gate.expires
    await stage.press("Extend 30 min", by=BEN)
    assert (await stage.row()).gate.expires == until + timedelta(minutes=30)
    await stage.press("Details", by=BEN)
    assert "auth-service" in stage.heard(BEN)


@pytest.mark.sweep
async def test_a_no_data_metric_is_no_pass(tmp_path):
    checks = "[{metric: error_rate, above: 5}, {metric: connection_failures, above: 1, then: warn}]"
    async with Stage.opened(tmp_path, checks=checks) as stage:
        await stage.deploy()
        await stage.wait(400)
        line = next(
            one for one in stage.slack.text_of(question(stage)).splitlines() if one.startswith("Connection")
        )  # fmt: skip
        assert line.endswith("≤ 1 %")
        assert "Connection failures: only warns" in stage.slack.text_of(question(stage))
        assert not line.endswith("ok") or "no data" not in line


# ---- bound to the picture ------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_when_the_numbers_move_they_are_shown_again_and_a_click_on_the_old_ones_does_not_count(
    two,
):
    """Rule E.3 (8): the snapshot that was shown is part of what a yes says."""
    await two.deploy_to_gate()
    old = question(two)
    await two.press("Promote to 100 %", by=ANA)
    for version in ("v1.0.0", "v2.0.0"):  # of both: that is no reason to go home
        two.traffic.set_errors(version, 3)
    await two.wait(75)
    assert "The numbers moved while the decision at 50 % is open: Error rate 0." in two.story
    assert "The votes that were cast stay." in two.story
    new = question(two)
    assert (new.ts, "⚠ The numbers moved at " in two.slack.text_of(new)) == (old.ts, True)

    told = await Finger(two).press(BEN, old, "Promote to 100 %")
    assert "numbers_changed" in told
    assert "the numbers moved: Error rate 0." in told
    assert [vote.actor for vote in (await two.row()).gate.votes] == [ANA]

    await two.press("Promote to 100 %", by=BEN)
    assert (await two.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_words_are_not_bound_to_a_picture(stage):
    await stage.deploy_to_gate()
    for version in ("v1.0.0", "v2.0.0"):
        stage.traffic.set_errors(version, 3)
    await stage.wait(75)
    assert (await stage.row()).gate.shown > 1
    assert "Recorded" in await stage.say("/deploy promote auth-service", by=ANA)
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_steady_numbers_are_not_shown_again(stage):
    await stage.deploy_to_gate()
    await stage.wait(280)
    assert (await stage.row()).gate.shown == 1
    assert "numbers moved" not in stage.story


@pytest.mark.sweep
async def test_a_click_on_another_plan_does_not_count(stage):
    await stage.deploy_to_gate()
    asked = question(stage)
    digest = (await stage.row()).plan.digest
    body = Finger(stage).body(ANA, asked, "Promote to 100 %").replace(digest, "0" * len(digest))
    await Finger(stage).deliver(body)
    await stage.settled()
    assert "plan_changed" in stage.heard(ANA)
    assert (await stage.row()).gate.votes == ()


# ---- nobody answers -------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_m4_thread_then_channel_then_a_call_and_the_channel_line_ends_with_the_gate(stage):
    """M4."""
    await stage.deploy_to_gate()
    open_for = stage.clock.at - (await stage.row()).gate.opened
    await stage.wait(299 - open_for.total_seconds())
    assert "Still waiting" not in stage.story
    await stage.wait(2)
    assert (
        "Still waiting for a decision at 50 % (to 100 %), 5 min by now. It expires 20"
        in stage.story
    )
    assert "then it holds (nothing moves, rollback still works)" in stage.story

    await stage.wait(600)
    reminder = stage.slack.messages(DEPLOYS)[-1]
    text = stage.slack.text_of(reminder)
    assert "⏰ Still waiting for a decision since " in text
    assert ": promote auth-service v2.0.0" in text
    assert text.count("@oncall") == 1
    assert "@sre" not in text, "one mention is enough"
    assert f"/p{question(stage).ts.replace('.', '')}|Answer there>" in str(reminder.blocks)

    await stage.restart()
    await stage.wait(900)
    assert len(await stage.alerts("rollout.unanswered")) == 1
    assert "by now" not in shown(stage, reminder), "what stands there for long says since when"
    assert "The alert sinks have been called." in shown(stage, reminder)
    assert [line for line in await stage.told() if line.startswith("still_waiting")] == [
        "still_waiting:unanswered"
    ] * 3

    await stage.press("Promote to 100 %", by=ANA)
    over = shown(stage, reminder)
    assert over.startswith(
        "No longer waiting · *auth-service v2.0.0 → production* · Promoted to 100 % by @Ana"
    )
    assert "\n" not in over


# ---- why, afterwards ------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_rollback_needs_no_words_and_whoever_did_it_may_say_why_afterwards_once(stage):
    """M3: never block an emergency on typing."""
    await stage.deploy_to_gate()
    await stage.press("Roll back", by=OLU)
    await stage.wait(30)
    assert stage.as_armed
    offer = next(m for m in stage.slack.ephemerals(OLU) if "Add a reason" in stage.slack.buttons(m))
    assert "[Add a reason]" in stage.story

    await Finger(stage).press(BEN, thread_offer(stage), "Add a reason")
    assert "not_your_decision" in form_text(stage, BEN)

    await Finger(stage).press(OLU, offer, "Add a reason")
    (form,) = [v for v in stage.slack.views.open.values() if v["user"] == OLU]
    await stage.slack.submit(OLU, form["id"], {"reason": "logins <!here> fail"})
    await stage.settled()
    assert "reason_given" in await stage.told()
    assert ": logins <!here> fail" in stage.card
    assert "@Olu says why it was rolled back: logins <!here> fail" in stage.story
    assert (await stage.row()).phase is Phase.ROLLED_BACK

    await Finger(stage).press(OLU, thread_offer(stage), "Add a reason")
    assert "already_said" in form_text(stage, OLU)


@pytest.mark.sweep
async def test_a_pause_may_be_explained_for_a_day(stage):
    await stage.deploy_to_gate()
    await stage.press("Pause", by=BEN)
    offer = thread_offer(stage)
    stage.clock.at += timedelta(hours=24, seconds=1)
    await Finger(stage).press(BEN, offer, "Add a reason")
    assert "reason_too_late" in form_text(stage, BEN)


@pytest.mark.sweep
async def test_who_gave_a_reason_at_once_is_not_asked_for_one(stage):
    await stage.deploy_to_gate()
    await stage.say("/rollback auth-service logins fail", by=OLU)
    assert "Add a reason" not in stage.story
    assert ": logins fail" in stage.card


def thread_offer(stage):
    card = stage.slack.card(DEPLOYS)
    return next(
        m for m in reversed(stage.slack.thread(card.ts)) if "Add a reason" in stage.slack.buttons(m)
    )


def form_text(stage, person) -> str:
    views = [v for v in stage.slack.views.open.values() if v["user"] == person]
    return str(views[-1]["blocks"])


async def test_a_group_of_one_is_still_asked_by_its_name(stage):
    await stage.slack.add_group(Group("S0SRE", "sre", (ANA,)))
    await stage.deploy_to_gate()
    assert "any of @sre except @Dana" in stage.slack.text_of(question(stage))
    assert DANA not in stage.slack.text_of(question(stage))
