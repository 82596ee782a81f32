"""What the counts would have done in a rollout that they only observe. A pure value, kept on the row."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Score = Literal["", "rollback", "pass"]
"""What the counts would have done in all; `""`: they did not observe, or had nothing to go by."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What has been told of it."""

    at: datetime | None = None
    """When they would have rolled back; None: not yet."""
    weight: float = 0.0
    """Percent that the canary had then."""
    score: Score = ""
    """Set once, at the end."""
