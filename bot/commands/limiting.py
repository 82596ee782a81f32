"""How often one person may move something forward: what is beyond that is a stuck finger, or a stolen session.

Counted in memory, for people in Slack; a program with a token is held by what it may start. Rollback and pause never
come here.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.commands.answers import Refusal
from bot.commands.world import World
from bot.policy import Actor

WINDOW = timedelta(minutes=1)
EVERYBODY = 10
"""How many times as much all people together may do, about all services."""
_REMEMBERED = 10_000
"""People and services that are counted; more than that and the oldest are forgotten."""


class Turnstile:
    """Counts what goes through."""

    def __init__(self, now: Callable[[], datetime], commands: int) -> None:
        """Let so many commands of one person about one service pass in a minute."""
        self._now = now
        self._commands = commands
        self._passed: dict[tuple[str, str], deque[datetime]] = {}

    def enter(self, actor: Actor, service: str) -> None:
        """Count one command. Raises `Refusal` 429 where it is one too many, which is not counted."""
        if actor.door != "slack":
            return
        own = self._of(actor.id, service)
        all_of_them = self._of("", "")
        if len(own) >= self._commands:
            raise _too_many(f"You said more than {self._commands} things about {service}")
        if len(all_of_them) >= self._commands * EVERYBODY:
            raise _too_many("Everybody together said more than I take")
        own.append(self._now())
        all_of_them.append(self._now())

    def _of(self, who: str, service: str) -> deque[datetime]:
        passed = self._passed.pop((who, service), deque())
        while passed and self._now() - passed[0] >= WINDOW:
            passed.popleft()
        while len(self._passed) >= _REMEMBERED:
            del self._passed[next(iter(self._passed))]
        self._passed[who, service] = passed
        return passed


async def has_room(world: World) -> None:
    """Refuse a start where more is in flight than the configuration allows. Raises `Refusal` 429."""
    most = world.config.limits.rollouts
    if await world.store.in_flight_count() >= most:
        raise Refusal(
            f"{most} rollouts are in flight, and the configuration allows no more (limits: rollouts). Nothing was "
            "started. Wait for one to end; rollback still works.",
            code="too_many_rollouts",
            status=429,
        )


def _too_many(what: str) -> Refusal:
    return Refusal(
        f"{what} in a minute; nothing was changed. Rollback and pause still work. Wait a minute, then say it again.",
        code="too_many_commands",
        status=429,
    )
