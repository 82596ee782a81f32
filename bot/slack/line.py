"""Whether Slack can be reached, as every call finds out: since when not, when to try again, why a token is refused.

One try is enough for all: while nothing answers, one call after a growing pause finds out for every rollout. What is
said about it in the log is one line a minute, however many cards wait.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.slack.hindrance import Hindrances
from bot.slack.refusals import LOST

log = logging.getLogger("sluice.line")

OUTAGE = timedelta(minutes=5)
"""What took longer than this to be told is told as what happened in the meantime, not replayed."""
LONGEST = timedelta(minutes=1)
_LOGGED = timedelta(minutes=1)
_SAYING = "chat.postMessage"

_REMEDY = (
    "Install the app again, or set SLACK_BOT_TOKEN to a new token and restart. Rollouts go on to their next question, "
    "which REST and the command line decide"
)


class Line:
    """The way to Slack, shared by everything that is sent."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Count in the time of `now`."""
        self._now = now
        self.hindrances = Hindrances()
        self._limits: dict[str, tuple[datetime, datetime]] = {}
        """By method: since when Slack refuses it because of a limit, and until when it asked for quiet."""
        self._tries = 0
        self._pause: tuple[datetime, datetime] | None = None
        self._logged: datetime | None = None
        self.down: datetime | None = None
        """Since when no call was answered; None while Slack answers."""
        self._heard: datetime | None = None
        self.lost = ""
        """The code with which Slack refuses our token."""

    def answered(self, method: str = "") -> None:
        """Note that Slack answered, whatever it said; `method`: did what it was asked to."""
        self._limits.pop(method, None)
        self._heard = self._now()
        if self.down is not None:
            log.warning("Slack answers again")
        self._tries, self._pause, self._logged, self.down, self.lost = 0, None, None, None, ""

    def failed(self, what: str) -> None:
        """Note that a call had no answer, or was refused for our token; `what` is a code or a word without secrets."""
        now = self._now()
        self.down = min(self.down or now, now)
        self.lost = what if what in LOST else ""
        if self.lost:
            self.hindrances.lost(now)
        else:
            self.hindrances.down(now)
        self._tries += 1
        rest = LONGEST if self.lost else min(LONGEST, timedelta(seconds=1 << min(self._tries, 6)))
        self._pause = (now, now + rest)
        if self._logged is None or not self._logged <= now < self._logged + _LOGGED:
            self._logged = now
            log.warning("Slack cannot be used since %s: %s", f"{self.down:%H:%M:%S} UTC", what)

    @property
    def heard_lately(self) -> bool:
        """Whether Slack answered within the last minute."""
        return self._heard is not None and self._heard <= self._now() < self._heard + LONGEST

    def limited(self, method: str, until: datetime) -> None:
        """Note that Slack answered, and asked to leave a method alone until then."""
        self.answered()
        since, _ = self._limits.get(method, (self._now(), until))
        self._limits[method] = (min(since, self._now()), until)
        self.hindrances.limited(self._now(), until)

    @property
    def pause(self) -> datetime | None:
        """Until when it is not worth to try; None: try."""
        if self._pause is None:
            return None
        since, until = self._pause
        return until if since <= self._now() < until else None

    def why(self, channel: str, since: datetime) -> str:
        """Return as a clause why nothing could be told in a channel since then."""
        return self.hindrances.why(channel, since, self._now())

    @property
    def standing(self) -> str:
        """How it stands, for `/readyz`: `ok`, or what is wrong and what to do."""
        if self.lost:
            return f"{self.lost}: {LOST[self.lost]}. {_REMEDY}"
        if self.down is not None and self._now() - self.down >= LONGEST:
            return f"does not answer since {self.down:%Y-%m-%d %H:%M} UTC; it is tried again every minute"
        since, until = self._limits.get(_SAYING, (self._now(), self._now()))
        if self._now() - since >= OUTAGE and self._now() < until + LONGEST:
            return (
                f"takes no message since {since:%Y-%m-%d %H:%M} UTC because of a rate limit; "
                "what waits is sent when it has passed"
            )
        return "ok"
