"""What phones do to words, and that it is undone; what else the grammar does to arbitrary text."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.grammar.mistakes import closest, inert, shown, within
from bot.grammar.phone import plain, unquoted


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("checkout", "checkout"),
        ("checkout–api", "checkout-api"),
        ("auth\u2011service", "auth-service"),
        ("—reason", "--reason"),
        ("––to=v1", "--to=v1"),
        ("---to", "--to"),
        ("−w", "-w"),
        ("-to", "-to"),
        ("–5", "-5"),
        ("—50", "-50"),
        ("—", "-"),
        ("“bad", '"bad'),
        ("don’t", "don't"),  # noqa: RUF001
        ("ｖ２", "v2"),  # noqa: RUF001 full width
        ("v2\u200b", "v2"),
        ("\u2067v2\u2069", "v2"),
        ("\ufeff", ""),
        ("☑\ufe0f", "☑"),
        ("<https://v1.42|v1.42>", "v1.42"),
        ("<http://ghcr.io/a:v2|ghcr.io/a:v2>", "ghcr.io/a:v2"),
        ("steps=<tel:5,25|5,25>", "steps=5,25"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<https://example.com/a>", "https://example.com/a"),
        ("<@U024BE7LH>", "<@U024BE7LH>"),
        ("<#C024BE7LR|deploys>", "<#C024BE7LR|deploys>"),
        ("<!here>", "<!here>"),
    ],
)
def test_a_word_comes_out_as_it_was_meant(typed, meant):
    assert plain(typed) == meant


@given(st.text(string.ascii_letters + string.digits + "._-/:=%,", min_size=1))
def test_what_a_plain_keyboard_writes_stays_but_for_too_many_dashes(word):
    assert plain(word).lstrip("-") == word.lstrip("-")


@given(st.text(st.characters(exclude_characters="<>＜＞﹤﹥")))  # noqa: RUF001 forms of angle brackets
@example("\u00b4")
@example("\ufe58x")
@example("\ufe31steps")
def test_plain_twice_is_plain_once(word):
    assert plain(plain(word)) == plain(word)


@given(st.text() | st.text("\u200b\u2066“”‘’—–\u2011-'a"))  # noqa: RUF001
@settings(max_examples=300)
def test_nothing_invisible_and_no_curly_quote_survives(word):
    invisible, curly = "\u200b\u200d\u2060\ufeff\u202e\u2066", "“”‘’—–\u2011"  # noqa: RUF001

    assert not set(invisible + curly) & set(plain(word))


@pytest.mark.parametrize(
    ("typed", "bare"), [('"v2"', "v2"), ("'v2'", "v2"), ('"v2', '"v2'), ('"', '"'), ("v2", "v2")]
)
def test_quotes_around_a_word_do_not_count(typed, bare):
    assert unquoted(typed) == bare


@pytest.mark.parametrize(
    ("first", "second", "edits"),
    [
        ("staging", "Staging", 0),
        ("stagin", "staging", 1),
        ("satging", "staging", 1),
        ("stagigns", "staging", 2),
        ("prdo", "prod", 1),
        ("dev", "new", 2),
        ("", "ab", 2),
        ("kitten", "sitting", 3),
        ("ca", "abc", 3),
    ],
)
def test_edits_are_letters_more_less_other_or_swapped(first, second, edits):
    assert within(first, second, edits)
    assert within(second, first, edits)
    assert not within(first, second, edits - 1)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_adding_the_same_letters_adds_no_edit(first, second, tail):
    most = max(len(first), len(second))
    least = next(n for n in range(most + 1) if within(first, second, n))

    assert within(first + tail, second + tail, least)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("stau", "status"), ("stat", "status"), ("ihstory", "history"), ("is", None), ("xyz", None)],
)
def test_what_was_probably_meant(word, meant):
    assert closest(word, ["status", "history", "eu"]) == meant


@given(st.text())
def test_repeated_words_are_short_and_without_markup(text):
    assert len(shown(text)) <= 48
    assert not set("<>`\n\r\x1b\u202e") & set(shown(text))
    assert len(inert(text)) == len(text)
