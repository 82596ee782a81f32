"""The line to one Prometheus: a query goes out, and an answer, a refusal or one sentence about the failure comes back.

The one rule: nothing foreign passes. No redirect is followed, no environment or netrc is read, no body, header or URL
of the other side gets into a sentence, and neither size nor time of an answer is the other side's choice. Why a query
is refused is told beside the sentence, short and without control characters, for whoever calibrates at a terminal.
"""

import asyncio
import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import Retry
from urllib3.exceptions import HTTPError, ReadTimeoutError

from integrations.base import IntegrationError, RefusedError
from integrations.metrics.answers import (
    NotPrometheusError,
    QueryRefusedError,
    Row,
    Sample,
    rows,
    samples,
)

T = TypeVar("T")

# One pool for the process: the client is synchronous, and a slow source must not take the threads of other work.
_POOL = ThreadPoolExecutor(8, thread_name_prefix="prometheus")

_CONNECT_S = 1.0
_MOST_BYTES = 4 << 20
_LONG_QUERY = 2000
_LONG_REASON = 120
_HARMLESS = "PromQL info"
"""Since 2.48 Prometheus puts remarks on style among the warnings."""

_REFUSED = (400, 422)
"""Bad query, and a query that cannot be executed."""


_FAILURES = (
    requests.RequestException,
    NotPrometheusError,
    OSError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
)
"""All that the client and its libraries raise; the last four are how it meets foreign JSON."""


class SourceDownError(Exception):
    """The source did not give a usable answer. `str()` is the whole sentence."""

    def __init__(self, sentence: str, *, answers: bool = True, slow: bool = False) -> None:
        """`answers` is False where nobody was reached at all: then another query fares no better.

        `slow` is True where somebody was, and took too long.
        """
        super().__init__(sentence)
        self.answers = answers
        self.slow = slow


class _StatusError(requests.RequestException):
    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.reason = reason


class _PartialError(requests.RequestException):
    """The answer carries warnings: some of the data behind it is missing."""


class _TokenError(requests.RequestException):
    """The file with the bearer token cannot be used."""


class _AccountError(requests.RequestException):
    """The account gives out no token. `str()` says why."""


class _Bearer(AuthBase):
    """Puts the token on each request. A file is read anew each time: Kubernetes replaces such tokens every hour.

    Who asks for a token is asked each time too, in the thread of the query.
    """

    def __init__(self, token: str | Callable[[], str], file: Path | None) -> None:
        self._token = token
        self._file = file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._given() if self._file is None else self._read(self._file)
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _given(self) -> str:
        if isinstance(self._token, str):
            return self._token
        try:
            return self._token()
        except IntegrationError as error:
            raise _AccountError(str(error)) from error

    @staticmethod
    def _read(file: Path) -> str:
        try:
            token = file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise _TokenError(file) from error
        if not token.isprintable() or not token:
            raise _TokenError(file)
        return token


