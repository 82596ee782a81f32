"""The line to one host of source code: a question goes out, JSON comes back, or one sentence about what went wrong.

The one rule: the token goes to the configured host and nowhere else, and no word of an answer gets into a sentence.
A redirect is followed only within that host (a renamed repository); whoever asks us to slow down is left alone so long.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from integrations.base import RefusedError, TryAgainError

_COUNTED = 10_000_000
_MOST_BYTES = 8 << 20
_REDIRECTS = (301, 302, 307, 308)
_HOPS = 2
_PAUSE = 60.0
"""Seconds that a host is left alone which is busy and does not say how long."""
_LONGEST = 3600.0


class Host:
    """One host. Raises `RefusedError` (`bad_url`) for an address that cannot be one."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        clock: Callable[[], datetime],
        *,
        timeout: float = 10.0,
    ) -> None:
        """`timeout` is in seconds, for one question from start to end; whoever waits may give up earlier."""
        self.name = name
        self._url = url.rstrip("/")
        self._origin = _origin(self._url, name)
        self._headers = {"User-Agent": "sluice", **headers}
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._quiet_until: datetime | None = None

    async def ask(self, path: str, query: str = "") -> dict[str, Any]:
        """Return the object at a path, both already quoted. Raises `TryAgainError` and `RefusedError`."""
        if self._quiet_until is not None and self._clock() < self._quiet_until:
            raise self._busy((self._quiet_until - self._clock()).total_seconds())
        url = URL(f"{self._url}{path}{f'?{query}' if query else ''}", encoded=True)
        for _ in range(_HOPS + 1):
            status, headers, raw = await self._get(url)
            if status not in _REDIRECTS:
                break
            url = self._further(url, headers.get("Location", ""))
        self._judge(status, headers)
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.unreadable()
        return found

    def unreadable(self) -> RefusedError:
        """Return the error of an answer that is not what this kind of host says."""
        return RefusedError(
            f"{self.name} answered something else than a comparison; check that the url of `source` leads to its API.",
            code="history_unreadable",
        )

    async def close(self) -> None:
        """Close the client."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, url: URL) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with self._client().get(
                url, headers=self._headers, allow_redirects=False, timeout=self._timeout
            ) as response:
                raw = await _bounded(response.content) if response.status < 300 else b""
                if raw is None:
                    raise RefusedError(
                        f"{self.name} answered with more than {_MOST_BYTES >> 20} MB, too much to read here.",
                        code="history_too_large",
                    )
                return response.status, response.headers, raw
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            # The error of the library may carry the address, and with it whatever somebody wrote into it.
            raise TryAgainError(
                f"{self.name} cannot be reached; check that the url of `source` is right.",
                code="history_unreachable",
            ) from None

    def _further(self, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location, encoded=True)) if location else None
        except ValueError:
            target = None
        if target is None or _origin(str(target), self.name, strict=False) != self._origin:
            raise RefusedError(
                f"{self.name} redirects to another host, which is not followed; set the url of `source` to that one.",
                code="history_redirects",
            )
        return target

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        if status == 200:
            return
        spent = headers.get("x-ratelimit-remaining") == "0" or "Retry-After" in headers
        if status == 429 or (status == 403 and spent):
            seconds = self._pause(headers)
            self._quiet_until = self._clock() + timedelta(seconds=seconds)
            raise self._busy(seconds)
        if status == 404:
            raise RefusedError(
                f"{self.name} does not know both versions as tags, or our token may not see the repository.",
                code="history_unknown",
            )
        if status in (401, 403):
            raise RefusedError(
                f"{self.name} does not accept our token (HTTP {status}); check the token of `source`.",
                code="history_refused",
            )
        if status >= 500 or status == 408:
            raise TryAgainError(
                f"{self.name} answered with an error (HTTP {status}).", code="history_failed"
            )
        if status in _REDIRECTS:
            raise RefusedError(
                f"{self.name} redirects in a circle; set the url of `source` to the final one.",
                code="history_redirects",
            )
        raise self.unreadable()

    def _pause(self, headers: Mapping[str, str]) -> float:
        """Return the seconds that the host asks for: `Retry-After`, or the moment when its window begins anew."""
        after = headers.get("Retry-After", "")
        if after.isascii() and after.isdigit():
            return min(float(after), _LONGEST)
        reset = headers.get("x-ratelimit-reset") or headers.get("RateLimit-Reset") or ""
        if reset.isascii() and reset.isdigit():
            left = float(reset) - self._clock().timestamp()
            return min(max(left, 1.0), _LONGEST)
        return _PAUSE

    def _busy(self, seconds: float) -> TryAgainError:
        return TryAgainError(
            f"{self.name} asks us to slow down.", code="history_busy", retry_after=seconds
        )

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def __repr__(self) -> str:
        return f"Host({self._origin!r})"


async def _bounded(content: aiohttp.StreamReader) -> bytes | None:
    """Return all of an answer; None where it is too long."""
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_any():
        size += len(part)
        if size > _MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _origin(url: str, name: str, *, strict: bool = True) -> str:
    """Return scheme, host and port. Raises `RefusedError` (`bad_url`) where there are none and they are wanted."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme in ("http", "https") and parts.hostname:
        return f"{parts.scheme}://{parts.hostname}:{port}"
    if strict:
        raise RefusedError(
            f"The url of `source` for {name} must begin with http:// or https://; correct it.",
            code="bad_url",
        )
    return ""


def texts(values: Any, *path: str) -> list[str]:
    """Return the text that stands at `path` in each of some objects; what has none there is left out."""
    found = []
    for value in values if isinstance(values, list) else []:
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None  # noqa: PLW2901 - one step further down
        if isinstance(value, str) and value.strip():
            found.append(value)
    return found


def number(value: Any) -> int | None:
    """Return a count; None for what no history has: less than nothing, more than anybody commits, no number at all."""
    sane = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _COUNTED
    return value if sane else None


def first_lines(messages: list[str], most: int) -> tuple[str, ...]:
    """Return the first lines of the last messages, the last first: hosts list commits oldest first."""
    return tuple(text.strip().splitlines()[0] for text in reversed(messages[-most:]))


def oldest(dates: list[str]) -> datetime | None:
    """Return the first of some moments as a host writes them; None where none can be read."""
    found = []
    for text in dates:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            continue
        if at.tzinfo is not None:
            found.append(at)
    return min(found, default=None)
