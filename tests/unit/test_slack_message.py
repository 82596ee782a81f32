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
