"""What a rollout has been through, as its card tells it: stages with their times, who approved, the worst number.

Pure values, kept in the row: a card is drawn from the row alone, also years later and by another process.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

How = Literal["", "healthy", "failed", "unclear", "no data"]
"""What the newest numbers of a stage said; `""`: none were looked at. No data is never healthy."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the plan that was reached."""

    index: int
    """Of the step that opens it."""
    began: datetime
    ended: datetime | None = None
    how: How = ""
    left: bool = False
    """Whether it was left for home, and not for the next stage."""


@dataclass(frozen=True, slots=True)
class Yes:
    """One gate that people let pass."""

    people: tuple[str, ...]
    percent: float | None
    """Where it led; None: to stable."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What has been, oldest first."""

    stages: tuple[Stage, ...] = ()
    approvals: tuple[Yes, ...] = ()
    pauses: int = 0
    paused: bool = False
    """Whether it was paused when the row was saved last: the next such save is the same pause."""
    worst: float | None = None
    """The highest error rate (percent) that the new version was seen with."""
    blind_since: datetime | None = None
    """Since when the metrics cannot be asked."""


@dataclass(frozen=True, slots=True)
class Looker:
    """Who has said that they look at it, and when."""

    actor: str
    at: datetime
