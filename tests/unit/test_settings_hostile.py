"""Whatever text is given as sluice.yaml, it is refused soon and with a sentence, and nothing else happens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.settings import (
    ConfigError,
    read_config,
)
from tests.unit.settings_example import EXAMPLE, problems


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_file"),
        ("~", "empty_file"),
        ("[" * 2_000, "too_deep"),
        ("- " * 2_000, "too_deep"),
        ("{a: " * 2_000, "too_deep"),
        ("[" + "1," * 20_000 + "]", "too_many_nodes"),
        ("#" * 300_000, "too_large"),
        ("ä" * 140_000, "too_large"),
        ("a: &a [x]\nb: [*a, *a]", "anchors_refused"),
        ("a: !!python/object/apply:os.system [id]", "tags_refused"),
        ('a: "\\UFFFFFFFF"', "not_yaml"),
        ("%YAML 1." + "1" * 5_000 + "\n---\na: 1", "not_yaml"),
        ("a: \ud800", "not_yaml"),
        ("a: [1, 2", "not_yaml"),
        ("just words", "wrong_type"),
    ],
)
def test_hostile_text_is_refused(text, code):
    assert code in [problem.code for problem in problems(text)]


def test_a_bomb_of_aliases_is_never_expanded():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]

    assert "anchors_refused" in {problem.code for problem in problems("\n".join(lines))}


# Milliseconds: generous for a busy machine, far below what anything that explodes would take.
SOON = settings(deadline=5_000)


def check_only_config_error(text):
    found = ()
    try:
        read_config(text, "f")
    except ConfigError as error:
        found = error.errors
        str(error).encode()
    assert all(p.line >= 1 and p.column >= 1 and p.code and p.message for p in found)


@SOON
@given(st.text(max_size=300))
def test_arbitrary_text_raises_nothing_but_config_error(text):
    check_only_config_error(text)


@SOON
@given(st.text("[]{}:,-?&*!|>'\"%@#\n ~<=ax1.\t", max_size=200))
def test_arbitrary_punctuation_raises_nothing_but_config_error(text):
    check_only_config_error(text)


@SOON
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 30), st.text("[]{}:,-&*\"'\n 1x~§", max_size=8))
def test_a_torn_example_raises_nothing_but_config_error(start, length, inserted):
    check_only_config_error(EXAMPLE[:start] + inserted + EXAMPLE[start + length :])


@SOON
@given(
    st.sampled_from("[{-?:,&*!\"'|>#%\n ax1\\"), st.sampled_from(["", "a: [", 'a: "', "a: |\n "])
)
def test_a_long_line_of_one_character_is_refused_soon(character, start):
    check_only_config_error(start + character * 30_000)
