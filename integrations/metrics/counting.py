"""From counters as they are to what both lanes answered between two looks.

Pure. The one rule: both lanes are counted over the same time. As long as one of them has not been scraped anew the
window stays open, for nothing that one lane did may be held against what the other did at another time. Differences
are taken process by process and summed afterwards: a counter that fell began again, a new process began at nothing,
and one that was away too long is no longer counted from where it was.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TypeVar

from integrations.base import Lane
from integrations.counters import (
    FORGET_S,
    MOST_VALUES,
    Counted,
    Counters,
    LaneCount,
    Process,
)
from integrations.metric import Missing
from integrations.metrics.templates.counters import COUNTS, Part

_Key = TypeVar("_Key", str, float)

LONGEST_S = 300
"""A longer window is not counted: too much may have changed in it, and a process may have come and gone."""
_USUAL_S = 60
"""The scrape interval of a Prometheus whose configuration names none."""

_UNTOLD = "Nothing in the counter of requests tells which of them failed; check its labels."
_SHRUNK = (
    "Some counters went away while their process ran on; what it counted meanwhile is left out."
)
_DIFFERENT = "The versions have different buckets, so only the {} that both have are compared."
_SILENT = "{} of {} targets have no new sample; their next one counts this time too."
_LOST = "There has been no new sample for more than 5 minutes; check that its targets are scraped."
_BEGINS = "Its counters are read for the first time; counting begins here."
_NOT_UP = "None of its targets is up; check that its pods run and can be scraped."


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look saw of both lanes."""

    now: float
    """Unix time, by the clock of Prometheus."""
    processes: Mapping[str, Process]
    """Those that have a sample."""
    known: frozenset[str] = frozenset()
    """Those that had one lately."""
    interval: float = 0.0
    """Seconds between two scrapes, as far as it is seen; 0: it is not."""
    restarted: frozenset[str] | None = None
    """Processes of which a series began again lately; None: not known, then each that fell did."""
    up: Mapping[str, bool] = field(default_factory=dict)
    """Whether any target of a workload is up, as far as that is known."""


class _Standing(Enum):
    """How a lane stands in one look."""

    NAMELESS = auto()
    READY = auto()
    NO_REQUEST = auto()
    """Its targets are up and show no counter: nobody has asked them yet."""
    WAITS = auto()
    """It was not scraped since the window began."""
    STALE = auto()
    """It should have been scraped since."""
    LOST = auto()
    ABSENT = auto()


_OPEN = frozenset({_Standing.WAITS, _Standing.STALE})
"""What keeps a window open."""


def count(
    before: Counters | None, sight: Sight, workloads: Mapping[Lane, str]
) -> tuple[Counted, Counters]:
    """Return what the lanes answered since `before`, and what the next look needs.

    Without `before`, or where that is longer ago than `LONGEST_S`, counting begins here.
    """
    memory = before or Counters()
    limit = 2 * (memory.interval or sight.interval or _USUAL_S)
    standings = {lane: _standing(name, memory, sight, limit) for lane, name in workloads.items()}
    if abs(sight.now - memory.at) > LONGEST_S:
        whys = {
            lane: _reason(one, _BEGINS if one is _Standing.READY else "")
            for lane, one in standings.items()
        }
        return _counted(memory, sight, whys, closed=False), _begun(memory, sight)
    grown = {lane: _grown(name, memory, sight) for lane, name in workloads.items()}
    ready = _Standing.READY in standings.values()
    if _OPEN & set(standings.values()):
        whys = {lane: _reason(one) for lane, one in standings.items()}
        held = {name: _held(name, memory, grown[lane]) for lane, name in workloads.items()}
        after = replace(_remembered(memory, sight, ready=ready), at=memory.at, open=held)
        return _counted(memory, sight, whys, closed=False), after
    parts = {
        lane: _lane(name, standings[lane], grown[lane], sight, limit)
        for lane, name in workloads.items()
    }
    manned = _manned(_comparable(parts), sight, workloads, limit)
    counted = _counted(memory, sight, manned, closed=True)
    return counted, _remembered(memory, sight, ready=ready)


def history(counters: Counters, workload: str) -> LaneCount:
    """Return what the processes of a workload have counted since they started, as far as they are known."""
    known = [
        Growth(one.counts, one.buckets, False)
        for one in _of(workload, counters.processes).values()
        if one.counts
    ]
    return sums(known, []) if known else LaneCount(Missing.NO_DATA, Missing.NO_DATA)


