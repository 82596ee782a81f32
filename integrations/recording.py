"""What the instances of one lane answered over hours, one by one, as a source has it recorded.

Pure. The one rule: a step of an instance is known or it is not. Where its counting begins, or its source was away for
too long, there is no number, and nobody invents one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from integrations.base import Lane


@dataclass(frozen=True, slots=True)
class Step:
    """What one instance answered between two moments."""

    requests: float
    errors: float | None
    """None where nothing tells which of them failed."""
    buckets: Mapping[float, float]
    """How many took at most so many ms; the last bound is infinite. Empty: not known."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One pod, or one proxy where a proxy counts."""

    name: str
    steps: tuple[Step | None, ...]
    """From the beginning of the record; None where it was not there or is not known."""
    starts: tuple[int, ...] = ()
    """The steps in which it began, or began again."""


@dataclass(frozen=True, slots=True)
class Record:
    """A lane over time."""

    begins: datetime
    seconds: int
    """How long a step is."""
    instances: tuple[Instance, ...]


@runtime_checkable
class RecordingSource(Protocol):
    """A metric source that keeps the counters of each instance for hours."""

    async def recorded(self, lane: Lane, since: datetime, until: datetime) -> Record:
        """Return what each instance of a lane answered. Raises `IntegrationError` with a sentence where it cannot."""
        ...
