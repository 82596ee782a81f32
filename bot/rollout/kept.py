"""A look as it is remembered: the numbers of one moment, and where the rollout stood. A pure value."""

from dataclasses import dataclass

from strategies.verdict import Look


@dataclass(frozen=True, slots=True)
class KeptLook:
    """One look that was kept."""

    cursor: int
    weight: float
    place: str
    """Which of several targets it is of; `""` where there is one only."""
    look: Look
