"""What is its own for each of several targets of one rollout, and the values that this is made of. Pure.

A rollout with one target keeps these in the row itself; with several, the row has one `Part` for each, and everything
else (phase, cursor, gate, plan) is common to all.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.rollout.wanted import Intent
from strategies.plan import Rule
from strategies.verdict import Fails, Judgement, Look


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """What came of one smoke test."""

    url: str
    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class LaneMemo:
    """How a lane was before the rollout touched it."""

    image: str
    replicas: int
    ready: int
    counted: bool = True
    """See `LaneState.counted`."""
    standing: bool = False
    """See `LaneState.standing`."""


@dataclass(frozen=True, slots=True)
class Armed:
    """The snapshot taken before the first write: what going back restores."""

    canary_weight: float
    stable: LaneMemo
    canary: LaneMemo
    at: datetime
    mark: str = ""
    """The offline mark that the router carried already: left by an earlier rollback, no wish about this rollout."""
    live: str = ""
    """Where lanes swap: the place that was live (`blue`)."""
    base: str = ""
    """Where another controller leads: see `integrations.controller.LedState.base`."""
    cut: bool = False
    """The canary was cut off already (`Split.cut`), or a person said that it is opened again."""
    among: str = ""
    """See `Split.among`."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What another controller moves for this rollout, as it was last seen; see `integrations.controller.LedState`."""

    movement: str = ""
    """`""` until it was seen that our version is on its way."""
    here: str = ""
    progress: str = ""
    asks: str = ""
    goal: str = ""
    run: str = ""
    unseen: datetime | None = None
    """Since when the controller has not looked at the newest change; nothing is known of it until then."""
    asked: float | None = None
    """The weight at which people were asked last because of its numbers."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a controller that fetches its orders told when it asked last; see `bot.rollout.fetching`."""

    movement: str
    checksum: str
    """Its own name for the movement."""
    gate: str = ""
    """The gate that it stands at; `""` while it only asked whether to go back."""
    here: str = ""
    """Where it stood then: elsewhere the question is over."""
    stop: str = ""
    strange: bool = False
    """Somebody asked about this movement by another name; that is said once."""


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
    smoke: tuple[SmokeResult, ...] = ()
    """What the smoke tests of this step said last."""

    def seconds(self, now: datetime) -> float:
        """Return how long this step has been observed."""
        running = (now - self.since).total_seconds() if self.since else 0.0
        return self.observed + max(0.0, running)


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
    people: tuple[str, ...] = ()
    """Who is named in the sentence, by id."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several targets of a rollout. The fields that a row has too mean the same for this target alone."""

    name: str
    to: str = ""
    """Its own version, where going back leads to different ones; `""`: that of the row."""
    lanes: Literal["", "fixed", "swap", "one", "led"] = ""
    """Its own shape, where it is another one than the row's (a flag beside a deployment); `""`: that of the row."""
    unwatched: bool = False
    """It has no numbers of its own: those of the other targets say whether it goes well."""
    done: bool = False
    """It has done the current step; on the way home: it has nothing more to do."""
    asks: bool = False
    """It cannot go home until a person has decided."""
    foreign: bool = False
    """Somebody else changed what is ours here."""
    home: datetime | None = None
    """When its traffic was read back as it was armed."""
    armed: Armed | None = None
    intent: Intent | None = None
    weight: float = 0.0
    weight_at: datetime | None = None
    image: str = ""
    digest: str = ""
    from_version: str = ""
    stable_touched: bool = False
    progress: Progress = field(default_factory=Progress)
    audience: tuple[Rule, ...] = ()
    batches: int = 0
    moved: int = 0
    instances: int | None = None
    dark: str = ""
    template: str = ""
    found: float | None = None
    batch_began: float = 0.0
    retire_at: datetime | None = None
    trouble: Trouble | None = None
    look: Look | None = None
    judgement: Judgement | None = None
    ledger: str = ""
