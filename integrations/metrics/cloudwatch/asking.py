"""One question to CloudWatch, over as many pages as it answers with.

A series is what came of it, or the reason why it cannot be used: one that is not complete is not used at all.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from integrations.aws import AwsAccount
from integrations.base import TryAgainError
from integrations.metric import Missing
from integrations.metrics.cloudwatch.minutes import Minutes, Span, minute_of, moment

Told: TypeAlias = Minutes | Missing
"""A series by minute, or why there is none."""

_PAGES = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What every query came to."""

    series: Mapping[str, Told]
    """By the id of the query."""
    reasons: Mapping[str, str]
    """Why a series cannot be used, half a sentence."""


@dataclass(slots=True)
class _Collected:
    points: dict[str, dict[int, float]] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)

    def take(self, results: Iterable[Mapping[str, Any]], span: Span) -> None:
        for result in results:
            ident = str(result.get("Id"))
            self.status[ident] = str(result.get("StatusCode", "Complete"))
            kept = self.points.setdefault(ident, {})
            pairs = zip(result.get("Timestamps", ()), result.get("Values", ()), strict=False)
            kept.update((minute_of(at), float(value)) for at, value in pairs)
            for minute in [one for one in kept if one not in span]:
                del kept[minute]


async def ask(
    account: AwsAccount, queries: Sequence[Mapping[str, Any]], span: Span, about: str
) -> Answer:
    """Return the numbers of every minute of `span`. Raises what `AwsAccount.call` raises."""
    collected, token = _Collected(), ""
    for _ in range(_PAGES):
        answer = await account.call(
            "cloudwatch",
            "get_metric_data",
            what=about,
            MetricDataQueries=queries,
            StartTime=moment(span.begin),
            EndTime=moment(span.end),
            ScanBy="TimestampAscending",
            **({"NextToken": token} if token else {}),
        )
        collected.take(answer.get("MetricDataResults", ()), span)
        token = str(answer.get("NextToken") or "")
        if not token:
            return _judged(collected, [str(query["Id"]) for query in queries])
    raise TryAgainError(f"CloudWatch does not come to an end with {about}; look at it by hand.")


def _judged(collected: _Collected, idents: Iterable[str]) -> Answer:
    series: dict[str, Told] = {}
    reasons = {}
    for ident in idents:
        status = collected.status.get(ident)
        points = collected.points.get(ident, {})
        if status is None:
            series[ident] = Missing.DOWN
            reasons[ident] = "CloudWatch says nothing about it"
        elif status != "Complete":
            series[ident] = Missing.DOWN
            reasons[ident] = f"CloudWatch has not read all of it ({status[:40]})"
        elif all(math.isfinite(value) and value >= 0 for value in points.values()):
            series[ident] = points
        else:
            series[ident] = Missing.NO_DATA
            reasons[ident] = "CloudWatch answers with something that is no number"
    return Answer(series, reasons)
