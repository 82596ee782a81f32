"""A running bot: every part made once, wired here and nowhere else."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Self

import aiohttp
from aiohttp import web

from bot.api import Doors, api
from bot.app.changes import ChangeLog
from bot.app.listening import listening_on
from bot.app.live import live_version
from bot.app.preflight import look_ahead_everywhere
from bot.app.targets import Targets, subscriptions
from bot.app.traffic import Traffic
from bot.commands import Commands, World
from bot.commands.answers import Notice
from bot.commands.undelivered import Undelivered
from bot.grammar import Known
from bot.nagging import Nagger
from bot.outbox import Outbox
from bot.reconciler import Reconciler
from bot.rollout.values import Rollout
from bot.schedule import Clock, Timers, Wheel
from bot.settings.environment import Settings
from bot.slack.aftercare import Aftercare
from bot.slack.announcer import Announcer
from bot.slack.channels import Channels
from bot.slack.charts.painter import Painter
from bot.slack.deploy_form import DeployForm
from bot.slack.directory import SlackDirectory
from bot.slack.glass_form import GlassForm
from bot.slack.home import Home
from bot.slack.inbox import Inbox
from bot.slack.inspecting import warn
from bot.slack.listeners import SlackDoor
from bot.slack.notices import tell
from bot.slack.origin import Origin
from bot.slack.picturing import Pictures
from bot.slack.reasoning import ReasonForm
from bot.slack.replying import Replies
from bot.slack.speaking import TROUBLE, reason, web_client
from bot.slack.surveying import Survey
from bot.slack.threads import Threads
from bot.slack.undoing import SHORTCUTS, Emergency, UndoThis
from bot.slack.versions_form import Versions
from bot.store import Inbound, Store
from bot.tailing import Tails
from bot.watching import Watcher
from strategies.plan import Plan

log = logging.getLogger("sluice")

_SLACK = "slack:"
"""Prefix of timers that ring for the announcer."""
_HOME = "home:"
"""Prefix of timers that ring for somebody's Home tab."""
_PICTURE = "picture:"
"""Prefix of timers that ring for the announcer because of a picture: one timer takes another's place under one name."""
_SINK = "sink:"
"""Prefix of timers that ring for the outbox."""
_CLICK = "click:"
"""Prefix of timers that ring for the inbox."""
_AFTER = "after:"
"""Prefix of timers that ring for the aftercare."""
_WATCH = "watch:"
"""The timer that rings for the watcher."""
_LOCKS = "locks:"
"""The timer that rings for the locks."""
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
        self.changes = ChangeLog(config, clock.now)
        client = web_client(settings.slack_bot_token.reveal(), settings.slack_api_url, session)
        self.announcer = Announcer(
            store, client, clock.now, config.slack.alert_channel, breath=clock.breath
        )
        if config.slack.pictures:
            self.announcer.pictures = Pictures(
                store, client, clock.now, self.announcer.touch, Painter()
            )
        self.outbox = Outbox(store, subscriptions(config), clock.now, self._links, self._changed)
        self.reconciler = Reconciler(store, self.targets.of, clock.now, self._changed)
        self.tails = Tails(store, self.targets.of, clock.now, self._changed)
        self.reconciler.afterwards(self.tails.touch)
        store.on_event(self.outbox.touch)
        self.nagger = Nagger(store, self._notify, config, clock.now)
        origin = Origin(client)
        directory = SlackDirectory(client, clock.now, lambda: origin.home)
        self.channels = Channels(client, clock.now)
        self.aftercare = Aftercare(store, directory, clock.now, self.announcer.touch)
        self.commands = Commands(
            World(
                store=store,
                config=config,
                directory=directory,
                now=clock.now,
                wake=self.reconciler.wake,
                traffic=Traffic(self.targets, clock.now).of,
                live=partial(live_version, self.targets),
                changes=self.changes.between,
                preflight=self._preflight,
                moved_on=self.targets.moved_on,
                led=self.targets.led,
                take_up=self._take_up,
                spread=self.nagger.spread,
                outside=self.channels.outside,
                look_behind=self.aftercare.look,
            )
        )
        self.reconciler.consult(self.commands.afresh)
        self.announcer.report(Undelivered(store, clock.now, self.reconciler.wake))
        self.announcer.detour.members = directory.members
        self.watcher = Watcher(
            self.targets.watched(), store, self.commands, self.targets.controller_of, clock.now
        )
        self.door = SlackDoor(
            commands=self.commands,
            directory=directory,
            channels=self.channels,
            client=client,
            origin=origin,
            token=settings.slack_bot_token.reveal(),
            signing_secret=settings.slack_signing_secret.reveal(),
        )
        self.inbox = self.door.inbox = Inbox(store, self.commands, clock.now, self.door.later)
        self.door.explaining.link = self.announcer.permalink
        self.inbox.refused = self.door.explaining.refused
        self.door.forms.add(Versions(self.commands))
        self.door.forms.add(GlassForm(self.commands))
        self.door.forms.add(ReasonForm(self.commands))
        self.door.forms.add(DeployForm(self.commands, config))
        survey = Survey(store, directory, client, clock.now)
        self.home = Home(survey, client, clock.now, Replies(client).directly)
        self._put_at_hand(survey)
        self.wheel: Wheel | None = None
        self._runner: web.AppRunner | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._clearing: asyncio.Task[None] | None = None
        self._inspecting: asyncio.Task[None] | None = None
        self.client = client

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
            bot._inspecting = asyncio.create_task(warn(bot.client, settings.config))
            bot.wheel = wheel
            undo.pop_all()
        return bot

    def use(self, timers: Timers) -> None:
        """Set who rings."""
        self.reconciler.use(timers)
        self.announcer.use(lambda rollout, at: timers.wake(_SLACK + rollout, at))
        if self.announcer.pictures is not None:
            self.announcer.pictures.use(lambda rollout, at: timers.wake(_PICTURE + rollout, at))
        self.home.use(lambda user, at: timers.wake(_HOME + user, at))
        self.outbox.use(lambda sink, at: timers.wake(_SINK + sink, at))
        self.watcher.use(lambda at: timers.wake(_WATCH, at))
        self.watcher.tell(self._tell_service)
        self.nagger.use(lambda at: timers.wake(_LOCKS, at))
        self.aftercare.use(lambda key, at: timers.wake(_AFTER + key, at))
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
        elif name.startswith(_PICTURE):
            self.announcer.touch(name.removeprefix(_PICTURE))
        elif name.startswith(_HOME):
            self.home.ring(name.removeprefix(_HOME))
        elif name.startswith(_SINK):
            self.outbox.ring(name.removeprefix(_SINK))
        elif name.startswith(_CLICK):
            self.inbox.ring(name.removeprefix(_CLICK))
        elif name.startswith(_AFTER):
            self.aftercare.ring(name.removeprefix(_AFTER))
        elif name == _WATCH:
            self.watcher.ring()
        elif name == _LOCKS:
            self.nagger.ring()
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
        self._clearing = asyncio.create_task(self.store.forget_looks(self.clock.now()))
        await self.announcer.boot()
        count = await self.reconciler.boot()
        log.info("took up %d rollouts", count)
        self.watcher.ring()
        self.nagger.ring()

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
        begun = [task for task in (self._greeting, self._clearing, self._inspecting) if task is not None]
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

    def _put_at_hand(self, survey: Survey) -> None:
        """Wire what people have on a phone: the Home tab, the shortcuts, the words in threads."""
        self.door.use(self.home, Threads(self.commands, self.store, Known(self.commands.known())))
        self.door.forms.add(Emergency(survey))
        self.door.forms.add(UndoThis(self.commands, self.store, survey), acts=True)
        self.door.shortcuts |= SHORTCUTS

    def _changed(self, rollout: str) -> None:
        """Show a row that was saved wherever it is seen."""
        self.announcer.touch(rollout)
        self.home.touch(rollout)

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

    async def _notify(self, notice: Notice) -> None:
        await tell(self.announcer.aloud, notice, self.settings.config.slack.channel)

    async def _take_up(self, service: str, environment: str) -> None:
        await self.watcher.look_at(service, environment)

    async def _preflight(self, plan: Plan) -> Sequence[str]:
        try:
            findings = await look_ahead_everywhere(self.targets, plan)
        except LookupError as error:
            return [str(error)]
        return [finding.sentence for finding in findings]

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
