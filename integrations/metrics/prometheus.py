"""Numbers from Prometheus: each look asks all questions at once and turns whatever comes back into readings.

The one rule: no query blinds another one. The built-in metrics are asked together, with those of other targets; every
custom query is asked by itself. `Snapshot.problem` is set only when not one query was answered; why a single metric has
no number is in the log.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from integrations.base import Lane
from integrations.counters import Counted, Counters, LaneCount
from integrations.metric import Missing, Reading, Snapshot
from integrations.metrics.answers import Answer, QueryRefusedError, finite, fresh, per_lane
from integrations.metrics.batching import Line, Told
from integrations.metrics.connection import Connection, SourceDownError
from integrations.metrics.counted import CounterSource
from integrations.metrics.recorded import RecordReader
from integrations.metrics.templates import (
    METRICS,
    PLATFORMS,
    UNTOLD,
    Clusters,
    Lanes,
    Question,
    Spaceless,
    raw_counters,
    render,
)
from integrations.metrics.variables import BadQueryError, asks_per_lane, fill
from integrations.recording import Record

_log = logging.getLogger(__name__)


def stale_after(window: int) -> float:
    """Return how many seconds old the newest sample of a lane may be.

    Two scrape intervals. A rate needs some four samples, so an interval is at most a quarter of the window; more than
    the minute that is Prometheus' default is not assumed, and under 60 s two lost scrapes are not yet a failure.
    """
    return max(60.0, min(window / 2, 120.0))


class PrometheusSource:
    """The `MetricSource` of one target. Raises `RefusedError` for a bad url, a bad name or an unknown template.

    Without `stable` one workload holds all instances: its numbers are the canary's, and stable has none. Without
    `canary` its revision has no name yet. Where lanes swap roles, one source is made for each way round. `clusters`
    maps the name of a workload to that of the cluster by which a proxy counts what it answered; a workload that it
    leaves out has a cluster of its own name. With `line` it asks where other targets ask too, and what is said about
    an address and its credentials does not matter; whoever gave it closes it.
    """

    def __init__(
        self,
        url: str = "",
        *,
        line: Line | None = None,
        template: str,
        namespace: str,
        stable: str = "",
        canary: str,
        clusters: Mapping[str, str] | None = None,
        clock: Callable[[], datetime],
        bearer_token: str | Callable[[], str] = "",
        bearer_token_file: str | None = None,
        ca_file: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        kind = Spaceless if template in PLATFORMS else Lanes
        self._lanes = kind(namespace, stable, canary)
        told = clusters or {}
        counted = (told.get(stable, stable), told.get(canary, canary))
        by_name = not canary or template in PLATFORMS
        called = None if by_name else Clusters(namespace, *counted)
        self._render = partial(render, template, self._lanes, clusters=called)
        self._render(window=60)  # so that an unknown template stops the start, not the first look
        self._clock = clock
        self._own = line is None
        self._line = line or Line(
            Connection(
                url,
                bearer_token=bearer_token,
                bearer_token_file=bearer_token_file,
                ca_file=ca_file,
                timeout=timeout,
            )
        )
        raw = raw_counters(template, self._lanes, called)
        self._counters = CounterSource(self._line, raw, clock)
        self._queries = template if raw is None else f"{template} {raw.digest}"
        self._records = RecordReader(self._line.connection, raw)
        self._told: dict[str, str] = {}

    async def look(
        self,
        *,
        window: int,
        custom: Mapping[str, str],
        variables: Mapping[str, str],
        weight: float | None = None,  # noqa: ARG002 - it tells the lanes apart whatever they have
    ) -> Snapshot:
        """Read the built-in metrics of both lanes over the last `window` seconds, and the custom queries.

        A custom query with `$lane` or `$workload` is asked once per lane, and so tells both variants of an A/B test;
        any other is the canary's number, because it usually names `$version`. `$namespace` and `$window` exist as
        well. A custom query replaces a built-in metric of its name. More than one series, or an unknown variable, is
        `NOT_AVAILABLE`, as is a built-in metric that the template does not have.
        """
        look = _Look(self._line, self._lanes)
        known = {"namespace": self._lanes.namespace, **variables, "window": f"{window}s"}
        builtin, own = await asyncio.gather(
            look.builtin(self._render(window=window), window, without=frozenset(custom)),
            asyncio.gather(*(look.custom(name, query, known) for name, query in custom.items())),
        )
        readings = {**builtin, **dict(zip(custom, own, strict=True))}
        if look.problem:
            readings = dict.fromkeys(readings, Reading(Missing.DOWN, Missing.DOWN))
        else:
            self._tell(look.reasons)
        return Snapshot(self._clock(), window, readings, look.problem)

    async def counts(
        self,
        before: Counters | None,
        *,
        weight: float | None = None,  # noqa: ARG002 - lanes are told apart by their names
    ) -> tuple[Counted, Counters]:
        """Return what both lanes answered since `before`, and what to hand in at the next look; see `CounterSource`."""
        told, counters = await self._counters.count(before)
        return replace(told, queries=self._queries), counters

    def history(self, counters: Counters, lane: Lane) -> LaneCount:
        """Return all that the processes of a lane have counted since they started, as far as `counters` knows them."""
        return self._counters.history(counters, lane)

    async def recorded(self, lane: Lane, since: datetime, until: datetime) -> Record:
        """Return what each process of a lane answered over hours; see `RecordReader`."""
        return await self._records.read(lane, since, until)

    async def close(self) -> None:
        """Let go of the connections, unless they are shared."""
        if self._own:
            await self._line.close()

    def _tell(self, reasons: dict[str, str]) -> None:
        """Log why a metric is not available, once until it changes: a look comes every few seconds."""
        for metric, reason in reasons.items():
            if self._told.get(metric) != reason:
                _log.warning("metric %s is not available: %s", metric, reason)
        self._told = reasons


class _Look:
    """One look: asks, and remembers what went wrong on the way."""

    def __init__(self, line: Line, lanes: Lanes) -> None:
        self._line = line
        self._lanes = lanes
        self._reached = False
        self._failures: list[str] = []
        self.reasons: dict[str, str] = {}

    @property
    def problem(self) -> str:
        """Why not one query was answered; `""` when one was, or none was asked."""
        return self._failures[0] if self._failures and not self._reached else ""

    async def builtin(
        self, rendered: Mapping[str, Question], window: int, *, without: frozenset[str]
    ) -> dict[str, Reading]:
        """Return the built-in metrics but those that a custom query replaces."""
        asked = {name: q for name, q in rendered.items() if name in METRICS and name not in without}
        ages = {q.age: rendered[q.age] for q in asked.values() if q.age}
        told = await self._readings(asked | ages)
        fitting = {
            name: fresh(told[name], told[q.age], stale_after(window) + q.late)
            if q.age
            else told[name]
            for name, q in asked.items()
        }
        unknown = Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)
        return {name: fitting.get(name, unknown) for name in METRICS if name not in without}

    async def _readings(self, questions: Mapping[str, Question]) -> dict[str, Reading]:
        """Ask everything at once."""
        answers = await self._line.together([question.text for question in questions.values()])
        told = {name: self._told(name, one) for name, one in zip(questions, answers, strict=True)}
        for name, answer in told.items():
            if not isinstance(answer, Missing) and any(UNTOLD in one.labels for one in answer):
                self._refused(name, "the counter of requests lacks the label that tells failures")
        return {name: per_lane(told[name], question) for name, question in questions.items()}

    async def custom(self, name: str, query: str, variables: Mapping[str, str]) -> Reading:
        """Return the reading of one custom query."""
        if not asks_per_lane(query):
            return Reading(Missing.NOT_AVAILABLE, await self._number(name, query, variables))
        stable, canary = await asyncio.gather(
            *(self._of_lane(lane, name, query, variables) for lane in Lane)
        )
        return Reading(stable, canary)

    async def _of_lane(
        self, lane: Lane, name: str, query: str, variables: Mapping[str, str]
    ) -> float | Missing:
        workload = self._lanes.workload(lane)
        if not workload:
            return Missing.NOT_AVAILABLE
        return await self._number(name, query, {**variables, "lane": lane, "workload": workload})

    async def _number(self, name: str, query: str, variables: Mapping[str, str]) -> float | Missing:
        try:
            text = fill(query, variables)
        except BadQueryError as error:
            return self._refused(name, str(error))
        answer = self._told(name, await self._line.alone(text))
        if isinstance(answer, Missing):
            return answer
        if len(answer) > 1:
            return self._refused(
                name, "its query returns several series where one is expected; aggregate them"
            )
        return finite(answer[0].value) if answer else Missing.NO_DATA

    def _told(self, name: str, told: Told) -> Answer:
        """Return the samples, or what it means that there are none; remember why."""
        if isinstance(told, SourceDownError):
            self._failures.append(str(told))
            self.reasons[name] = str(told)
            return Missing.DOWN
        self._reached = True
        return self._refused(name, str(told)) if isinstance(told, QueryRefusedError) else told

    def _refused(self, name: str, reason: str) -> Missing:
        self.reasons[name] = reason
        return Missing.NOT_AVAILABLE
