"""Reads the counters of both lanes from Prometheus, all at one moment, and counts what came since the last look.

The one rule: what cannot be read is not guessed. All parts are asked together; without one that matters nothing is
counted and what was remembered stays.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

from integrations.base import Lane
from integrations.counters import (
    MOST_VALUES,
    Counted,
    Counters,
    LaneCount,
    Process,
    nothing_counted,
)
from integrations.metric import Missing
from integrations.metrics.answers import Sample
from integrations.metrics.batching import Line
from integrations.metrics.connection import SourceDownError
from integrations.metrics.counting import Sight, count, history
from integrations.metrics.templates import Raw
from integrations.metrics.templates.counters import BACK_S, COUNTS, NEEDED, PROCESS, Part

_NONE = "This platform has no counters, so its errors cannot be counted between two looks."
_REFUSED = "Prometheus has no usable answer to the queries of the counters; check its version and its template."
_TOO_MANY = "There are too many series to count them one by one; only the fixed limits are checked."

Answers = Mapping[str, Sequence[Sample]]
"""What the queries of `Raw` returned, by name; one that has no usable answer is missing."""


class CounterSource:
    """Counts for one target, where its metric source asks. Without `raw` there is nothing to count."""

    def __init__(self, line: Line, raw: Raw | None, clock: Callable[[], datetime]) -> None:
        self._line = line
        self._raw = raw
        self._clock = clock

    async def count(self, before: Counters | None) -> tuple[Counted, Counters]:
        """Return what both lanes answered since `before`, and what to hand in at the next look.

        Never raises for a source that is down or talks nonsense: then nothing is counted and `before` comes back.
        """
        if self._raw is None:
            return self._nothing(before, Missing.NOT_AVAILABLE, _NONE)
        try:
            answers = await self._ask(self._raw)
        except SourceDownError as error:
            return self._nothing(before, Missing.DOWN, str(error))
        if NEEDED - answers.keys() or not answers[Part.NOW]:
            return self._nothing(before, Missing.NOT_AVAILABLE, _REFUSED)
        if _values(answers, (*COUNTS, Part.STAMPS)) > MOST_VALUES:
            return self._nothing(before, Missing.NOT_AVAILABLE, _TOO_MANY)
        return count(before, sight(answers, self._raw), _workloads(self._raw))

    def _nothing(
        self, before: Counters | None, missing: Missing, problem: str
    ) -> tuple[Counted, Counters]:
        return nothing_counted(self._clock(), problem, missing), before or Counters()

    def history(self, counters: Counters, lane: Lane) -> LaneCount:
        """Return all that the processes of a lane have counted since they started, as far as `counters` knows them."""
        if self._raw is None:
            return LaneCount(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)
        return history(counters, self._raw.lanes.workload(lane))

    async def _ask(self, raw: Raw) -> Answers:
        """Ask everything at once. Raises `SourceDownError` when nothing answers."""
        told = await self._line.together(list(raw.parts.values()))
        downs = [one for one in told if isinstance(one, SourceDownError)]
        if len(downs) == len(told):
            raise downs[0]
        answers = zip(raw.parts, told, strict=True)
        return {name: answer for name, answer in answers if isinstance(answer, tuple)}


def _workloads(raw: Raw) -> dict[Lane, str]:
    return {lane: raw.lanes.workload(lane) for lane in Lane}


def _values(answers: Answers, names: Iterable[str]) -> int:
    return sum(len(answers.get(name, ())) for name in names)


def sight(answers: Answers, raw: Raw) -> Sight:
    """Return what the answers say. Pure.

    A process with a value that is no count (NaN, infinite or negative) is not seen in this look: a missing scrape.
    """
    at = {_process(one, raw): one.value for one in answers[Part.STAMPS]}
    counts: dict[str, dict[str, float]] = {key: {} for key in at}
    buckets: dict[str, dict[float, float]] = {key: {} for key in at}
    for part in COUNTS:
        for one in answers[part]:
            counts.setdefault(_process(one, raw), {})[part] = one.value
    small = _values(answers, (*COUNTS, Part.STAMPS, *raw.buckets)) <= MOST_VALUES
    for name, unit in raw.buckets.items() if small else ():
        for one in answers.get(name, ()):
            bound = round(_bound(one) * unit, 6)
            if not math.isnan(bound):
                buckets.setdefault(_process(one, raw), {})[bound] = one.value
    seen = {
        key: Process(stamp, counts[key], buckets[key])
        for key, stamp in at.items()
        if counts[key]
        and all(map(_is_count, (stamp, *counts[key].values(), *buckets[key].values())))
    }
    return _sight(answers, raw, seen)


def _sight(answers: Answers, raw: Raw, seen: Mapping[str, Process]) -> Sight:
    scrapes = {_process(one, raw): one.value for one in answers.get(Part.SCRAPES, ())}
    most = max(scrapes.values(), default=0.0)
    began = answers.get(Part.RESTARTS)
    return Sight(
        now=answers[Part.NOW][0].value,
        processes=seen,
        known=frozenset(scrapes),
        interval=BACK_S / (most - 1) if most > 1 else 0.0,
        restarted=None if began is None else frozenset(_process(one, raw) for one in began),
        up={one.labels.get(raw.label, ""): one.value > 0 for one in answers.get(Part.UP, ())},
    )


def _process(sample: Sample, raw: Raw) -> str:
    labels = sample.labels
    return _key(labels.get(raw.label, ""), *(labels.get(name, "") for name in PROCESS))


@lru_cache(maxsize=4096)  # a look has two dozen samples of each process
def _key(workload: str, *target: str) -> str:
    """Return the workload and a digest of the target: a label may be long, and what is stored has a limit."""
    digest = blake2b(json.dumps(target).encode(errors="replace"), digest_size=8).hexdigest()
    return f"{workload}/{digest}"


def _bound(sample: Sample) -> float:
    try:
        return float(sample.labels.get("le", ""))
    except ValueError:
        return math.nan


def _is_count(value: float) -> bool:
    return math.isfinite(value) and value >= 0
