"""The small words of a request: durations, percentages, steps.

Pure: text in, value out, or a `ScalarError` that says what to write instead. Shared by `sluice.yaml`, the grammar and
the dialects of the seeds, so that a word means the same in all of them.
"""

import difflib
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Literal

WEEK = 7 * 86_400
"""The longest duration that is taken anywhere, in seconds."""

PRESETS: dict[str, tuple[float, ...]] = {
    "standard": (10.0, 50.0, 100.0),
    "conservative": (5.0, 10.0, 25.0, 50.0, 100.0),
    "aggressive": (25.0, 100.0),
}
"""Named traffic steps, in percent."""

# Nine digits are more than a week of seconds: longer numbers never reach int().
_COUNT = "([0-9]{1,9})"
_SHORT = re.compile(
    rf"(?:{_COUNT}d)?(?:{_COUNT}h)?(?:{_COUNT}m)?(?:{_COUNT}s)?", re.ASCII | re.IGNORECASE
)
_ISO = re.compile(
    rf"P(?:{_COUNT}D)?(?:T(?=[0-9])(?:{_COUNT}H)?(?:{_COUNT}M)?(?:{_COUNT}S)?)?",
    re.ASCII | re.IGNORECASE,
)
_UNIT_SECONDS = (86_400, 3_600, 60, 1)
_DECIMAL = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9}", re.ASCII)
MOST_STEPS = 100
"""More than a person can follow, and each one is checked against all others."""
_DURATION_HINT = "write it like 30s, 5m, 2h, 1d or PT5M"


