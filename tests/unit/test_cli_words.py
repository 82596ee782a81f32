"""The words of a shell become the one line that was meant; nothing is lost, and nothing is taken from a reason."""

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.mistakes import CliError
from bot.cli.typed import joined, read, split_flags, wants_json
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.verbs import Deploy
from tests.fakes.shell import Shell

KNOWN = Known({"checkout": ("production", "staging")})


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def meant(line):
    """Return the command that a line typed in a shell is to the grammar."""
    return parse_line(joined(read(shlex.split(line)).words), KNOWN)


@pytest.mark.parametrize(
    ("line", "cron"),
    [
        ('deploy checkout v2 --cron "0 2 * * *"', "0 2 * * *"),
        ('deploy checkout v2 cron="0 2 * * *"', "0 2 * * *"),
        ('deploy checkout v2 --cron="0 2 * * *" --json', "0 2 * * *"),
        ("""deploy checkout v2 --cron '"0 2 * * *"'""", "0 2 * * *"),
    ],
)
def test_a_value_with_blanks_stays_one_value(line, cron):
    command = meant(line)

    assert isinstance(command, Deploy)
    assert command.options.cron == cron


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("deploy checkout v2 because the --json output is wrong", "the --json output is wrong"),
        ('deploy checkout v2 because "it prints --json"', "it prints --json"),
        ('deploy checkout v2 "because of  two blanks"', "of  two blanks"),
        ("deploy checkout v2 because of it --json", "of it"),
        ("deploy checkout v2 because --help is missing", "--help is missing"),
        ('deploy checkout v2 because k="a b"', "k=a b"),
    ],
)
def test_a_reason_is_verbatim_but_for_a_json_at_its_very_end(line, reason):
    command = meant(line)

    assert isinstance(command, Deploy)
    assert command.reason == reason


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("--json status", True),
        ("status --json", True),
        ("status —json checkout", True),
        ("pause checkout because bad --json", True),
        ("pause checkout because --json is bad", False),
        ("pause checkout 'because --json'", False),
        ("status", False),
    ],
)
def test_json_is_a_flag_everywhere_but_inside_a_reason(line, wanted):
    assert wants_json(shlex.split(line)) is wanted
    assert read(shlex.split(line)).json is wanted


@pytest.mark.parametrize(
    ("line", "code"),
    [("deploy '' v2", "empty_word"), ("rollback checkout ' '", "empty_word"), ("''", "empty_word")],
)
def test_a_variable_that_was_not_set_never_makes_another_command(shell, line, code):
    said = shell.sluice(*shlex.split(line), "--json")

    assert (said.code, said.json["code"]) == (2, code)


def test_an_empty_value_is_the_mistake_that_the_grammar_names():
    with pytest.raises(WordsError) as caught:
        meant("deploy checkout v2 --strategy '' to staging")

    assert caught.value.code == "empty_value"


def test_bytes_that_are_no_text_are_refused(shell):
    said = shell.sluice("deploy", "checkout", "v2\udcff", "--json")

    assert (said.code, said.json["code"]) == (2, "bad_text")


@pytest.mark.parametrize(
    ("words", "code", "key"),
    [
        (["--speed"], "empty_value", "--speed"),
        (["--speed", "--live"], "empty_value", "--speed"),
        (["--speed="], "empty_value", "--speed"),
        (["--live=yes"], "bad_value", "--live"),
        (["--live", "--live"], "duplicate_option", "--live"),
        (["--sped", "2"], "unknown_option", "--sped"),
        (["-x"], "unknown_option", "-x"),
    ],
)
def test_a_flag_that_is_wrong_is_named_as_it_was_typed(words, code, key):
    with pytest.raises(CliError) as caught:
        split_flags(words, {"--speed": "30", "--live": ""}, strict=True)

    assert (caught.value.code, caught.value.key) == (code, key)


def test_flags_behind_because_belong_to_the_reason():
    words = ["plan", "--config", "a.yaml", "because", "--config", "b"]

    flags, rest = split_flags(words, {"--config": "x"}, strict=False)

    assert flags == {"--config": "a.yaml"}
    assert rest == ("plan", "because", "--config", "b")


WORDS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(
    st.lists(WORDS | st.sampled_from(["deploy", "checkout", "v2", "--cron", "because", "--json"]))
)
def test_whatever_is_typed_is_a_command_or_a_sentence(words):
    with contextlib.suppress(CliError, WordsError):
        parse_line(joined(read(words).words), KNOWN)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_a_reason_reaches_the_grammar_whole(words):
    line = joined(["pause", "checkout", "because", *words])

    assert line == " ".join(["pause checkout because", *words])
