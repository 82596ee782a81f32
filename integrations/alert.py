"""What alert sinks are asked for: the event that they deliver, and how. The errors are those of `integrations.base`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Alert:
    """One event for a sink. `id` is constant over all attempts, so that the receiver can drop repeats."""

    id: str
    type: str
    """`rollout.rolled_back` and friends."""
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    """The sentence of the journal, for sinks that show one."""
    automatic: bool = True
    """Nobody asked for it; what cannot be told counts as that, so that somebody is called."""


class AlertSink(Protocol):
    """Who is told about events."""

    name: str
    follows: frozenset[str]
    """Events that it has to hear beside those that are asked for: they end what others began."""

    async def send(self, alert: Alert, *, now: datetime) -> None:
        """Deliver once. Raises `TryAgainError` (send again, same id) or `RefusedError` (stop sending this one)."""
        ...
