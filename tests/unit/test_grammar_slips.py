"""Slips that could do the opposite of what was meant, and a help that promises nothing that is refused."""

import pytest

from bot.grammar import Known, WordsError, parse, parse_line, usage
from bot.grammar.phrases import VERBS
from bot.grammar.verbs import Deploy, Rollback
from strategies import known_strategies

KNOWN = Known({"auth-service": ("production", "staging"), "status": ("production",)})


def refusal(text: str) -> WordsError:
    with pytest.raises(WordsError) as caught:
        parse(text, command="deploy", known=KNOWN)
    return caught.value


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("auth-service rollback", "/rollback auth-service"),
        ("auth-service ROLLBACK", "/rollback auth-service"),
        ("auth-service “Rollback”", "/rollback auth-service"),
        ("auth-service rollback staging", "/rollback auth-service staging"),
        ("plan auth-service rollback", "/rollback auth-service"),
        ("auth-service status", "/deploy status auth-service"),
        ("auth-service pause to staging", "/deploy pause auth-service staging"),
        ("auth-service deploy", "/deploy auth-service"),
        ("auth-service help", "/deploy help"),
        ("auth-service freeze", "/deploy freeze auth-service"),
    ],
)
def test_a_verb_where_the_version_stands_is_asked_about(text, meant):
    error = refusal(text)

    assert (error.code, error.key, error.suggestion) == ("ambiguous_word", "version", meant)
    assert f"Did you mean `{meant}`?" in str(error)


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_is_a_version(verb):
    assert refusal(f"auth-service {verb}").code == "ambiguous_word"


def test_a_suggestion_for_rollback_can_be_typed_as_it_is():
    meant = refusal("auth-service rollback staging").suggestion

    assert parse_line(meant, KNOWN) == Rollback("auth-service", "staging")


@pytest.mark.parametrize("version", ["rollback-fix", "status2", "ghcr.io/orion/auth:rollback"])
def test_a_version_that_only_contains_a_verb_is_a_version(version):
    assert parse(f"auth-service {version}", command="deploy", known=KNOWN) == Deploy(
        "auth-service", version, "production"
    )


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("now", Rollback()),
        ("NOW", Rollback()),
        ("—now", Rollback()),
        ("now production", Rollback(None, "production")),
        ("now auth-service", Rollback("auth-service", now=True)),
    ],
)
def test_now_without_a_service_lists_what_can_be_undone(text, command):
    assert parse(text, command="rollback", known=KNOWN) == command


@pytest.mark.parametrize("text", ["now to v1", "to v1", "now because it burns"])
def test_a_way_back_that_names_more_than_now_needs_its_service(text):
    with pytest.raises(WordsError) as caught:
        parse(text, command="rollback", known=KNOWN)

    assert caught.value.code == "missing_service"


def test_the_help_offers_only_strategies_that_there_are():
    (line,) = [line for line in usage().splitlines() if line.startswith("strategy=")]
    offered = set(line.partition(": ")[2].split(" | "))

    assert offered == set(known_strategies())
