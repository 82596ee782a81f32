"""The `MetricSource` of one target that CloudWatch measures: one call per look, and a look is always a snapshot.

Queries of one's own are not asked: an expression of CloudWatch has a number a minute, and nothing in it says how they
become one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from integrations.aws import AwsAccount
from integrations.base import IntegrationError, Lane
from integrations.counters import Counted, Counters, LaneCount, nothing_counted
from integrations.metric import Missing, Reading, Snapshot
from integrations.metrics.cloudwatch import counting
from integrations.metrics.cloudwatch.asking import Answer, Told, ask
from integrations.metrics.cloudwatch.cold_starts import UNKNOWN, ColdStarts, Seen
from integrations.metrics.cloudwatch.minutes import Span
from integrations.metrics.cloudwatch.numbers import (
    Number,
    alone,
    by_lane,
    heard,
    lane_numbers,
    throttle_shares,
)
from integrations.metrics.cloudwatch.templates import (
    REQUESTS,
    THROTTLED,
    places,
    queries,
    template_called,
)
from integrations.metrics.templates import METRICS

_log = logging.getLogger(__name__)

_COLD = "cold_start_rate"
_NEEDED = (f"_{REQUESTS}", "_errors")
"""How the series end without which nothing is counted."""
_ALL_OF_IT: Mapping[float | None, str] = {0: "stable", 100: "canary"}
"""By the weight of the canary: the lane that has everything."""
_DOWN = Reading(Missing.DOWN, Missing.DOWN)
_NO_QUERIES = "CloudWatch is asked by its templates only; take a Prometheus for a query of your own"

_NO_ANSWER = (AttributeError, LookupError, TypeError, ValueError)
"""How foreign JSON shows itself in the client, and here."""


class CloudWatchSource:
    """Raises `RefusedError` for a template that does not fit the target.

    `what` names what is measured: `function` and `alias`, or `load_balancer`, `stable_group` and `canary_group`. Where
    lanes are versions, `stable` and `canary` are their numbers.
    """

    def __init__(
        self,
        account: AwsAccount,
        *,
        template: str,
        stable: str = "",
        canary: str = "",
        what: Mapping[str, str],
        clock: Callable[[], datetime],
        timeout: float = 5.0,
        logs: bool = False,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`timeout` is in seconds, for one look; `logs` allows to count cold starts in the log of a function."""
        self._account = account
        self._template = template_called(template)
        self._places = places(template, what, stable, canary)
        self._about = f"the CloudWatch metrics of {_name(self._places.whole)}"
        self._clock = clock
        self._timeout = timeout
        function = what.get("function", "") if logs and template == "lambda" else ""
        self._cold = ColdStarts(account, function, stable, canary, pause) if function else None
        self._told: dict[str, str] = {}

    async def look(
        self,
        *,
        window: int,
        custom: Mapping[str, str],
        variables: Mapping[str, str],  # noqa: ARG002 - only queries have variables
        weight: float | None = None,
    ) -> Snapshot:
        """Read the built-in metrics of both lanes over the whole minutes of the last `window` seconds.

        In a window in which no whole minute has arrived nothing has data. A custom query is `NOT_AVAILABLE`, as is a
        metric that the template does not have.
        """
        now = self._clock()
        span = Span.of(now, window)
        reasons = dict.fromkeys(custom, _NO_QUERIES)
        lane = _ALL_OF_IT.get(weight) if self._places.alone is not None else None
        asked = queries(self._template, self._places, alone=lane is not None)
        answer, cold = await asyncio.gather(self._numbers(asked, span), self._cold_starts(span))
        if isinstance(answer, str):
            return Snapshot(now, window, dict.fromkeys((*METRICS, *custom), _DOWN), answer)
        built_in = self._readings(answer.series, span, now, lane) | {_COLD: cold.reading}
        readings = {name: built_in.get(name, UNKNOWN) for name in METRICS}
        if cold.reason:
            reasons.setdefault(_COLD, cold.reason)
        self._tell(reasons | dict(answer.reasons))
        return Snapshot(now, window, {**readings, **dict.fromkeys(custom, UNKNOWN)})

    async def counts(
        self, before: Counters | None, *, weight: float | None = None
    ) -> tuple[Counted, Counters]:
        """Count the minutes behind `before` that have had two minutes to arrive in, each once.

        Nothing is asked while there is no such minute, so a call a minute is enough however often one looks.
        """
        sight = counting.sight(before, self._clock(), weight)
        if sight is None:
            return self._nothing(before, Missing.NO_DATA)
        asked = counting.questions(self._template, self._places, sight)
        answer = await self._numbers(asked, sight.span)
        if isinstance(answer, str):
            return self._nothing(before, Missing.DOWN, answer)
        for name, told in answer.series.items():
            if name.endswith(_NEEDED) and isinstance(told, Missing):
                return self._nothing(before, told, self._no_numbers(answer.reasons[name]))
        return counting.count(before, answer.series, self._template, sight)

    def history(self, counters: Counters, lane: Lane) -> LaneCount:
        """Return what was read of a lane up to now; of stable also what it did in the hour before the first look."""
        return counting.history(counters, lane)

    def _nothing(
        self, before: Counters | None, missing: Missing, problem: str = ""
    ) -> tuple[Counted, Counters]:
        return nothing_counted(self._clock(), problem, missing), before or Counters()

    def _no_numbers(self, reason: str) -> str:
        return f"There are no numbers in {self._about}: {reason}."

    async def _numbers(self, asked: Sequence[Mapping[str, Any]], span: Span) -> Answer | str:
        """Return the series, or a sentence about why there are none."""
        if span.empty:
            return Answer({str(query["Id"]): {} for query in asked}, {})
        try:
            async with asyncio.timeout(self._timeout):
                answer = await ask(self._account, asked, span, self._about)
        except TimeoutError:
            return f"AWS did not answer within {self._timeout:g} s about {self._about}."
        except IntegrationError as error:
            return str(error)
        except _NO_ANSWER:
            return f"AWS answered with something else than {self._about}; check the endpoint of its account."
        if all(isinstance(series, Missing) for series in answer.series.values()):
            return self._no_numbers(next(iter(answer.reasons.values())))
        return answer

    async def _cold_starts(self, span: Span) -> Seen:
        if self._cold is None:
            return Seen(UNKNOWN)
        if span.empty:
            return Seen(Reading(Missing.NO_DATA, Missing.NO_DATA))
        try:
            async with asyncio.timeout(self._timeout):
                return await self._cold.look(span)
        except TimeoutError:
            return Seen(_DOWN, "its log did not answer in time")
        except _NO_ANSWER:
            return Seen(_DOWN, "its log answers with something else than numbers")

    def _readings(
        self, series: Mapping[str, Told], span: Span, now: datetime, lane: str | None
    ) -> dict[str, Reading]:
        """Return the readings of both lanes; `lane` is the one that has everything."""
        counted = (REQUESTS, THROTTLED)
        newest = heard({name: told for name, told in series.items() if name.endswith(counted)})
        lanes = by_lane(series, self._template.series)
        if lane in lanes:
            lanes[lane] = alone(lanes, series, lane)
        found: dict[str, Mapping[str, Number]] = {
            # A version that is not there yet will have numbers, a stable that nobody named will not.
            "stable": dict.fromkeys(self._template.metrics, Missing.NOT_AVAILABLE),
            "canary": dict.fromkeys(self._template.metrics, Missing.NO_DATA),
        }
        for name, own in lanes.items():
            found[name] = lane_numbers(self._template, own, span, newest, now)
        if THROTTLED in self._template.series:
            shared = throttle_shares(lanes, series, span, now)
            if shared is not None:
                found = {name: {**found[name], "throttles": shared} for name in found}
        return {
            name: Reading(found["stable"][name], found["canary"][name])
            for name in self._template.metrics
        }

    def _tell(self, reasons: dict[str, str]) -> None:
        """Log why a metric is not available, once until it changes: a look comes every few seconds."""
        for metric, reason in reasons.items():
            if self._told.get(metric) != reason:
                _log.warning("metric %s is not available: %s", metric, reason)
        self._told = reasons


def _name(whole: Mapping[str, str]) -> str:
    return whole.get("Resource") or whole.get("LoadBalancer", "")
