"""The line in a mention, as people write to somebody."""

import pytest

from bot.slack.mentioning import said_to


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<@U0BOT> status", "status"),
        ("<@U0BOT>, status", "status"),
        ("<@U0BOT>: status", "status"),
        ("<@U0ANA> <@U0BOT> status", "status"),
        ("hey <@U0BOT|sluice> rollback please!", "rollback"),
        ("<@U0BOT> 🔥 rollback", "rollback"),
        ("<@U0BOT> :fire: please rollback", "rollback"),
        ("<@U0BOT>\nrollback", "rollback"),
        ("rollback <@U0BOT>", "rollback"),
        ("hey <@U0BOT>", ""),
        ("<@U0BOT> status <@U0BOT>", "status"),
        ("<@U0BOT> rollback <@U0ANA> is sure", "rollback <@U0ANA> is sure"),
        ("<@U0BOT> pause x because we said please", "pause x because we said please"),
        ("status", "status"),
    ],
)
def test_the_words_behind_the_bots_own_name_count(text, line):
    assert said_to(text, "U0BOT").strip() == line


def test_the_first_mention_counts_while_our_own_name_is_not_known():
    assert said_to("<@U0BOT> status", "").strip() == "status"
