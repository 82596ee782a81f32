"""Whoever went back or paused is looked up behind it: if that was no member of ours, everybody is told.

Going back never waits for Slack, so a guest or somebody of another company may have done it. What was done stays done;
people decide whether it was meant.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.errands import Errands
from bot.policy import Actor, Person
from bot.rollout.values import Entry, Rollout
from bot.slack.directory import SlackDirectory
from bot.store import NoRowError, Store

log = logging.getLogger("sluice.aftercare")

_AGAIN = timedelta(minutes=1)
_LONGEST = timedelta(hours=24)
"""For how long Slack is asked who somebody was."""


@dataclass(frozen=True, slots=True)
class _Case:
    actor: Actor
    rollout: str
    since: datetime


class Aftercare:
    """Looks up, and tells."""

    def __init__(
        self,
        store: Store,
        directory: SlackDirectory,
        now: Callable[[], datetime],
        touch: Callable[[str], None],
    ) -> None:
        """`touch` has a rollout shown again."""
        self._store = store
        self._directory = directory
        self._now = now
        self._touch = touch
        self._again: Callable[[str, datetime], None] | None = None
        self._cases: dict[str, _Case] = {}
        self._errands = Errands("aftercare", self._follow)

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `ring` again later, when Slack did not say."""
        self._again = again

    def look(self, actor: Actor, r: Rollout) -> None:
        """Look up who did something to a rollout that did not wait."""
        key = f"{r.id} {actor.id}"
        self._cases.setdefault(key, _Case(actor, r.id, self._now()))
        self.ring(key)

    def ring(self, key: str) -> None:
        """Look up, unless it is known by now."""
        if key in self._cases:
            self._errands.soon(key)

    async def settled(self) -> None:
        """Wait until nobody is being looked up."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Stop."""
        await self._errands.stop()

    async def _follow(self, key: str) -> None:
        case = self._cases[key]
        found = await self._directory.membership(case.actor, ())
        if not found.known and self._now() - case.since < _LONGEST:
            if self._again is not None:
                self._again(key, self._now() + _AGAIN)
            return
        del self._cases[key]
        if found.person is None or found.person.member:
            return
        try:
            await self._tell(case, found.person)
        except NoRowError:
            log.warning("%s is gone, so its thread is not told who acted", case.rollout)
        except Exception:
            log.exception("it could not be told that %s is no member", case.actor.id)

    async def _tell(self, case: _Case, person: Person) -> None:
        text = (
            f"{person.id} has just rolled back or paused this, and is {_what(person)}. That never waits for a look-up, "
            "so it was done. See whether it was meant."
        )
        entry = Entry("outsider_acted", "sluice", text, code="outsider_acted", tell="broadcast")
        async with self._store.writing() as writing:
            await writing.note(case.rollout, [entry], self._now())
        self._touch(case.rollout)


def _what(person: Person) -> str:
    if person.deleted:
        return "deactivated"
    if person.bot:
        return "a bot"
    return "of another workspace" if person.stranger else "a guest"
