"""Smoke tests over HTTP: a number of requests to the dark lane, a few at a time, and one sentence about what came back.

The one rule: whatever the other side does is a result, never an error, and costs a bounded time and memory. No redirect
is followed, no environment or cookie is used, and nothing of an answer gets into a sentence but its status, and a short
plain spelling of where it does not fit its schema.
"""

import asyncio
import json
import re
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from integrations.addresses import ForbiddenAddressError, forbidden_name, open_socket
from integrations.probe import Probe, ProbeResult
from integrations.smoke.running import NotAsExpectedError, hold_schema, run, unusable

_MOST_BYTES = 1 << 20
_METHOD = re.compile(r"[A-Z]{1,20}")


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
        well = f"answered {_status(probe.expect)}"
        return await run(probe, partial(self._request, probe), total=self._total, well=well)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _request(self, probe: Probe) -> None:
        """Send one request. Raises `NotAsExpectedError`."""
        try:
            async with self._client().request(
                probe.method, probe.url, allow_redirects=False, **_content(probe.body)
            ) as response:
                _hold_status(response.status, probe.expect)
                answer = await _read(response.content)
                if probe.schema is not None:
                    # A large answer takes its time, and meanwhile other rollouts must go on.
                    await asyncio.to_thread(hold_schema, answer, probe.schema)
                if answer is None:
                    response.close()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NotAsExpectedError(self._silence(error)) from None

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
    return unusable(probe)


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
    raise NotAsExpectedError(f"answered {status} instead of {expect}{hint}")


def _status(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
