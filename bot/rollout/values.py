"""A rollout as a value: the row. Everything that a restart needs is in here, and nothing else is.

Pure. The row is replaced, never changed in place; `news` are the journal entries that explain why this revision differs
from the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self

from bot.rollout.changes import Changes
from bot.rollout.observed import Observed
from bot.rollout.part import Armed, Followed, Part, Progress, SmokeResult, Told, Trouble
from bot.rollout.question import ClosedGate, Decided, Gate
from bot.rollout.trail import Looker, Trail
from bot.rollout.wanted import Intent
from strategies.compare import Comparison
from strategies.plan import Plan, Replace, Rule, Step, Watch
from strategies.verdict import Judgement, Look


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
class Entry:
    """One line of the journal: who did what, and the sentence for people."""

    verb: str
    actor: str
    text: str
    code: str = ""
    event: str = ""
    """The alert that sinks get, `""` for none (`rollout.rolled_back` and friends)."""
    tell: Literal["", "thread", "requester", "channel", "alert", "broadcast"] = "thread"
    """Who hears of it in Slack: nobody, the thread, the thread and the requester, the thread and its channel, the
    thread and the alert channel, or everybody with a mention."""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def loud(self) -> bool:
        """Whether it is a message of its own that calls people."""
        return self.tell in {"channel", "alert", "broadcast"}


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
    lost: bool = False
    """Variant A won an A/B test: going home is the good end, and nobody is alerted."""
    partial: bool = False
    """Only the batch that failed goes back; the rollout then holds."""
    paged: tuple[str, ...] = ()
    """What people were called about on the way home, by code: once for each."""
    home: datetime | None = None
    """When traffic was read back at its armed split."""
    rest: str = ""
    """What is not as before although the split is home, as a clause; `""`: everything is."""
    left: str = ""
    """What goes on naming the new version where nothing of it is left (`Split.left`)."""
    cut: str = ""
    """Why nobody gets the new version whatever its weight says, as read back on the way home (`Split.cut`)."""


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
    reminders: tuple[int, ...] = (300, 900, 1800)
    """Seconds after which an open gate is brought to mind: in the thread, in the channel, by a call."""
    break_glass: tuple[str, ...] = ()
    """Who may pass a rule all the same, with a reason and aloud."""
    renewed: bool = False
    """The configuration has named others since: what the plan says about approvers is out of date."""
    unreachable: str = ""
    """Why so many approvals could never come together, as a sentence, when people were counted at the start."""


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
    digest: str = ""
    """What the canary's pods reported that the tag meant when they first were ready; `""` where nothing reports it."""
    stable_touched: bool = False
    """Promote has begun to write the stable lane."""
    progress: Progress = field(default_factory=Progress)
    gate: Gate | None = None
    closed: tuple[ClosedGate, ...] = ()
    decided: tuple[Decided, ...] = ()
    """Who stopped it, oldest first."""
    look: Look | None = None
    judgement: Judgement | None = None
    ledger: str = ""
    """What was counted and what that proves, as text: a turn need not read it (`bot.rollout.ledger`)."""
    observed: Observed = field(default_factory=Observed)
    """Where the counts only observe: what they would have done."""
    remarked: tuple[str, ...] = ()
    """Codes of what was said once and is not said again."""
    back: Back | None = None
    trouble: Trouble | None = None
    resume_to: Phase | None = None
    reminded: datetime | None = None
    """When people were last told that this rollout holds by itself and needs them; `None` while it does not."""
    rollback_of: str = ""
    lanes: Literal["fixed", "swap", "one", "led"] = "fixed"
    """See `strategies.request.Request`."""
    smoked: tuple[SmokeResult, ...] = ()
    """What the smoke tests said when the dark lane passed: whoever approves the switch wants to see it."""
    audience: tuple[Rule, ...] = ()
    """The requests that go to the canary whatever the weight, as last read back."""
    batches: int = 0
    """Batches that are done."""
    moved: int = 0
    """Instances of the one place that were last read back as moved."""
    instances: int | None = None
    """How many there are in the one place, as last read; None: as many as when it was armed."""
    dark: str = ""
    """Where lanes are revisions that the platform names: the one that Prepare made for this rollout."""
    template: str = ""
    """What the instances of the one place were last told to run, as read back; `""`: what they ran before."""
    followed: Followed | None = None
    """Where another controller leads: what it moves, and where that stood when it was last looked at."""
    told: Told | None = None
    """Where that controller fetches its orders: what it asked last."""
    found: float | None = None
    """The weight that somebody else wrote, while it holds because of that."""
    batch_began: float = 0.0
    """Where the current batch began: percent, or instances in one place. A failed batch goes back to here."""
    comparison: Comparison | None = None
    """How the two variants of an A/B test stand."""
    winner: str = ""
    """`A` or `B`, once an A/B test has one."""
    retire_at: datetime | None = None
    """Where lanes swap: until when the old version is kept ready, after success."""
    keeper: str = ""
    kept_until: datetime | None = None
    """Which earlier rollout kept the lane that this one uses, and until when; that goes on if it is left as it was."""
    wary: bool = False
    """A scale-down by an earlier rollout may still be on its way to our lane: write it even if it looks right."""
    due: datetime | None = None
    """When a scheduled rollout starts."""
    after: str = ""
    """The rollout that it waits for in the queue of its target, while it is scheduled without a moment."""
    asked: str = ""
    """The command that asked for it, as JSON, while it is scheduled: its plan is compiled again at the start."""
    recheck_at: datetime | None = None
    started: datetime | None = None
    """When it began to run: its creation, or the end of its time as a scheduled one."""
    waited: float = 0.0
    """Seconds that it stood still for people, up to `waiting_since`."""
    waiting_since: datetime | None = None
    """Since when it stands still for people; `None` while it does not."""
    ended: datetime | None = None
    changes: Changes | None = None
    """What it changes, as far as could be told when it was made; None: nobody says where the code is."""
    channel: str = ""
    """Where its card lives."""
    editors: tuple[str, ...] = ()
    """Who changed what runs since it was requested: like the requester they do not approve it."""
    passed: tuple[str, ...] = ()
    """What it was let through at its start although it keeps others out, by id (`bot.rollout.locks`)."""
    parts: tuple[Part, ...] = ()
    """Its targets, in the order in which it goes forward, where there are several; the row's own fields then sum up."""
    trail: Trail = field(default_factory=Trail)
    looker: Looker | None = None
    """Who has said that they look at what went wrong; people are not reminded of it any more."""
    place: str = ""
    """Only in a view of one of several targets (`bot.rollout.parts`): which one. Never stored."""
    among: int = 1
    """Only there: of how many. Never stored."""
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
    def watched(self) -> Watch | None:
        """The step whose checks judge now: the current one, else the last watching one behind the cursor."""
        for step in reversed(self.plan.steps[: self.cursor + 1]):
            if isinstance(step, Watch):
                return step
        return None

    def tell(self, entry: Entry, **changes: Any) -> Self:
        """Return the row with these changes and one more line for the journal."""
        return replace(self, news=(*self.news, entry), **changes)

    def to_next(self, now: datetime) -> Self:
        """Return the row with the cursor on the next step; behind a batch that is back at the batch until all moved."""
        following, batch, end = self.cursor + 1, self.plan.repeated, self.plan.repeats_until
        if batch is not None and self.cursor == batch and self.lanes == "fixed" and self.all_moved:
            # What the last visit handed over has been watched as the canary already.
            following = end
        elif batch is not None and following == end and not self.all_moved:
            following = batch
        return self.to(following, now)

    def to(self, cursor: int, now: datetime) -> Self:
        """Return the row with the cursor on this step."""
        fresh = Progress(began=now)
        parts = tuple(replace(part, done=False, progress=fresh) for part in self.parts)
        return replace(self, cursor=cursor, progress=fresh, gate=None, parts=parts)

    @property
    def one_place(self) -> bool:
        """Whether both versions run in one place, so that mostly their numbers are not told apart."""
        return self.lanes in {"one", "led"}

    @property
    def in_place(self) -> bool:
        """Whether the new version takes the old one's place in the stable lane; the router is then left alone."""
        return any(isinstance(step, Replace) for step in self.plan.steps)

    @property
    def whole(self) -> int:
        """How many instances there are in the one place. An autoscaler may change that at any time."""
        return sum(_whole(own) for own in self.parts or (self,))

    @property
    def all_moved(self) -> bool:
        """Whether no old instance is left. On fixed lanes that includes the hand-over to the stable lane."""
        return all(_all_moved(own, own.lanes or self.lanes) for own in self.parts or (self,))

    @property
    def live_changed(self) -> bool:
        """Whether it succeeded with its own version: not where variant A won."""
        return self.phase is Phase.SUCCEEDED and self.winner != "A"

    @property
    def writing(self) -> bool:
        """Whether a write is wanted that was not read back yet."""
        return any(own.intent is not None for own in self.parts or (self,))


def _all_moved(own: Rollout | Part, lanes: str) -> bool:
    match lanes:
        case "one":
            return own.armed is not None and own.moved >= _whole(own)
        case "swap":
            return own.weight >= 100
        case _:
            return own.stable_touched and own.weight == 0


def _whole(own: Rollout | Part) -> int:
    if own.instances is not None:
        return own.instances
    return own.armed.stable.replicas if own.armed else 0
