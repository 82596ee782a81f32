"""Ids in sentences become mentions: only these, only whole ones, each of them once over."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.slack.blocks import mention
from bot.slack.wording import with_people

IDS = st.sampled_from(["U0A", "U0AB", "U0ABC", "S0A", "S0AB", "W0A"])
WORDS = st.one_of(IDS, st.sampled_from(["by", "xU0A", "U0A-1", "U0A_b", "<@U0A>", "any of", "`"]))


def test_an_approver_group_that_is_asked_at_every_gate_is_mentioned_once_each_time():
    sentence = "ask any of S0SRE, then S0SRE again"
    told = with_people(sentence, ["S0SRE", "S0SRE", "S0SRE"])
    assert told == "ask any of <!subteam^S0SRE>, then <!subteam^S0SRE> again"


def test_an_id_that_another_one_begins_with_stays_whole():
    assert with_people("U0AB and U0A", ["U0A", "U0AB"]) == "<@U0AB> and <@U0A>"
    assert with_people("U0AB and xU0A", ["U0A"]) == "U0AB and xU0A"


@given(words=st.lists(WORDS, max_size=12), people=st.lists(IDS, max_size=6))
def test_whole_ids_become_mentions_and_nothing_else_does(words, people):
    told = with_people(" ".join(words), people)
    expected = [mention(word) for word in words if word in people]
    # What somebody typed as a mention is text around an id that may have a name.
    typed = [mention("U0A") for word in words if word == "<@U0A>" and "U0A" in people]
    assert sorted(re.findall(r"<[^<>]*>", told)) == sorted([*expected, *typed])
