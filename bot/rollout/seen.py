"""What one look at the world brought back, and what the row wants to have looked at. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.rollout.ledger import Ledger
from bot.rollout.part import SmokeResult, Trouble
from bot.rollout.values import Rollout
from integrations.base import Finding, FleetState, Lane, LaneState, Split
from integrations.controller import LedState
from strategies.verdict import Fails, Judgement, Look


@dataclass(frozen=True, slots=True)
class Need:
    """What `advance` wants to see for this row."""

    split: bool = False
    lanes: bool = False
    only: Lane | None = None
    """The one lane that matters; None for both."""
    window: int = 0
    """Seconds of metrics, 0 for none."""
    inspect: bool = False
    """The preflight of the router, or of the one place."""
    canary_pods: bool = False
    fleet: bool = False
    """The instances of a target with one place."""
    led: bool = False
    """What another controller moves, and where it stands."""
    smoke: bool = False
    """Run the smoke tests of the current step."""
    afresh: bool = False
    """What a scheduled rollout would be if it were asked for now."""
    parts: "Mapping[str, Need]" = field(default_factory=dict)
    """By the name of a target, where there are several; one of which nothing is needed is not in it."""


@dataclass(frozen=True, slots=True)
class Barred:
    """What keeps a rollout out of its target at this moment."""

    code: str
    why: str
    """A clause without its full stop."""
    people: tuple[str, ...] = ()
    """Who is named in it."""


@dataclass(frozen=True, slots=True)
class Afresh:
    """What a scheduled rollout would be if it were asked for now."""

    rollout: Rollout | None
    """As it would be created; None where today's configuration makes no plan of it."""
    problem: str = ""
    """Why there is no plan, as a sentence."""
    barred: Barred | None = None
    busy: str = ""
    """The id of the rollout that holds the target."""
    ahead: str = ""
    """Of one that waits in a queue: the id of the rollout that comes before it."""
    undone: str = ""
    """Of one that waits in a queue: how the one that it waited for ended, where that was not well; a clause."""
    full: int = 0
    """So many rollouts are in flight as there may be; 0: there is room."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The world at `now`. A part that was not asked for, or could not be read, is `None`."""

    now: datetime
    split: Split | None = None
    lanes: Mapping[Lane, LaneState] | None = None
    fleet: FleetState | None = None
    led: LedState | None = None
    smoke: tuple[SmokeResult, ...] | None = None
    live: str = ""
    """Where lanes swap: the name of the place that is stable."""
    afresh: Afresh | None = None
    look: Look | None = None
    ledger: Ledger | None = None
    """What was counted up to now; None where the counts are not asked."""
    findings: tuple[Finding, ...] | None = None
    image: str = ""
    """The image reference of the row's version, as its workload spells it."""
    trouble: Trouble | None = None
    """What could not be read or written in this turn."""
    variables: Mapping[str, str] = field(default_factory=dict)
    parts: "Mapping[str, Seen]" = field(default_factory=dict)
    """By the name of a target, where there are several; one that was not looked at is not in it."""
    judged: tuple[Judgement, Fails] | None = None
    """What `look` came to, where it was judged already (of several targets the worst)."""
