"""What is checked before Bolt sees a request. Bolt answers some rubbish with a 500 and a traceback; we do not.

Bolt itself verifies the signature. Here: size, header bytes, timestamp digits, encoding, and headers that Bolt would
obey although no signature covers them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_BODY = 1 << 20
"""Bytes. Slack's own payloads stay far below a megabyte."""

_LAZY = "x-slack-bolt-"


@dataclass(frozen=True, slots=True)
class Turned:
    """Why a request is turned away."""

    status: int
    code: str


def turned_away(headers: Mapping[str, str], body: bytes) -> Turned | None:
    """Return why a request cannot be one of Slack's; None when Bolt may look at it."""
    if len(body) > MAX_BODY:
        return Turned(413, "too_large")
    signature = headers.get("X-Slack-Signature", "")
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    if not signature or not signature.isascii():
        return Turned(401, "bad_signature")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return Turned(401, "bad_timestamp")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return Turned(400, "not_utf8")
    return None


def trusted_headers(headers: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
    """Return the headers for Bolt, without those that would let a stranger pick the listener."""
    return {
        name.lower(): [value]
        for name, value in headers.items()
        if not name.lower().startswith(_LAZY)
    }
