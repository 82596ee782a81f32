"""Tells a webhook about an event, signed as Standard Webhooks says, so that any receiver's library can verify it.

The one rule: what is signed is what is sent, byte for byte, and nothing of the receiver's answer but its status and
`Retry-After` is ever read. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import aiohttp

from integrations.alert import Alert
from integrations.alerts.receiver import Receiver, encoded
from integrations.base import RefusedError

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
        self.follows: frozenset[str] = frozenset()
        self._receiver = Receiver(url, session=session, timeout=timeout)
        self._url = url
        self._key = _key(secret)

    async def send(self, alert: Alert, *, now: datetime) -> None:
        """Deliver once. Raises `TryAgainError` or `RefusedError` (`sink_gone`: stop using this sink)."""
        body = body_of(alert)
        headers = signed(self._key, alert.id, now, body)
        await self._receiver.send("POST", self._url, body, headers, now=now)

    async def close(self) -> None:
        """Close the client if it is our own."""
        await self._receiver.close()

    def __repr__(self) -> str:
        return f"WebhookSink({self._receiver.where!r}, name={self.name!r})"


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
    return encoded({"type": alert.type, "timestamp": stamp, "data": data})


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
