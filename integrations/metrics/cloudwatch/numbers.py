"""From the series of one lane to its metrics. Pure.

Nothing is a zero that was not told: no number in a minute means no request only while others are heard of in the same
minutes, and a share of no requests is no share.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from integrations.metric import Missing
from integrations.metrics.answers import finite
from integrations.metrics.cloudwatch.asking import Told
from integrations.metrics.cloudwatch.minutes import Minutes, Span, went_silent
from integrations.metrics.cloudwatch.templates import ALONE, REQUESTS, THROTTLED, WHOLE, Template

Number = float | Missing


def heard(told: Mapping[str, Told]) -> int | None:
    """Return the newest minute in which anybody had a request, as far as has arrived; None for nobody."""
    counted = [series for series in told.values() if not isinstance(series, Missing)]
    return max((minute for series in counted for minute in series), default=None)


def lane_numbers(
    template: Template, told: Mapping[str, Told], span: Span, newest: int | None, now: datetime
) -> dict[str, Number]:
    """Return every metric of one lane; `newest` is the last minute that anything is known of."""
    found = _answered(template, told, span, newest, now)
    if THROTTLED in template.series:
        found["throttles"] = _turned_away(told[THROTTLED], told[REQUESTS], span, now)
    return {name: found[name] for name in template.metrics}


def by_lane(series: Mapping[str, Told], names: Collection[str]) -> dict[str, dict[str, Told]]:
    """Return the series so named of each lane that was asked for."""
    lanes = [lane for lane in ("stable", "canary") if f"{lane}_{REQUESTS}" in series]
    return {lane: {one: series[f"{lane}_{one}"] for one in names} for lane in lanes}


def alone(
    lanes: Mapping[str, Mapping[str, Told]], series: Mapping[str, Told], lane: str
) -> dict[str, Told]:
    """Return the series of a lane that has everything, with those of the place where nobody told the lanes apart."""
    own, asked = lanes[lane], series[f"{ALONE}_{REQUESTS}"]
    apart = [told[REQUESTS] for told in lanes.values()]
    if isinstance(asked, Missing) or any(isinstance(told, Missing) for told in apart):
        return dict(own)
    minutes = asked.keys() - {minute for told in apart for minute in _minutes(told)}
    return {
        name: told
        if isinstance(told, Missing)
        else {**told, **_only(series[f"{ALONE}_{name}"], minutes)}
        for name, told in own.items()
    }


def throttle_shares(
    lanes: Mapping[str, Mapping[str, Told]], series: Mapping[str, Told], span: Span, now: datetime
) -> Number | None:
    """Return the share of calls that were turned away at the place of both lanes; None where each lane has its own."""
    whole, asked = series[f"{WHOLE}_{THROTTLED}"], series[f"{WHOLE}_{REQUESTS}"]
    known = sum(sum(_minutes(told[THROTTLED]).values()) for told in lanes.values())
    if sum(_minutes(whole).values()) <= known:
        return None
    return _turned_away(whole, asked, span, now)


def _minutes(told: Told) -> Minutes:
    return {} if isinstance(told, Missing) else told


def _only(told: Told, minutes: Collection[int]) -> Minutes:
    return {minute: value for minute, value in _minutes(told).items() if minute in minutes}


def _turned_away(throttled: Told, requests: Told, span: Span, now: datetime) -> Number:
    if isinstance(throttled, Missing):
        return throttled
    if isinstance(requests, Missing):
        return requests
    if went_silent({**throttled, **requests}, span, now):
        return Missing.STALE
    turned = sum(throttled.values())
    tried = turned + sum(requests.values())
    return _finite(100.0 * turned / tried) if tried > 0 else Missing.NO_DATA


def _answered(
    template: Template, told: Mapping[str, Told], span: Span, newest: int | None, now: datetime
) -> dict[str, Number]:
    requests = told[REQUESTS]
    if isinstance(requests, Missing):
        return dict.fromkeys(template.metrics, requests)
    if newest is None:
        return dict.fromkeys(template.metrics, Missing.NO_DATA)
    if went_silent(requests, span, now):
        return dict.fromkeys(template.metrics, Missing.STALE)
    total = sum(requests.values())
    found: dict[str, Number] = {
        "requests": total,
        "rps": total / (60 * (newest + 1 - span.begin)),
        "error_rate": _share(told["errors"], requests, zero="errors" in template.quiet),
        "latency_avg": _average(told, template.in_ms),
    }
    failed = found["error_rate"]
    found["success_rate"] = failed if isinstance(failed, Missing) else 100.0 - failed
    for one in ("p50", "p95", "p99"):
        found[f"latency_{one}"] = _percentile(told[one], told["timed"], template.in_ms)
    if "lost" in template.series:
        found["connection_failures"] = _lost(told["lost"], total)
    return {name: _finite(value) for name, value in found.items()}


def _finite(value: Number) -> Number:
    return value if isinstance(value, Missing) else finite(value)


def _share(part: Told, whole: Minutes, *, zero: bool) -> Number:
    """Return how many percent failed, over the minutes of which both numbers are known."""
    if isinstance(part, Missing):
        return part
    known = whole if zero else whole.keys() & part.keys()
    requests = sum(whole[minute] for minute in known)
    failed = sum(part.get(minute, 0.0) for minute in known)
    return min(100.0, 100.0 * failed / requests) if requests > 0 else Missing.NO_DATA


def _lost(lost: Told, requests: float) -> Number:
    if isinstance(lost, Missing):
        return lost
    never = sum(lost.values())
    # A target that nobody reaches may have failures alone.
    sent = max(requests, never)
    return 100.0 * never / sent if sent > 0 else Missing.NO_DATA


def _average(told: Mapping[str, Told], in_ms: float) -> Number:
    time, timed = told["time"], told["timed"]
    if isinstance(time, Missing):
        return time
    if isinstance(timed, Missing):
        return timed
    known = time.keys() & timed.keys()
    count = sum(timed[minute] for minute in known)
    return in_ms * sum(time[minute] for minute in known) / count if count > 0 else Missing.NO_DATA


def _percentile(each: Told, timed: Told, in_ms: float) -> Number:
    """Return the mean of the minutes' percentiles, each by its requests: those of minutes cannot be put together."""
    if isinstance(each, Missing):
        return each
    if isinstance(timed, Missing):
        return timed
    known = each.keys() & timed.keys()
    count = sum(timed[minute] for minute in known)
    weighed = sum(each[minute] * timed[minute] for minute in known)
    return in_ms * weighed / count if count > 0 else Missing.NO_DATA
