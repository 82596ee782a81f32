"""Reads what Prometheus answered: JSON into samples, samples into one reading per metric.

Pure. A number is finite and fresh or it is no number: NaN, an empty answer and an old sample each have their own
reason, and none of them ever becomes a zero.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.metric import Missing, Reading
from integrations.metrics.templates import UNTOLD, Question


class QueryRefusedError(Exception):
    """The source is well, but this query has no usable answer. `str()` is the reason, half a sentence.

    `told` is what the source itself says about it: foreign words, short and printable, for a terminal alone.
    """

    def __init__(self, reason: str, told: str = "") -> None:
        super().__init__(reason)
        self.told = told


class NotPrometheusError(Exception):
    """The answer is JSON, but not what the query API of Prometheus sends."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of one series."""

    labels: Mapping[str, str]
    value: float


def samples(result: Any) -> tuple[Sample, ...]:
    """Read the `result` of an instant query. Raises `QueryRefusedError` and `NotPrometheusError`."""
    match result:
        case [int() | float(), str(value)]:  # a scalar; the client drops the type of the result
            return (Sample({}, _number(value)),)
        case list():
            return tuple(_sample(row) for row in result)
        case _:
            raise NotPrometheusError


def _sample(row: Any) -> Sample:
    match row:
        case {"metric": dict(labels), "value": [int() | float(), str(value)]}:
            return Sample(labels, _number(value))
        case {"metric": dict(), "values": _} | {"metric": dict(), "histogram": _}:
            raise QueryRefusedError("its query does not return single numbers")
        case _:
            raise NotPrometheusError


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise QueryRefusedError("its query returns a text") from None


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one series over time."""

    labels: Mapping[str, str]
    values: Mapping[float, float]
    """By Unix time."""


def rows(result: Any) -> tuple[Row, ...]:
    """Read the `result` of a query over a range. Raises `QueryRefusedError` and `NotPrometheusError`."""
    if not isinstance(result, list):
        raise NotPrometheusError
    return tuple(_row(row) for row in result)


def _row(row: Any) -> Row:
    match row:
        case {"metric": dict(labels), "values": list(pairs)}:
            return Row(labels, dict(map(_pair, pairs)))
        case {"metric": dict(), "histograms": _}:
            raise QueryRefusedError("its query does not return single numbers")
        case _:
            raise NotPrometheusError


def _pair(pair: Any) -> tuple[float, float]:
    match pair:
        case [int() | float() as at, str(value)]:
            return float(at), _number(value)
        case _:
            raise NotPrometheusError


Answer = Sequence[Sample] | Missing
"""Samples, or why there are none."""


def per_lane(answer: Answer, question: Question) -> Reading:
    """Return both lanes' numbers; the question knows which label tells the lane, and what it means to be absent."""
    lanes = question.lanes
    if isinstance(answer, Missing):
        return Reading(answer if lanes.stable else Missing.NOT_AVAILABLE, answer)
    values = {sample.labels.get(question.label): _told(sample) for sample in answer}
    canary = values.get(lanes.canary, question.absent)
    return Reading(
        values.get(lanes.stable, question.absent) if lanes.stable else Missing.NOT_AVAILABLE,
        canary,
    )


def _told(sample: Sample) -> float | Missing:
    return Missing.NOT_AVAILABLE if UNTOLD in sample.labels else finite(sample.value)


def finite(value: float) -> float | Missing:
    """Return the number, or `NO_DATA` for what Prometheus makes of a division by zero."""
    return value if math.isfinite(value) else Missing.NO_DATA


def fresh(reading: Reading, age: Reading, limit: float) -> Reading:
    """Return `reading` without the lanes whose newest sample is older than `limit` seconds.

    A lane that has a number but no age has vanished since: Prometheus still computes rates from what it was.
    """
    return Reading(
        _fresh(reading.stable, age.stable, limit),
        _fresh(reading.canary, age.canary, limit),
    )


def _fresh(value: float | Missing, age: float | Missing, limit: float) -> float | Missing:
    if value in (Missing.DOWN, Missing.NOT_AVAILABLE) or (value is age is Missing.NO_DATA):
        return value
    if age in (Missing.DOWN, Missing.NOT_AVAILABLE):
        return age
    return value if isinstance(age, float) and age <= limit else Missing.STALE
