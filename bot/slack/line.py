"""Whether Slack can be reached, as every call finds out: since when not, when to try again, why a token is refused.

One try is enough for all: while nothing answers, one call after a growing pause finds out for every rollout. What is
said about it in the log is one line a minute, however many cards wait.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

log = logging.getLogger("sluice.line")

OUTAGE = timedelta(minutes=5)
"""What took longer than this to be told is told as what happened in the meantime, not replayed."""
LONGEST = timedelta(minutes=1)
_LOGGED = timedelta(minutes=1)

LOST = {
    "token_revoked": "the token of the bot was revoked",
    "token_expired": "the token of the bot has expired",
    "account_inactive": "the app was removed from the workspace, or its account deactivated",
    "invalid_auth": "Slack does not know the token of the bot",
    "not_authed": "no token reached Slack",
}
"""Refusals that say that no call will work, by what they mean."""
_REMEDY = (
    "Install the app again, or set SLACK_BOT_TOKEN to a new token and restart. Rollouts go on to their next question, "
    "which REST and the command line decide"
)


class Line:
    """The way to Slack, shared by everything that is sent."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Count in the time of `now`."""
        self._now = now
        self._tries = 0
        self._pause: tuple[datetime, datetime] | None = None
        self._logged: datetime | None = None
        self.down: datetime | None = None
        """Since when no call was answered; None while Slack answers."""
        self.lost = ""
        """The code with which Slack refuses our token."""

    def answered(self) -> None:
        """Note that Slack answered, whatever it said."""
        if self.down is not None:
            log.warning("Slack answers again")
        self._tries, self._pause, self._logged, self.down, self.lost = 0, None, None, None, ""

    def failed(self, what: str) -> None:
        """Note that a call had no answer, or was refused for our token; `what` is a code or a word without secrets."""
        now = self._now()
        self.down = min(self.down or now, now)
        self.lost = what if what in LOST else ""
        self._tries += 1
        rest = LONGEST if self.lost else min(LONGEST, timedelta(seconds=1 << min(self._tries, 6)))
        self._pause = (now, now + rest)
        if self._logged is None or not self._logged <= now < self._logged + _LOGGED:
            self._logged = now
            log.warning("Slack cannot be used since %s: %s", f"{self.down:%H:%M:%S} UTC", what)

    @property
    def pause(self) -> datetime | None:
        """Until when it is not worth to try; None: try."""
        if self._pause is None:
            return None
        since, until = self._pause
        return until if since <= self._now() < until else None

    @property
    def standing(self) -> str:
        """How it stands, for `/readyz`: `ok`, or what is wrong and what to do."""
        if self.lost:
            return f"{self.lost}: {LOST[self.lost]}. {_REMEDY}"
        if self.down is not None and self._now() - self.down >= LONGEST:
            return f"does not answer since {self.down:%Y-%m-%d %H:%M} UTC; it is tried again every minute"
        return "ok"