class _Session(requests.Session):
    """Follows no redirect, reads no environment, and gives up on an answer that is too long or takes too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        # Else ~/.netrc replaces our token, and HTTP_PROXY is used even for 127.0.0.1.
        self.trust_env = False
        self.headers["Accept-Encoding"] = "identity"
        self._seconds = seconds

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none: a redirect could lead anywhere, and would take the token along."""

    def request(self, method: Any, url: Any, *rest: Any, **options: Any) -> requests.Response:
        """Send; a long query goes into the body, because proxies take some 8 kB of address only."""
        params = options.get("params") or {}
        if len(str(params.get("query", ""))) > _LONG_QUERY:
            options = {**options, "params": None, "data": params}
            method = "POST"
        return super().request(method, url, *rest, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send, and return an answer that is complete, HTTP 200 and whole. Raises `RequestException`."""
        deadline = time.monotonic() + self._seconds
        response = super().send(request, **{**options, "stream": True})
        try:
            if response.status_code in _REFUSED:
                raise _StatusError(response.status_code, _reason(response, deadline))
            if response.status_code != 200:
                raise _StatusError(response.status_code)
            body = _read_all(response, deadline)
        finally:
            response.raw.close()
        _refuse_partial(body)
        response.raw = io.BytesIO(body)
        return response


def _read_all(response: requests.Response, deadline: float) -> bytes:
    """Return the body. The library's time limit is per read, so a byte now and then would hold a thread for ever."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := response.raw.read1(1 << 16):
            size += len(part)
            if size > _MOST_BYTES:
                raise NotPrometheusError
            if time.monotonic() > deadline:
                raise requests.Timeout
            parts.append(part)
    except ReadTimeoutError as error:
        raise requests.Timeout from error
    except HTTPError as error:
        raise requests.ConnectionError from error
    return b"".join(parts)


def _reason(response: requests.Response, deadline: float) -> str:
    """Return why a query was refused, in its own words, as far as those can be shown; `""` where nothing says it."""
    try:
        answer = json.loads(_read_all(response, deadline))
    except _FAILURES:
        return ""
    told = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(told, str):
        return ""
    text = " ".join("".join(c if c.isprintable() else " " for c in told).split())
    return text if len(text) <= _LONG_REASON else f"{text[: _LONG_REASON - 1]}…"


def _refuse_partial(body: bytes) -> None:
    if b'"warnings"' not in body:
        return
    answer = json.loads(body)
    warnings = answer.get("warnings") if isinstance(answer, dict) else None
    if any(not str(warning).startswith(_HARMLESS) for warning in warnings or ()):
        raise _PartialError


class Connection:
    """One Prometheus. `timeout` is in seconds, for one query from start to end."""

    def __init__(
        self,
        url: str,
        *,
        bearer_token: str | Callable[[], str] = "",
        bearer_token_file: str | None = None,
        ca_file: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._where = _address(url)
        self.timeout = timeout
        self._session = _Session(timeout)
        self._session.verify = ca_file or True
        file = Path(bearer_token_file).expanduser() if bearer_token_file else None
        self._client = PrometheusConnect(
            url=url.rstrip("/"),
            auth=_Bearer(bearer_token, file) if bearer_token or file else None,
            session=self._session,
            timeout=(min(_CONNECT_S, timeout), timeout),
            retry=Retry(total=False),
        )
        # The client has mounted its own adapter with a pool that is too small for the threads.
        self._session.mount(self._client.url, HTTPAdapter(max_retries=0, pool_maxsize=16))

    async def ask(self, query: str) -> tuple[Sample, ...]:
        """Return the samples of an instant query. Raises `QueryRefusedError` and `SourceDownError`, nothing else."""
        return await self._answer(partial(self._client.custom_query, query), samples)

    async def ask_range(
        self, query: str, begins: datetime, ends: datetime, step: int
    ) -> tuple[Row, ...]:
        """Return the series of a query over a range, one value every `step` seconds. Raises as `ask`."""
        asked = partial(self._client.custom_query_range, query, begins, ends, str(step))
        return await self._answer(asked, rows)

    async def _answer(self, asked: Callable[[], Any], read: Callable[[Any], T]) -> T:
        # It is read where it came: a long one would keep the event loop busy.
        answer = asyncio.get_running_loop().run_in_executor(_POOL, lambda: read(asked()))
        try:
            return await asyncio.wait_for(answer, self.timeout)
        except _StatusError as error:
            if error.status in _REFUSED:
                raise QueryRefusedError(
                    f"Prometheus refuses its query (HTTP {error.status})", error.reason
                ) from None
            raise SourceDownError(self._sentence(error)) from None
        except _FAILURES as error:
            slow = isinstance(error, requests.Timeout | TimeoutError)
            raise SourceDownError(
                self._sentence(error), answers=not _unreached(error), slow=slow
            ) from None

    def late(self) -> SourceDownError:
        """Return what is said of a query that waited too long for its place."""
        return SourceDownError(self._sentence(TimeoutError()), slow=True)

    def close(self) -> None:
        """Let go of the connections. A query that is still on its way ends by its own deadline."""
        self._session.close()

    def _sentence(self, error: Exception) -> str:
        """Say what happened and what to do, without a word of the other side's."""
        return f"Prometheus at {self._where} {self._what(error)}"

    def _what(self, error: Exception) -> str:
        match error:
            case _StatusError():
                return _about_status(error.status)
            case _PartialError():
                return (
                    "answered from only a part of its data; look at its stores and their warnings."
                )
            case _TokenError():
                return "was not asked, because the file with its token cannot be used; check bearer_token_file."
            case _AccountError():
                return f"was not asked. {error}"
            case requests.exceptions.SSLError():
                return (
                    "has a certificate that is not trusted here; check ca_file and the host name."
                )
            case requests.Timeout() | TimeoutError():
                return f"did not answer within {self.timeout:g} s; check that it is up and not overloaded."
            case (
                NotPrometheusError()
                | requests.exceptions.JSONDecodeError()
                | LookupError()
                | TypeError()
                | RecursionError()
            ):
                return "answered with something else than metrics; check its url, a log-in page may be in front."
            case OSError() if not isinstance(error, requests.RequestException):
                return "was not asked, because a file for its TLS cannot be read; check ca_file."
            case _:
                return "cannot be reached; check that it is up and that its url is right."

    def __repr__(self) -> str:
        return f"Connection({self._where!r})"


def _unreached(error: Exception) -> bool:
    """Whether nobody was asked, or nobody was there."""
    if isinstance(error, requests.Timeout):
        return isinstance(error, requests.ConnectTimeout)
    return isinstance(error, _TokenError | requests.ConnectionError)


def _about_status(status: int) -> str:
    if status in (401, 403):
        return f"does not accept our credentials (HTTP {status}); check bearer_token_file."
    if 300 <= status < 400:
        return (
            f"answered with a redirect (HTTP {status}), which is not followed; set its final url."
        )
    if status == 404:
        return "has no query API under its url (HTTP 404); check the path of the url."
    return f"answered with an error (HTTP {status}); check that it is up and not overloaded."


def _address(url: str) -> str:
    """Return scheme, host and port: the rest of a URL may be a secret. Raises `RefusedError` (`bad_url`)."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(
            "The url of a Prometheus must be like http://prometheus:9090; correct it.",
            code="bad_url",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"
