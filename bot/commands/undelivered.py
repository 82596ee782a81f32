"""What Slack could not deliver, written down where it counts: an unseen question in its row, a lost token aloud.

The announcer knows what arrived; what follows from it is a change of the row like any other, and goes through here.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from bot.commands.acting import TRIES
from bot.rollout import unseen
from bot.rollout.values import Entry, Rollout
from bot.store import NoRowError, PoisonedRowError, StaleError, Store

log = logging.getLogger("sluice.undelivered")

ABOUT = "slack"
"""Stands in the place of a rollout in journal lines that are about Slack itself."""
_LOST, _FOUND = "slack_lost", "slack_found"


class Undelivered:
    """Records what people could not see."""

    def __init__(
        self, store: Store, now: Callable[[], datetime], wake: Callable[[Rollout], None]
    ) -> None:
        """`wake` is called with a row that was saved: its next look is due at another time."""
        self._store = store
        self._now = now
        self._wake = wake
        self._one_at_a_time = asyncio.Lock()

    async def lose(self, rollout: str, loss: unseen.Loss) -> None:
        """Record that nobody can see, or answer, the open gate; people are called once for all that wait."""
        async with self._one_at_a_time:
            others = () if loss.alone else await self._open_questions()
            await self._change(rollout, lambda r, now: unseen.lose(r, loss, now, others))

    async def _open_questions(self) -> list[Rollout]:
        found = []
        for rollout in await self._store.live_ids():
            with suppress(NoRowError, PoisonedRowError):
                r = await self._store.get(rollout)
                found += [r] if r.gate is not None else []
        return found

    async def find(self, rollout: str, gate: str) -> None:
        """Record that somebody can see the open gate now."""
        await self._change(rollout, lambda r, now: unseen.find(r, gate, now))

    async def _change(self, rollout: str, change: Callable[[Rollout, datetime], Rollout]) -> None:
        for _ in range(TRIES):
            try:
                async with self._store.writing() as writing:
                    now = self._now()
                    before = await writing.load(rollout)
                    after = change(before, now)
                    if after is before:
                        return
                    saved = await writing.save(after, now)
            except StaleError:
                continue
            except (NoRowError, PoisonedRowError):
                return
            self._wake(saved)
            return
        log.warning(
            "rollout %s kept changing; whether its question was seen is noted later", rollout
        )

    async def token_lost(self, code: str, sentence: str) -> None:
        """Call people because Slack no longer takes our token; once until it works again, over restarts too."""
        entry = Entry(
            _LOST,
            "sluice",
            sentence,
            code=code,
            event="rollout.needs_attention",
            tell="",
        )
        await self._once(entry)

    async def token_found(self) -> None:
        """Note that Slack takes our token again, if people were called about it."""
        text = "Slack takes the token of the bot again; cards and questions are brought up to date."
        await self._once(Entry(_FOUND, "sluice", text, event="rollout.resumed", tell=""))

    async def _once(self, entry: Entry) -> None:
        told = await self._store.journal(ABOUT)
        last = told[-1].entry.verb if told else _FOUND
        if last != entry.verb:
            async with self._store.writing() as writing:
                await writing.aloud(ABOUT, entry, self._now())
