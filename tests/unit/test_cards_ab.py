"""An A/B test on its cards: the table of the seeds, the question which variant stays, and both good ends."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.commands.answers import Answer
from bot.rollout.question import ClosedGate, Gate, Vote
from bot.rollout.values import Back, Phase
from bot.slack import asking, cards
from bot.slack.pressing import PRESSES
from bot.slack.replies import answer_message
from strategies.compare import Comparison, Line
from strategies.plan import SetWeight
from tests.fakes.messages import buttons, texts
from tests.fakes.rollouts import COMPARE, NOON, rollout, succeeded

LINES = (
    Line("error_rate", "lower", 40, 0.5, 0.3, "B"),
    Line("latency_p95", "lower", 30, 120.0, 150.0, "A"),
    Line("rps", "higher", 20, 1200.0, 1250.0, "B"),
    Line("conversion_rate", "higher", 10, None, 2.8, "", "not available"),
)
B_LEADS = Comparison(LINES, 33.3, 66.7, "B", "B leads 67 : 33 (error_rate, rps)")
A_LEADS = replace(B_LEADS, winner="A", score_a=60.0, score_b=40.0, sentence="A leads 60 : 40")
TIE = replace(B_LEADS, winner="", sentence="neither leads")
RUNNING = rollout("ab-test", "Compare", weight=50.0, comparison=B_LEADS)


def asked(table=B_LEADS, **changes):
    """The rollout at the end of its test, and its question."""
    row = replace(RUNNING, phase=Phase.WAITING, comparison=table, **changes)
    gate = Gate("g9", "winner", NOON, NOON + timedelta(hours=24), 1, ("S0SRE",))
    row = replace(row, gate=gate)
    return row, asking.gate_card(row, gate)


def test_the_table_has_both_versions_and_a_tick_for_the_winner_of_each_line():
    table = texts(cards.card(RUNNING)).split("```")[1].strip().splitlines()

    assert table == [
        "Metric           Weight  A (v1)   B (v2)   Winner",
        "Error rate       40 %    0.50 %   0.30 %   B ✓",
        "p95              30 %    120 ms   150 ms   A ✓",
        "Requests/s       20 %    1,200/s  1,250/s  B ✓",
        "Conversion rate  10 %    –        2.80 %   not available",
    ]


def test_the_score_and_the_sentence_stand_below_the_table():
    text = texts(cards.card(RUNNING))

    assert "Score A 33.3 : 66.7 B · B leads 67 : 33 (error_rate, rps)" in text
    assert "Comparing A and B until <!date^" in text


def test_wins_are_counted_without_weights():
    step = replace(COMPARE, score="wins")
    row = rollout((SetWeight(50), step), "Compare", comparison=replace(B_LEADS, score_a=1, score_b=2))  # fmt: skip
    text = texts(cards.card(row))

    assert "Weight" not in text
    assert "A wins 1 metric, B wins 2" in text


def test_before_the_first_comparison_there_is_no_table():
    assert "```" not in texts(cards.card(replace(RUNNING, comparison=None)))


def test_the_question_names_both_variants_and_what_each_button_does():
    _, message = asked()
    text = texts(message)

    assert "which version of checkout stays in production, A (v1) or B (v2)?" in message.text
    assert "*Promote B (v2)* gives it all traffic and retires v1" in text
    assert "*Keep A (v1)* returns all traffic to it and retires v2" in text
    assert "any of <!subteam^S0SRE> except <@U0DANA> · A: anybody who may roll back" in text
    assert "if nobody answers by <!date^" in text
    assert "```" in text


def test_the_buttons_carry_the_rollout_the_gate_and_a_verb_that_the_door_knows():
    row, message = asked()
    found = buttons(message)

    assert {label: b["action_id"] for label, b in found.items()} == {
        "Promote B (v2)": "promote",
        "Keep A (v1)": "keep",
    }
    carried = {"r": row.id, "g": "g9", "p": row.plan.digest, "n": 1}
    assert all(json.loads(b["value"]) == carried for b in found.values())
    assert {b["action_id"] for b in found.values()} <= PRESSES


@pytest.mark.parametrize(
    ("table", "stands_out"), [(B_LEADS, ["Promote B (v2)"]), (A_LEADS, ["Keep A (v1)"]), (TIE, [])]
)
def test_only_the_one_that_leads_stands_out(table, stands_out):
    _, message = asked(table)

    assert [t for t, b in buttons(message).items() if b.get("style") == "primary"] == stands_out


def test_votes_are_counted_on_the_question():
    row, _ = asked()
    gate = replace(row.gate, quorum=2, votes=(Vote("U0ANA", NOON),))

    assert "B: 1 of 2 approvals – <@U0ANA> ✓ <!date^" in texts(asking.gate_card(row, gate))


def test_a_question_without_numbers_says_so():
    _, message = asked(None)

    assert "no numbers to compare" in texts(message)
    assert len(buttons(message)) == 2


def test_while_the_question_is_open_the_table_is_not_there_twice():
    row, _ = asked()

    assert "```" not in texts(cards.card(row))


def test_the_gate_behind_an_automatic_winner_says_who_won_and_why():
    row = rollout("ab-test", "Approve", weight=50.0, comparison=B_LEADS, winner="B")
    gate = Gate("g1", "approve", NOON, NOON + timedelta(hours=1), 1, ("S0SRE",))
    message = asking.gate_card(row, gate)

    assert "Winner: *B (v2)*: B leads 67 : 33" in texts(message)
    assert "Promote to 100 %" in buttons(message)


def test_b_wins_and_the_final_card_says_so():
    text = texts(cards.card(succeeded(RUNNING, winner="B")))

    assert "🟢 live · *checkout v2 → production* — live at 100 %, before it v1" in text
    assert "Winner: *B (v2)*: B leads 67 : 33 (error_rate, rps)" in text
    assert "```" in text


def test_a_wins_and_that_is_a_good_end():
    back = Back("variant_a_won", "A leads 60 : 40", "sluice", NOON, True, 50.0, lost=True)
    row = succeeded(RUNNING, winner="A", comparison=A_LEADS, back=back, weight=0.0)
    message = cards.card(row)

    title = "🟢 A stays · *checkout v2 → production* — v1 keeps all traffic, v2 is retired"
    assert texts(message).startswith(title)
    assert "Winner: *A (v1)*: A leads 60 : 40" in texts(message)
    assert "🔴" not in texts(message)
    assert buttons(message) == {}


@pytest.mark.parametrize(("letter", "named"), [("A", "A (v1)"), ("B", "B (v2)")])
def test_where_people_decided_the_card_names_them_and_not_the_numbers(letter, named):
    closed = (
        ClosedGate("r-7f3.1.1", "Promoted to 50 %.", ("U0BEN",)),
        ClosedGate("r-7f3.2.1", "decided", ("U0ANA",)),
    )
    text = texts(cards.card(succeeded(RUNNING, winner=letter, comparison=TIE, closed=closed)))

    assert f"Winner: *{named}*, decided by <@U0ANA>\n" in text


def test_a_winner_that_the_numbers_do_not_name_is_not_explained_by_them():
    text = texts(cards.card(succeeded(RUNNING, winner="A", comparison=TIE)))

    assert "Winner: *A (v1)*\n" in text


def test_on_the_way_to_that_end_nothing_looks_like_a_failure():
    back = Back("variant_a_won", "A leads", "sluice", NOON, True, 50.0, lost=True)
    row = replace(RUNNING, phase=Phase.ROLLING_BACK, winner="A", comparison=A_LEADS, back=back)
    message = cards.card(row)

    assert "🔵 returning to A" in message.text
    assert "Why:" not in texts(message)


def test_a_list_tells_a_test_that_a_won_from_a_version_that_went_live():
    rows = (succeeded(RUNNING, winner="A"), succeeded(RUNNING, winner="B"))
    text = texts(answer_message(Answer("History", kind="history", rows=rows)))

    assert "🟢 A stays · *checkout v2" in text
    assert "🟢 live · *checkout v2" in text


def test_versions_as_long_as_they_may_be_still_fit():
    row, _ = asked()
    row = replace(row, version="v" * 128, from_version="w" * 128)

    assert texts(asking.gate_card(row, row.gate))
    assert texts(cards.card(replace(row, gate=None)))


def test_a_version_can_do_nothing_on_a_card():
    row, _ = asked()
    row = replace(row, from_version="<!channel>", comparison=replace(B_LEADS, sentence="<!here>"))
    every = texts(asking.gate_card(row, row.gate)) + texts(cards.card(replace(row, gate=None)))

    assert "<!channel>" not in every
    assert "<!here>" not in every
