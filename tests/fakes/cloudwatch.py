"""CloudWatch and its Logs Insights on loopback, as boto3 speaks to them: JSON with the operation in a header.

The service knows three protocols, and boto3 takes JSON before CBOR and the old query protocol.

A series has the values of every minute; what a minute comes to (sum, count, percentiles) is computed as CloudWatch
does, and it is told `late` seconds after its end. Set `fault`, and calls are answered accordingly.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import count
from typing import Any

from aiohttp import web

ERRORS = {
    "throttled": (400, "ThrottlingException", "Throttling"),
    "too many": (429, "TooManyRequestsException", "TooManyRequestsException"),
    "expired": (403, "ExpiredTokenException", "ExpiredToken"),
    "unknown key": (403, "UnrecognizedClientException", "InvalidClientTokenId"),
    "forbidden": (403, "AccessDeniedException", "AccessDenied"),
    "internal": (500, "InternalServiceFault", "InternalServiceError"),
    "unavailable": (503, "ServiceUnavailableException", "ServiceUnavailable"),
}
"""By fault: the status, the code of the shape, and the code that clients of the query protocol knew."""

Key = tuple[str, str, frozenset[tuple[str, str]]]


class FakeCloudWatch:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.late = 0
        self.names_versions = True
        """Whether calls by an alias are counted by version as well; AWS says so of a weighted alias only."""
        self.fault = ""
        self.fault_only_for = ""
        """Part of an operation, as `StartQuery`."""
        self.statuses: dict[str, str] = {}
        """By the id of a query: what becomes of it instead of `Complete`."""
        self.page = 100_800
        """How many numbers one answer holds."""
        self.endless = False
        self.polls = 1
        """How often a query in the log is asked for before it is done."""
        self.query_ends_as = "Complete"
        self.calls: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.extra: list[dict[str, Any]] = []
        self._series: defaultdict[Key, defaultdict[int, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._pages: dict[str, list[dict[str, Any]]] = {}
        self._logs: defaultdict[str, list[tuple[float, str, bool]]] = defaultdict(list)
        self._queries: dict[str, tuple[list[Any], int]] = {}
        self._numbers = count(1)
        self._let_go = asyncio.Event()
        self._runner: web.AppRunner | None = None

    # ---- what happened --------------------------------------------------------------------------------------------

    def count(
        self, space: str, metric: str, at: datetime, values: Iterable[float], **of: str
    ) -> None:
        """Count values of one metric in the minute of `at`."""
        key = (space, metric, frozenset(of.items()))
        self._series[key][int(at.timestamp()) // 60].extend(values)

    def invoked(
        self,
        at: datetime,
        version: str,
        calls: int,
        *,
        errors: int = 0,
        ms: Iterable[float] = (100.0,),
        function: str = "thumbs",
        alias: str = "live",
    ) -> None:
        """Count invocations of one version by the alias; `ms` are repeated over them."""
        if not calls:
            return
        whole = {"FunctionName": function, "Resource": f"{function}:{alias}"}
        durations = list(ms)
        each = [durations[i % len(durations)] for i in range(calls)]
        named = [{**whole, "ExecutedVersion": version}] if self.names_versions else []
        for of in (whole, *named):
            self.count("AWS/Lambda", "Invocations", at, [1.0] * calls, **of)
            failed = [1.0] * errors + [0.0] * (calls - errors)
            self.count("AWS/Lambda", "Errors", at, failed, **of)
            self.count("AWS/Lambda", "Duration", at, each, **of)

    def throttled(
        self, at: datetime, calls: int, *, version: str = "", function: str = "thumbs"
    ) -> None:
        """Turn calls by the alias away; with a `version` they are counted for that as well."""
        whole = {"FunctionName": function, "Resource": f"{function}:live"}
        for of in (whole, *([{**whole, "ExecutedVersion": version}] if version else [])):
            self.count("AWS/Lambda", "Throttles", at, [1.0] * calls, **of)

    def served(
        self,
        at: datetime,
        group: str,
        requests: int,
        *,
        errors: int = 0,
        lost: int = 0,
        seconds: float = 0.1,
        balancer: str = "app/shop/1",
    ) -> None:
        """Count requests of one target group; what is zero is not counted, as a balancer does."""
        whole = {"LoadBalancer": balancer}
        for of in (whole, {**whole, "TargetGroup": group}):
            for metric, number in (
                ("RequestCount", requests),
                ("HTTPCode_Target_5XX_Count", errors),
                ("TargetConnectionErrorCount", lost),
            ):
                if number:
                    self.count("AWS/ApplicationELB", metric, at, [1.0] * number, **of)
            answered = requests - lost
            if answered > 0:
                self.count(
                    "AWS/ApplicationELB", "TargetResponseTime", at, [seconds] * answered, **of
                )

    def reported(
        self, at: datetime, version: str, *, warm: int, cold: int, function: str = "thumbs"
    ) -> None:
        """Write the REPORT lines of a function into its log."""
        lines = [(at.timestamp(), version, True)] * cold + [(at.timestamp(), version, False)] * warm
        self._logs[f"/aws/lambda/{function}"] += lines

    # ---- the server -----------------------------------------------------------------------------------------------

    async def start(self) -> str:
        app = web.Application()
        app.router.add_post("/", self._call)
        app.router.add_get("/{tail:.*}", self._faulty)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self._let_go.set()
        if self._runner:
            await self._runner.cleanup()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers["X-Amz-Target"].partition(".")[2]
        self.calls.append(operation)
        if self.fault and self.fault_only_for in operation:
            return await self._faulty(request)
        asked = json.loads(await request.read())
        match operation:
            case "GetMetricData":
                return self._metrics(asked)
            case "StartQuery":
                return self._started(asked)
            case "GetQueryResults":
                return self._results(asked)
            case _:
                return _refused(400, "UnknownOperationException", "", operation)

    async def _faulty(self, request: web.Request) -> web.StreamResponse:
        match self.fault:
            case "hang":
                await self._let_go.wait()
                return web.Response(status=500)
            case "drop":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "html":
                return web.Response(text="<h1>s3cret please log in</h1>", content_type="text/html")
            case "truncated":
                return web.Response(text='{"MetricDataResults": [{"Id": "s3cr')
            case "list":
                return _json(["s3cret"])
            case "odd":
                return _json({"MetricDataResults": ["s3cret"]})
            case "text":
                return _json({"MetricDataResults": "s3cret"})
            case "empty":
                return _json({})
            case _:
                status, code, query = ERRORS[self.fault]
                return _refused(status, code, query, "s3cret <!channel>")

    # ---- metrics --------------------------------------------------------------------------------------------------

    def _metrics(self, asked: dict[str, Any]) -> web.Response:
        self.asked.append(asked)
        wrong = _wrong(asked)
        if wrong:
            return _refused(400, "ValidationException", "ValidationError", wrong)
        token = asked.get("NextToken")
        if token and token not in self._pages:
            sentence = "The next token is invalid."
            return _refused(400, "InvalidNextToken", "InvalidNextToken", sentence)
        return _json(self._page_of(asked))

    def _page_of(self, asked: dict[str, Any]) -> dict[str, Any]:
        token = asked.get("NextToken")
        left = (
            self._pages.pop(token)
            if token
            else [self._result(one, asked) for one in asked["MetricDataQueries"]]
        )
        told, rest, room = [], [], self.page
        for result in left:
            moments, values = result["Timestamps"], result["Values"]
            if room <= 0 and moments:
                rest.append(result)
                continue
            if len(values) > room:
                rest.append({**result, "Timestamps": moments[room:], "Values": values[room:]})
                result = {**result, "Timestamps": moments[:room], "Values": values[:room]}  # noqa: PLW2901
                result["StatusCode"] = "PartialData"
            room -= len(values)
            told.append(result)
        answer: dict[str, Any] = {"MetricDataResults": [*told, *self.extra], "Messages": []}
        if rest or self.endless:
            answer["NextToken"] = f"page-{next(self._numbers)}"
            self._pages[answer["NextToken"]] = rest
        return answer

    def _result(self, query: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        stat = query["MetricStat"]
        of = frozenset((one["Name"], one["Value"]) for one in stat["Metric"]["Dimensions"])
        key = (stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], of)
        series: Mapping[int, list[float]] = self._series.get(key, {})
        begin, end = asked["StartTime"], asked["EndTime"]
        now = self.clock().timestamp()
        told = sorted(
            minute
            for minute in series
            if begin <= minute * 60 < end and (minute + 1) * 60 + self.late <= now
        )
        return {
            "Id": query["Id"],
            "Label": stat["Metric"]["MetricName"],
            "Timestamps": [float(minute * 60) for minute in told],
            "Values": [_statistic(stat["Stat"], series[minute]) for minute in told],
            "StatusCode": self.statuses.get(query["Id"], "Complete"),
        }

    # ---- logs -----------------------------------------------------------------------------------------------------

    def _started(self, asked: dict[str, Any]) -> web.Response:
        if asked["logGroupName"] not in self._logs:
            sentence = "The specified log group does not exist."
            return _refused(400, "ResourceNotFoundException", "", sentence)
        assert asked["queryString"].startswith('filter @type = "REPORT"')
        found: dict[str, list[int]] = {}
        for at, version, cold in self._logs[asked["logGroupName"]]:
            if asked["startTime"] <= at <= asked["endTime"]:
                calls = found.setdefault(version, [0, 0])
                calls[0] += 1
                calls[1] += cold
        rows = [
            [
                {"field": "version", "value": version},
                {"field": "calls", "value": str(calls)},
                {"field": "cold", "value": str(cold)},
            ]
            for version, (calls, cold) in found.items()
        ]
        ident = f"query-{next(self._numbers)}"
        self._queries[ident] = (rows, self.polls)
        return _json({"queryId": ident})

    def _results(self, asked: dict[str, Any]) -> web.Response:
        rows, left = self._queries[asked["queryId"]]
        if left:
            self._queries[asked["queryId"]] = (rows, left - 1)
            return _json({"status": "Running", "results": []})
        return _json({"status": self.query_ends_as, "results": rows})


def _wrong(asked: dict[str, Any]) -> str:
    queries = asked["MetricDataQueries"]
    idents = [one["Id"] for one in queries]
    if not 1 <= len(queries) <= 500 or len(set(idents)) != len(idents):
        return "The collection MetricDataQueries must not have a size greater than 500."
    if not all(re.fullmatch("[a-z][a-zA-Z0-9_]*", ident) for ident in idents):
        return "The value for parameter Id is not matching the expression ^[a-z][a-zA-Z0-9_]*$."
    if any(one["MetricStat"]["Period"] % 60 for one in queries):
        return "The parameter Period must be a multiple of 60."
    if asked["StartTime"] >= asked["EndTime"]:
        return "The parameter StartTime must be less than the parameter EndTime."
    return ""


def _statistic(name: str, values: list[float]) -> float:
    match name:
        case "Sum":
            return float(sum(values))
        case "SampleCount":
            return float(len(values))
        case _ if name.startswith("TC(:"):
            return float(sum(value <= float(name[4:-1]) for value in values))
        case _:
            share = float(name.removeprefix("p")) / 100
            ordered = sorted(values)
            return float(ordered[min(len(ordered) - 1, int(share * len(ordered)))])


def _json(body: Any) -> web.Response:
    return web.json_response(body, content_type="application/x-amz-json-1.0")


def _refused(status: int, code: str, query: str, message: str) -> web.Response:
    body = {"__type": f"com.amazonaws#{code}", "message": message}
    headers = {"x-amzn-query-error": f"{query};Sender"} if query else {}
    content = "application/x-amz-json-1.0"
    return web.json_response(body, status=status, headers=headers, content_type=content)