def _of(workload: str, processes: Mapping[str, Process]) -> dict[str, Process]:
    return {key: one for key, one in processes.items() if key.startswith(f"{workload}/")}


def _standing(workload: str, memory: Counters, sight: Sight, limit: float) -> _Standing:
    if not workload:
        return _Standing.NAMELESS
    seen = max((one.at for one in _of(workload, sight.processes).values()), default=None)
    read = memory.open[workload].at if workload in memory.open else None
    if seen is None and sight.up.get(workload):
        return _Standing.NO_REQUEST
    if seen is None or sight.now - seen > limit:
        if read is not None and abs(sight.now - memory.at) <= LONGEST_S:
            return _Standing.STALE
        known = seen is not None or _of(workload, memory.processes)
        return _Standing.LOST if known else _Standing.ABSENT
    return _Standing.WAITS if read is not None and seen <= read else _Standing.READY


def _reason(standing: _Standing, why: str = "") -> LaneCount:
    """Return a lane without numbers."""
    match standing:
        case _Standing.NAMELESS:
            missing = Missing.NOT_AVAILABLE
        case _Standing.STALE:
            missing = Missing.STALE
        case _Standing.LOST:
            missing, why = Missing.STALE, _LOST
        case _Standing.READY | _Standing.NO_REQUEST | _Standing.WAITS | _Standing.ABSENT:
            missing = Missing.NO_DATA
    return LaneCount(missing, missing, problems=(why,) if why else ())


def _counted(
    memory: Counters, sight: Sight, parts: Mapping[Lane, LaneCount], *, closed: bool
) -> Counted:
    at = datetime.fromtimestamp(sight.now, UTC)
    seconds = max(0.0, sight.now - memory.at) if memory.at else 0.0
    return Counted(at, seconds, parts[Lane.STABLE], parts[Lane.CANARY], closed)


@dataclass(frozen=True, slots=True)
class Growth:
    """What one process counted in the window."""

    counts: Mapping[str, float]
    buckets: Mapping[float, float]
    shrunk: bool


def _grown(workload: str, memory: Counters, sight: Sight) -> list[Growth]:
    """Return what each process of a lane counted since the last look, and what all did in the window before that."""
    growths = [
        growth(memory.processes.get(key), now, _began_again(key, sight))
        for key, now in _of(workload, sight.processes).items()
    ]
    held = memory.open.get(workload)
    before = [Growth(held.counts, held.buckets, shrunk=False)] if held and held.counts else []
    return [*before, *(one for one in growths if one is not None)]


def _held(workload: str, memory: Counters, grown: list[Growth]) -> Process:
    """Return what a lane has counted in a window that stays open."""
    names = {name for one in grown for name in one.counts}
    counts = {name: sum(one.counts.get(name, 0.0) for one in grown) for name in names}
    at = memory.open[workload].at if workload in memory.open else 0.0
    return Process(at, counts, _histogram(one.buckets for one in grown))


def _lane(
    workload: str, standing: _Standing, grown: list[Growth], sight: Sight, limit: float
) -> LaneCount:
    if standing not in (_Standing.READY, _Standing.NO_REQUEST):
        down = sight.up.get(workload) is False
        return _reason(standing, _NOT_UP if down else "")
    if not grown and standing is _Standing.READY:
        return _reason(standing, _BEGINS)
    seen = _of(workload, sight.processes)
    silent = sum(sight.now - one.at > limit for one in seen.values())
    problems = [_SILENT.format(silent, len(seen))] if silent else []
    if any(one.shrunk for one in grown):
        problems.append(_SHRUNK)
    return sums(grown, problems)


def _began_again(key: str, sight: Sight) -> bool:
    return sight.restarted is None or key in sight.restarted


def growth(last: Process | None, now: Process, may_begin_again: bool) -> Growth | None:
    """Return what a process counted since; None where that is not known and its counting begins here."""
    if last is None:
        return Growth(now.counts, now.buckets, shrunk=False)
    if not last.counts or now.at - last.at > LONGEST_S:
        return None
    if now.at <= last.at:  # another replica of Prometheus, which is behind the one asked before
        return Growth({}, {}, shrunk=False)
    fell = _fell(last.counts, now.counts) or _fell(last.buckets, now.buckets)
    anew = fell and may_begin_again
    counts = {
        name: value if anew else max(0.0, value - last.counts.get(name, 0.0))
        for name, value in now.counts.items()
    }
    # A process that had no histogram, or had other bounds, may have counted in it for long.
    buckets = {
        bound: value if anew else max(0.0, value - last.buckets[bound])
        for bound, value in now.buckets.items()
        if anew or bound in last.buckets
    }
    return Growth(counts, buckets, shrunk=fell and not anew)


