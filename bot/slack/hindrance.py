"""Why something could not be told when it happened: for the mark on what comes late. Pure: the times are given.

What is remembered is one stretch per reason, and per channel where the reason is the channel's own. It dies with the
process: where nobody knows any more, nothing is claimed.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from bot.slack.refusals import why_closed

UNKNOWN = "nothing could be posted here"
_DOWN = "Slack could not be reached"
_LIMITED = "Slack limited me"
_LOST = "Slack refused my token"
_PAUSE = timedelta(minutes=20)
"""Behind this a reason that comes back is a stretch of its own: a shut channel is tried every quarter of an hour."""


class _Stretch(NamedTuple):
    began: datetime
    ended: datetime


class Hindrances:
    """Remembers what stood in the way, and until when."""

    def __init__(self) -> None:
        """Begin with nothing in the way."""
        self._known: dict[tuple[str, str], _Stretch] = {}

    def down(self, now: datetime) -> None:
        """Note that a call had no answer."""
        self._note("", _DOWN, now, now)

    def lost(self, now: datetime) -> None:
        """Note that the token was refused."""
        self._note("", _LOST, now, now)

    def limited(self, now: datetime, until: datetime) -> None:
        """Note that Slack asked for quiet until then."""
        self._note("", _LIMITED, now, until)

    def shut(self, channel: str, code: str, now: datetime) -> None:
        """Note that a channel took no message."""
        why = f"this channel could not be posted to ({why_closed(code)})"
        self._note(channel, why, now, now)

    def why(self, channel: str, since: datetime, now: datetime) -> str:
        """Return as a clause what stood longest in the way between then and now."""
        found = [
            (min(now, stretch.ended) - max(since, stretch.began), why)
            for (place, why), stretch in self._known.items()
            if place in {"", channel} and stretch.ended >= since and stretch.began <= now
        ]
        return max(found)[1] if found else UNKNOWN

    def _note(self, channel: str, why: str, began: datetime, ended: datetime) -> None:
        known = self._known.get((channel, why))
        if known is not None and known.began <= began <= known.ended + _PAUSE:
            began, ended = known.began, max(known.ended, ended)
        self._known[channel, why] = _Stretch(began, ended)
