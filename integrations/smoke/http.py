"""Smoke tests over HTTP: a number of requests to the dark lane, a few at a time, and one sentence about what came back.

The one rule: whatever the other side does is a result, never an error, and costs a bounded time and memory. No redirect
is followed, no environment or cookie is used, and nothing of an answer gets into a sentence but its status, and a short
plain spelling of where it does not fit its schema.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from integrations.addresses import ForbiddenAddressError, forbidden_name, open_socket
from integrations.probe import Probe, ProbeResult

_AT_ONCE = 10
_MOST_BYTES = 1 << 20
_METHOD = re.compile(r"[A-Z]{1,20}")

# A `$ref` to another document would make the validator fetch it from wherever it says.
_NO_DOCUMENTS: Registry[Any] = Registry()


@dataclass(slots=True)
class _Tally:
    """What came of the requests so far."""

    wanted: int
    limit: float
    """Percent that may fail."""
    sent: int = 0
    passed: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return self.failures.total()

    @property
    def lost(self) -> bool:
        """Whether the test can no longer pass; then it is no use to go on asking."""
        return 100 * self.failed > self.limit * self.wanted

    def fail(self, why: str, times: int = 1) -> None:
        self.failures[why] += times


class _NotAsExpectedError(Exception):
    """One request failed. `str()` is the reason, as the second half of a sentence."""


class HttpProber:
    """The `Prober` for HTTP. Times are in seconds: for one request, and for all requests of one test together."""

    def __init__(self, *, timeout: float = 10.0, total: float = 60.0) -> None:
        self._timeout = timeout
        self._total = total
        self._session: aiohttp.ClientSession | None = None

    async def probe(self, probe: Probe) -> ProbeResult:
        """Send the requests of one test, ten at a time. Never raises for a target that answers badly or not at all.

        Stops early once so many have failed that the test cannot pass.
        """
        problem = _problem(probe)
        if problem:
            return ProbeResult(probe.url, passed=False, sentence=problem)
        tally = _Tally(probe.requests, probe.max_errors)
        try:
            async with asyncio.timeout(self._total):
                workers = min(_AT_ONCE, probe.requests)
                await asyncio.gather(*(self._work(probe, tally) for _ in range(workers)))
        except TimeoutError:
            late = tally.wanted - tally.passed - tally.failed
            tally.fail(
                f"not answered before the {self._total:g} s for the whole test were over", late
            )
        return ProbeResult(
            probe.url,
            passed=not tally.lost,
            sentence=_sentence(tally, probe.expect),
            requests=tally.passed + tally.failed,
            failed=tally.failed,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _work(self, probe: Probe, tally: _Tally) -> None:
        while tally.sent < tally.wanted and not tally.lost:
            tally.sent += 1
            try:
                await self._request(probe)
            except _NotAsExpectedError as error:
                tally.fail(str(error))
            else:
                tally.passed += 1

    async def _request(self, probe: Probe) -> None:
        """Send one request. Raises `_NotAsExpectedError`."""
        try:
            async with self._client().request(
                probe.method, probe.url, allow_redirects=False, **_content(probe.body)
            ) as response:
                _hold_status(response.status, probe.expect)
                answer = await _read(response.content)
                if probe.schema is not None:
                    # A large answer takes its time, and meanwhile other rollouts must go on.
                    await asyncio.to_thread(_hold_schema, answer, probe.schema)
                if answer is None:
                    response.close()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _NotAsExpectedError(self._silence(error)) from None

    def _silence(self, error: Exception) -> str:
        """Say why there was no answer, without a word of the other side's."""
        match error:
            case aiohttp.ClientConnectorError() if isinstance(
                error.os_error, ForbiddenAddressError
            ):
                return "not sent: its address is link-local or a cloud's metadata service"
            case aiohttp.ClientConnectorDNSError():
                return "not sent: its host name cannot be resolved"
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
                return "not sent: its certificate is not trusted here, or it does not speak TLS"
            case aiohttp.ClientConnectorError():
                return "not connected (refused, or no way there)"
            case TimeoutError():
                return f"not answered within {self._timeout:g} s"
            case aiohttp.InvalidURL():
                return "not sent: its URL cannot be read"
            case _:
                return "not answered to the end: the connection broke off, or it was no HTTP"

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            # A Service spreads connections, not requests: each request has its own, so that every pod has its turn.
            # No limit: each test keeps its own, and must not wait for those of other rollouts.
            connector = aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=open_socket)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                headers={"User-Agent": "sluice", "Accept-Encoding": "identity"},
                # Else a megabyte on the wire could be a gigabyte here.
                auto_decompress=False,
            )
        return self._session


