"""Commands in sentences of ours can be pasted into Slack; foreign text that looks like code opens none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.answers import Refusal
from bot.grammar.phrases import VERBS
from bot.slack.blocks import escape
from bot.slack.pasting import pasted
from bot.slack.replies import refusal_message
from tests.fakes.messages import texts


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Say `unlock auth-service production`.", "Say `/deploy unlock auth-service production`."),
        ("`resume` goes on, `rollback` goes home", "`/deploy resume` goes on, `/rollback` goes home"),
        ("`deploy checkout v2 steps=5,50`", "`/deploy checkout v2 steps=5,50`"),
        ("`/rollback SERVICE ENV to VERSION`", "`/rollback SERVICE ENV to VERSION`"),
        ("`/deploy lock checkout because …`", "`/deploy lock checkout because …`"),
        ("`steps` is no verb", "\u02cbsteps\u02cb is no verb"),
        ("`lock <@U0BEN>`", "\u02cblock &lt;@U0BEN&gt;\u02cb"),
    ],
)  # fmt: skip
def test_a_command_is_code_again_and_spelled_as_slack_takes_it(sentence, shown):
    assert pasted(escape(sentence)) == shown


def test_a_refusal_says_its_command_so_that_it_can_be_copied():
    refusal = Refusal("It is locked: `hm`. `unlock checkout production` ends that.", code="locked")
    assert "locked: \u02cbhm\u02cb. `/deploy unlock checkout production` ends" in texts(
        refusal_message(refusal)
    )


words = st.one_of(
    st.text(), st.sampled_from(["`", "```", " ", "lock x", "/rollback", "<!here>", "*"])
)


@given(st.lists(words).map("".join))
def test_whatever_somebody_writes_no_code_is_opened_but_around_a_command(text):
    shown = pasted(escape(text))
    spans = re.findall("`([^`]*)`", shown)
    assert shown.count("`") == 2 * len(spans)
    for span in spans:
        verb = span.partition(" ")[0].removeprefix("/")
        assert verb in VERBS
        assert not set(span) & set("<>&*`")
    assert "``" not in shown
