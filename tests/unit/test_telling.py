"""Every step of a plan is said in words, in chat and in a terminal, and never as a Python value."""

import pytest

from bot.cli.drawing import plan_lines, rollout_lines
from bot.cli.terminal import Style
from bot.commands.answers import Answer
from bot.slack.message import Message
from bot.slack.previewing import plan_message
from bot.slack.replies import answer_message
from strategies.cookies import Cookie, cookie_rule
from strategies.plan import (
    Batch,
    Compare,
    Match,
    Plan,
    Rule,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Switch,
    Yardstick,
)
from strategies.telling import estimate_phrase, plan_sentences, rules_phrase, span, step_sentence
from tests.fakes.messages import texts
from tests.fakes.rollouts import EVERY_STEP, PLANS, STEP_NAMES


def plan(*steps, warnings=()):
    return Plan("checkout", "production", "v2", "own", steps, warnings)


def planned(shown: Plan) -> Message:
    return plan_message(Answer("", plan=shown, kind="plan"))


@pytest.mark.parametrize("name", STEP_NAMES)
def test_every_step_has_a_sentence(name):
    sentence = step_sentence(EVERY_STEP[name])

    assert len(sentence.split()) > 3
    assert f"{name}(" not in sentence


@pytest.mark.parametrize("name", STEP_NAMES)
def test_every_step_is_a_line_of_the_terminal_and_of_the_chat(name):
    step = EVERY_STEP[name]
    line = plan_lines(plan(step), Style())[2]

    assert line.startswith(f"  1. {name:<10} ")
    assert step_sentence(step).split(" ", 2)[2] in line
    assert "1. " in texts(planned(plan(step)))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (EVERY_STEP["Replace"], "downtime"),
        (Batch("25%"), "25 % of the instances at a time until none is old (4 batches), at most 5 at once"),
        (Batch(2, total=7), "2 instances at a time until none is old (4 batches)"),
        (Batch(1), "1 instance at a time until none is old, at most"),
        (Batch("100%", max_concurrent=3), "all instances get the new version, at most 3 at once"),
        (Batch(2, rollback="failed-batch"), "a failure undoes only its own batch and holds"),
        (Batch(2, rollback="none"), "a failure undoes nothing and holds"),
        (Smoke((SmokeTest("http://x/h", requests=20, max_errors=1, schema={}),)),
         "20 × GET http://x/h → 200, at most 1 % errors, by its schema"),
        (Smoke(duration=60), "it stays ready for 1 min"),
        (Switch(timeout=90), "100 % of the traffic at once, read back within 90 s"),
        (
            EVERY_STEP["Compare"],
            "compare A (live) and B (new) for 1 h: Error rate 60 %, Requests/s 40 %; then a person",
        ),
        (Compare((Yardstick("rps"),), 60, "auto", "wins"), "Requests/s; the better metrics won stays by itself"),
    ],
)  # fmt: skip
def test_a_step_says_what_matters_about_it(step, words):
    assert words in step_sentence(step)


def test_batches_that_do_not_repeat_are_notches():
    assert plan_sentences(plan(*PLANS["notches"]))[0].startswith("10 % of the instances more get")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("x-user-tier", equals="beta"), "x-user-tier: beta"),
        (Rule("cookie", regex="^b.*"), "cookie like /^b.*/"),
        (cookie_rule(Cookie("beta", equals="1")), "cookie beta = 1"),
        (cookie_rule(Cookie("beta", regex="v[12]")), "cookie beta like /v[12]/"),
        (cookie_rule(Cookie("beta", present=True)), "any cookie beta"),
        (Rule("x-canary", present=True), "any x-canary"),
        (Rule("x-canary", present=False), "no x-canary"),
    ],
)
def test_an_audience_is_said_by_its_condition(rule, words):
    assert rules_phrase((rule,)) == words


def test_a_long_list_is_counted():
    rules = tuple(Rule("x-user", equals=str(n)) for n in range(9))

    assert rules_phrase(rules).endswith(" or 4 more")
    assert "4 more" in step_sentence(Match(rules))


@pytest.mark.parametrize(
    ("steps", "phrase"),
    [
        ((Soak(300),), "about 5 min without human waits"),
        ((SetWeight(100),), "as fast as it starts"),
        ((Batch(2), Soak(60)), "the time depends on the number of instances"),
        ((Batch(2, total=6), Soak(60)), "about 3 min without human waits"),
    ],
)
def test_the_estimate_says_what_it_leaves_out(steps, phrase):
    assert estimate_phrase(plan(*steps)) == phrase
    assert phrase in texts(planned(plan(*steps)))
    assert phrase in plan_lines(plan(*steps), Style())[1]


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (90, "90 s"), (120, "2 min"), (7200, "2 h")])  # fmt: skip
def test_a_duration_is_said_in_its_largest_whole_unit(seconds, words):
    assert span(seconds) == words


def test_a_long_plan_is_shown_whole():
    steps = [step for n in range(1, 21) for step in (SetWeight(5.0 * n), Soak(300))]

    assert "40. watch for" in texts(planned(plan(*steps)))


def test_a_plan_that_no_message_can_hold_says_how_much_is_missing():
    tests = tuple(SmokeTest("http://x/" + "y" * 500) for _ in range(5))
    shown = texts(planned(plan(*[Smoke(tests)] * 20)))

    assert "more" in shown.splitlines()[-1] or "+ " in shown


def test_the_gate_of_a_plan_mentions_whom_it_asks():
    assert "of <!subteam^S0SRE>, within 24 h" in texts(planned(plan(EVERY_STEP["Approve"])))


def test_foreign_words_in_a_plan_do_nothing():
    hostile = Match((Rule("x", equals="<!channel>"),))

    assert "<!channel>" not in texts(planned(plan(hostile, warnings=("<!here>",))))


def test_advice_stands_with_the_plan():
    answer = Answer("", kind="plan", plan=plan(SetWeight(100)), advice="Canary fits better.")

    assert "Canary fits better." in texts(answer_message(answer))
    assert plan_lines(answer.plan, Style(), answer.advice)[-1] == "Canary fits better."


def test_the_checks_of_an_ab_test_are_shown():
    guarded = Compare((Yardstick("rps"),), 60, checks=EVERY_STEP["Soak"].checks)

    assert plan_lines(plan(guarded), Style())[-1] == "Checks: error_rate ≤ 5 % → rollback"
    assert "Error rate ≤ 5 % → rollback" in texts(planned(plan(guarded)))


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"phase": "SUCCEEDED"}, "live"),
        ({"phase": "SUCCEEDED", "winner": "B"}, "live"),
        ({"phase": "SUCCEEDED", "winner": "A"}, "A stays"),
        ({"phase": "RUNNING", "winner": "A"}, "in progress"),
    ],
)
def test_a_terminal_tells_a_test_that_a_won_from_a_version_that_went_live(row, state):
    assert f"  {state}" in rollout_lines([{"service": "checkout", **row}], Style())[1]


def test_each_of_several_targets_has_a_line_below_its_rollout():
    trouble = {"code": "unreachable", "detail": "It does not answer."}
    targets = [{"name": "us", "weight": 50}, {"name": "eu-west", "weight": 0, "trouble": trouble}]
    row = {"service": "checkout", "phase": "RUNNING", "targets": targets}

    assert rollout_lines([row, {"service": "cart", "phase": "SUCCEEDED"}], Style())[2:4] == [
        "  us       ▓▓▓▓▓░░░░░ 50 %",
        "  eu-west  ░░░░░░░░░░ 0 %  It does not answer.",
    ]
