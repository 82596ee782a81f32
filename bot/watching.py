"""Movements that began without Sluice, by a push to Git for example, get a rollout and its card like any other.

One look at every led target that has no live rollout, every few seconds. What is found is started through the same door
as everything else, by an actor that may do nothing but that; a movement is taken up once, also after a restart. What
cannot be followed is told in Slack, once: nobody else asks people at its pauses.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.commands import Commands, Receipt, Refusal
from bot.errands import Errands
from bot.grammar.verbs import Deploy
from bot.policy import Actor
from bot.rollout.past import newest_finished
from bot.rollout.values import Phase, Rollout
from bot.store import Inbound, Store
from integrations.base import IntegrationError, RefusedError, version_of
from integrations.controller import Controller, LedState

log = logging.getLogger("sluice.watching")

EVERY = timedelta(seconds=10)
_ALL = "all"
_PATIENCE = 10.0
"""Seconds that one look may take; the others do not wait for it."""
_PASSES = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Watched:
    """One led target whose movements are taken up."""

    service: str
    environment: str
    controller: str
    """How the controller is called, for the journal."""

    @property
    def target(self) -> str:
        """The name of the target."""
        return f"{self.service}/{self.environment}"


class Watcher:
    """Looks for movements that have no rollout."""

    def __init__(
        self,
        watched: Sequence[Watched],
        store: Store,
        commands: Commands,
        controller_of: Callable[[str, str], Awaitable[Controller | None]],
        now: Callable[[], datetime],
    ) -> None:
        """`controller_of` connects to the controller of a service in an environment."""
        self._watched = watched
        self._store = store
        self._commands = commands
        self._controller_of = controller_of
        self._now = now
        self._again: Callable[[datetime], None] = lambda _: None
        self._aloud: Callable[[str, str], Awaitable[None]] | None = None
        self._errands = Errands("watch", self._look)
        self._said: dict[str, str] = {}
        """By target: what was said last about why nothing was taken up."""

    def use(self, again: Callable[[datetime], None]) -> None:
        """Set who calls `ring` at a moment."""
        self._again = again

    def tell(self, aloud: Callable[[str, str], Awaitable[None]]) -> None:
        """Set who tells people of a service something that is about no rollout."""
        self._aloud = aloud

    def ring(self) -> None:
        """Look at all targets now, and again after a while."""
        if self._watched:
            self._errands.soon(_ALL)
            self._again(self._now() + EVERY)

    async def settled(self) -> None:
        """Wait until nothing is being looked at."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Break off."""
        await self._errands.stop()

    async def look_at(self, service: str, environment: str) -> None:
        """Look at one target now, because its controller says that it moves."""
        for one in self._watched:
            if (one.service, one.environment) == (service, environment):
                await self._look_at(one)

    async def _look(self, _: str) -> None:
        busy = {r.target for r in await self._store.in_flight()}
        await asyncio.gather(
            *(self._look_at(one) for one in self._watched if one.target not in busy)
        )

    async def _look_at(self, one: Watched) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                controller = await self._controller_of(one.service, one.environment)
                led = await controller.read() if controller is not None else None
            if controller is not None and led is not None and led.moving and led.movement:
                await self._follow(one, controller, led)
        except TimeoutError:
            self._say(one, f"it does not answer within {_PATIENCE:g} s")
        except (IntegrationError, LookupError) as error:
            self._say(one, str(error))
        except Exception:
            log.exception("%s: looking for movements failed; it is tried again", one.target)
        else:
            self._said.pop(one.target, None)

    async def _follow(self, one: Watched, controller: Controller, led: LedState) -> None:
        """Take a movement up, or tell people once why nobody asks them about it."""
        try:
            if led.unread is not None and not led.image:
                await self._unfollowed(one, led, led.unread.sentence)
            else:
                await self._take_up(one, controller, led)
        except RefusedError as error:
            await self._unfollowed(one, led, str(error))
        except Refusal as refusal:
            # Behind another rollout, or later, it is taken up after all.
            if refusal.rollout is not None or refusal.status in _PASSES:
                self._say(one, str(refusal))
            else:
                await self._unfollowed(one, led, str(refusal))

    async def _unfollowed(self, one: Watched, led: LedState, why: str) -> None:
        self._say(one, why)
        key = f"unfollowed:{one.target}:{led.movement}:{led.image}"[:500]
        if self._aloud is None or await self._store.inbound(key) is not None:
            return
        who = f" (by {led.changed_by})" if led.changed_by else ""
        where = f" at {led.weight:g} %" if led.weight else ""
        text = (
            f"{one.service} in {one.environment} moves{where} without a rollout here{who}, and nobody is asked at its "
            f"pauses: {why}"
        )
        await self._aloud(one.service, text)
        async with self._store.writing() as writing:
            body = {"movement": led.movement, "told": text}
            now = self._now()
            await writing.receive(
                Inbound(key, "sluice", "sluice", body, now, answer={"code": "ok"})
            )

    async def _take_up(self, one: Watched, controller: Controller, led: LedState) -> None:
        actor = Actor(f"controller:{one.controller}", "sluice")
        version = _named(controller, led.image)
        if led.parked and await self._turned_back(one, led):
            return
        before = await self._followed_last(one)
        if before is not None and _let_go(before, led):
            return
        key = f"movement:{one.target}:{led.movement}:{before.id if before is not None else ''}"
        if await self._store.inbound(key) is not None:
            return
        who = f" ({led.changed_by})" if led.changed_by else ""
        reason = f"it began without a command here{who}"
        command = Deploy(one.service, version, one.environment, reason=reason)
        await self._commands.handle(command, actor, Receipt(key, {"movement": led.movement}))

    async def _followed_last(self, one: Watched) -> Rollout | None:
        """Return the rollout that followed the last movement: the same template behind it is a movement of its own."""
        past = await self._store.history(one.service, one.environment, limit=20)
        return next((r for r in past if r.followed is not None and r.followed.movement), None)

    async def _turned_back(self, one: Watched, led: LedState) -> bool:
        """Whether a rollout of this very attempt has ended: it stays where it is, behind a gate that nobody opens."""
        newest = newest_finished(await self._store.history(one.service, one.environment, limit=20))
        followed = newest.followed if newest is not None else None
        same = followed is not None and (followed.movement, followed.run) == (led.movement, led.run)
        return same and newest is not None and newest.phase is not Phase.SUCCEEDED

    def _say(self, one: Watched, why: str) -> None:
        """Log why nothing was taken up, once until that changes: a look comes every few seconds."""
        if self._said.get(one.target) != why:
            log.warning("%s: a movement is not taken up: %s", one.target, why)
        self._said[one.target] = why


def _let_go(before: Rollout, led: LedState) -> bool:
    """Whether a person took this very movement off the bot's hands. One that was superseded has come again."""
    assert before.followed is not None
    same = (before.followed.movement, before.followed.run) == (led.movement, led.run)
    return same and before.phase is Phase.CANCELLED and before.code != "superseded"


def _named(controller: Controller, image: str) -> str:
    """Return the version as people call it: the tag where that alone leads to the image, else all of it."""
    try:
        return version_of(image) if controller.image_for(version_of(image)) == image else image
    except RefusedError:
        return image
