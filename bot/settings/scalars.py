"""The small words of configuration and commands: durations, percentages, steps, strategy names, times of the week.

Pure: text in, value out, or a `ScalarError` that says what to write instead. Shared by `sluice.yaml` and the grammar,
so that a word means the same in both; what the dialects share as well is in `strategies.scalars`.
"""

import re
from dataclasses import dataclass

from strategies import COMPILERS, known_strategies
from strategies.installed import squashed
from strategies.own import OTHER_NAMES
from strategies.scalars import (
    PRESETS,
    WEEK,
    ScalarError,
    check_step,
    checked_percent,
    checked_steps,
    complete_steps,
    did_you_mean,
    format_duration,
    parse_batch,
    parse_duration,
    parse_percent,
    parse_preset,
    parse_steps,
    shown,
    suggestion,
)

__all__ = [
    "PRESETS",
    "STRATEGIES",
    "WEEK",
    "ScalarError",
    "WeekTime",
    "check_step",
    "checked_percent",
    "checked_steps",
    "complete_steps",
    "did_you_mean",
    "format_duration",
    "parse_batch",
    "parse_duration",
    "parse_percent",
    "parse_preset",
    "parse_steps",
    "parse_strategy",
    "parse_week_time",
    "shown",
    "suggestion",
]

STRATEGIES = tuple(COMPILERS)
"""The names of our own strategies; installed packages may add others."""

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEK_TIME = re.compile(r"([a-z]{3,9}) +([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WeekTime:
    """A minute of the week, on the wall clock of some time zone."""

    weekday: int
    """0 is Monday, as in `datetime.weekday()`."""
    hour: int
    minute: int


def parse_strategy(text: str) -> str:
    """Return the canonical strategy name, read without regard to case, `-`, `_` or space.

    Raises `ScalarError` `unknown_strategy`.
    """
    names = known_strategies()
    known = {**{squashed(name): name for name in names}, **OTHER_NAMES}
    name = known.get(squashed(text))
    if name is None:
        raise ScalarError(
            f"{shown(text)} is no strategy{did_you_mean(text, names)}: take one of {', '.join(names)}.",
            code="unknown_strategy",
        )
    return name


def parse_week_time(text: str) -> WeekTime:
    """Return the weekday and time of `Fri 15:00`. Raises `ScalarError` `bad_window`."""
    match = _WEEK_TIME.fullmatch(text.strip())
    day = match.group(1).lower() if match else ""
    names = [i for i, name in enumerate(_WEEKDAYS) if day in {name, name[:3]}]
    if match is None or not names:
        raise ScalarError(
            f'{shown(text)} is no time of the week: write it like "Fri 15:00".', code="bad_window"
        )
    return WeekTime(names[0], int(match.group(2)), int(match.group(3)))
