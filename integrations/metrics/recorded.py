"""Reads what each process of one lane has counted over hours: the queries of the counters, asked over a range.

The one rule: nobody's Prometheus is overwhelmed. How many series there are is asked first; what is too much is refused
with the time that would fit, and the rest is fetched in chunks that stay far below what an answer may have.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from integrations.base import Lane, RefusedError, TryAgainError
from integrations.counters import Process
from integrations.metric import Missing
from integrations.metrics.answers import QueryRefusedError, Row, Sample
from integrations.metrics.connection import Connection, SourceDownError
from integrations.metrics.counting import Growth, growth, sums
from integrations.metrics.templates import Raw
from integrations.metrics.templates.counters import COUNTS, PROCESS, Part
from integrations.recording import Instance, Record, Step

LONGEST = timedelta(hours=24)
STEP_S = 60
MOST_SAMPLES = 1_500_000
"""In one record, some 200 MB while it is read: 50 pods with 16 buckets for a day."""
_CHUNK_SAMPLES = 60_000
"""In one answer: some 2 MB, half of what is taken at most."""
_MOST_SERIES = 1_000_000_000
"""More than that no Prometheus has: what says so is no count."""
_MOST_POINTS = 10_000
"""Of a series in one answer; Prometheus gives 11,000."""
_AT_ONCE = 2
_OPTIONAL = frozenset({Part.RESTARTS})

_NONE = "This platform has no counters of single instances, so nothing can be replayed."
_EMPTY = (
    "Prometheus has no counters of {} in that time; check that its pods are scraped, and the names."
)
_MUTE = "Nothing in the counter of requests of {} tells which of them failed; check its labels."
_TOO_MANY = "{} has {:,} series, too many for {}; take `--last {}`."

Key = tuple[str, ...]
Values = Mapping[Key, Mapping[float, float]]
"""By process, by Unix time."""


class RecordReader:
    """Reads the records of one target, over the connection of its metric source."""

    def __init__(self, connection: Connection, raw: Raw | None) -> None:
        self._connection = connection
        self._raw = raw

    async def read(self, lane: Lane, since: datetime, until: datetime) -> Record:
        """Return what each process of a lane answered, a step a minute, at most the last `LONGEST`.

        Raises `RefusedError` (`no_counters`, `no_history`, `too_many_series`) and `TryAgainError` (`metrics_down`).
        """
        if self._raw is None:
            raise RefusedError(_NONE, code="no_counters")
        try:
            return await self._read(self._raw, lane, max(since, until - LONGEST), until)
        except SourceDownError as error:
            raise TryAgainError(str(error), code="metrics_down") from None
        except QueryRefusedError as error:
            said = f"{error}; check the template."
            if error.told:
                said = f"{error}: “{error.told}”; take a shorter `--last`, or check the template."
            raise RefusedError(said, code="no_counters") from None

    async def _read(self, raw: Raw, lane: Lane, since: datetime, until: datetime) -> Record:
        workload = raw.lanes.workload(lane)
        span = (until - since).total_seconds()
        series = await self._series(raw, since, until)
        if not series:
            raise RefusedError(_EMPTY.format(workload), code="no_history")
        if series * span / STEP_S > MOST_SAMPLES:
            fits = max(1, int(MOST_SAMPLES * STEP_S / series / 3600))
            said = _TOO_MANY.format(workload, series, f"{span / 3600:g} hours", f"{fits}h")
            raise RefusedError(said, code="too_many_series")
        begins = math.ceil(since.timestamp() / STEP_S) * STEP_S
        ends = math.floor(until.timestamp() / STEP_S) * STEP_S
        points = min(_MOST_POINTS, max(2, _CHUNK_SAMPLES // series))
        walk = _Walk()
        for first in range(begins, ends + 1, points * STEP_S):
            last = min(ends, first + (points - 1) * STEP_S)
            chunk = await self._chunk(raw, workload, first, last)
            for at in range(first, last + 1, STEP_S):
                walk.take(float(at), chunk)
        return _record(walk, begins, workload)

    async def _series(self, raw: Raw, since: datetime, until: datetime) -> int:
        """Return about how many series the answers will have in all of the time."""
        texts = [text for name, text in raw.parts.items() if name in {*COUNTS, *raw.buckets}]
        found = await asyncio.gather(*(self._count(text, since, until) for text in texts))
        return sum(found)

    async def _count(self, text: str, since: datetime, until: datetime) -> int:
        minutes = int((until - since).total_seconds() // 60)
        seen = f"count(last_over_time(({text})[{minutes}m:{max(1, minutes // 24)}m]))"
        answer: Sequence[Sample] = await self._connection.ask(seen)
        if not answer:
            return 0
        number = answer[0].value
        if not 0 <= number <= _MOST_SERIES:
            raise QueryRefusedError("Prometheus does not say how many series there are")
        return int(number)

    async def _chunk(self, raw: Raw, workload: str, first: int, last: int) -> "_Chunk":
        """Return what all queries say between two moments, of one lane."""
        wanted = {*COUNTS, Part.STAMPS, Part.RESTARTS, *raw.buckets}
        names = [name for name in raw.parts if name in wanted]
        gate = asyncio.Semaphore(_AT_ONCE)
        answers = await asyncio.gather(
            *(self._rows(raw.parts[name], first, last, gate, name in _OPTIONAL) for name in names)
        )
        own = {
            name: [row for row in rows if row.labels.get(raw.label) == workload]
            for name, rows in zip(names, answers, strict=True)
        }
        return _chunk(own, raw)

    async def _rows(
        self, text: str, first: int, last: int, gate: asyncio.Semaphore, optional: bool
    ) -> Sequence[Row]:
        begins, ends = (datetime.fromtimestamp(at, UTC) for at in (first, last))
        async with gate:
            try:
                return await self._connection.ask_range(text, begins, ends, STEP_S)
            except QueryRefusedError:
                if optional:
                    return ()
                raise


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What the queries said, process by process."""

    stamps: Values
    counts: Mapping[str, Values]
    buckets: Mapping[Key, Mapping[float, Mapping[float, float]]]
    """By process, by bound in ms, by time."""
    restarts: Values


