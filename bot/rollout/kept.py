"""A look as it is remembered: the numbers of one moment, and where the rollout stood. A pure value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from strategies.evidence import Window
from strategies.verdict import Look


@dataclass(frozen=True, slots=True)
class KeptLook:
    """One look that was kept."""

    cursor: int
    weight: float
    place: str
    """Which of several targets it is of; `""` where there is one only."""
    look: Look
    others: Mapping[str, tuple[datetime, tuple[Window, ...]]] = field(default_factory=dict)
    """By the name of another target: what was counted there since its look before, and when that was."""
    lost: int = 0
    """Windows that were counted before it and are not kept any more."""

    def counted(self, place: str) -> tuple[Window, ...]:
        """Return what was counted on one target since the look before."""
        return self.look.windows if place == self.place else self.others.get(place, (None, ()))[1]
