"""A running bot: every part made once, wired here and nowhere else."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Self

import aiohttp
from aiohttp import web

from bot.api import Doors, api
from bot.app.listening import listening_on
from bot.app.preflight import look_ahead_everywhere
from bot.app.targets import Targets, subscriptions
from bot.app.traffic import Traffic
from bot.commands import Commands, World
from bot.outbox import Outbox
from bot.reconciler import Reconciler
from bot.rollout.values import Rollout
from bot.schedule import Clock, Timers, Wheel
from bot.settings.environment import Settings
from bot.slack.announcer import Announcer
from bot.slack.directory import SlackDirectory
from bot.slack.inbox import Inbox
from bot.slack.listeners import SlackDoor
from bot.slack.speaking import TROUBLE, reason, web_client
from bot.store import Inbound, Store
from bot.tailing import Tails
from bot.watching import Watcher
from strategies.plan import Plan

log = logging.getLogger("sluice")

_SLACK = "slack:"
"""Prefix of timers that ring for the announcer."""
_SINK = "sink:"
"""Prefix of timers that ring for the outbox."""
_CLICK = "click:"
"""Prefix of timers that ring for the inbox."""
_WATCH = "watch:"
"""The timer that rings for the watcher."""
_GREETING_PAUSE = 15.0
_MEETING = 3.0
"""Seconds that a start waits for Slack; rollouts in flight must not wait longer."""


class Bot:
    """Everything that runs in one process."""

    def __init__(
        self, settings: Settings, clock: Clock, store: Store, session: aiohttp.ClientSession
    ) -> None:
        """Use `Bot.start`, which opens the database and the session."""
        config = settings.config
        self.settings = settings
        self.clock = clock
        self.store = store
        self._session = session
        self.targets = Targets(config, clock.now, settings.kubeconfig)
        client = web_client(settings.slack_bot_token.reveal(), settings.slack_api_url, session)
        self.announcer = Announcer(
            store, client, clock.now, config.slack.alert_channel, breath=clock.breath
        )
        self.outbox = Outbox(
            store, subscriptions(config), clock.now, self._links, self.announcer.touch
        )
        self.reconciler = Reconciler(store, self.targets.of, clock.now, self.announcer.touch)
        self.tails = Tails(store, self.targets.of, clock.now, self.announcer.touch)
        self.reconciler.afterwards(self.tails.touch)
        store.on_event(self.outbox.touch)
        directory = SlackDirectory(client, clock.now)
        self.commands = Commands(
            World(
                store=store,
                config=config,
                directory=directory,
                now=clock.now,
                wake=self.reconciler.wake,
                traffic=Traffic(self.targets, clock.now).of,
                preflight=self._preflight,
                moved_on=self.targets.moved_on,
                led=self.targets.led,
                take_up=self._take_up,
            )
        )
        self.reconciler.consult(self.commands.afresh)
        self.watcher = Watcher(
            self.targets.watched(), store, self.commands, self.targets.controller_of, clock.now
        )
        self.door = SlackDoor(
            commands=self.commands,
            directory=directory,
            client=client,
            token=settings.slack_bot_token.reveal(),
            signing_secret=settings.slack_signing_secret.reveal(),
        )
        self.inbox = self.door.inbox = Inbox(store, self.commands, clock.now, self.door.later)
        self.wheel: Wheel | None = None
        self._runner: web.AppRunner | None = None
        self._greeting: asyncio.Task[None] | None = None

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
            undo.pop_all()
        return bot

    def use(self, timers: Timers) -> None:
        """Set who rings."""
        self.reconciler.use(timers)
        self.announcer.use(lambda rollout, at: timers.wake(_SLACK + rollout, at))
        self.outbox.use(lambda sink, at: timers.wake(_SINK + sink, at))
        self.watcher.use(lambda at: timers.wake(_WATCH, at))
        self.watcher.tell(self._tell_service)
        self.inbox.use(lambda key, at: timers.wake(_CLICK + key, at))

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
        if name.startswith(_SLACK):
            self.announcer.touch(name.removeprefix(_SLACK))
        elif name.startswith(_SINK):
            self.outbox.ring(name.removeprefix(_SINK))
        elif name.startswith(_CLICK):
            self.inbox.ring(name.removeprefix(_CLICK))
        elif name == _WATCH:
            self.watcher.ring()
        else:
            self.reconciler.ring(name)

    async def listen(self) -> None:
        """Open the doors. Raises `DoorError` where the address cannot be had."""
        root = self.settings.api_token.reveal() if self.settings.api_token else ""
        hooks = self.settings.config.alertmanager, self.settings.config.flagger
        tokens = [hook.token.reveal() if hook else "" for hook in hooks]
        doors = Doors(self.commands, self.store, self.clock.now, root, self._ready, *tokens)
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
        await self.announcer.boot()
        count = await self.reconciler.boot()
        log.info("took up %d rollouts", count)
        self.watcher.ring()

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
                log.warning("Slack does not answer yet: %s", reason(error))
                await asyncio.sleep(_GREETING_PAUSE)
            else:
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
        if self._greeting is not None:
            self._greeting.cancel()
            await asyncio.wait([self._greeting])
        await self.door.disconnect()
        await self.inbox.stop()
        await self.door.settled()
        await self.watcher.stop()
        await self.reconciler.stop()
        await self.tails.stop()
        await self.announcer.stop()
        await self.outbox.stop()
        await self.targets.close()
        await self.store.close()
        await self._session.close()

    async def settled(self) -> None:
        """Wait until nothing is being done at this moment (tests on virtual time)."""
        await self.door.settled()
        await self.watcher.settled()
        await self.reconciler.settled()
        await self.tails.settled()
        await self.announcer.settled()
        await self.outbox.settled()

    async def _links(self, r: Rollout) -> dict[str, str]:
        base = self.settings.public_url or self._listening_url()
        return {
            "journal_url": f"{base}/api/v1/deployments/{r.id}/journal",
            "slack_permalink": await self.announcer.permalink(r),
        }

    def _listening_url(self) -> str:
        host, _ = self.settings.listen
        shown = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - the default is all addresses
        port = self.port if self._runner is not None else self.settings.listen[1]
        return f"http://{shown}:{port}"

    async def _tell_service(self, service: str, sentence: str) -> None:
        await self.announcer.aloud(self.settings.config.services[service].about.channel, sentence)

    async def _take_up(self, service: str, environment: str) -> None:
        await self.watcher.look_at(service, environment)

    async def _preflight(self, plan: Plan) -> Sequence[str]:
        try:
            findings = await look_ahead_everywhere(self.targets, plan)
        except LookupError as error:
            return [str(error)]
        return [finding.sentence for finding in findings]

    async def _ready(self) -> dict[str, str]:
        parts = {"database": "ok", "slack": "ok" if self.door.home.met else "not reached yet"}
        try:
            await self.store.ping()
        except Exception as error:
            log.exception("the database does not answer")
            parts["database"] = type(error).__name__
        return parts
