"""What thumbs and autocorrect make of `rollback`: it is understood, or asked about, never taken for something else."""

import pytest

from bot.grammar import Known, WordsError, parse, parse_line
from bot.grammar.verbs import Help, Rollback

KNOWN = Known({"checkout": ("production", "staging"), "auth-service": ("production",)})


@pytest.mark.parametrize(
    "text",
    ["rollback checkout", "roll back checkout", "Roll-back checkout", "/rollback checkout"],
)
def test_roll_back_is_rollback_at_every_door(text):
    assert parse_line(text, KNOWN) == Rollback("checkout")
    assert parse(text, command="rollback", known=KNOWN) == Rollback("checkout")
    assert parse(text.removeprefix("/"), command="deploy", known=KNOWN) == Rollback("checkout")


def test_help_alone_behind_a_service_rolls_nothing_back():
    assert parse("checkout help", command="rollback", known=KNOWN) == Help("rollback")
    reasoned = parse("checkout because help", command="rollback", known=KNOWN)
    assert reasoned == Rollback("checkout", reason="help")
    assert parse("checkout help us", command="rollback", known=KNOWN).reason == "help us"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("checkout v1.0.0 please", "rollback checkout to v1.0.0 please"),
        ("checkout too v1.0.0", "rollback checkout to v1.0.0"),
        ("checkout two 1.0.0.", "rollback checkout to 1.0.0"),
        ("checkout -> v1.0.0", "rollback checkout to v1.0.0"),
        ("checkout tov1.0.0", "rollback checkout to v1.0.0"),
        ("checkoutt it burns", "rollback checkout it burns"),
    ],
)
def test_what_can_mean_one_thing_only_is_asked_with_the_whole_line(text, line):
    with pytest.raises(WordsError) as caught:
        parse(text, command="rollback", known=KNOWN)
    assert caught.value.line == line
    assert isinstance(parse_line(line, KNOWN), Rollback)


@pytest.mark.parametrize("verb", ["stop", "abort", "undo", "revert", "Stop!"])
def test_other_words_for_it_are_asked_about(verb):
    for read in (
        lambda text: parse_line(text, KNOWN),
        lambda text: parse(text, command="deploy", known=KNOWN),
    ):
        with pytest.raises(WordsError) as caught:
            read(f"{verb} checkout")
        assert caught.value.line == "rollback checkout"


def test_a_slip_that_may_be_two_services_has_no_line():
    known = Known({"cart-a": ("production",), "cart-b": ("production",)})
    with pytest.raises(WordsError) as caught:
        parse("cart-c", command="rollback", known=known)
    assert caught.value.line == ""
