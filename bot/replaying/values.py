"""What a replay is asked, what it is given, and what it found. Pure values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bot.rollout.accounting import Outcome
from bot.rollout.hindsight import Worth
from bot.rollout.kept import KeptLook
from bot.rollout.values import Rollout
from strategies.evidence import Policy
from strategies.plan import Check


@dataclass(frozen=True, slots=True)
class Judge:
    """What the rollouts of one target are held against, in the place of what their plans said."""

    checks: tuple[Check, ...]
    min_requests: int
    evidence: Policy | None
    """None: as usual."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rollouts are judged again, and by what."""

    last: timedelta
    service: str | None = None
    environment: str | None = None
    judges: Mapping[tuple[str, str], Judge] | None = None
    """By service and environment; None: each rollout by its own plan."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `strategies.evidence.Policy`, over what the plan or the judge says."""


@dataclass(frozen=True, slots=True)
class Case:
    """One rollout that has ended, with all that was stored of it."""

    outcome: Outcome
    row: Rollout
    looks: Sequence[KeptLook]
    worth: Worth
    undone: datetime | None = None
    """When its success was undone."""
    broken: int = 0
    """How many of its looks are kept and cannot be read."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a replay would have rolled back."""

    at: datetime
    weight: float
    by: Literal["counts", "limits"]
    why: str
    """A sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a replay of one rollout came to."""

    case: Case
    """Without its looks: a replay of a year has to fit into memory."""
    stop: Stop | None
    """None: it would have gone on."""
    windows: int = 0
    """How many were there to be weighed."""
    unanswered: frozenset[str] = frozenset()
    """Metrics of which what was counted does not tell by the bound that is asked."""
    unmeasured: frozenset[str] = frozenset()
    """Metrics of checks that no look has."""
    lost: int = 0
    """How many windows are not kept any more."""
    forgotten: bool = False
    """What was known of stable, and of what is slow there, cannot be read."""
    observed: bool = False
    """The counts only observe, and decided nothing."""
    compared: bool = False
    """A number of both versions was compared over time, put together from the looks that are kept."""
    unprovable: bool = False
    """It went back by such a comparison, which the looks that are kept do not prove: nobody can judge it again."""

    @property
    def was(self) -> datetime | None:
        """When the version was in fact taken back; None where it was not."""
        back = self.case.row.back
        if self.case.outcome.end == "rolled_back" and back is not None:
            return back.at
        return self.case.undone if self.case.worth == "bad" else None

    @property
    def earlier(self) -> float | None:
        """How many seconds before it was taken back in fact; None where it was not, or would not have been."""
        if self.was is None or self.stop is None:
            return None
        return max(0.0, (self.was - self.stop.at).total_seconds())


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay of many came to."""

    every: tuple[Played, ...]
    """Oldest first; only those whose end says what the version was worth."""
    neutral: int = 0
    """Left out: their end says nothing about the version."""
    bare: int = 0
    """Left out: no look of them is kept."""
    garbled: int = 0
    """Left out: looks of them are kept, and none can be read."""
    unreadable: int = 0
    """Left out: their row cannot be read."""
    unconfigured: int = 0
    """Left out: the file does not have their target."""
    bounded: bool = False
    """There were more in the window than are looked at."""

    @property
    def played(self) -> tuple[Played, ...]:
        """Those that could be judged again."""
        return tuple(one for one in self.every if not one.unprovable)

    @property
    def unprovable(self) -> int:
        """Left out: they cannot be judged again."""
        return len(self.every) - len(self.played)

    @property
    def good(self) -> tuple[Played, ...]:
        """Those that succeeded, and stayed."""
        return tuple(one for one in self.played if one.case.worth == "good")

    @property
    def bad(self) -> tuple[Played, ...]:
        """Those that were taken back for what they did."""
        return tuple(one for one in self.played if one.case.worth == "bad")

    @property
    def cried(self) -> tuple[Played, ...]:
        """Good ones that would have been rolled back."""
        return tuple(one for one in self.good if one.stop is not None)

    @property
    def missed(self) -> tuple[Played, ...]:
        """Bad ones that would not have been rolled back by what is stored."""
        return tuple(one for one in self.bad if one.stop is None)

    @property
    def earlier(self) -> float | None:
        """Seconds that the bad ones would have been rolled back earlier, on average; None where none would."""
        gained = [one.earlier for one in self.bad if one.earlier is not None]
        return sum(gained) / len(gained) if gained else None
