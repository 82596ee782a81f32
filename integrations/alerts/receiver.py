"""One HTTP receiver of alerts: a request goes out, an answer is judged. Every kind of sink speaks through it.

The one rule: of an answer nothing is read but its status and `Retry-After`, unless a sink searches; and no sentence
holds more of an address than scheme and host, because the rest is often a password.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from integrations.base import RefusedError, TryAgainError

_MOST_READ = 1 << 20


class Receiver:
    """Where a sink sends to. Raises `RefusedError` (`bad_url`) for an address that cannot be one."""

    def __init__(
        self, url: str, *, session: aiohttp.ClientSession | None = None, timeout: float = 10.0
    ) -> None:
        self.where = _address(url)
        self._session = session
        self._owned: aiohttp.ClientSession | None = None
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def send(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], *, now: datetime
    ) -> None:
        """Send JSON. Raises `TryAgainError` or `RefusedError`."""
        await self._ask(method, url, body, headers, now, most=0)

    async def search(self, url: str, headers: Mapping[str, str], *, now: datetime) -> Any:
        """Return the JSON found at an address. Raises `TryAgainError` or `RefusedError`."""
        raw = await self._ask("GET", url, None, headers, now, most=_MOST_READ)
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise self.unreadable() from None

    def unreadable(self) -> RefusedError:
        """Return the error of an answer that is not what its kind of receiver says."""
        return RefusedError(
            f"{self.where} answered something else than it should; check that its url leads to what its kind says.",
            code="sink_unreadable",
        )

    async def close(self) -> None:
        """Close the client if it is our own."""
        if self._owned is not None:
            await self._owned.close()

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        now: datetime,
        *,
        most: int,
    ) -> bytes:
        try:
            async with (
                self._client().request(
                    method,
                    url,
                    data=body,
                    headers=({"Content-Type": "application/json"} if body else {}) | dict(headers),
                    allow_redirects=False,  # a redirect could lead the alert anywhere, also into our own network
                    timeout=self._timeout,
                ) as response
            ):
                status, later = response.status, response.headers.get("Retry-After", "")
                found = await response.content.read(most) if most and status < 300 else b""
                while found and len(found) < most and (more := await response.content.read(most)):
                    found += more
        except ValueError:
            # Before the next, which catches some of these too: a user in the address beside a header, a bad host.
            raise RefusedError(
                f"The url of the alert sink {self.where} cannot be asked for; write it without a user, as https://host.",
                code="bad_url",
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The error of the library may carry the URL, and with it a secret.
            raise TryAgainError(
                f"The alert sink {self.where} cannot be reached; check that it is up.",
                code="sink_unreachable",
            ) from None
        self._judge(status, retry_after(later, now))
        return found

    def _client(self) -> aiohttp.ClientSession:
        if self._session is not None:
            return self._session
        if self._owned is None or self._owned.closed:
            self._owned = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._owned

    def _judge(self, status: int, later: float | None) -> None:
        if 200 <= status < 300:
            return
        if status in (408, 429) or status >= 500:
            raise TryAgainError(
                f"The alert sink {self.where} answered HTTP {status}; look whether it is well.",
                code="sink_busy" if status == 429 else "sink_failed",
                retry_after=later,
            )
        if status == 410:
            raise RefusedError(
                f"The alert sink {self.where} says that it is gone for good (HTTP 410); remove it from `alerts`.",
                code="sink_gone",
            )
        if 300 <= status < 400:
            raise RefusedError(
                f"The alert sink {self.where} redirects (HTTP {status}), which is not followed; set its final url.",
                code="sink_redirects",
            )
        raise RefusedError(
            f"The alert sink {self.where} refuses the alert (HTTP {status}); check its url and its secret.",
            code="sink_refused",
        )


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return compact JSON. Raises `RefusedError` (`alert_not_json`)."""
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        raise RefusedError(
            "The alert holds a value that JSON cannot carry; it stays in the journal only.",
            code="alert_not_json",
        ) from None


def key_of(text: str) -> str:
    """Return a key that goes out as it is. Raises `RefusedError` (`bad_secret`), which does not repeat it."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise RefusedError(
            "The key of an alert sink is empty or has characters that no key has; copy it again.",
            code="bad_secret",
        )
    return text


def retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (a number or a date), `None` for anything else."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _address(url: str) -> str:
    """Return scheme and host only: the path of a webhook is often its password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(
            "The url of an alert sink must begin with http:// or https://; correct it.",
            code="bad_url",
        )
    return f"{parts.scheme}://{parts.hostname}{port}"
