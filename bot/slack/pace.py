"""How often Slack may be called: a message a second in a channel, fifty edits a minute, nothing while it wants quiet.

What people wait for goes first: a gate, an alert, an answer and the end of a rollout never wait for a turn. Pure but
for the clock it is given; a clock that goes back must not make anybody wait for it to come along again.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

BURST = 12
REFILL = timedelta(seconds=1)

EDITS = 50
"""Calls of chat.update that Slack takes in a minute, in a whole workspace."""
ORDINARY = 40
"""As many of them may be progress; the rest is kept for what people wait for."""
CALM = timedelta(seconds=5)
"""Between two edits of one card that shows the same phase; longer where many cards change."""
SHARE = timedelta(seconds=1.5)
_MINUTE = timedelta(minutes=1)


class Pace:
    """A bucket of messages per channel."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Count in the time of `now`."""
        self._now = now
        self._spent: dict[str, tuple[float, datetime]] = {}

    def _left(self, channel: str) -> float:
        spent, at = self._spent.get(channel, (0.0, self._now()))
        if at > self._now():
            spent, at = 0.0, self._now()
        return BURST - max(0.0, spent - (self._now() - at) / REFILL)

    def wait(self, channel: str) -> datetime | None:
        """Return when the channel may be spoken in again; None: now."""
        left = self._left(channel)
        return None if left >= 1 else self._now() + REFILL * (1 - left)

    def spend(self, channel: str) -> None:
        """Count one message."""
        self._spent[channel] = (BURST - self._left(channel) + 1, self._now())


class Edits:
    """Who may edit a card now, so that all of them together stay within the minute."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Count in the time of `now`."""
        self._now = now
        self._sent: deque[datetime] = deque()
        self._last: dict[str, datetime] = {}
        """When each card was edited last."""
        self._asked: dict[str, datetime] = {}
        """When each card last wanted to be edited."""

    def wait(self, card: str, *, urgent: bool) -> datetime | None:
        """Return when this card may be edited; None: now. `urgent`: people wait for it."""
        now = self._now()
        self._asked[card] = now
        if urgent:
            return self.full
        full = self._below(ORDINARY)
        last = self._last.get(card)
        turn = last + self.interval if last is not None and last <= now else now
        due = max(turn, full or now)
        return due if due > now else None

    @property
    def interval(self) -> timedelta:
        """How long a card rests between two edits, by how many of them change at the moment."""
        now = self._now()
        self._asked = {card: at for card, at in self._asked.items() if _within(at, now)}
        return max(CALM, SHARE * len(self._asked))

    @property
    def full(self) -> datetime | None:
        """Return when any message may be edited again, people waiting for it or not; None: now."""
        return self._below(EDITS)

    def count(self) -> None:
        """Count one edit, of a card or of another message."""
        self._sent.append(self._now())

    def rest(self, card: str) -> None:
        """Let a card rest from now on: it shows how things stand."""
        self._last[card] = self._now()

    def forget(self, card: str) -> None:
        """Forget a card that will not change any more."""
        self._last.pop(card, None)
        self._asked.pop(card, None)

    def _below(self, limit: int) -> datetime | None:
        """Return when there is room again below so many edits in a minute; None: there is."""
        now = self._now()
        while self._sent and not _within(self._sent[0], now):
            self._sent.popleft()
        return None if len(self._sent) < limit else self._sent[-limit] + _MINUTE


def _within(at: datetime, now: datetime) -> bool:
    return now - _MINUTE < at <= now


class Quiet:
    """Which methods Slack asked to leave alone, and until when. One that is limited keeps no other one back."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Count in the time of `now`."""
        self._now = now
        self._asked: dict[str, tuple[datetime, datetime]] = {}

    def ask(self, method: str, seconds: float) -> datetime:
        """Leave a method alone for so many seconds; returns until when."""
        until = self._now() + timedelta(seconds=seconds)
        self._asked[method] = (self._now(), until)
        return until

    def until(self, method: str) -> datetime | None:
        """Return until when a method is left alone; None: it may be called."""
        since, until = self._asked.get(method, (self._now(), self._now()))
        return until if since <= self._now() < until else None
