"""What is counted: bad events among exposures, per lane, between two looks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tally:
    """Bad events among exposures of one lane in one window: errors of requests, slow ones of requests."""

    bad: float
    of: float

    def __post_init__(self) -> None:
        """Refuse what no counter says (`ValueError`): whoever counts has to call that missing."""
        if not (math.isfinite(self.bad) and math.isfinite(self.of) and 0 <= self.bad <= self.of):
            raise ValueError(f"{self.bad!r} bad events of {self.of!r} exposures cannot be counted")

    @property
    def rate(self) -> float:
        """The share of bad events; 0 where nothing was exposed."""
        return self.bad / self.of if self.of else 0.0

    def __add__(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(self.bad + other.bad, self.of + other.of)


NOTHING = Tally(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Both:
    """What both lanes counted for one question; `None` where it is not known."""

    canary: Tally | None = None
    stable: Tally | None = None

    @property
    def control(self) -> Tally:
        """What stable counted; nothing where that is not known."""
        return self.stable or NOTHING


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted between two looks."""

    seconds: float
    stage: int
    """Of the plan, from 0. A window in which the weight changed belongs to none and is not to be given."""
    weight: float
    """Percent that the canary got."""
    age: float
    """Seconds since pods were last added to the canary, at the end of the window: what tells warm-up."""
    tallies: Mapping[str, Both] = field(default_factory=dict)
    """By the name of the question."""
