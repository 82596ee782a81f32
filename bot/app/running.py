"""A running bot: it opens its doors, takes up what was in flight, is rung when something is due, and stops."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Self

import aiohttp
from aiohttp import web

from bot.api import Doors, api
from bot.app.bells import Bells, waking, waking_once
from bot.app.listening import listening_on
from bot.app.parts import Parts, shown_host
from bot.schedule import Clock, Timers, Wheel
from bot.settings.environment import Settings
from bot.slack.acquainting import stay_acquainted
from bot.slack.inspecting import warn
from bot.slack.speaking import TROUBLE, reason
from bot.store import Inbound, Store

log = logging.getLogger("sluice")

_GREETING_PAUSE = 15.0
_MEETING = 3.0
"""Seconds that a start waits for Slack; rollouts in flight must not wait longer."""


class Bot(Parts):
    """Everything that runs in one process: it starts, is rung, and stops."""

    def __init__(
        self, settings: Settings, clock: Clock, store: Store, session: aiohttp.ClientSession
    ) -> None:
        """Use `Bot.start`, which opens the database and the session."""
        super().__init__(settings, clock, store, session)
        self._session = session
        self.wheel: Wheel | None = None
        self._runner: web.AppRunner | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._behind: list[asyncio.Task[None]] = []
        """What goes on behind the start."""
        self._bells = Bells(self.reconciler.ring)

    @classmethod
    async def open(cls, settings: Settings, clock: Clock) -> Self:
        """Open the database and make the parts; nothing runs yet. Raises `OpenError`."""
        async with AsyncExitStack() as undo:
            store = await Store.open(settings.database_url)
            undo.push_async_callback(store.close)
            timeout = aiohttp.ClientTimeout(total=10)
            session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
            undo.push_async_callback(session.close)
            bot = cls(settings, clock, store, session)
            undo.pop_all()
        return bot

    @classmethod
    async def start(cls, settings: Settings, clock: Clock) -> Self:
        """Start a bot: listen, take up what was in flight, ring when something is due.

        Raises `OpenError` and `DoorError`; nothing is left open then.
        """
        bot = await cls.open(settings, clock)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(bot.stop)
            wheel = Wheel(bot.ring, clock)
            bot.use(wheel)
            await bot.meet_slack()
            await bot.listen()
            await bot.take_up()
            wheel.start(bot.sweep)
            bot.wheel = wheel
            bot.look_around()
            undo.pop_all()
        return bot

    def use(self, timers: Timers) -> None:
        """Set who rings, and whom."""
        self.reconciler.use(timers)
        self.announcer.use(waking(timers, "slack"))
        if self.announcer.pictures is not None:
            self.announcer.pictures.use(waking(timers, "picture"))
        self.home.use(waking(timers, "home"))
        self.outbox.use(waking(timers, "sink"))
        self.inbox.use(waking(timers, "click"))
        self.aftercare.use(waking(timers, "after"))
        self.watcher.use(waking_once(timers, "watch"))
        self.watcher.tell(self._tell_service)
        self.nagger.use(waking_once(timers, "locks"))
        for word, ring in (
            ("slack", self.announcer.touch),
            ("picture", self.announcer.touch),
            ("home", self.home.ring),
            ("sink", self.outbox.ring),
            ("click", self.inbox.ring),
            ("after", self.aftercare.ring),
            ("watch", lambda _: self.watcher.ring()),
            ("locks", lambda _: self.nagger.ring()),
        ):
            self._bells.hang(word, ring)

    async def meet_slack(self) -> None:
        """Learn which workspace is ours before the first command comes, unless Slack keeps us waiting."""
        with suppress(*TROUBLE):  # asked again behind the start, and told there
            async with asyncio.timeout(_MEETING):
                await self.door.greet()

    async def sweep(self) -> None:
        """Ring for rollouts whose timer was lost."""
        if self.wheel is not None:
            await self.reconciler.sweep(self.wheel.has)

    def ring(self, name: str) -> None:
        """Pass a timer on to whom it is for."""
        self._bells.ring(name)

    async def listen(self) -> None:
        """Open the doors. Raises `DoorError` where the address cannot be had."""
        root = self.settings.api_token.reveal() if self.settings.api_token else ""
        hooks = self.settings.config.alertmanager, self.settings.config.flagger
        alerts, flagger = (hook.token.reveal() if hook else "" for hook in hooks)
        owner = self.settings.api_token_owner
        doors = Doors(
            self.commands, self.store, self.clock.now, root, self._ready, alerts, flagger, owner
        )
        app = api(doors, self.door.events)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        with listening_on(*self.settings.listen, "SLUICE_LISTEN"):
            await web.TCPSite(self._runner, *self.settings.listen).start()

    @property
    def port(self) -> int:
        """The port that is listened on; settings may ask for 0."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def take_up(self) -> None:
        """Go on where the last process stopped."""
        await self.outbox.start()
        self._greeting = asyncio.create_task(self._greet(await self.inbox.left_over()))
        self._behind.append(asyncio.create_task(self.store.forget_looks(self.clock.now())))
        await self.announcer.boot()
        await self.commands.renew()
        count = await self.reconciler.boot()
        log.info("took up %d rollouts", count)
        self.watcher.ring()
        self.nagger.ring()

    def look_around(self) -> None:
        """Say in the log what about the workspace will be in the way."""
        config = self.settings.config
        self._behind.append(asyncio.create_task(warn(self.client, config)))
        self._behind.append(asyncio.create_task(stay_acquainted(self.directory, config)))

    def address(self) -> str:
        """Return where others reach the bot, by the port that is really listened on."""
        if self._runner is None or self.settings.public_url:
            return super().address()
        return f"http://{shown_host(self.settings.listen[0])}:{self.port}"

    async def _greet(self, clicks: Sequence[Inbound]) -> None:
        """Learn which workspace is ours, then carry out the clicks of the last process: only Slack knows who may.

        Slack being down must not keep rollouts from going on.
        """
        while True:
            try:
                await self.door.greet()
                if self.settings.slack_app_token is not None:
                    await self.door.connect_socket(self.settings.slack_app_token.reveal())
            except TROUBLE as error:
                self.announcer.line.failed(reason(error))
                await asyncio.sleep(_GREETING_PAUSE)
            else:
                self.announcer.line.answered()
                break
        for click in clicks:
            self.inbox.resume(click)

    async def greeted(self) -> None:
        """Wait until Slack has told which workspace this is."""
        if self._greeting is not None:
            await asyncio.wait([self._greeting])

    async def stop(self) -> None:
        """Close the doors, then stop; the rows remember."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self.wheel is not None:
            self.wheel.stop()
        begun = [*self._behind, *([self._greeting] if self._greeting is not None else [])]
        for task in begun:
            task.cancel()
        if begun:
            await asyncio.wait(begun)
        await self.door.disconnect()
        await self.inbox.stop()
        await self.aftercare.stop()
        await self.channels.stop()
        await self.door.settled()
        await self.watcher.stop()
        await self.nagger.stop()
        await self.reconciler.stop()
        await self.tails.stop()
        await self.announcer.stop()
        await self.home.stop()
        await self.outbox.stop()
        await self.targets.close()
        await self.changes.close()
        await self.store.close()
        await self._session.close()

    async def settled(self) -> None:
        """Wait until nothing is being done at this moment (tests on virtual time)."""
        await self.door.settled()
        await self.aftercare.settled()
        await self.channels.settled()
        await self.watcher.settled()
        await self.nagger.settled()
        await self.reconciler.settled()
        await self.tails.settled()
        await self.announcer.settled()
        await self.home.settled()
        await self.outbox.settled()

    async def _ready(self) -> dict[str, str]:
        slack = self.announcer.line.standing
        if slack == "ok" and not self.door.home.met:
            slack = "not reached yet"
        parts = {"database": "ok", "slack": slack}
        try:
            await self.store.ping()
        except Exception as error:
            log.exception("the database does not answer")
            parts["database"] = type(error).__name__
        return parts
