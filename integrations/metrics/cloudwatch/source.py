"""The `MetricSource` of one target that CloudWatch measures: one call per look, and a look is always a snapshot.

Queries of one's own are not asked: an expression of CloudWatch has a number a minute, and nothing in it says how they
become one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from integrations.aws import AwsAccount
from integrations.base import IntegrationError
from integrations.metric import Missing, Reading, Snapshot
from integrations.metrics.cloudwatch.asking import Answer, ask
from integrations.metrics.cloudwatch.cold_starts import UNKNOWN, ColdStarts, Seen
from integrations.metrics.cloudwatch.minutes import Span
from integrations.metrics.cloudwatch.numbers import Number, heard, lane_numbers
from integrations.metrics.cloudwatch.templates import (
    REQUESTS,
    WHOLE,
    places,
    queries,
    template_called,
)
from integrations.metrics.templates import METRICS

_log = logging.getLogger(__name__)

_COLD = "cold_start_rate"
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
        self._queries = queries(self._template, self._places)
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
    ) -> Snapshot:
        """Read the built-in metrics of both lanes over the whole minutes of the last `window` seconds.

        In a window in which no whole minute has arrived nothing has data. A custom query is `NOT_AVAILABLE`, as is a
        metric that the template does not have.
        """
        now = self._clock()
        span = Span.of(now, window)
        reasons = dict.fromkeys(custom, _NO_QUERIES)
        answer, cold = await asyncio.gather(self._numbers(span), self._cold_starts(span))
        if isinstance(answer, str):
            return Snapshot(now, window, dict.fromkeys((*METRICS, *custom), _DOWN), answer)
        built_in = self._readings(answer, span, now) | {_COLD: cold.reading}
        readings = {name: built_in.get(name, UNKNOWN) for name in METRICS}
        if cold.reason:
            reasons.setdefault(_COLD, cold.reason)
        self._tell(reasons | dict(answer.reasons))
        return Snapshot(now, window, {**readings, **dict.fromkeys(custom, UNKNOWN)})

    async def _numbers(self, span: Span) -> Answer | str:
        """Return the series, or a sentence about why there are none."""
        if span.empty:
            return Answer({str(query["Id"]): {} for query in self._queries}, {})
        try:
            async with asyncio.timeout(self._timeout):
                answer = await ask(self._account, self._queries, span, self._about)
        except TimeoutError:
            return f"AWS did not answer within {self._timeout:g} s about {self._about}."
        except IntegrationError as error:
            return str(error)
        except _NO_ANSWER:
            return f"AWS answered with something else than {self._about}; check the endpoint of its account."
        if all(isinstance(series, Missing) for series in answer.series.values()):
            reason = next(iter(answer.reasons.values()))
            return f"There are no numbers in {self._about}: {reason}."
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

    def _readings(self, answer: Answer, span: Span, now: datetime) -> dict[str, Reading]:
        series = answer.series
        counted = {name: told for name, told in series.items() if name.endswith((REQUESTS, WHOLE))}
        newest = heard(counted)

        def lane(name: str, *, there: bool, without: Missing) -> Mapping[str, Number]:
            if not there:
                return dict.fromkeys(self._template.metrics, without)
            own = {one: series[f"{name}_{one}"] for one in self._template.series}
            return lane_numbers(self._template, own, span, newest, now)

        stable = lane(
            "stable", there=self._places.stable is not None, without=Missing.NOT_AVAILABLE
        )
        canary = lane("canary", there=self._places.canary is not None, without=Missing.NO_DATA)
        return {name: Reading(stable[name], canary[name]) for name in self._template.metrics}

    def _tell(self, reasons: dict[str, str]) -> None:
        """Log why a metric is not available, once until it changes: a look comes every few seconds."""
        for metric, reason in reasons.items():
            if self._told.get(metric) != reason:
                _log.warning("metric %s is not available: %s", metric, reason)
        self._told = reasons


def _name(whole: Mapping[str, str]) -> str:
    return whole.get("Resource") or whole.get("LoadBalancer", "")