class ScalarError(ValueError):
    """A word that is not what it should be. `str()` is a sentence; `code` names it for machines."""

    def __init__(self, sentence: str, *, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def shown(text: str, limit: int = 60) -> str:
    """Return foreign text in quotes, safe for one line of a message: clipped, without control characters."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return f'"{clean if len(clean) <= limit else clean[: limit - 1] + "…"}"'


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be, if any."""
    # Enough for every list of words a person writes, and a bound on the work for a hostile file.
    by_lower = {name.lower(): name for name in itertools.islice(known, 200)}
    close = difflib.get_close_matches(word[:100].lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else None


def parse_duration(
    text: str,
    bare: Literal["minutes", "seconds", "refuse"],
    *,
    at_least: int = 1,
    at_most: int = WEEK,
) -> int:
    """Return whole seconds from `30s 5m 2h 1d 1h30m PT5M`; `bare` says what a number without a unit means.

    Raises `ScalarError`: `bad_duration`, `bare_number` or `out_of_range` (outside `at_least`..`at_most` seconds).
    """
    word = text.strip()
    is_bare = re.fullmatch("[0-9]{1,9}", word, re.ASCII)
    seconds = _bare_seconds(word, bare) if is_bare else _unit_seconds(word)
    if not at_least <= seconds <= at_most:
        bounds = f"from {format_duration(at_least)} to {format_duration(at_most)}"
        raise ScalarError(
            f"{shown(text)} is out of range: take a duration {bounds}.", code="out_of_range"
        )
    return seconds


def _bare_seconds(word: str, bare: Literal["minutes", "seconds", "refuse"]) -> int:
    if bare == "refuse":
        raise ScalarError(
            f"{shown(word)} has no unit, and minutes or seconds would be a guess: {_DURATION_HINT}.",
            code="bare_number",
        )
    return int(word) * (60 if bare == "minutes" else 1)


def _unit_seconds(word: str) -> int:
    match = _SHORT.fullmatch(word) or _ISO.fullmatch(word)
    if match is None or not any(match.groups()):
        raise ScalarError(
            f"{shown(word)} is not a duration: {_DURATION_HINT}.", code="bad_duration"
        )
    return sum(
        int(count or 0) * unit for count, unit in zip(match.groups(), _UNIT_SECONDS, strict=True)
    )


def format_duration(seconds: int) -> str:
    """Return `90` as `1m30s`: the shortest text that `parse_duration` reads back."""
    parts = []
    for unit, letter in zip(_UNIT_SECONDS, "dhms", strict=True):
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"


def parse_percent(text: str) -> float:
    """Return percent from `5`, `5%` or `0.5%`. Raises `ScalarError`: `bad_percent` or `out_of_range`."""
    word = text.strip().removesuffix("%").rstrip()
    if not _DECIMAL.fullmatch(word):
        raise ScalarError(
            f"{shown(text)} is not a percentage: write it like 5 or 0.5.", code="bad_percent"
        )
    return checked_percent(float(word))


def checked_percent(percent: float) -> float:
    """Return `percent` when it lies in 0..100. Raises `ScalarError` `out_of_range`."""
    if not 0 <= percent <= 100:
        raise ScalarError(
            f"{percent:g} is out of range: a percentage is from 0 to 100.", code="out_of_range"
        )
    return percent


def parse_batch(text: str) -> int | str:
    """Return a number of instances from `2`, or percent of them from `25%`, as `25%`.

    Raises `ScalarError`: `bad_batch`, `bad_percent` or `out_of_range`.
    """
    word = text.strip()
    if not word.endswith("%"):
        if not re.fullmatch("[0-9]{1,6}", word, re.ASCII) or int(word) == 0:
            raise ScalarError(
                f"{shown(text)} is no batch: it is a whole number from 1 to 999999, or percent like 25%.",
                code="bad_batch",
            )
        return int(word)
    size = parse_percent(word)
    if not size:
        raise ScalarError(
            "A batch of nothing never ends: take percent above 0.", code="out_of_range"
        )
    return f"{size:.9f}".rstrip("0").rstrip(".") + "%"


def parse_steps(text: str) -> tuple[float, ...]:
    """Return the steps of a preset name or of `5,25,50`, `5/25/50`, `5%,25%`, in percent; the last is always 100.

    Raises `ScalarError`: `unknown_preset`, `bad_percent`, `out_of_range` or `bad_steps`.
    """
    word = text.strip().lower()
    if word[:1].isalpha():
        return parse_preset(word)
    return complete_steps(checked_steps([parse_percent(part) for part in re.split("[,/]", word)]))


def parse_preset(text: str) -> tuple[float, ...]:
    """Return the steps of a preset, in percent. Raises `ScalarError` `unknown_preset`."""
    steps = PRESETS.get(text.strip().lower())
    if steps is None:
        raise ScalarError(
            f"{shown(text)} is no preset of steps{did_you_mean(text, PRESETS)}: "
            f"take {', '.join(PRESETS)}, or write percentages.",
            code="unknown_preset",
        )
    return steps


def checked_steps(steps: Sequence[float]) -> tuple[float, ...]:
    """Return the steps when they rise strictly within 0 < step <= 100. Raises `ScalarError` `bad_steps`."""
    if not steps:
        raise ScalarError("There are no steps: name at least one percentage.", code="bad_steps")
    if len(steps) > MOST_STEPS:
        raise ScalarError(
            f"There are {len(steps)} steps: give {MOST_STEPS} at most.", code="bad_steps"
        )
    for before, step in zip((0.0, *steps), steps, strict=False):
        check_step(before, step)
    return tuple(float(step) for step in steps)


def check_step(before: float, step: float) -> None:
    """Refuse a step outside of 0 < step <= 100, or one not above the step before it: `ScalarError` `bad_steps`."""
    if not 0 < step <= 100:
        raise ScalarError(
            f"Step {step:g} is out of range: a step is more than 0 and at most 100 percent.",
            code="bad_steps",
        )
    if step <= before:
        raise ScalarError(
            f"Step {step:g} does not rise above the {before:g} before it: each step is larger than the last.",
            code="bad_steps",
        )


def complete_steps(steps: tuple[float, ...]) -> tuple[float, ...]:
    """Return the steps with a last step of 100."""
    return steps if steps[-1] == 100 else (*steps, 100.0)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean X?)` for the middle of a sentence, or nothing."""
    close = suggestion(word, known)
    return f" (did you mean {close}?)" if close else ""
