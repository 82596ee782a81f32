"""How often one person may move something forward: what is beyond that is a stuck finger, or a stolen session.

Counted in memory, for each person by themselves: nobody uses up what others may do. A program with a token is held by
what it may start. Rollback and pause never come here, and what somebody was not allowed to do is not counted.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from bot.commands.answers import Refusal
from bot.policy import Actor
from bot.rollout.values import Rollout
from bot.store import FullError

WINDOW = timedelta(minutes=1)
_REMEMBERED = 10_000
"""People and services that are counted; more than that and the oldest are forgotten."""
_NOT_ALLOWED = {"guest", "not_a_person", "external_user", "identity_unavailable"}
"""Refusals of whoever has no business here."""


class Turnstile:
    """Counts what goes through."""

    def __init__(self, now: Callable[[], datetime], commands: int) -> None:
        """Let so many commands of one person about one service pass in a minute."""
        self._now = now
        self._commands = commands
        self._passed: dict[tuple[str, str], deque[datetime]] = {}

    @contextmanager
    def passing(self, actor: Actor, service: str) -> Iterator[None]:
        """Count one command while it is carried out. Raises `Refusal` 429 where it is one too many."""
        if actor.door != "slack":
            yield
            return
        own = self._of(actor.id, service)
        if len(own) >= self._commands:
            raise _too_many(f"You said more than {self._commands} things about {service}")
        own.append(self._now())
        try:
            yield
        except Refusal as refusal:
            if refusal.code in _NOT_ALLOWED:
                own.pop()
            raise

    def _of(self, who: str, service: str) -> deque[datetime]:
        passed = self._passed.pop((who, service), deque())
        while passed and self._now() - passed[0] >= WINDOW:
            passed.popleft()
        while len(self._passed) >= _REMEMBERED:
            del self._passed[next(iter(self._passed))]
        self._passed[who, service] = passed
        return passed


def no_room(full: FullError, r: Rollout) -> Refusal:
    """Return the refusal of one more than the configuration allows."""
    match full.what:
        case "rollouts":
            said = (
                f"{full.most} rollouts are in flight, and the configuration allows no more (limits: rollouts). Nothing "
                "was started. Wait for one to end; rollback still works."
            )
            return Refusal(said, code="too_many_rollouts", status=429)
        case "queue":
            said = (
                f"{full.most} rollouts wait for {r.service} in {r.environment} already, and there is room for no more "
                f"(limits: queue). Cancel one (`/deploy schedule {r.service}`), or wait."
            )
            return Refusal(said, code="queue_full", status=429)
        case "scheduled":
            said = (
                f"{full.most} rollouts are scheduled for {r.service} in {r.environment} already, and there is room for "
                f"no more (limits: scheduled). Cancel one (`/deploy schedule {r.service}`), or wait."
            )
            return Refusal(said, code="too_many_scheduled", status=429)


def already_queued(twin: Rollout) -> Refusal:
    """Return the refusal of a version that waits in the line already."""
    return Refusal(
        f"{twin.version} is already queued for {twin.service} in {twin.environment} ({twin.id}, by {twin.requester}). "
        f"Nothing was changed. `cancel {twin.id}` takes it out of the queue.",
        code="already_queued",
        rollout=twin,
    )


def _too_many(what: str) -> Refusal:
    return Refusal(
        f"{what} in a minute; nothing was changed. Rollback and pause still work. Wait a minute, then say it again.",
        code="too_many_commands",
        status=429,
    )
