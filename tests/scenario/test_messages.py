"""What people read while a version goes out: M2 the living card, M7 refusals, M8 status, M9 the end, help. As chats."""

import re

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, ANA, BEN, DANA, DEPLOYS, OLU, Stage


async def click(stage, message, label, by):
    await stage.slack.click(by, message.ts, label)
    await stage.settled()


async def card_click(stage, label, by=DANA):
    await click(stage, stage.slack.card(DEPLOYS), label, by)


# ---- M2: the living card -------------------------------------------------------------------------------------------


async def test_m2_the_card_says_where_it_stands_since_when_and_what_the_numbers_are(stage):
    await stage.deploy(options="steps=5,50,100 because of the new login")
    await stage.wait(30)
    card = stage.card
    assert card.startswith(
        "🔵 in progress · *auth-service v2.0.0 → production* — 5 %, stage 1 of 3"
    )
    assert "`▓░░░░░░░░░` 5 %" in card
    assert re.search(r"● 5 % since \d\d:\d\d UTC healthy", card)
    assert "○ 50 %   ○ 100 %" in card
    assert re.search(
        r"Error rate [\d.]+ % \(stable [\d.]+ %, \S+( points| same), limit ≤ 5 %\) – \*ok\*", card
    )
    assert re.search(r"p95 \d+ ms \(stable \d+ ms, .*limit ≤ 500 ms\) – \*ok\*", card)
    assert "window, n =" in card
    assert "requested by @Dana because of the new login" in card
    assert "[Pause] [Roll back to v1.0.0] [Details] [Extend 10 min]" in card

    await stage.wait(45)
    await stage.press("Promote to 50 %")
    await stage.wait(15)
    assert re.search(r"✓ 5 % \d\d:\d\d UTC–\d\d:\d\d UTC healthy\n● 50 % since", stage.card)


async def test_m2_a_card_on_which_nothing_changed_is_not_sent_again(stage):
    await stage.deploy()
    await stage.wait(5)
    edits = [call for call in stage.slack.calls if call[0] == "chat.update"]
    row = await stage.row()
    for _ in range(5):
        stage.bot.announcer.touch(row.id)
        await stage.settled()
    assert [call for call in stage.slack.calls if call[0] == "chat.update"] == edits


async def test_m2_the_menu_extends_the_stage_and_shows_the_details_to_one_person_alone(stage):
    await stage.deploy()
    before = (await stage.row()).progress.extended
    await card_click(stage, "Extend 10 min")
    assert (await stage.row()).progress.extended == before + 600
    assert "@Dana extended the soak at 50 % by 10 min" in stage.story

    await card_click(stage, "Details", by=BEN)
    told = stage.heard(BEN)
    assert "*Plan*" in told
    assert "• Error rate ≤ 5 % → rollback" in told
    assert "● 50 % since" in told
    assert "50 % of the traffic on v2.0.0, read back." in told
    assert "Open the card" in told
    assert not [m for m in stage.channel() if "*Plan*" in m]


@pytest.mark.sweep
async def test_m10_metrics_that_cannot_be_asked_are_said_with_the_time(stage):
    await stage.deploy()
    stage.prometheus.down = True
    await stage.wait(40)
    assert re.search(
        r"⚠ metrics unavailable since .*UTC: .* — holding at 50 %, no automatic promotion; rollback still works",
        stage.card,
    )


# ---- M7: refusals --------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_m7_a_stale_click_is_told_what_is_true_now_with_a_link_and_a_mark(stage, caplog):
    await stage.deploy_to_gate()
    gate = stage.slack.messages(DEPLOYS)[-1]
    await stage.press("Promote to 100 %", by=ANA)
    stage.slack.chat.post(gate)  # Ben's phone still shows the open question
    with caplog.at_level("INFO", "sluice.refusals"):
        await click(stage, gate, "Promote to 100 %", BEN)

    told = stage.heard(BEN)
    assert told.startswith("*Nothing was changed.* You pressed “Promote to 100 %”.")
    assert "by @Ana" in told
    assert "Now: auth-service v2.0.0 in production is 🔵 in progress" in told
    assert "Open its card" in told
    mark = re.search(r"code `gate_closed` · (e-[0-9a-f]{4})", told)[1]
    assert mark in caplog.text


async def test_m7_words_that_cannot_be_read_change_nothing_and_say_what_to_do(stage):
    told = await stage.say("/deploy auth-servise v2.0.0")
    assert told.startswith("*Nothing was changed.*")
    assert "auth-service" in told
    assert re.search(r"code `unknown_service` · e-[0-9a-f]{4}", told)


@pytest.mark.sweep
async def test_a_question_is_no_refusal(stage):
    await stage.ship("v2.0.0")
    told = await stage.say("/rollback auth-service")
    assert told.startswith("Roll auth-service in production back from v2.0.0 to v1.0.0?")


# ---- M8: status ----------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_m8_status_of_one_service_is_its_card_with_a_link(stage):
    await stage.ship("v2.0.0")
    await stage.deploy("v3.0.0")
    told = await stage.say("/deploy status auth-service", by=OLU)
    assert "🔵 in progress · *auth-service v3.0.0 → production* — 50 %, stage 1 of 2" in told
    assert re.search(r"Live now: v2.0.0 since .* UTC by @Dana", told)
    assert "Open its card" in told
    assert "[Details]" in told


