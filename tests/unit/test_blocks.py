"""Foreign text can do nothing on a card, and whatever the builders return is accepted by Slack."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack import blocks
from bot.slack.limits import problems

HOSTILE = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "<!channel>",
                "<@U0ANA>",
                "<",
                ">",
                "&",
                "```",
                "`",
                "\u202e",
                "\u200b",
                "\n",
                "a",
                "ﷺ",
            ]
        ),
        max_size=40,
    ).map("".join),
)


def accepted(*made):
    return problems({"text": "a decision is needed", "blocks": list(made)}) == []


def test_a_mention_in_foreign_text_is_shown_and_not_sent():
    assert blocks.escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@pytest.mark.parametrize(
    "trick",
    [
        "\u202e",
        "\u2066",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u00ad",
        "\u034f",
        "\u3164",
        "\x00",
        "\x1b",
        "\ud800",
    ],
)
def test_invisible_characters_are_taken_out(trick):
    assert blocks.escape(f"v1{trick}.2") == "v1.2"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\u2028", "\u0085", "\v"])
def test_foreign_text_never_begins_a_line(newline):
    assert blocks.escape(f"fix{newline}• approved") == "fix • approved"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a *bold* word", "a \uff0abold\uff0a word"),
        ("*one _two ~three", "*one _two ~three"),
        ("_it_ (~gone~)", "\uff3fit\uff3f (\uff5egone\uff5e)"),
        ("snake_case_name 2 * 3 * 4 a*b*c", "snake_case_name 2 * 3 * 4 a*b*c"),
        ("~20 min, then ~30 min", "~20 min, then ~30 min"),
    ],
)
def test_signs_that_would_style_as_a_pair_are_shown_and_do_nothing(text, shown):
    assert blocks.escape(text) == shown


def test_foreign_text_never_opens_a_code_fence():
    assert "`" not in blocks.escape("```rm```")


@given(HOSTILE)
def test_escaped_text_holds_no_control_token(text):
    escaped = blocks.escape(text)
    assert not set("<>`\n\u202e\u200b") & set(escaped)
    assert re.sub("&(amp|lt|gt);", "", escaped).count("&") == 0


@given(HOSTILE, st.integers(1, 40))
def test_clipped_text_fits_and_has_no_half_entity(text, limit):
    clipped = blocks.clip(blocks.escape(text), limit)
    assert len(clipped) <= limit
    assert "&" not in re.sub("&(amp|lt|gt);", "", clipped)


def test_a_cut_never_goes_through_a_mention():
    assert blocks.clip("ask <!subteam^S0SRE> now", 10) == "ask…"


def test_text_that_fits_is_left_alone():
    assert blocks.clip("12345", 5) == "12345"


@given(HOSTILE.map(lambda text: text * 40))
def test_builders_return_what_slack_accepts(text):
    safe = blocks.escape(text)
    pressed = blocks.button(text, "promote", "g1", "primary")
    assert accepted(
        blocks.header(text),
        blocks.section(safe),
        blocks.fields([safe] * 12),
        blocks.context(*[safe] * 12),
        blocks.divider(),
        blocks.section(blocks.table_text([["metric", text], [text]])),
        blocks.actions(pressed, blocks.button(text, "rollback", "g1", "danger")),
    )


@given(st.lists(st.lists(HOSTILE, max_size=12), max_size=60))
def test_a_table_is_one_closed_code_block_that_fits(rows):
    text = blocks.table_text(rows)
    assert len(text) <= 3000
    assert text.startswith("```\n")
    assert text.endswith("\n```")
    assert text.count("`") == 6


def test_a_table_lines_its_columns_up():
    rows = [["Metric", "canary"], ["Error rate", "0.21 %"], ["p99 <ms>", "412"]]
    assert blocks.table_text(rows).splitlines() == [
        "```",
        "Metric      canary",
        "Error rate  0.21 %",
        "p99 &lt;ms&gt;    412",
        "```",
    ]


def test_a_long_table_says_how_many_rows_it_left_out():
    lines = blocks.table_text([["row", str(i)] for i in range(1000)]).splitlines()
    assert lines[-2] == f"+ {1000 - (len(lines) - 3)} more"


def test_more_fields_than_slack_takes_are_counted():
    made = blocks.fields([str(i) for i in range(14)])["fields"]
    assert (len(made), made[-1]["text"]) == (10, "+ 5 more")


@pytest.mark.parametrize(
    "empty", [blocks.section(""), blocks.fields([]), blocks.context(), blocks.header(" ")]
)
def test_nothing_to_say_is_shown_as_a_dash(empty):
    assert accepted(empty)
    assert blocks.NOTHING in str(empty)


@pytest.mark.parametrize("row", [[], [blocks.button("x", f"a{i}", "v") for i in range(26)]])
def test_a_row_of_buttons_that_slack_would_refuse_is_not_built(row):
    with pytest.raises(ValueError, match="1 to 25"):
        blocks.actions(*row)


@pytest.mark.parametrize(
    ("action_id", "value"), [("", "v"), ("a" * 256, "v"), ("a", ""), ("a", "v" * 2001)]
)
def test_an_id_is_refused_rather_than_clipped(action_id, value):
    with pytest.raises(ValueError, match="ids of the button"):
        blocks.button("Promote", action_id, value)


def test_a_moment_is_shown_in_the_readers_time_zone():
    at = datetime(2026, 9, 1, 16, 5, tzinfo=timezone(timedelta(hours=2)))
    unix = int(at.astimezone(UTC).timestamp())
    assert blocks.date(at) == f"<!date^{unix}^{{date_short_pretty}} {{time}}|2026-09-01 14:05 UTC>"


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        ("U0ANA", "<@U0ANA>"),
        ("W0GRID", "<@W0GRID>"),
        ("S0SRE", "<!subteam^S0SRE>"),
        ("token:<root>", "token:&lt;root&gt;"),
        ("U0ANA> <!channel", "U0ANA&gt; &lt;!channel"),
    ],
)
def test_people_and_groups_are_mentioned_and_everything_else_is_text(actor, shown):
    assert blocks.mention(actor) == shown


def test_only_a_group_is_mentioned_as_a_group():
    assert blocks.mention_group("U0ANA") == "U0ANA"
