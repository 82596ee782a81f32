"""What is checked before Bolt sees a request: size, signature, time, form, and headers that nobody has signed.

Bolt verifies the signature as well; but it reads the body first, and answers rubbish with a 500 and a traceback.
"""

import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncBoltRequest

from bot.slack.origin import Origin
from bot.slack.payloads import received

log = logging.getLogger("sluice.slack")

MAX_BODY = 1 << 20
"""Bytes. Slack's own payloads stay far below a megabyte."""
WINDOW = 300
"""Seconds by which a signature may be old, or our clock behind: what Slack recommends."""

REMEMBERED = 600
"""Seconds for which a request that was received is known again: twice as long as its signature is good."""
_MOST = 20_000
"""Requests that are remembered; whoever sends more in ten minutes meets the receipts of the commands."""

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


class Received:
    """Knows a signed request again that is sent a second time, whoever sends it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._at: dict[bytes, float] = {}

    def again(self, signature: str, unix_now: float) -> bool:
        """Remember one request by its signature, and say whether it was there before. `unix_now` is in seconds."""
        mark = hashlib.sha256(signature.encode()).digest()
        while self._at:
            oldest = next(iter(self._at))
            if len(self._at) < _MOST and unix_now - self._at[oldest] < REMEMBERED:
                break
            del self._at[oldest]
        if mark in self._at:
            return True
        self._at[mark] = unix_now
        return False


Next = Callable[[], Awaitable[None]]
_OTHER = Turned(200, "other_app")
"""Answered well, so that Slack does not send it again."""
_NOT_FOR_ME = (
    '{"response_type": "ephemeral", "text": "This was not meant for me, so nothing was done. '
    f'[{_OTHER.code}]"}}'
)


def only_ours(origin: Origin) -> Callable[..., Awaitable[BoltResponse | None]]:
    """Return what stands before all listeners, HTTP or socket: what is not for our app and workspace does nothing.

    It is answered so that Slack does not send it again, and tells nothing about us.
    """

    async def ours(body: Mapping[str, object], next_: Next) -> BoltResponse | None:
        why = origin.foreign(body)
        if not why:
            await next_()
            return None
        log.warning("a payload of %s was refused: %s", why, _OTHER.code)
        typed = "command" in body
        kind: dict[str, str | Sequence[str]] = {"Content-Type": "application/json"} if typed else {}
        return BoltResponse(status=_OTHER.status, body=_NOT_FOR_ME if typed else "", headers=kind)

    return ours


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
