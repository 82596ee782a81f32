"""Smoke tests of functions: one version is invoked by its number, before an alias sends anybody there.

The one rule: as over HTTP, whatever comes back is a result. An invocation is well when that very version answered, its
code raised nothing, and the answer fits; one that has a `statusCode`, as behind an API, must have the one expected.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from integrations.base import IntegrationError
from integrations.probe import Probe, Prober, ProbeResult
from integrations.smoke.running import NotAsExpectedError, hold_schema, run, unusable

_URL = re.compile(r"lambda:(?P<function>[A-Za-z0-9_-]{1,64}):(?P<version>[1-9][0-9]{0,17})")
_MOST_BYTES = 6 << 20
"""Of a request, and of an answer: what Lambda takes when it is waited for."""
_USUAL = 200


class _Account(Protocol):
    """What is needed of `integrations.aws.AwsAccount`."""

    async def call(
        self, service: str, operation: str, *, what: str, missing: str = "gone", **arguments: Any
    ) -> Mapping[str, Any]: ...


class FunctionProber:
    """The `Prober` for addresses like `lambda:image-processor:6`. Others are passed on."""

    def __init__(self, account: _Account, others: Prober, *, total: float = 60.0) -> None:
        """`total` is in seconds, for all requests of one test together."""
        self._account = account
        self._others = others
        self._total = total

    async def probe(self, probe: Probe) -> ProbeResult:
        """Send the requests of one test, ten at a time. Never raises for a function that fails or is not there."""
        if not probe.url.startswith("lambda:"):
            return await self._others.probe(probe)
        found = _URL.fullmatch(probe.url)
        sent = json.dumps(probe.body).encode()
        problem = _problem(sent, unusable(probe), known=found is not None)
        if problem or found is None:
            return ProbeResult(probe.url, passed=False, sentence=problem)
        invoke = partial(self._invoke, probe, found["function"], found["version"], sent)
        return await run(probe, invoke, total=self._total, well="answered")

    async def _invoke(self, probe: Probe, function: str, version: str, sent: bytes) -> None:
        """Invoke it once. Raises `NotAsExpectedError`."""
        try:
            answer = await self._account.call(
                "lambda",
                "invoke",
                what=f"Version {function}:{version}",
                missing="version_missing",
                FunctionName=function,
                Qualifier=version,
                Payload=sent,
            )
        except IntegrationError as error:
            raise NotAsExpectedError(f"not invoked ({error.code})") from None
        body = bytes(answer.get("Payload") or b"")
        _hold_version(answer, version)
        _hold_status(body, probe.expect)
        if probe.schema is not None:
            await asyncio.to_thread(
                hold_schema, body if len(body) <= _MOST_BYTES else None, probe.schema
            )


def _problem(sent: bytes, unusable_for: str, *, known: bool) -> str:
    if not known:
        return "its address must be lambda:FUNCTION:VERSION, with the number of a version"
    if len(sent) > _MOST_BYTES:
        return "its payload is larger than the 6 MB that Lambda takes; shorten it"
    return unusable_for


def _hold_version(answer: Mapping[str, Any], version: str) -> None:
    executed = str(answer.get("ExecutedVersion") or version)
    if executed != version:
        raise NotAsExpectedError("answered by another version than the one that was invoked")
    if answer.get("FunctionError"):
        # What it raised may hold anything; it stands in the function's log.
        raise NotAsExpectedError("failed with an error of its own, which its log shows")


def _hold_status(body: bytes, expect: int) -> None:
    status = _status_in(body)
    if status is None and expect == _USUAL:
        return
    if status != expect:
        said = "no statusCode" if status is None else f"statusCode {status}"
        raise NotAsExpectedError(f"answered with {said} instead of {expect}")


def _status_in(body: bytes) -> int | None:
    """Return the status by which a function behind an API answers; None where it says none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    status = answer.get("statusCode") if isinstance(answer, dict) else None
    return status if isinstance(status, int) else None
