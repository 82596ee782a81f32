"""Durations, percentages, steps, strategies and times of the week mean one thing, or are refused with a reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.settings import WeekTime
from bot.settings.scalars import (
    STRATEGIES,
    WEEK,
    ScalarError,
    format_duration,
    parse_duration,
    parse_percent,
    parse_steps,
    parse_strategy,
    parse_week_time,
    shown,
    suggestion,
)


def code_of(parse, *args, **kwargs):
    with pytest.raises(ScalarError) as caught:
        parse(*args, **kwargs)
    assert str(caught.value).endswith(".")
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2h", 7_200),
        ("1d", 86_400),
        ("7d", WEEK),
        ("1h30m", 5_400),
        ("5M", 300),
        (" 5m ", 300),
        ("PT5M", 300),
        ("pt5m", 300),
        ("PT1H30M", 5_400),
        ("P1D", 86_400),
        ("P1DT1S", 86_401),
        ("PT90S", 90),
    ],
)
def test_a_duration_is_whole_seconds(text, seconds):
    assert parse_duration(text, "refuse") == seconds


@pytest.mark.parametrize(("bare", "seconds"), [("minutes", 300), ("seconds", 5)])
def test_a_bare_number_means_what_the_door_says(bare, seconds):
    assert parse_duration("5", bare) == seconds


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5", "bare_number"),
        ("", "bad_duration"),
        ("m", "bad_duration"),
        ("5 m", "bad_duration"),
        ("-5m", "bad_duration"),
        ("1.5h", "bad_duration"),
        ("5m1h", "bad_duration"),
        ("5\u017f", "bad_duration"),
        ("\u0665m", "bad_duration"),
        ("P", "bad_duration"),
        ("PT", "bad_duration"),
        ("P1DT", "bad_duration"),
        ("P1Y", "bad_duration"),
        ("9999999999s", "bad_duration"),
        ("0s", "out_of_range"),
        ("8d", "out_of_range"),
        ("7d1s", "out_of_range"),
    ],
)
def test_what_is_no_duration_is_refused(text, code):
    assert code_of(parse_duration, text, "refuse") == code


def test_the_bounds_of_a_duration_can_be_moved():
    assert parse_duration("0s", "refuse", at_least=0) == 0
    assert code_of(parse_duration, "2h", "refuse", at_most=3_600) == "out_of_range"


@given(st.integers(1, WEEK))
def test_a_duration_is_read_back_as_it_is_shown(seconds):
    assert parse_duration(format_duration(seconds), "refuse") == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "1m30s"), (86_400, "1d"), (3_600, "1h")]
)
def test_a_duration_is_shown_short(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "percent"), [("5", 5), ("5%", 5), ("0.5 %", 0.5), (".5", 0.5), ("100", 100), ("0", 0)]
)
def test_a_percentage_is_a_number_with_or_without_its_sign(text, percent):
    assert parse_percent(text) == percent


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_percent"),
        ("nan", "bad_percent"),
        ("1e3", "bad_percent"),
        ("-1", "bad_percent"),
        ("101", "out_of_range"),
    ],
)
def test_what_is_no_percentage_is_refused(text, code):
    assert code_of(parse_percent, text) == code


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("5,25,50,100", (5, 25, 50, 100)),
        ("5/25/50/100", (5, 25, 50, 100)),
        ("5%,25%", (5, 25, 100)),
        ("0.5, 100", (0.5, 100)),
        ("10", (10, 100)),
        ("standard", (10, 50, 100)),
        ("CONSERVATIVE", (5, 10, 25, 50, 100)),
        ("aggressive", (25, 100)),
    ],
)
def test_steps_are_numbers_or_a_preset(text, steps):
    assert parse_steps(text) == steps


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("50,25", "bad_steps"),
        ("5,5", "bad_steps"),
        ("0,5", "bad_steps"),
        ("5,101", "out_of_range"),
        ("5,,10", "bad_percent"),
        ("", "bad_percent"),
        ("slow", "unknown_preset"),
    ],
)
def test_what_are_no_steps_is_refused(text, code):
    assert code_of(parse_steps, text) == code


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *((name, name) for name in STRATEGIES),
        ("All At Once", "direct"),
        ("blue_green", "blue-green"),
        ("BlueGreen", "blue-green"),
        ("AB-testing", "ab-test"),
        ("a/b", "ab-test"),
    ],
)
def test_a_strategy_has_its_name_in_any_spelling(text, name):
    assert parse_strategy(text) == name


def test_an_unknown_strategy_is_refused_with_a_suggestion():
    with pytest.raises(ScalarError, match=r"did you mean canary\?") as caught:
        parse_strategy("canery")

    assert caught.value.code == "unknown_strategy"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fri 15:00", WeekTime(4, 15, 0)),
        ("sunday 23:59", WeekTime(6, 23, 59)),
        ("MON 8:00", WeekTime(0, 8, 0)),
    ],
)
def test_a_time_of_the_week_is_a_day_and_a_clock(text, expected):
    assert parse_week_time(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "Fri", "15:00", "Fri 24:00", "Fri 15:60", "Frid 15:00", "Fri15:00", "Fri 15:00 UTC"],
)
def test_what_is_no_time_of_the_week_is_refused(text):
    assert code_of(parse_week_time, text) == "bad_window"


@settings(deadline=2_000)
@given(st.text(max_size=50))
def test_arbitrary_text_raises_nothing_but_scalar_error(text):
    for parse in (
        parse_percent,
        parse_steps,
        parse_strategy,
        parse_week_time,
        lambda t: parse_duration(t, "minutes"),
    ):
        try:
            parse(text)
        except ScalarError as error:
            assert str(error).isprintable()  # noqa: PT017 - most texts raise, some do not


@given(st.text(max_size=300))
def test_foreign_text_is_shown_clipped_and_on_one_line(text):
    assert shown(text).isprintable()
    assert len(shown(text)) <= 62


def test_a_suggestion_is_close_or_none():
    assert suggestion("Prodution", ["production", "staging"]) == "production"
    assert suggestion("qa", ["production", "staging"]) is None
