"""What the bot asks of a metric source: the protocol, and numbers that say why they are missing.

A metric that says no, or nothing, is a value and never an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Missing(StrEnum):
    """Why there is no number. None of these is ever good news."""

    NO_DATA = "no data"
    STALE = "stale"
    DOWN = "metrics unreachable"
    NOT_AVAILABLE = "not available"


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of both lanes over one window. A lane is a finite number or the reason why there is none."""

    stable: float | Missing
    canary: float | Missing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a metric source saw in one look, over one window that ends `at`."""

    at: datetime
    window: int
    """Seconds."""
    readings: Mapping[str, Reading]
    """By metric name: `requests` (a count), `rps`, `error_rate`, `success_rate`, `cpu`, `memory`, `cold_start_rate`,
    `connection_failures` (percent), `latency_avg`, `latency_p50`, `latency_p95`, `latency_p99` (milliseconds),
    `circuit_breaker_trips` (per minute), `throttles` (percent of the calls, which never became requests), and custom
    names."""
    problem: str = ""
    """A sentence when the source could not be asked; then every reading is `Missing.DOWN`."""


class MetricSource(Protocol):
    """Where the numbers of one target come from."""

    async def look(
        self,
        *,
        window: int,
        custom: Mapping[str, str],
        variables: Mapping[str, str],
        weight: float | None = None,
    ) -> Snapshot:
        """Read the built-in metrics of both lanes over the last `window` seconds, and the custom queries.

        `custom` maps a metric name to its query text; `$service`, `$version` and the other `variables` are escaped
        and put in. `weight` is the percentage of the canary in all of the window, where that is known. Never raises
        for a source that is down, slow or talks nonsense: that is a `Snapshot` too.
        """
        ...
