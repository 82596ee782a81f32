"""What is checked before Bolt sees a request: size, signature, time, form, and headers that nobody has signed.

Bolt verifies the signature as well; but it reads the body first, and answers rubbish with a 500 and a traceback.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slack_bolt.async_app import AsyncBoltRequest

from bot.slack.payloads import received

MAX_BODY = 1 << 20
"""Bytes. Slack's own payloads stay far below a megabyte."""
WINDOW = 300
"""Seconds by which a signature may be old, or our clock behind: what Slack recommends."""

_LAZY = "x-slack-bolt-"


@dataclass(frozen=True, slots=True)
class Turned:
    """Why a request is turned away."""

    status: int
    code: str


def turned_away(
    headers: Mapping[str, str], body: bytes, secret: str, unix_now: float
) -> Turned | None:
    """Return why a request cannot be one of Slack's; None when it may be read. `unix_now` is in seconds."""
    if len(body) > MAX_BODY:
        return Turned(413, "too_large")
    signature = headers.get("X-Slack-Signature", "")
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    if not signature or not signature.isascii():
        return Turned(401, "bad_signature")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return Turned(401, "bad_timestamp")
    if not hmac.compare_digest(signature, _signature(secret, timestamp, body)):
        return Turned(401, "bad_signature")
    if abs(unix_now - int(timestamp)) > WINDOW:
        return Turned(401, "bad_timestamp")
    return None if _is_utf8(body) else Turned(400, "not_utf8")


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what Slack writes over these very bytes (version 0 of its signatures)."""
    base = b"v0:%s:%s" % (timestamp.encode(), body)
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def for_bolt(
    headers: Mapping[str, str], content_type: str, text: str
) -> AsyncBoltRequest | Turned | None:
    """Return a signed request as Bolt takes it, why it is turned away, or None when nothing is to be done."""
    try:
        body = received(content_type, text)
        if body is None:
            return None
        bolt = AsyncBoltRequest(body=text, headers=_trusted(headers))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Turned(400, "bad_request")
    bolt.body = dict(body)  # Bolt loses a command that has the word `payload` anywhere in it
    return bolt


def _trusted(headers: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
    """Return the headers for Bolt, without those that would let a stranger pick the listener."""
    return {
        name.lower(): [value]
        for name, value in headers.items()
        if not name.lower().startswith(_LAZY)
    }
