"""The values of counting: what two looks lie apart (`Counted`), and what one look leaves to the next (`Counters`).

Pure. `Counters` is stored with the rollout: it is small, has a limit, and a restart of the bot loses nothing of it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from integrations.base import Lane
from integrations.metric import MetricSource, Missing

FORGET_S = 3600
"""A process that was not seen for so long is forgotten."""
MOST_VALUES = 20_000
"""What is remembered of all processes together, some 800 of them; those not seen for longest go first."""


@dataclass(frozen=True, slots=True)
class Process:
    """The counters of one process, as its newest scrape had them."""

    at: float
    """Unix time of the scrape."""
    counts: Mapping[str, float]
    """By name. None of them: it is known to be there, and its next scrape is where counting begins."""
    buckets: Mapping[float, float] = field(default_factory=dict)
    """Requests by the bound in ms that they did not exceed; the last bound is infinite."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What is remembered until the next look."""

    at: float = 0.0
    """Unix time, by the clock of Prometheus, where the present window began."""
    interval: float = 0.0
    """Seconds between two scrapes; 0: not known."""
    processes: Mapping[str, Process] = field(default_factory=dict)
    """By workload and a digest of the target: `auth-canary/1f0c…`."""
    open: Mapping[str, Process] = field(default_factory=dict)
    """By workload: its newest scrape when the window began, and what it has counted in it up to now."""


@dataclass(frozen=True, slots=True)
class LaneCount:
    """What one lane answered in one window; a reason where that is not known."""

    requests: float | Missing
    errors: float | Missing
    buckets: Mapping[float, float] = field(default_factory=dict)
    """How many of them took at most so many ms, in order; the last bound is infinite. Empty: not known."""
    problems: tuple[str, ...] = ()
    """Sentences for people."""
    processes: int = 0
    """How many of its own counted; 0: not known, or both lanes are counted by the same ones (a proxy before them)."""

    def slower(self, bound: float) -> tuple[float, float] | None:
        """Return how many requests took longer than `bound` ms, and of how many; None where no bucket ends there."""
        if bound not in self.buckets:
            return None
        every = self.buckets[math.inf]
        return every - self.buckets[bound], every


@dataclass(frozen=True, slots=True)
class Counted:
    """What both lanes answered in the window that ends `at`."""

    at: datetime
    seconds: float
    """How long the window is."""
    stable: LaneCount
    canary: LaneCount
    closed: bool = True
    """False: nothing is counted yet, and the next look counts this time too, or the first window begins here."""
    problem: str = ""
    """A sentence when the source could not be asked or has no counters."""
    since: datetime | None = None
    """When the window began, of a source whose windows are minutes of our clock; else only its length is known."""
    queries: str = ""
    """What was asked, as `template digest`: kept with a decision, so that it can be told whether that has changed."""


class CountingSource(MetricSource, Protocol):
    """A metric source that can also say what came since the last look."""

    async def counts(
        self, before: Counters | None, *, weight: float | None = None
    ) -> tuple[Counted, Counters]:
        """Return what both lanes answered since `before`, and what to hand in at the next look.

        `weight` is the percentage of the canary now, for a source that does not always tell the lanes apart. Never
        raises: where there are no counters, or nobody answers, nothing is counted and `problem` says why.
        """
        ...

    def history(self, counters: Counters, lane: Lane) -> LaneCount:
        """Return all that the processes of a lane have counted since they started, as far as `counters` knows them."""
        ...


def nothing_counted(at: datetime, problem: str, missing: Missing) -> Counted:
    """Return a look at which nothing could be counted."""
    neither = LaneCount(missing, missing)
    return Counted(at, 0.0, neither, neither, closed=False, problem=problem)


def counters_to_json(counters: Counters) -> dict[str, Any]:
    """Return a JSON value that `counters_from_json` reads."""
    return {
        "at": counters.at,
        "interval": counters.interval,
        "processes": _to_json(counters.processes),
        "open": _to_json(counters.open),
    }


def _to_json(processes: Mapping[str, Process]) -> dict[str, list[Any]]:
    return {
        key: [one.at, dict(one.counts), {str(le): n for le, n in one.buckets.items()}]
        for key, one in processes.items()
    }


def counters_from_json(stored: Mapping[str, Any]) -> Counters:
    """Read what `counters_to_json` returned. Raises `ValueError`, `TypeError` or `KeyError` for anything else."""
    if unknown := stored.keys() - {"at", "interval", "processes", "open"}:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    return Counters(
        float(stored["at"]),
        float(stored["interval"]),
        _from_json(stored["processes"]),
        _from_json(stored["open"]),
    )


def _from_json(stored: Mapping[str, Any]) -> dict[str, Process]:
    return {
        key: Process(float(at), dict(counts), {float(le): n for le, n in buckets.items()})
        for key, (at, counts, buckets) in stored.items()
    }
