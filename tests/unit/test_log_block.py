"""What a container wrote is shown as a code block: foreign text, so nothing in it may do anything in Slack."""

from hypothesis import given
from hypothesis import strategies as st

from bot.rollout.values import Entry
from bot.slack.cards import thread_lines
from bot.slack.limits import problems
from bot.slack.wording import told

TITLE = "The last lines of auth in pod auth-1, now:"


def entry(*lines: str) -> Entry:
    return Entry("log", "sluice", "\n".join([TITLE, *lines]), code="crash_loop")


def test_the_lines_stand_in_a_code_block_under_their_title_and_keep_their_indentation():
    shown = told(entry("Traceback:", '  File "app.py", line 3', "\tKeyError"))

    assert shown == f'{TITLE}\n```\nTraceback:\n  File "app.py", line 3\n KeyError\n```'


def test_no_line_can_end_the_block_or_call_anybody():
    shown = told(entry("``` <!channel> <@U0DANA> &amp;"))

    assert shown.count("```") == 2
    assert "<" not in shown
    assert "&amp;amp;" in shown


def test_of_a_log_the_notification_has_the_title_alone():
    said = Entry("held", "sluice", "It holds.")

    assert thread_lines([said, entry("secret plans")]).text == f"It holds.\n{TITLE}"


@given(st.lists(st.text(max_size=400), max_size=20))
def test_whatever_is_written_slack_takes_it_with_its_end(lines):
    message = thread_lines([entry(*lines)])

    assert problems(message.payload()) == []
    assert message.blocks[0]["text"]["text"].endswith("\n```")
