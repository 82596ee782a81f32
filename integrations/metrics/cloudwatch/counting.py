"""From minutes to the windows of counting. Pure.

The one rule: a minute is counted once, whole, and for both lanes at the same time. It is read when it has had two
minutes to arrive in; where a lane that has calls all the time is silent in it, or its failures are, it is waited for
until CloudWatch is never as late as that.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from integrations.base import Lane
from integrations.counters import (
    FORGET_S,
    Counted,
    Counters,
    LaneCount,
    Process,
    nothing_counted,
)
from integrations.metric import Missing
from integrations.metrics.cloudwatch.asking import Told
from integrations.metrics.cloudwatch.minutes import BUSY, STALE, Minutes, Span, moment
from integrations.metrics.cloudwatch.numbers import alone, by_lane, heard
from integrations.metrics.cloudwatch.templates import (
    ALONE,
    REQUESTS,
    WHOLE,
    Places,
    Template,
    asked,
)

BOUNDS = (
    10.0, 25.0, 50.0, 100.0, 200.0, 300.0, 500.0, 750.0,
    1000.0, 1500.0, 2000.0, 3000.0, 5000.0, 10_000.0, 30_000.0,
)  # fmt: skip
"""In ms: what took at most so long is counted. Each is a number that AWS is paid for, in each lane once a minute."""

Lanes: TypeAlias = Mapping[str, Mapping[str, Told]]
"""By lane, by our name of a series."""

_SETTLES = 120
"""Seconds after its end that a minute may still change in."""
_BEFORE = 60
"""Minutes before the first look that tell what stable usually does."""
_LATELY = 5
"""Minutes that tell whether a lane has calls all the time."""
_SHARES: Mapping[float | None, Lane] = {0: Lane.STABLE, 100: Lane.CANARY}
"""By the weight of the canary: the lane that has everything."""

_UNTOLD = "CloudWatch does not tell which of its calls failed, so they are not counted."
_TOO_MANY = (
    "CloudWatch tells more failures than calls in a minute; all of its calls count as failed."
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is asked for at one look, and why."""

    now: datetime
    span: Span
    """The minutes to ask for."""
    begin: int
    """The first minute that was not counted yet."""
    weight: float | None = None
    """Percent that the canary has now."""
    first: bool = False
    """Whether counting begins with this look."""

    @property
    def everything(self) -> Lane | None:
        """The lane that has the minutes in which nobody tells the lanes apart."""
        return Lane.STABLE if self.first else _SHARES.get(self.weight)


def sight(before: Counters | None, now: datetime, weight: float | None) -> Sight | None:
    """Return what to ask for; None while no further minute has had time to arrive."""
    end = math.floor((now.timestamp() - _SETTLES) / 60)
    if before is None or not end * 60 - FORGET_S <= before.at <= now.timestamp():
        return Sight(now, Span(end - _BEFORE, end), end, weight, first=True)
    begin = math.ceil(before.at / 60)
    return Sight(now, Span(begin - _LATELY, end), begin, weight) if begin < end else None


def questions(template: Template, who: Places, sight: Sight) -> list[dict[str, Any]]:
    """Return the queries of one look."""
    alone = who.alone if sight.everything is not None else None
    lanes = {Lane.STABLE: who.stable, Lane.CANARY: who.canary, ALONE: alone}
    whole = {REQUESTS: template.series[REQUESTS]}
    return [
        *asked(template, lanes, series_of(template)),
        *asked(template, {WHOLE: who.whole}, whole),
    ]


def count(
    before: Counters | None, series: Mapping[str, Told], template: Template, sight: Sight
) -> tuple[Counted, Counters]:
    """Return what both lanes answered since `before`, and what the next look needs.

    All that matters has been told: every series of requests and of errors. At the first look counting begins, and
    what stable did in the hour before is known.
    """
    lanes = _lanes(series, template, sight)
    if sight.first:
        past = _lane(lanes, Lane.STABLE, template, range(sight.span.begin, sight.span.end))
        return _open(sight), _remembered(Counters(), {Lane.STABLE: past}, sight.span.end)
    assert before is not None, "there is one behind the first look"
    end = _end(lanes, series, template, sight)
    if end <= sight.begin:
        return _open(sight), before
    parts = {lane: _lane(lanes, lane, template, range(sight.begin, end)) for lane in Lane}
    counted = Counted(
        at=moment(end),
        seconds=60.0 * (end - sight.begin),
        stable=parts[Lane.STABLE],
        canary=parts[Lane.CANARY],
        since=moment(sight.begin),
    )
    return counted, _remembered(before, parts, end)


def history(counters: Counters, lane: Lane) -> LaneCount:
    """Return all that was read of a lane up to now, with the hour before for stable."""
    known = counters.processes.get(lane)
    if known is None:
        return LaneCount(Missing.NO_DATA, Missing.NO_DATA)
    return LaneCount(known.counts["requests"], known.counts["errors"], known.buckets)


