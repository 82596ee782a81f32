"""Which minutes count. Pure: CloudWatch has one number a minute, and it comes one to three minutes late.

A window begins in the middle of a minute, and that minute holds requests from before it: it does not count. The last
minute is not counted until another one has passed, because requests and failures arrive in their own time, and a rate
of two halves is a wrong rate. So the shortest window with a number in it has 180 seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor

Minutes = Mapping[int, float]
"""The number of each minute that has one; a minute is its beginning in minutes since 1970."""

_SETTLES = 60
"""Seconds that a minute is given to arrive in after its end."""
STALE = 240
"""Seconds after its end from which on the newest minute is old: three to arrive in, one for the next to be counted."""
BUSY = 0.5
"""A lane with a number in this share of its minutes has traffic all the time: silence is no chance."""


@dataclass(frozen=True, slots=True)
class Span:
    """The minutes of one look: from `begin` on, `end` is not among them."""

    begin: int
    end: int

    @classmethod
    def of(cls, now: datetime, window: int) -> "Span":
        """Return the whole minutes of the last `window` seconds that have had time to arrive."""
        seconds = now.timestamp()
        return cls(ceil((seconds - window) / 60), floor((seconds - _SETTLES) / 60))

    @property
    def empty(self) -> bool:
        """Whether it is too early for any number."""
        return self.end <= self.begin

    def __contains__(self, minute: int) -> bool:
        return self.begin <= minute < self.end


def minute_of(at: datetime) -> int:
    """Return the minute that a moment is in."""
    return int(at.timestamp()) // 60


def moment(minute: int) -> datetime:
    """Return when a minute begins."""
    return datetime.fromtimestamp(minute * 60, UTC)


def went_silent(counted: Minutes, span: Span, now: datetime) -> bool:
    """Whether a lane that had requests all the time has told nothing for longer than CloudWatch is ever late."""
    if not counted:
        return False
    newest = max(counted)
    if now.timestamp() - (newest + 1) * 60 <= STALE:
        return False
    return len(counted) / (newest + 1 - span.begin) >= BUSY