@pytest.mark.sweep
async def test_m8_a_lock_stands_beside_what_it_keeps_closed(stage):
    await stage.ship("v2.0.0")
    await stage.say("/deploy lock auth-service for 2h db failover drill", by=BEN)
    told = await stage.say("/deploy status", by=OLU)
    assert re.search(r"🔒 locked by @Ben since .*, until .*: db failover drill", told)


# ---- M9: the end, going back, history ------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_m9_the_finished_card_says_how_long_who_approved_what_and_the_worst_number(stage):
    await stage.ship("v2.0.0")
    card = stage.card
    assert card.startswith("🟢 live · *auth-service v2.0.0 → production* — live at 100 %")
    assert re.search(
        r"\d min, 2 approvals \(@Ana 100 %, @Ana to stable\), 0 pauses, max error [\d.]+ %", card
    )
    assert "[Roll back to v1.0.0] [Roll back to…] [Details]" in card


@pytest.mark.sweep
async def test_m9_going_back_further_is_chosen_in_a_form_and_asked_once_more(stage):
    for version in ("v2.0.0", "v3.0.0"):
        await stage.ship(version)
    await card_click(stage, "Roll back to…", by=OLU)
    view = next(reversed(stage.slack.views.open.values()))
    shown = str(view["blocks"])
    assert "v2.0.0" in shown
    assert "v1.0.0" in shown
    assert "'value': 'v3.0.0'" not in shown

    await stage.slack.submit(OLU, view["id"], {"version": "v1.0.0"})
    await stage.settled()
    asked = str(stage.slack.views.open[view["id"]]["blocks"])
    assert "Roll auth-service in production back from v3.0.0 to v1.0.0?" in asked
    assert "Yes, roll back now" in asked
    assert (await stage.row()).version == "v3.0.0"


@pytest.mark.sweep
async def test_m9_a_version_that_was_taken_back_is_shown_with_its_reason_and_cannot_be_chosen(
    stage,
):
    await stage.ship("v2.0.0")
    await stage.deploy("v3.0.0")
    await stage.say("/rollback auth-service because it eats baskets")
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    finished = next(m for m in stage.slack.messages(DEPLOYS) if "🟢 live" in stage.slack.text_of(m))
    await click(stage, finished, "Roll back to…", OLU)
    view = next(reversed(stage.slack.views.open.values()))
    shown = str(view["blocks"])
    assert "✗ v3.0.0: taken back" in shown
    assert "it eats baskets" in shown
    assert "'value': 'v3.0.0'" not in shown


@pytest.mark.sweep
async def test_history_is_one_line_each_with_outcome_length_who_and_why(stage):
    await stage.deploy("v2.0.0", options="steps=50,100 because of the new login")
    await stage.say("/rollback auth-service because too slow")
    await stage.wait(60)
    told = await stage.say("/deploy history auth-service")
    assert re.search(
        r"🔴 rolled back · \*auth-service v2.0.0 → production\* · \d+ (s|min) · @Dana because of the new login · .*"
        r"UTC · too slow",
        told,
    )


async def test_help_begins_with_what_to_do_in_an_emergency(stage):
    told = await stage.say("/deploy help")
    assert told.startswith("*Something is wrong*\n• `/rollback checkout`")
    assert "mention me with the same words, for example `@sluice rollback`." in told
    assert "vote for the open gate" in await stage.say("/deploy help promote")
    about_locks = await stage.say("/deploy help lock")
    assert "it lasts four hours" in about_locks
    assert "`takeover` takes it" in about_locks.replace("\u02cb", "`")


# ---- M5: taken back by itself --------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_m5_an_automatic_rollback_is_told_with_why_done_now_and_who_was_affected(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await stage.deploy()
        stage.traffic.set_errors("v2.0.0", 30.0)
        await stage.wait(120)
        assert (await stage.row()).phase is Phase.ROLLED_BACK
        told = next(m for m in stage.channel() if "in production automatically" in m)
        assert told.startswith(
            "@oncall 🔴 *Rolled back auth-service v2.0.0 → v1.0.0 in production automatically*"
        )
        assert re.search(
            r"\*Why\*  Error rate [\d.]+ % \(limit ≤ 5 %\) at 50 %, seen \d\d:\d\d UTC", told
        )
        assert re.search(
            r"\*Done\*  all traffic is on v1.0.0 since \d\d:\d\d UTC, \d+ s after the decision, read back",
            told,
        )
        took = re.search(r", (\d+ s) after the decision", told)[1]
        plain = stage.slack.messages(ALERTS)[0].text
        assert plain.startswith("🔴 Rolled back auth-service v2.0.0 → v1.0.0 in production auto")
        assert f"The traffic was home {took} after the decision, read back." in plain
        assert "*Now*  v2.0.0 is quarantined there" in told
        assert re.search(
            r"\*Affected\*  ≈ [\d.]+ % of all requests failed \(50 % of the traffic", told
        )
        assert "[I look at it] [Details]" in told

        message = next(
            m
            for m in stage.slack.messages(DEPLOYS)
            if "in production automatically" in stage.slack.text_of(m)
        )
        await click(stage, message, "I look at it", OLU)
        assert "👀 @Olu looks at it since" in stage.card
        assert "@Olu looks at it." in stage.story
        await click(stage, message, "I look at it", BEN)
        assert "Somebody looks at auth-service/production already: @Olu." in stage.heard(BEN)
