"""A rollout as a value: the row. Everything that a restart needs is in here, and nothing else is.

Pure. The row is replaced, never changed in place; `news` are the journal entries that explain why this revision differs
from the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from integrations.base import Lane
from strategies.plan import Plan, Soak, Step
from strategies.verdict import Fails, Judgement, Look


class Phase(StrEnum):
    """Where a rollout stands. The last three are final and never reopen."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    PAUSED = "PAUSED"
    ROLLING_BACK = "ROLLING_BACK"
    NEEDS_ATTENTION = "NEEDS_ATTENTION"
    SUCCEEDED = "SUCCEEDED"
    ROLLED_BACK = "ROLLED_BACK"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the target."""
        return self in {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.CANCELLED}


@dataclass(frozen=True, slots=True)
class PutWeight:
    """Intent: the router shall give `percent` to the canary. Applied when it reads back with our fence."""

    percent: float
    before: float
    """What the router showed when the intent was made; anything else but `percent` is somebody's edit."""
    since: int
    """The revision of the intent: an older fence on the object means that this write has not landed yet."""
    kind: Literal["weight"] = "weight"


@dataclass(frozen=True, slots=True)
class PutLane:
    """Intent: one lane shall have this image and this many pods."""

    lane: Lane
    image: str
    replicas: int
    at: datetime
    """When it was asked for; deadlines count from here."""
    kind: Literal["lane"] = "lane"


Intent = Annotated[PutWeight | PutLane, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class LaneMemo:
    """How a lane was before the rollout touched it."""

    image: str
    replicas: int
    ready: int


@dataclass(frozen=True, slots=True)
class Armed:
    """The snapshot taken before the first write: what going back restores."""

    canary_weight: float
    stable: LaneMemo
    canary: LaneMemo
    at: datetime
    mark: str = ""
    """The offline mark that the router carried already: left by an earlier rollback, no wish about this rollout."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's yes."""

    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Gate:
    """A question to people, open until it has its quorum, expires, or something ends it."""

    id: str
    kind: Literal["approve", "ask"]
    opened: datetime
    expires: datetime
    quorum: int
    groups: tuple[str, ...]
    votes: tuple[Vote, ...] = ()
    look: Look | None = None
    """The numbers that were shown."""
    judgement: Judgement | None = None
    weakened: tuple[str, ...] = ()
    reminders: int = 0


@dataclass(frozen=True, slots=True)
class ClosedGate:
    """What became of a gate, for the one-line record that its message turns into."""

    id: str
    sentence: str
    people: tuple[str, ...] = ()
    """Who is named in the sentence; only they become mentions."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the current step has achieved; reset when the cursor moves."""

    began: datetime | None = None
    observed: float = 0.0
    """Seconds of soak that count, up to the last pause."""
    since: datetime | None = None
    """Since when soak time runs; `None` while it does not."""
    extended: int = 0
    """Seconds added to the soak, by thin evidence or by a person."""
    attempt: int = 0
    """How many gates this step has opened."""
    fails: Fails = ()

    def seconds(self, now: datetime) -> float:
        """Return how long this step has been observed."""
        running = (now - self.since).total_seconds() if self.since else 0.0
        return self.observed + max(0.0, running)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: who did what, and the sentence for people."""

    verb: str
    actor: str
    text: str
    code: str = ""
    event: str = ""
    """The alert that sinks get, `""` for none (`rollout.rolled_back` and friends)."""
    tell: Literal["", "thread", "requester", "broadcast"] = "thread"
    """Who hears of it in Slack: nobody, the thread, the thread and the requester, or everybody with a mention."""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What currently keeps the rollout from going on, as a code and a sentence."""

    code: str
    sentence: str
    since: datetime
    tries: int = 1
    """Failed looks or writes; 0 for what was seen clearly and is in the way (pods that are not ready)."""
    final: bool = False
    """Trying again will not help."""
    paged: bool = False
    """People have been called about it."""


@dataclass(frozen=True, slots=True)
class Back:
    """Why and by whom a rollout goes back."""

    code: str
    reason: str
    actor: str
    at: datetime
    automatic: bool
    weight: float
    """Percent the canary had when it was decided."""
    judgement: Judgement | None = None
    force: bool = False
    """Go home even if stable looks unhealthy (`now`)."""
    home: datetime | None = None
    """When traffic was read back at its armed split."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the environment and the service said about people when the rollout was created."""

    approvals: int = 0
    approvers: tuple[str, ...] = ()
    gate_expires: int = 86400
    on_expiry: Literal["hold", "rollback"] = "hold"
    self_approval: bool = False
    oncall: str = ""
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """One version going out to one target."""

    id: str
    service: str
    environment: str
    version: str
    plan: Plan
    requester: str
    created: datetime
    counter: int
    """Of the target: every rollout on it gets the next one. First half of the fence."""
    rules: Rules = field(default_factory=Rules)
    phase: Phase = Phase.RUNNING
    revision: int = 1
    cursor: int = 0
    reason: str = ""
    code: str = ""
    """Why the phase is what it is, where that is not obvious (`gate_expired`, `drift`, `check_failed` …)."""
    from_version: str = ""
    armed: Armed | None = None
    intent: Intent | None = None
    weight: float = 0.0
    """Percent that was last read back as ours."""
    weight_at: datetime | None = None
    image: str = ""
    """The image of the new version, once the target was asked."""
    stable_touched: bool = False
    """Promote has begun to write the stable lane."""
    progress: Progress = field(default_factory=Progress)
    gate: Gate | None = None
    closed: tuple[ClosedGate, ...] = ()
    look: Look | None = None
    judgement: Judgement | None = None
    back: Back | None = None
    trouble: Trouble | None = None
    resume_to: Phase | None = None
    reminded: datetime | None = None
    """When people were last told that this rollout holds by itself and needs them; `None` while it does not."""
    rollback_of: str = ""
    recheck_at: datetime | None = None
    ended: datetime | None = None
    channel: str = ""
    """Where its card lives."""
    news: tuple[Entry, ...] = ()

    @property
    def step(self) -> Step | None:
        """The step at the cursor; `None` behind the last."""
        return self.plan.steps[self.cursor] if self.cursor < len(self.plan.steps) else None

    @property
    def fence(self) -> str:
        """What every write of this revision carries: `<counter of the target>.<revision>`."""
        return f"{self.counter}.{self.revision}"

    @property
    def target(self) -> str:
        """The name of the target, `service/environment`."""
        return f"{self.service}/{self.environment}"

    @property
    def watched(self) -> Soak | None:
        """The soak whose checks judge now: the current one, else the last one behind the cursor."""
        for step in reversed(self.plan.steps[: self.cursor + 1]):
            if isinstance(step, Soak):
                return step
        return None

    def tell(self, entry: Entry, **changes: Any) -> Self:
        """Return the row with these changes and one more line for the journal."""
        return replace(self, news=(*self.news, entry), **changes)

    def to_next(self, now: datetime) -> Self:
        """Return the row with the cursor on the next step."""
        return replace(self, cursor=self.cursor + 1, progress=Progress(began=now), gate=None)
