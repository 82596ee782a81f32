"""The five fields of `cron=`, checked before anybody relies on them.

Pure, and only the shape and the ranges: which moment comes next is not for the grammar to say.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class _Field:
    title: str
    least: int
    most: int
    words: Sequence[str] = ()

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


def crontab(text: str) -> str:
    """Read a crontab line of five fields; blanks and capitals are put right. Raises `ValueError`."""
    fields = text.casefold().split()
    if len(fields) != len(_FIELDS):
        raise ValueError('it has five fields in quotes: minute hour day month weekday, "0 2 * * *"')
    for field, part in zip(_FIELDS, fields, strict=True):
        if not all(_fits(field, item) for item in part.split(",")):
            raise ValueError(f"its {field.title} goes from {field.least} to {field.most}, or is *")
    return " ".join(fields)


def _fits(field: _Field, item: str) -> bool:
    span, slash, every = item.partition("/")
    if slash and not (re.fullmatch(r"[0-9]{1,2}", every) and int(every)):
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    ends = [field.number(first)] + ([field.number(last)] if dash else [])
    return all(field.least <= end <= field.most for end in ends) and ends == sorted(ends)
