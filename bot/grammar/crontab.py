"""The five fields of `cron=`, checked before anybody relies on them, and what they allow.

Pure, and as crontab means them: Sunday is 0 and 7, and where both kinds of day are restricted, either will do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bot.grammar.zones import zone_name

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class _Field:
    title: str
    least: int
    most: int
    words: Sequence[str] = ()

    def allowed(self, text: str) -> frozenset[int]:
        """Return every value that one field allows."""
        return frozenset(value for item in text.split(",") for value in self._span(item))

    def _span(self, item: str) -> range:
        span, slash, every = item.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = self.least, self.most
        else:
            begin = self.number(first)
            # `5/15` goes on to the end of the field, `5` alone does not.
            end = self.number(last) if dash else self.most if slash else begin
        return range(begin, end + 1, int(every) if slash else 1)

    def number(self, text: str) -> int:
        """Return the value of one number or word, or -1."""
        if text in self.words:
            return self.words.index(text) + self.least
        return int(text) if re.fullmatch(r"[0-9]{1,2}", text) else -1


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Timetable:
    """What a crontab line allows."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Both kinds of day are restricted, and one that fits is enough."""
    zone: str

    def has(self, day: date) -> bool:
        """Say whether a day is allowed."""
        fits = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return day.month in self.months and (any(fits) if self.either else all(fits))


def crontab(text: str) -> str:
    """Read a crontab line of five fields and perhaps a time zone; blanks and capitals are put right.

    Raises `ValueError`.
    """
    fields, zone = text.casefold().split()[:5], text.split()[5:]
    if len(fields) != len(_FIELDS) or len(zone) > 1:
        raise ValueError(
            'It has five fields in quotes: minute hour day month weekday, "0 2 * * *".'
        )
    for field, part in zip(_FIELDS, fields, strict=True):
        if not all(_fits(field, item) for item in part.split(",")):
            raise ValueError(f"Its {field.title} goes from {field.least} to {field.most}, or is *.")
    return " ".join([*fields, *(zone_name(name) for name in zone)])


def timetable(text: str) -> Timetable:
    """Return what a line allows that `crontab` has read."""
    parts = text.split()
    minutes, hours, days, months, weekdays = (
        field.allowed(part) for field, part in zip(_FIELDS, parts, strict=False)
    )
    either = not (parts[2].startswith("*") or parts[4].startswith("*"))
    zone = parts[5] if len(parts) > len(_FIELDS) else "UTC"
    sundays = frozenset(day % 7 for day in weekdays)
    return Timetable(minutes, hours, days, months, sundays, either, zone)


def _fits(field: _Field, item: str) -> bool:
    span, slash, every = item.partition("/")
    if slash and not (re.fullmatch(r"[0-9]{1,2}", every) and int(every)):
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    ends = [field.number(first)] + ([field.number(last)] if dash else [])
    return all(field.least <= end <= field.most for end in ends) and ends == sorted(ends)
