"""Cold starts, from the lines that Lambda itself writes into the log of a function after each invocation.

No metric tells them, only `REPORT … Init Duration`. A query reads the whole log of its span and is paid by what it
reads, so one is sent per span, a new one at most once a minute, and one that takes long is waited for over several
looks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.aws import AwsAccount
from integrations.base import GoneError, IntegrationError, RefusedError
from integrations.metric import Missing, Reading
from integrations.metrics.cloudwatch.minutes import Span

_QUERY = """filter @type = "REPORT"
| parse @logStream /\\[(?<version>[0-9]+)\\]/
| stats count(*) as calls, count(@initDuration) as cold by version"""

_POLLS = 4
_POLL_S = 0.5

UNKNOWN = Reading(Missing.NOT_AVAILABLE, Missing.NOT_AVAILABLE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look came to."""

    reading: Reading
    reason: str = ""
    """Why there is no number, half a sentence."""


class ColdStarts:
    """The share of cold starts of two versions of one function, in percent."""

    def __init__(
        self,
        account: AwsAccount,
        function: str,
        stable: str,
        canary: str,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._account = account
        self._group = f"/aws/lambda/{function}"
        self._lanes = (stable, canary)
        self._pause = pause
        self._running: tuple[Span, str] | None = None
        self._known: tuple[Span, Seen] | None = None

    async def look(self, span: Span) -> Seen:
        """Return what the log says about `span`; `NO_DATA` while the query is not done."""
        if self._known is not None and self._known[0] == span:
            return self._known[1]
        try:
            answer = await self._answer(span)
        except (GoneError, RefusedError) as error:
            self._running = None
            return Seen(UNKNOWN, str(error))
        except IntegrationError as error:
            self._running = None
            return Seen(Reading(Missing.DOWN, Missing.DOWN), str(error))
        if answer is None:
            return Seen(Reading(*self._for_both(Missing.NO_DATA)))
        self._running = None
        self._known = (span, _read(answer, self._lanes))
        return self._known[1]

    async def _answer(self, span: Span) -> Mapping[str, Any] | None:
        """Return the finished query, None while it runs."""
        if self._running is None or self._running[0] != span:
            self._running = (span, await self._start(span))
        for turn in range(_POLLS):
            if turn:
                await self._pause(_POLL_S)
            answer = await self._account.call(
                "logs", "get_query_results", what=f"the log {self._group}", queryId=self._running[1]
            )
            if answer.get("status") not in ("Scheduled", "Running"):
                return answer
        return None

    async def _start(self, span: Span) -> str:
        answer = await self._account.call(
            "logs",
            "start_query",
            what=f"the log {self._group}",
            logGroupName=self._group,
            startTime=span.begin * 60,
            endTime=span.end * 60 - 1,
            queryString=_QUERY,
        )
        return str(answer.get("queryId"))

    def _for_both(self, why: Missing) -> tuple[Missing, Missing]:
        stable, canary = self._lanes
        return why if stable else Missing.NOT_AVAILABLE, why if canary else Missing.NO_DATA


def _read(answer: Mapping[str, Any], lanes: tuple[str, str]) -> Seen:
    status = answer.get("status")
    if status != "Complete":
        return Seen(UNKNOWN, f"its query in the log ended as {str(status)[:40]}")
    rows = [{cell.get("field"): cell.get("value") for cell in row} for row in answer["results"]]
    stable, canary = (
        _percent(next((row for row in rows if row.get("version") == lane), {})) for lane in lanes
    )
    return Seen(Reading(stable if lanes[0] else Missing.NOT_AVAILABLE, canary))


def _percent(row: Mapping[Any, Any]) -> float | Missing:
    calls, cold = (str(row.get(key, "")) for key in ("calls", "cold"))
    if not (calls.isdecimal() and cold.isdecimal()) or int(calls) == 0:
        return Missing.NO_DATA
    return min(100.0, 100.0 * int(cold) / int(calls))