def _problem(probe: Probe) -> str:
    """Say why a test cannot be run at all; `""` when it can."""
    try:
        parts = urlsplit(probe.url)
        host = parts.hostname or ""
        usable = parts.scheme in {"http", "https"} and bool(host) and parts.port != 0
    except ValueError:
        return "its URL cannot be read; write it like http://host:8080/health"
    if not usable:
        return "its URL must begin with http:// or https:// and a host"
    if forbidden_name(host):
        return "its host is a cloud's metadata service, which is never asked"
    if not _METHOD.fullmatch(probe.method):
        return "its method is no HTTP method; write one like GET or POST"
    if probe.requests < 1:
        return "it has no requests; give it at least one"
    return _schema_problem(probe.schema)


def _schema_problem(schema: Mapping[str, Any] | None) -> str:
    if schema is None:
        return ""
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError:
        return "its schema is no JSON Schema; correct `schema`"
    return ""


def _content(body: Any) -> dict[str, Any]:
    """Return how a body is sent. Text goes as it is, and is called JSON when it is an object or a list of it."""
    if body is None:
        return {}
    text = body if isinstance(body, str) else json.dumps(body)
    structured = not isinstance(body, str) or _is_structure(text)
    kind = "application/json" if structured else "text/plain; charset=utf-8"
    return {"data": text.encode(), "headers": {"Content-Type": kind}}


def _is_structure(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


async def _read(content: aiohttp.StreamReader) -> bytes | None:
    """Return the body; None for one that is longer than what is read of it."""
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_chunked(1 << 16):
        size += len(part)
        if size > _MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _hold_status(status: int, expect: int) -> None:
    if status == expect:
        return
    hint = ", and redirects are not followed" if 300 <= status < 400 else ""
    raise _NotAsExpectedError(f"answered {status} instead of {expect}{hint}")


def _hold_schema(answer: bytes | None, schema: Mapping[str, Any]) -> None:
    if answer is None:
        raise _NotAsExpectedError("answered with more than 1 MiB, too much to hold to its schema")
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        raise _NotAsExpectedError("answered with something else than JSON") from None
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        error = next(kind(schema, registry=_NO_DOCUMENTS).iter_errors(value), None)
    except (Unresolvable, RecursionError):
        raise _NotAsExpectedError(
            "not judged: its schema has a reference that cannot be followed"
        ) from None
    if error is not None:
        where, rule = _plain(error.json_path), _plain(str(error.validator))
        raise _NotAsExpectedError(f"answered JSON that does not fit its schema at {where} ({rule})")


def _plain(text: str) -> str:
    """Cut foreign text, and strip it of everything that Slack or a terminal could take for markup."""
    return re.sub(r"[^A-Za-z0-9 .\[\]$'-]", "?", text)[:60]


def _sentence(tally: _Tally, expect: int) -> str:
    requests = tally.passed + tally.failed
    if not tally.failed:
        return f"answered {_status(expect)}" if requests == 1 else f"{requests} requests, 0 failed"
    (why, _), *others = tally.failures.most_common()
    if requests == tally.wanted == 1:
        return why
    more = f" (and {len(others)} other reasons)" if others else ""
    return f"{requests} requests, {tally.failed} failed where {tally.limit:g} % may: {why}{more}"


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
