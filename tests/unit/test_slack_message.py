"""The notification line of a message is foreign text as well."""

import pytest

from bot.slack.blocks import section
from bot.slack.message import TEXT, Message


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("no <!channel>", "no &lt;!channel&gt;"),
        ("<@U0OLU> & <!subteam^S0SRE>", "&lt;@U0OLU&gt; &amp; &lt;!subteam^S0SRE&gt;"),
        ("<!channel", "&lt;!channel"),
        ("<!date^1^{time}|<!channel>>", "&lt;!date^1^{time}|&lt;!channel&gt;&gt;"),
        ("v1 &lt;is&gt; escaped", "v1 &lt;is&gt; escaped"),
        ("starts <!date^1^{time}|12:00 UTC>", "starts <!date^1^{time}|12:00 UTC>"),
    ],
)
def test_nobody_is_called_by_the_notification_line(text, sent):
    message = Message(text, (section("x"),))

    assert message.payload()["text"] == message.bare()["text"] == sent
    assert len(Message(text * 4000).bare()["text"]) <= TEXT


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Promoted to 50 % by U0ANA, U0BEN after 20 s.", "Promoted to 50 % after 20 s."),
        ("U0ANA approved; ask S0SRE or U0ANAX.", "Somebody approved; ask a group or U0ANAX."),
        ("shop v2: U0BEN pauses", "shop v2: somebody pauses"),
    ],
)
def test_the_notification_line_has_no_ids_of_people_who_have_names_in_the_blocks(text, sent):
    message = Message(text, (section("<@U0ANA>, <@U0BEN> and <!subteam^S0SRE>"),))

    assert message.payload()["text"] == sent
    assert message.bare()["text"] == text, "where Slack takes no blocks there are no names either"
