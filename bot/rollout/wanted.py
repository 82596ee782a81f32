"""What a rollout wants of the world: an intent, saved before it is written and kept until it was read back (G1).

Pure values. Whether one has landed is asked in `bot.rollout.intents`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from integrations.base import Lane
from strategies.plan import Rule


@dataclass(frozen=True, slots=True)
class PutWeight:
    """Intent: the router shall give `percent` to the canary. Applied when it reads back with our fence."""

    percent: float
    before: float
    """What the router showed when the intent was made; anything else but `percent` is somebody's edit."""
    since: int
    """The revision of the intent: an older fence on the object means that this write has not landed yet."""
    rules: tuple[Rule, ...] = ()
    """The requests that go to the canary whatever the weight."""
    at: datetime | None = None
    """When it was asked for, where a deadline counts from it."""
    kept: bool = False
    """It is there already, written by somebody else, and a person said that it stays: only the fence is missing."""
    told: str = ""
    """What it waits for since it is written, as `Split.waits` said last (DNS, a platform that rolls it out)."""
    told_at: datetime | None = None
    """When people were told so first."""
    promised: datetime | None = None
    """By when people were told that it would be there."""
    kind: Literal["weight"] = "weight"


@dataclass(frozen=True, slots=True)
class PutLane:
    """Intent: one lane shall have this image and this many pods."""

    lane: Lane
    image: str
    replicas: int
    at: datetime
    """When it was asked for; deadlines count from here."""
    since: int = 0
    """The revision whose fence must be on the lane too; 0: looking right is enough."""
    kind: Literal["lane"] = "lane"


@dataclass(frozen=True, slots=True)
class PutFleet:
    """Intent: `count` instances of the one place shall run `image`; None: all of them."""

    image: str
    at: datetime
    """When it was asked for; deadlines count from here."""
    since: int
    """The revision of the intent, see `PutWeight`."""
    before: str = ""
    """What the instances were told to run when the intent was made; any other image but ours is somebody's edit.
    `""`: it may be written over (a person said so)."""
    count: int | None = None
    replicas: int | None = None
    """How many instances there shall be in all; None leaves that alone."""
    nudged: datetime | None = None
    """When it was written once more, because nothing was moving."""
    kind: Literal["fleet"] = "fleet"


@dataclass(frozen=True, slots=True)
class PutLed:
    """Intent: the controller of the target shall get this order."""

    order: Literal["start", "resume", "abort", "retry", "hold", "release"]
    at: datetime
    """When it was asked for; deadlines count from here."""
    since: int
    """The revision of the intent, see `PutWeight`."""
    image: str = ""
    """What shall be rolled out (`start`)."""
    before: str = ""
    """The image that was asked for when the intent was made; any other but ours is somebody's edit."""
    full: bool = False
    """All at once, without the controller's own steps."""
    stop: str = ""
    """The pause that people said yes to (`resume`); at any other nothing is written."""
    missed: bool = False
    """People were told that nobody comes for it."""
    kind: Literal["led"] = "led"


Intent = Annotated[PutWeight | PutLane | PutFleet | PutLed, Field(discriminator="kind")]
