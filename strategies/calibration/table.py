"""What pods have counted, as running sums: what any of them answered between two steps is one difference each."""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from strategies.evidence import Tally


class Minute(Protocol):
    """What one pod answered in one step."""

    @property
    def requests(self) -> float:
        """How many."""
        ...

    @property
    def errors(self) -> float | None:
        """How many of them failed; None where nothing tells."""
        ...

    @property
    def buckets(self) -> Mapping[float, float]:
        """How many took at most so many ms; the last bound is infinite. Empty: not known."""
        ...


class Pod(Protocol):
    """One pod over time."""

    @property
    def name(self) -> str:
        """As the source calls it."""
        ...

    @property
    def steps(self) -> Sequence[Minute | None]:
        """None where it was not there."""
        ...

    @property
    def starts(self) -> Sequence[int]:
        """The steps in which it began."""
        ...


@dataclass(frozen=True, slots=True)
class Totals:
    """What some pods answered in some time."""

    requests: float
    errors: float
    buckets: Mapping[float, float]

    @property
    def failed(self) -> Tally:
        """Failed requests among all."""
        return Tally(min(self.errors, self.requests), self.requests)

    def slower(self, bound: float) -> Tally | None:
        """Return the requests that took longer than `bound` ms, among all; None where no bucket ends there."""
        if bound not in self.buckets:
            return None
        every = self.buckets[math.inf]
        return Tally(min(max(0.0, every - self.buckets[bound]), every), every)

    def percentile(self, percent: float) -> float | None:
        """Return the latency in ms that so many percent do not exceed, between two bounds as Prometheus takes it."""
        every = self.buckets.get(math.inf, 0.0)
        if not every:
            return None
        rank, low, below = every * percent / 100, 0.0, 0.0
        for bound, count in self.buckets.items():
            if count >= rank:
                part = (rank - below) / (count - below) if count > below else 1.0
                return low if bound == math.inf else low + (bound - low) * part
            low, below = bound, count
        return low


class Table:
    """All pods of a lane over the same steps of `seconds` each."""

    def __init__(self, pods: Sequence[Pod], seconds: int) -> None:
        """Take what each pod counted; a step in which nothing tells what failed is left out."""
        self._pods = tuple(pods)
        known = {pod.name: [_told(one) for one in pod.steps] for pod in pods}
        self.seconds = seconds
        self.names = tuple(known)
        self.steps = max((len(row) for row in known.values()), default=0)
        self.starts = {pod.name: tuple(pod.starts) for pod in pods}
        self.bounds = _common(known.values())
        self._there = {
            name: array("L", accumulate((one is not None for one in row), initial=0))
            for name, row in known.items()
        }
        self._sums = {name: self._columns(row) for name, row in known.items()}

    def _columns(self, row: Sequence[Minute | None]) -> tuple["array[float]", ...]:
        return tuple(
            array("d", accumulate(column, initial=0.0))
            for column in zip(*(self._values(one) for one in row), strict=True)
        )

    def _values(self, one: Minute | None) -> tuple[float, ...]:
        if one is None:
            return (0.0,) * (2 + len(self.bounds))
        buckets = one.buckets or {}
        return one.requests, one.errors or 0.0, *(buckets.get(b, 0.0) for b in self.bounds)

    def between(self, names: Iterable[str], first: int, last: int) -> Totals:
        """Return what these pods answered from the step `first` to before `last`."""
        sums = [0.0] * (2 + len(self.bounds))
        for name in names:
            for index, column in enumerate(self._sums[name]):
                sums[index] += column[last] - column[first]
        most, buckets = 0.0, {}
        for bound, count in zip(self.bounds, sums[2:], strict=True):
            buckets[bound] = most = max(most, count)
        return Totals(sums[0], sums[1], buckets)

    def alive(self, first: int, last: int) -> tuple[str, ...]:
        """Return the pods that counted in any step of a time."""
        return tuple(n for n in self.names if self._there[n][last] > self._there[n][first])

    def without(self, name: str) -> "Table":
        """Return the table of all other pods."""
        return Table([pod for pod in self._pods if pod.name != name], self.seconds)

    def warmed(self, seconds: int) -> "Table":
        """Return the table without the first seconds of each pod that started."""
        length = -(-seconds // self.seconds)
        return Table([_Warm.of(pod, length) for pod in self._pods], self.seconds)


@dataclass(frozen=True, slots=True)
class _Warm:
    """A pod without the steps in which it was young."""

    name: str
    steps: tuple[Minute | None, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, pod: Pod, length: int) -> Pod:
        """Return a pod without so many steps from each of its starts."""
        if not pod.starts:
            return pod
        young = {at for start in pod.starts for at in range(start, start + length)}
        steps = (None if at in young else one for at, one in enumerate(pod.steps))
        return cls(pod.name, tuple(steps), tuple(pod.starts))


def _told(one: Minute | None) -> Minute | None:
    return None if one is None or (one.errors is None and one.requests) else one


def _common(rows: Iterable[Sequence[Minute | None]]) -> tuple[float, ...]:
    """Return the bounds that every histogram has."""
    kinds = {tuple(one.buckets) for row in rows for one in row if one is not None and one.buckets}
    if not kinds:
        return ()
    common = set.intersection(*(set(kind) for kind in kinds))
    return tuple(sorted(common)) if math.inf in common else ()
