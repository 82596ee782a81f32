"""Every part of a bot, made once and wired here and nowhere else."""

import logging
from collections.abc import Sequence
from functools import partial

import aiohttp

from bot.app.changes import ChangeLog
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
from bot.schedule import Clock
from bot.settings.environment import Settings
from bot.slack.aftercare import Aftercare
from bot.slack.announcer import Announcer
from bot.slack.by_hand import by_hand
from bot.slack.channels import Channels
from bot.slack.charts.painter import Painter
from bot.slack.deploy_form import DeployForm, asks_to_see
from bot.slack.directory import SlackDirectory
from bot.slack.form import Ways
from bot.slack.glass_form import GlassForm
from bot.slack.home import Home
from bot.slack.inbox import Inbox
from bot.slack.listeners import SlackDoor
from bot.slack.notices import tell
from bot.slack.origin import Origin
from bot.slack.picturing import Pictures
from bot.slack.reasoning import ReasonForm
from bot.slack.replying import Replies
from bot.slack.speaking import web_client
from bot.slack.surveying import Survey
from bot.slack.threads import Threads
from bot.slack.undoing import SHORTCUTS, Emergency, UndoThis
from bot.slack.versions_form import Versions
from bot.store import Store
from bot.tailing import Tails
from bot.watching import Watcher
from strategies.plan import Plan

log = logging.getLogger("sluice")


class Parts:
    """What a bot is made of. Nothing runs yet."""

    def __init__(
        self, settings: Settings, clock: Clock, store: Store, session: aiohttp.ClientSession
    ) -> None:
        """Make all parts; the session and the store are open."""
        config = settings.config
        self.settings = settings
        self.clock = clock
        self.store = store
        store.limits = config.limits
        self.targets = Targets(config, clock.now, settings.kubeconfig)
        self.changes = ChangeLog(config, clock.now)
        self.client = web_client(settings.slack_bot_token.reveal(), settings.slack_api_url, session)
        self._make_pictures()
        self._make_engine()
        origin = Origin(self.client)
        directory = self.directory = SlackDirectory(self.client, clock.now, lambda: origin.home)
        self.announcer.detour.members = directory.members
        self.channels = Channels(self.client, clock.now)
        self.aftercare = Aftercare(store, directory, clock.now, self.announcer.touch)
        self.commands = Commands(self._world(directory))
        self.reconciler.consult(self.commands.afresh)
        self.announcer.report(Undelivered(store, clock.now, self.reconciler.wake))
        self.watcher = Watcher(
            self.targets.watched(), store, self.commands, self.targets.controller_of, clock.now
        )
        self._make_door(origin, directory)
        self._put_at_hand(directory)

    def _make_pictures(self) -> None:
        """Make what shows rollouts in Slack."""
        config, now = self.settings.config, self.clock.now
        self.announcer = Announcer(
            self.store, self.client, now, config.slack.alert_channel, breath=self.clock.breath
        )
        self.announcer.alerts.by_hand = partial(by_hand, config)
        if config.slack.pictures:
            self.announcer.pictures = Pictures(
                self.store, self.client, now, self.announcer.touch, Painter()
            )

    def _make_engine(self) -> None:
        """Make what moves rollouts, and what tells others of it."""
        store, now = self.store, self.clock.now
        sinks = subscriptions(self.settings.config)
        self.outbox = Outbox(store, sinks, now, self.links, self._changed)
        self.reconciler = Reconciler(store, self.targets.of, now, self._changed)
        self.tails = Tails(store, self.targets.of, now, self._changed)
        self.reconciler.afterwards(self.tails.touch)
        store.on_event(self.outbox.touch)
        self.nagger = Nagger(store, self._notify, self.settings.config, now, self.reconciler.wake)

    def _world(self, directory: SlackDirectory) -> World:
        traffic = Traffic(self.targets, self.clock.now)
        return World(
            store=self.store,
            config=self.settings.config,
            directory=directory,
            now=self.clock.now,
            wake=self.reconciler.wake,
            traffic=traffic.of,
            lately=traffic.lately,
            live=partial(live_version, self.targets),
            changes=self.changes.between,
            preflight=self._preflight,
            moved_on=self.targets.moved_on,
            led=self.targets.led,
            take_up=self._take_up,
            spread=self.nagger.ring,
            outside=self.channels.outside,
            look_behind=self.aftercare.look,
        )

    def _make_door(self, origin: Origin, directory: SlackDirectory) -> None:
        """Make the door to Slack and the forms behind it."""
        self.door = SlackDoor(
            commands=self.commands,
            directory=directory,
            channels=self.channels,
            client=self.client,
            origin=origin,
            token=self.settings.slack_bot_token.reveal(),
            signing_secret=self.settings.slack_signing_secret.reveal(),
        )
        self.inbox = self.door.inbox = Inbox(
            self.store, self.commands, self.clock.now, self.door.later
        )
        self.door.explaining.link = self.announcer.permalink
        self.door.presses.older = self.announcer.older
        self.inbox.refused = self.door.explaining.refused
        self.inbox.touch = self.announcer.touch
        self.door.forms.add(Versions(self.commands), Ways(anywhere=True))
        self.door.forms.add(GlassForm(self.commands))
        self.door.forms.add(ReasonForm(self.commands), Ways(anywhere=True))
        self.door.forms.add(
            DeployForm(self.commands, self.settings.config), Ways(only_shows=asks_to_see)
        )

    def _put_at_hand(self, directory: SlackDirectory) -> None:
        """Make what people have on a phone: the Home tab, the shortcuts, the words in threads."""
        survey = Survey(self.store, directory, self.client, self.clock.now)
        self.home = Home(survey, self.client, self.clock.now, Replies(self.client).directly)
        self.door.use(self.home, Threads(self.commands, self.store, Known(self.commands.known())))
        self.door.forms.add(Emergency(survey), Ways(said=True, anywhere=True))
        self.door.forms.add(
            UndoThis(self.commands, self.store, survey), Ways(said=True, anywhere=True)
        )
        self.door.shortcuts |= SHORTCUTS

    async def links(self, r: Rollout) -> dict[str, str]:
        """Return where a rollout can be looked at: `journal_url` and `slack_permalink`. Never raises."""
        return {
            "journal_url": f"{self.address()}/api/v1/deployments/{r.id}/journal",
            "slack_permalink": await self.announcer.permalink(r),
        }

    def address(self) -> str:
        """Return where others reach the bot."""
        host, port = self.settings.listen
        return self.settings.public_url or f"http://{shown_host(host)}:{port}"

    def _changed(self, rollout: str) -> None:
        """Show a row that was saved wherever it is seen."""
        self.announcer.touch(rollout)
        self.home.touch(rollout)

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


def shown_host(host: str) -> str:
    """Return a host that a link may name: all addresses are none."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - the default is all addresses
