"""What the card of a rollout says in each state, and that Slack takes it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.commands.answers import Answer
from bot.rollout.part import SmokeResult, Trouble
from bot.rollout.question import Gate
from bot.rollout.values import Back, Phase
from bot.slack import asking, cards
from bot.slack.detailing import details_message
from bot.slack.replies import answer_message
from bot.slack.standing import place, stages
from strategies.plan import Batch, Check, Rule, Soak
from strategies.verdict import Look, Sample
from tests.fakes.messages import labels, texts
from tests.fakes.rollouts import (
    EVERY_STEP,
    NOON,
    PLANS,
    STEP_NAMES,
    armed,
    rollout,
    succeeded,
)


def shown(row):
    return texts(cards.card(row))


def gate(row, kind="approve", **changes):
    opened = Gate("g1", kind, NOON, NOON + timedelta(hours=24), 1, ("S0SRE",), **changes)
    return replace(row, phase=Phase.WAITING, gate=opened)


def question(row):
    return asking.gate_card(row, row.gate)


@pytest.mark.parametrize("name", STEP_NAMES)
@pytest.mark.parametrize("lanes", ["fixed", "swap", "one"])
@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.PAUSED, Phase.ROLLING_BACK])
def test_every_step_can_be_shown_on_a_card(name, lanes, phase):
    row = rollout((EVERY_STEP[name], Soak(60)), lanes=lanes, phase=phase, armed=armed("blue"))

    assert "checkout v2" in shown(row)
    assert name not in {"Prepare", "SetWeight"} or f"{name}(" not in shown(row)


@pytest.mark.parametrize("name", sorted(set(STEP_NAMES) - {"Approve"}))
def test_a_running_step_says_what_it_is_doing(name):
    silent = rollout((EVERY_STEP["Approve"], EVERY_STEP[name]))
    busy = replace(silent, cursor=1)

    assert len(cards.card(busy).blocks) == len(cards.card(silent).blocks) + 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (rollout("canary", "SetWeight"), "○ 25 %   ○ 100 %"),
        (rollout("canary", "Soak", weight=25.0), "● 25 %   ○ 100 %"),
        (rollout("canary", "Promote", weight=100.0), "✓ 25 %   ● 100 %"),
        (rollout("blue-green", "Smoke"), "● smoke tests   ○ 100 %"),
        (rollout("ab-test", "Compare", weight=50.0), "✓ 50 %   ● A/B test   ○ 100 %"),
        (rollout("recreate", "Soak", weight=100.0), "● replaced"),
        (rollout("rolling", "Batch"), "● batches"),
        (
            rollout("notches", "Soak", weight=10.0),
            "● 10 % of the instances   ○ 50 % of the instances   ○ 100 % of the instances",
        ),
    ],
)
def test_the_stages_are_done_current_or_to_come(row, expected):
    assert stages(row) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (rollout("canary", "Soak", weight=25.0), "25 %, stage 1 of 2"),
        (rollout("rolling", "Batch", weight=25.0, batches=1), "25 %, batch 2 of 4"),
        (rollout("rolling", "Soak", lanes="one", moved=6, batches=2), "6 of 12 instances, batch 2 of 4"),
        (rollout((Batch(5), Soak(60)), "Batch", lanes="one"), "0 of 12 instances, batch 1 of 3"),
        (rollout((Batch(5), Soak(60)), "Batch"), "0 %, batch 1"),
        (rollout("rolling", "Soak", lanes="one", armed=None), "0 %, batch 1 of 4"),
        (rollout("notches", "Soak", lanes="one", moved=2), "2 of 12 instances, stage 1 of 3"),
    ],
)  # fmt: skip
def test_the_card_says_how_far_it_has_come(row, expected):
    assert place(row) == expected
    assert f"— {expected}" in shown(row)


def test_once_the_traffic_is_home_the_card_says_that_stable_serves_the_new_version():
    row = rollout("canary", "Promote", weight=0.0, armed=armed(), stable_touched=True)
    assert place(row) == f"100 % on {row.version}, making it the stable version"
    assert "▓▓▓▓▓▓▓▓▓▓` 100 %" in shown(row)
    assert place(
        replace(row, back=Back("asked", "bad", "U0ANA", NOON, automatic=False, weight=0.0))
    ).startswith("0 %")


def test_a_batch_more_than_was_worked_out_is_no_nonsense():
    assert place(rollout("rolling", "Batch", batches=4)) == "0 %, batch 5 of 5"


# ---- smoke tests ---------------------------------------------------------------------------------------------------


def test_smoke_tests_are_ticked_and_what_failed_comes_first():
    results = (
        SmokeResult("http://green/health", True, "200"),
        SmokeResult("http://green/pay", False, "answered 500, not 200"),
    )
    row = rollout("blue-green", "Smoke")
    text = shown(replace(row, progress=replace(row.progress, smoke=results)))

    assert "✗ http://green/pay: answered 500, not 200" in text
    assert "✓ 1 of 2 smoke tests pass: http://green/health" in text
    assert text.index("✗") < text.index("✓ 1")


def test_what_failed_stays_on_the_card_of_a_rollout_that_went_back():
    row = rollout("blue-green", "Smoke", phase=Phase.ROLLED_BACK)
    failed = (SmokeResult("http://green/pay", False, "answered 500"),) * 8

    text = shown(replace(row, progress=replace(row.progress, smoke=failed)))

    assert text.count("✗ http://green/pay") == 5
    assert "✗ 3 more failed" in text


def test_the_answer_of_a_tested_service_cannot_speak_for_the_bot():
    row = rollout("blue-green", "Smoke")
    evil = (SmokeResult("http://green/", False, "<!channel> *approved* `x`"),)

    text = shown(replace(row, progress=replace(row.progress, smoke=evil)))

    assert "<!channel>" not in text
    assert "`x`" not in text


# ---- audiences and colours -----------------------------------------------------------------------------------------


def test_an_audience_is_named_while_it_lasts():
    row = rollout("canary", "Soak", audience=(Rule("x-user-tier", equals="beta"),))

    assert "requests with x-user-tier: beta get v2" in shown(row)
    assert "x-user-tier" not in shown(succeeded(row))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "*blue* is live with v1 · *green* gets v2"),
        ({"weight": 100.0}, "*blue*: v1, 0 % · *green*: v2, 100 %"),
        ({"armed": armed("green")}, "*green* is live with v1 · *blue* gets v2"),
        ({"phase": Phase.ROLLED_BACK}, "*blue* is live with v1"),
        ({"armed": armed("rev-3")}, "*rev-3* is live with v1 · *a new revision* gets v2"),
    ],
)
def test_colours_are_named_where_lanes_swap(changes, expected):
    row = rollout("blue-green", "Smoke", **{"lanes": "swap", "armed": armed("blue"), **changes})

    assert expected in shown(row)


def test_lanes_that_do_not_swap_have_no_colours():
    assert "*blue*" not in shown(rollout("blue-green", armed=armed("blue")))


def test_after_success_the_card_says_until_when_going_back_is_instant_and_then_that_it_is_not():
    row = rollout("blue-green", lanes="swap", armed=armed("blue"))
    kept = succeeded(row, retire_at=NOON + timedelta(hours=2))

    assert "*green* is live with v2" in shown(kept)
    assert "v1 (blue) stays ready until <!date^" in shown(kept)
    assert "rollback is instant until then" in shown(kept)
    assert "v1 (blue) is no longer kept ready" in shown(replace(kept, retire_at=None))
    assert labels(cards.card(kept)) == {
        "Roll back to v1": "rollback",
        "Roll back to…": "form:versions",
    }


def test_without_retirement_nothing_is_said_of_it():
    assert "ready" not in shown(succeeded(rollout("canary", lanes="swap", armed=armed("blue"))))


def test_on_fixed_lanes_the_time_of_instant_rollback_stands_on_the_card_while_it_runs():
    row = rollout((EVERY_STEP["Retire"], EVERY_STEP["Promote"]), weight=100.0)

    assert "v1 stays ready for instant rollback until <!date^1788267600^" in shown(row)


# ---- batches -------------------------------------------------------------------------------------------------------


def test_a_rolling_rollout_that_holds_says_what_runs_where_and_what_can_be_done():
    held = {"phase": Phase.PAUSED, "code": "check_failed"}
    row = rollout("rolling", "Batch", lanes="one", moved=6, weight=50.0, **held)
    text = shown(row)

    assert "6 of 12 instances run v2, 6 run v1" in text
    assert "Held: a check failed. *Resume* completes it, *Roll back* undoes all of it." in text
    assert labels(cards.card(row)) == {"Resume": "resume", "Roll back to v1": "rollback"}


def test_in_one_place_going_back_is_about_instances_and_not_about_traffic():
    row = rollout("rolling", "Batch", lanes="one", phase=Phase.ROLLED_BACK)

    assert "all instances run v1 again" in shown(row)
    assert "v1 has all traffic again" in shown(replace(row, lanes="fixed"))


def test_on_a_pair_the_versions_are_told_by_their_traffic():
    row = rollout("rolling", "Batch", weight=25.0, phase=Phase.PAUSED, code="paused")

    assert "25 % of the traffic on v2, 75 % on v1" in shown(row)


def test_a_failed_batch_that_goes_back_is_told_from_a_rollback_of_everything():
    back = Back("check_failed", "errors", "sluice", NOON, True, 50.0)
    row = rollout("rolling", "Soak", phase=Phase.ROLLING_BACK, back=back)

    assert "only the batch" not in shown(row)
    assert "2026-09-01 12:00 UTC>: errors (only the batch that failed goes back)" in shown(
        replace(row, back=replace(back, partial=True))
    )


LOOK = Look(NOON, 300, (
    Sample("requests", None, 1200.0, "not available"), Sample("error_rate", None, 0.2, "not available"),
    Sample("latency_p95", None, 120.0, "not available"), Sample("latency_avg", None, 60.0),
    Sample("cold_start_rate", None, None, "not available", "not available"),
))  # fmt: skip


def test_in_one_place_no_number_is_held_against_a_stable_lane_that_is_not_there():
    row = rollout("rolling", "Soak", lanes="one", look=LOOK)

    assert "Error rate 0.20 %\np95 120 ms" in shown(row)
    asked = gate(row, look=LOOK)
    assert "instances" in texts(question(asked)).split("Metric")[1].splitlines()[0]
    assert "n = 1,200 requests" in texts(question(asked))
    assert "stable" not in texts(question(asked)).split("```")[1]


def test_the_table_of_a_question_is_no_wider_than_a_phone_and_a_limit_beside_stable_is_a_number():
    checks = (
        Check("error_rate", above=5.0),
        Check("connection_failures", times_baseline=1.5, then="ask"),
        Check("latency_p95", above_baseline=50.0, then="warn"),
    )
    samples = (
        Sample("connection_failures", 0.5, 0.62),
        Sample("error_rate", 0.2, 0.25),
        Sample("latency_p95", 400.0, 1234.0),
        Sample("latency_p99", 500.0, 2000.0),
    )
    look = Look(NOON, 300, samples)
    watched = replace(EVERY_STEP["Soak"], checks=checks)
    row = rollout((watched, EVERY_STEP["Approve"]), "Approve")
    asked = texts(question(gate(row, look=look)))
    table = asked.split("```")[1].strip().splitlines()

    assert [line.split("  ")[0] for line in table] == ["Metric", "Error rate", "p95", "Connection…"]
    assert table[2].endswith("≤ 450"), "the unit stands beside it twice"
    assert max(map(len, table)) <= 46
    assert "Δ Error rate +0.05 points, p95 ↑ 208 %, Connection failures +0.12 points" in asked
    assert "p95: only warns · Connection failures: asks people" in asked


def test_the_details_of_a_question_have_every_number_that_there_is():
    row = gate(rollout("canary", "Approve"), look=LOOK)
    text = texts(details_message(row, ()))
    assert "Average latency" not in texts(question(row))

    assert "Average latency" in text
    assert "Cold starts" not in text


# ---- gates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "label", "ask"),
    [
        (rollout("canary", "Approve", weight=25.0), "Promote to 100 %", "from 25 % to 100 %?"),
        (rollout("blue-green", "Approve"), "Promote to 100 %", "from 0 % to 100 %?"),
        (rollout("rolling", "Approve", lanes="one"), "Promote in batches", "checkout v2 in batches?"),
        (rollout("recreate", "Approve"), "Promote with downtime", "with downtime?"),
        (rollout("canary", "Promote", weight=100.0), "Promote to stable", "from 100 % to stable?"),
        (rollout("notches", weight=0.0, lanes="one"), "Promote to 10 %", "to 10 %?"),
        (rollout("notches", cursor=1, weight=10.0, lanes="one"), "Promote to 50 %", "from 10 % to 50 %?"),
    ],
)  # fmt: skip
def test_a_gate_says_where_its_yes_leads(row, label, ask):
    message = question(gate(row))

    assert labels(message)[label] == "promote"
    assert ask in texts(message)
    assert ask in message.text


# ---- scheduled -----------------------------------------------------------------------------------------------------

DUE = NOON + timedelta(hours=14)


def scheduled(**changes):
    return rollout("canary", phase=Phase.SCHEDULED, due=DUE, armed=None, **changes)


def test_a_scheduled_rollout_says_when_it_starts_in_the_readers_time():
    message = cards.card(scheduled())

    assert "⚪ scheduled · *checkout v2 → production* — starts <!date^1788314400^" in texts(message)
    assert list(labels(message)) == ["Cancel"]
    assert "stage" not in texts(message)


def test_a_rollout_that_could_not_start_by_itself_says_why_and_asks_in_a_message_of_its_own():
    why = Trouble("missed", "It was due 3 h ago <!here>.", NOON, tries=0)
    opened = Gate("r-7f3.start", "start", NOON, NOON + timedelta(hours=24), 1, ())
    row = scheduled(code="missed", trouble=why, gate=opened)
    asked = question(row)

    assert "🟡 waiting for a decision" in shown(row)
    assert "was to start <!date^1788314400^" in shown(row)
    assert labels(cards.card(row)) == {}
    assert "start checkout v2 in production now?" in asked.text
    assert "It was due 3 h ago &lt;!here&gt;." in texts(asked)
    assert "<@U0DANA>" in texts(asked)
    assert "nobody by <!date^" in texts(asked)
    assert labels(asked) == {"Start now": "resume", "Cancel": "rollback"}


def test_a_list_shows_when_a_scheduled_rollout_starts_and_how_far_a_running_one_is():
    rows = (scheduled(), rollout("rolling", "Soak", lanes="one", moved=3, batches=1))
    text = texts(answer_message(Answer("2 rollouts", kind="status", rows=rows)))

    assert "starts <!date^" in text
    assert "at 3 of 12 instances, batch 1 of 4" in text


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("phase", Phase)
def test_every_phase_of_every_plan_is_a_message_that_slack_takes(plan, phase):
    for cursor in range(len(PLANS[plan]) + 1):
        for lanes in ("fixed", "swap", "one"):
            assert shown(rollout(plan, phase=phase, cursor=cursor, lanes=lanes))
