"""Tells a webhook about an event, signed as Standard Webhooks says, so that any receiver's library can verify it.

The one rule: what is signed is what is sent, byte for byte, and nothing of the receiver's answer but its status and
`Retry-After` is ever read. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from integrations.alert import Alert
from integrations.base import RefusedError, TryAgainError

_MOST_BYTES = 20_000
_MOST_REASON = 500
_PREFIX = "whsec_"


class WebhookSink:
    """An `AlertSink` for one URL. Raises `RefusedError` (`bad_url`, `bad_secret`) for what it cannot work with."""

    def __init__(
        self,
        url: str,
        *,
        secret: str,
        name: str = "webhook",
        session: aiohttp.ClientSession | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self._where = _address(url)
        self._url = url
        self._key = _key(secret)
        self._session = session
        self._owned: aiohttp.ClientSession | None = None
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    async def send(self, alert: Alert, *, now: datetime) -> None:
        """Deliver once. Raises `TryAgainError` or `RefusedError` (`sink_gone`: stop using this sink)."""
        body = body_of(alert)
        headers = {"Content-Type": "application/json", **signed(self._key, alert.id, now, body)}
        try:
            async with (
                self._client().post(
                    self._url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,  # a redirect could lead the alert anywhere, also into our own network
                    timeout=self._timeout,
                ) as response
            ):
                status, later = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError):
            # The error of the library may carry the URL, and with it a secret.
            raise TryAgainError(
                f"The alert sink {self._where} cannot be reached; check that it is up. The alert will be sent again.",
                code="sink_unreachable",
            ) from None
        self._judge(status, retry_after(later, now))

    async def close(self) -> None:
        """Close the client if it is our own."""
        if self._owned is not None:
            await self._owned.close()

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
                f"The alert sink {self._where} answered HTTP {status}; the alert will be sent again.",
                code="sink_busy" if status == 429 else "sink_failed",
                retry_after=later,
            )
        if status == 410:
            raise RefusedError(
                f"The alert sink {self._where} says that it is gone for good (HTTP 410); remove it from `alerts`.",
                code="sink_gone",
            )
        if 300 <= status < 400:
            raise RefusedError(
                f"The alert sink {self._where} redirects (HTTP {status}), which is not followed; set its final url.",
                code="sink_redirects",
            )
        raise RefusedError(
            f"The alert sink {self._where} refuses the alert (HTTP {status}); check its url and its secret.",
            code="sink_refused",
        )

    def __repr__(self) -> str:
        return f"WebhookSink({self._where!r}, name={self.name!r})"


def signed(key: bytes, alert_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers for exactly these bytes, sent at `now`. Raises `RefusedError` (`bad_alert_id`)."""
    if "." in alert_id or not alert_id.isascii() or not alert_id.isprintable():
        raise RefusedError(
            "The id of the alert has a dot or a character that no header can carry, so it cannot be signed.",
            code="bad_alert_id",
        )
    stamp = str(int(now.timestamp()))
    digest = hmac.new(
        key, b".".join((alert_id.encode(), stamp.encode(), body)), hashlib.sha256
    ).digest()
    return {
        "webhook-id": alert_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def body_of(alert: Alert) -> bytes:
    """Return the body, at most 20 kB: passed checks are left off first, then failed ones, then a long reason is cut.

    Whatever was left off, `truncated` is true. Raises `RefusedError` (`alert_too_large`, `alert_not_json`).
    """
    data = dict(alert.data)
    body = _encode(alert, data)
    if len(body) <= _MOST_BYTES:
        return body
    data["truncated"] = True
    checks = [check for check in data.get("checks") or () if check]
    for spare in sorted(range(len(checks)), key=lambda i: (_failed(checks[i]), -i)):
        checks[spare] = None
        data["checks"] = [check for check in checks if check is not None]
        if len(body := _encode(alert, data)) <= _MOST_BYTES:
            return body
    data["reason"] = str(data.get("reason", ""))[:_MOST_REASON]
    if len(body := _encode(alert, data)) <= _MOST_BYTES:
        return body
    raise RefusedError(
        "The alert is larger than the 20 kB that a webhook may have; it stays in the journal only.",
        code="alert_too_large",
    )


def _failed(check: Any) -> bool:
    return isinstance(check, dict) and check.get("verdict") == "FAIL"


def _encode(alert: Alert, data: dict[str, Any]) -> bytes:
    stamp = alert.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    envelope = {"type": alert.type, "timestamp": stamp, "data": data}
    try:
        return json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        raise RefusedError(
            "The alert holds a value that JSON cannot carry; it stays in the journal only.",
            code="alert_not_json",
        ) from None


def retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (a number or a date), `None` for anything else."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def _key(secret: str) -> bytes:
    """Return the signing key: `whsec_` and base64, or any other text as it is."""
    if not secret.startswith(_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
    if not key:
        raise RefusedError(
            "The secret of an alert sink is empty, or what follows `whsec_` is no base64; copy it again.",
            code="bad_secret",
        )
    return key


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