def series_of(template: Template) -> dict[str, tuple[str, str]]:
    """Return our name of each series -> the metric and its statistic."""
    metric, _ = template.series["timed"]
    return {
        **{name: template.series[name] for name in (REQUESTS, "errors", "timed")},
        **{
            _at_most(bound): (metric, f"TC(:{_decimal(bound / template.in_ms)})")
            for bound in BOUNDS
        },
    }


def _at_most(bound: float) -> str:
    return f"le_{bound:.0f}"


def _decimal(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".")


def _lanes(series: Mapping[str, Told], template: Template, sight: Sight) -> Lanes:
    lanes = by_lane(series, series_of(template))
    lane = sight.everything
    if lane in lanes and f"{ALONE}_{REQUESTS}" in series:
        lanes[lane] = alone(lanes, series, lane)
    return lanes


def _open(sight: Sight) -> Counted:
    return nothing_counted(sight.now, "", Missing.NO_DATA)


# ---- which minutes --------------------------------------------------------------------------------------------------


def _end(lanes: Lanes, series: Mapping[str, Told], template: Template, sight: Sight) -> int:
    """Return the minute that is not counted any more: behind it nobody was heard of, or one is waited for."""
    newest = heard({name: told for name, told in series.items() if name.endswith(REQUESTS)})
    if newest is None:
        return sight.begin
    end = min(sight.span.end, newest + 1)
    served = [told for lane, told in lanes.items() if _SHARES.get(sight.weight, lane) == lane]
    for minute in range(sight.begin, end):
        late = sight.now.timestamp() - (minute + 1) * 60
        if late <= STALE and any(_awaited(told, minute, template) for told in served):
            return minute
    return end


def _awaited(told: Mapping[str, Told], minute: int, template: Template) -> bool:
    """Whether a lane will probably tell more of a minute."""
    requests, errors = _minutes(told[REQUESTS]), _minutes(told["errors"])
    if minute in requests:
        return minute not in errors and "errors" not in template.quiet
    lately = sum(one in requests for one in range(minute - _LATELY, minute))
    return lately >= BUSY * _LATELY


# ---- what they come to ----------------------------------------------------------------------------------------------


def _lane(lanes: Lanes, lane: Lane, template: Template, span: range) -> LaneCount:
    if lane not in lanes:
        # A version that is not there yet will have numbers, a stable that nobody named will not.
        missing = Missing.NO_DATA if lane is Lane.CANARY else Missing.NOT_AVAILABLE
        return LaneCount(missing, missing)
    told = lanes[lane]
    requests, errors = _minutes(told[REQUESTS]), _minutes(told["errors"])
    if "errors" in template.quiet:
        errors = {**dict.fromkeys(requests, 0.0), **errors}
    called = [minute for minute in span if requests.get(minute)]
    known = [minute for minute in called if minute in errors]
    if called and not known:
        every = sum(requests[one] for one in called)
        return LaneCount(every, Missing.NO_DATA, _buckets(told, called), (_UNTOLD,))
    problems = [
        *([_UNTOLD] if len(known) < len(called) else []),
        *([_TOO_MANY] if any(errors[one] > requests[one] for one in known) else []),
    ]
    return LaneCount(
        sum(requests[one] for one in known),
        sum(min(errors[one], requests[one]) for one in known),
        _buckets(told, known),
        tuple(problems),
    )


def _buckets(told: Mapping[str, Told], span: Iterable[int]) -> dict[float, float]:
    """Return how many calls took at most how long, over the minutes that tell it; empty where none does."""
    each = {bound: told[_at_most(bound)] for bound in BOUNDS}
    timed = _minutes(told["timed"])
    if any(isinstance(one, Missing) for one in each.values()):
        return {}
    counts = {bound: _minutes(one) for bound, one in each.items()}
    # A bound that nothing was below has no number; a minute without any number at any bound tells nothing.
    known = [one for one in span if one in timed and any(one in told for told in counts.values())]
    if not known:
        return {}
    summed, most = {}, 0.0
    for bound in BOUNDS:
        most = max(most, sum(min(counts[bound].get(one, 0.0), timed[one]) for one in known))
        summed[bound] = most
    return {**summed, math.inf: sum(timed[one] for one in known)}


def _minutes(told: Told) -> Minutes:
    return {} if isinstance(told, Missing) else told


def _remembered(before: Counters, parts: Mapping[Lane, LaneCount], end: int) -> Counters:
    known = {name: one for name, one in before.processes.items() if name in set(Lane)}
    for lane, part in parts.items():
        if isinstance(part.requests, Missing) or isinstance(part.errors, Missing):
            continue
        last = known.get(lane, Process(0.0, {"requests": 0.0, "errors": 0.0}))
        counts = {
            "requests": last.counts["requests"] + part.requests,
            "errors": last.counts["errors"] + part.errors,
        }
        known[lane] = Process(end * 60.0, counts, _together(last.buckets, part.buckets))
    return Counters(end * 60.0, 60.0, known)


def _together(before: Mapping[float, float], now: Mapping[float, float]) -> Mapping[float, float]:
    if not before or not now:
        return before or now
    return {bound: before[bound] + now[bound] for bound in now if bound in before}
