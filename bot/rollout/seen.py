"""What one look at the world brought back, and what the row wants to have looked at. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.rollout.values import Trouble
from integrations.base import Finding, Lane, LaneState, Split
from strategies.verdict import Look


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
    """The preflight of the router."""
    canary_pods: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The world at `now`. A part that was not asked for, or could not be read, is `None`."""

    now: datetime
    split: Split | None = None
    lanes: Mapping[Lane, LaneState] | None = None
    look: Look | None = None
    findings: tuple[Finding, ...] | None = None
    image: str = ""
    """The image reference of the row's version, as its workload spells it."""
    trouble: Trouble | None = None
    """What could not be read or written in this turn."""
    variables: Mapping[str, str] = field(default_factory=dict)
