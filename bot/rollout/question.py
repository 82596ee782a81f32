"""A question to people as a value: who voted, what they were shown, and what became of it.

Values only; `bot.rollout.gates` says how a gate opens, counts and closes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from strategies.verdict import Judgement, Look

_UNSEEN = timedelta(minutes=5)
"""Between two looks at a question whose clock stands still."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's yes."""

    actor: str
    at: datetime
    owner: str = ""
    """The person behind a token: both are one."""
    broke_glass: bool = False
    """They are no approver, and broke the glass."""

    @property
    def ids(self) -> frozenset[str]:
        """All names under which whoever voted counts as one person."""
        return frozenset(one for one in (self.actor, self.owner) if one)

    @property
    def nameless(self) -> bool:
        """Whether a token voted that names no owner: it may be in the hands of anybody who has voted already."""
        return self.actor.startswith("token:") and not self.owner


@dataclass(frozen=True, slots=True)
class Gate:
    """A question to people, open until it has its quorum, expires, or something ends it."""

    id: str
    kind: Literal["approve", "ask", "winner", "start"]
    """`winner`: an A/B test is over and a person says which variant stays. `start`: scheduled, and not started."""
    opened: datetime
    expires: datetime
    quorum: int
    groups: tuple[str, ...]
    votes: tuple[Vote, ...] = ()
    look: Look | None = None
    """The numbers that were shown."""
    judgement: Judgement | None = None
    stop: str = ""
    """Where another controller leads: the identity of the pause that this asks about."""
    weakened: tuple[str, ...] = ()
    reminders: int = 0
    """How many rungs of the reminders are behind it."""
    shown: int = 1
    """The number of the snapshot that is shown: a click counts only for the one that it was made on."""
    refreshed: datetime | None = None
    """When the snapshot was last replaced because the numbers had moved."""
    moved: str = ""
    """What had moved then, as a clause."""
    unseen: datetime | None = None
    """Since when nobody could be asked: from then on its clock stands still. `None`: somebody could see it."""
    called: datetime | None = None
    """When people were called last because of that, for this question or another one in the same trouble."""
    paged: bool = False
    """They were called for this one."""

    @property
    def counted(self) -> tuple[Vote, ...]:
        """The votes that count: beside people none of a token that names nobody, which may be one of them again."""
        named = tuple(vote for vote in self.votes if not vote.nameless)
        return named or self.votes

    @property
    def missing(self) -> int:
        """How many votes it still needs."""
        return max(0, self.quorum - len(self.counted))

    def over(self, now: datetime) -> bool:
        """Whether its time is up; a question that nobody could see does not expire."""
        return self.unseen is None and now >= self.expires

    def due(self, now: datetime) -> datetime:
        """Return when its time is up; while that stands still, when to look again."""
        return self.expires if self.unseen is None else max(self.expires, now + _UNSEEN)


@dataclass(frozen=True, slots=True)
class ClosedGate:
    """What became of a gate, for the one-line record that its message turns into."""

    id: str
    sentence: str
    people: tuple[str, ...] = ()
    """Who is named in the sentence; only they become mentions."""
    at: datetime | None = None
    took: int | None = None
    """Seconds that it was open."""
    promoted: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """That a person stopped a rollout, which needs no words (a reason may come afterwards), or what came then."""

    deed: Literal["pause", "rollback", "resume", "resolve"]
    actor: str
    at: datetime
    reason: str = ""