def _fell(last: Mapping[_Key, float], now: Mapping[_Key, float]) -> bool:
    return any(value < last.get(key, 0.0) for key, value in now.items())


def sums(grown: list[Growth], problems: list[str]) -> LaneCount:
    """Return the sum of what the processes counted.

    Only series that tell whether a request failed are counted, where there are any: so no error is without its request.
    """
    every, fine, failed = (sum(one.counts.get(name, 0.0) for one in grown) for name in COUNTS)
    buckets = _histogram(one.buckets for one in grown)
    told = any(one.counts.keys() & {Part.FINE, Part.FAILED} for one in grown)
    if told or not every:
        return LaneCount(fine + failed, failed, buckets, tuple(problems))
    return LaneCount(every, Missing.NOT_AVAILABLE, buckets, (*problems, _UNTOLD))


def _histogram(parts: Iterable[Mapping[float, float]]) -> dict[float, float]:
    """Return the sum at the bounds that all have. One without requests may not show its buckets yet."""
    shown = [part for part in parts if part]
    if not shown:
        return {}
    summed: dict[float, float] = {}
    most = 0.0
    for bound in sorted(set.intersection(*(set(part) for part in shown))):
        # Where counters went away, a wider bucket may have lost more than a narrower one.
        most = max(most, sum(part[bound] for part in shown))
        summed[bound] = most
    return summed if math.inf in summed else {}


def _comparable(parts: dict[Lane, LaneCount]) -> dict[Lane, LaneCount]:
    """Return both lanes with the bounds that both have."""
    shown = [part.buckets.keys() for part in parts.values() if part.buckets]
    if len(shown) < 2 or shown[0] == shown[1]:
        return parts
    common = shown[0] & shown[1]
    said = _DIFFERENT.format(len(common) - 1)
    return {
        lane: replace(
            part,
            buckets={bound: n for bound, n in part.buckets.items() if bound in common},
            problems=(*part.problems, said),
        )
        for lane, part in parts.items()
    }


def _manned(
    parts: dict[Lane, LaneCount], sight: Sight, workloads: Mapping[Lane, str], limit: float
) -> dict[Lane, LaneCount]:
    """Return both lanes with how many processes each has; proxies that serve both are nobody's."""
    own = {
        lane: {
            key.removeprefix(f"{name}/")
            for key, one in _of(name, sight.processes).items()
            if sight.now - one.at <= limit
        }
        for lane, name in workloads.items()
    }
    if set.intersection(*own.values()):
        return parts
    return {lane: replace(part, processes=len(own[lane])) for lane, part in parts.items()}


def _begun(memory: Counters, sight: Sight) -> Counters:
    """Return where counting begins: nothing that is known by now will be taken for new."""
    unread = {key: Process(sight.now, {}) for key in sight.known}
    unread |= {key: Process(one.at, {}) for key, one in _not_forgotten(memory, sight.now).items()}
    interval = sight.interval or memory.interval
    return _kept(sight.now, interval, {**unread, **sight.processes})


def _remembered(memory: Counters, sight: Sight, *, ready: bool) -> Counters:
    kept = _not_forgotten(memory, sight.now)
    for key, now in sight.processes.items():
        last = kept.get(key)
        if last is None or not last.counts or now.at > last.at:
            kept[key] = now
    interval = sight.interval if ready and sight.interval else memory.interval
    return _kept(sight.now, interval, kept)


def _not_forgotten(memory: Counters, now: float) -> dict[str, Process]:
    return {key: one for key, one in memory.processes.items() if now - one.at <= FORGET_S}


def _kept(now: float, interval: float, processes: Mapping[str, Process]) -> Counters:
    """Return the memory for a window that begins now."""
    kept = _bounded(processes)
    scraped: dict[str, float] = {}
    for key, one in kept.items():
        workload = key.split("/")[0]
        if one.counts:
            scraped[workload] = max(one.at, scraped.get(workload, 0.0))
    begins = {workload: Process(at, {}) for workload, at in scraped.items()}
    return Counters(now, interval, kept, begins)


def _bounded(processes: Mapping[str, Process]) -> dict[str, Process]:
    """Return the processes that were seen last, as many as have room."""
    kept: dict[str, Process] = {}
    room = MOST_VALUES
    for key, one in sorted(processes.items(), key=lambda item: (-item[1].at, item[0])):
        room -= 1 + len(one.counts) + len(one.buckets)
        if room < 0:
            break
        kept[key] = one
    return kept