def _chunk(rows: Mapping[str, Sequence[Row]], raw: Raw) -> _Chunk:
    buckets: dict[Key, dict[float, Mapping[float, float]]] = defaultdict(dict)
    for name, unit in raw.buckets.items():
        for row in rows.get(name, ()):
            bound = _bound(row) * unit
            if not math.isnan(bound):
                buckets[_key(row)][round(bound, 6)] = row.values
    return _Chunk(
        stamps=_values(rows.get(Part.STAMPS, ())),
        counts={part: _values(rows.get(part, ())) for part in COUNTS},
        buckets=buckets,
        restarts=_values(rows.get(Part.RESTARTS, ())),
    )


def _values(rows: Sequence[Row]) -> Values:
    return {_key(row): row.values for row in rows}


def _key(row: Row) -> Key:
    return tuple(row.labels.get(name, "") for name in PROCESS)


def _bound(row: Row) -> float:
    try:
        return float(row.labels.get("le", ""))
    except ValueError:
        return math.nan


@dataclass(slots=True)
class _Walk:
    """Goes through time and differences each process by itself."""

    steps: int = 0
    last: dict[Key, Process] = field(default_factory=dict)
    seen: dict[Key, dict[int, Step]] = field(default_factory=dict)
    starts: dict[Key, list[int]] = field(default_factory=dict)
    together: bool = False
    """Whether any process was seen at the step before: what is new then has begun then."""

    def take(self, at: float, chunk: _Chunk) -> None:
        """Take one more moment."""
        here = dict(_processes(at, chunk))
        for key, now in here.items():
            self._step(key, now, restarted=at in chunk.restarts.get(key, {}))
        self.together = bool(here)
        self.steps += 1

    def _step(self, key: Key, now: Process, *, restarted: bool) -> None:
        before, known = self.last.get(key), self.seen.setdefault(key, {})
        if before is None or now.at > before.at:
            self.last[key] = now
        if before is None and not self.together:
            return
        grown = growth(before, now, restarted)
        if grown is None:
            return
        known[self.steps] = _told([grown])
        began = before is None or (restarted and _sum(now) < _sum(before))
        if began:
            self.starts.setdefault(key, []).append(self.steps)


def _sum(process: Process) -> float:
    return sum(process.counts.values())


def _processes(at: float, chunk: _Chunk) -> Iterator[tuple[Key, Process]]:
    """Yield those that have a sample; one with a value that is no count is not seen at that moment."""
    for key, stamps in chunk.stamps.items():
        if at not in stamps:
            continue
        counts = {
            part: values[key][at]
            for part, values in chunk.counts.items()
            if at in values.get(key, ())
        }
        buckets = {
            bound: values[at]
            for bound, values in chunk.buckets.get(key, {}).items()
            if at in values
        }
        numbers = (stamps[at], *counts.values(), *buckets.values())
        if counts and all(math.isfinite(one) and one >= 0 for one in numbers):
            yield key, Process(stamps[at], counts, buckets)


def _record(walk: _Walk, begins: int, workload: str) -> Record:
    """Return the record; processes of one pod are one instance. Raises `RefusedError`."""
    by_name: dict[str, list[Key]] = defaultdict(list)
    for key in walk.seen:
        by_name[
            dict(zip(PROCESS, key, strict=True))["pod"] or key[PROCESS.index("instance")]
        ].append(key)
    instances = tuple(_instance(name, keys, walk) for name, keys in sorted(by_name.items()))
    known = [one for instance in instances for one in instance.steps if one is not None]
    if not known:
        raise RefusedError(_EMPTY.format(workload), code="no_history")
    if all(one.errors is None for one in known if one.requests):
        raise RefusedError(_MUTE.format(workload), code="no_counters")
    return Record(datetime.fromtimestamp(begins, UTC), STEP_S, instances)


def _instance(name: str, keys: Sequence[Key], walk: _Walk) -> Instance:
    steps = tuple(
        _together([walk.seen[key][step] for key in keys if step in walk.seen[key]])
        for step in range(walk.steps)
    )
    starts = sorted({step for key in keys for step in walk.starts.get(key, ())})
    return Instance(name, steps, tuple(starts))


def _together(steps: Sequence[Step]) -> Step | None:
    """Return what the processes of one pod counted in a step."""
    if len(steps) < 2:
        return steps[0] if steps else None
    grown = [Growth(_counts(one), one.buckets, shrunk=False) for one in steps]
    return _told(grown)


def _counts(step: Step) -> dict[str, float]:
    if step.errors is None:
        return {Part.ALL: step.requests}
    return {
        Part.ALL: step.requests,
        Part.FINE: step.requests - step.errors,
        Part.FAILED: step.errors,
    }


def _told(grown: list[Growth]) -> Step:
    lane = sums(grown, [])
    assert not isinstance(lane.requests, Missing)
    errors = None if isinstance(lane.errors, Missing) else lane.errors
    return Step(lane.requests, errors, lane.buckets)
