"""The Slack door: thin listeners that turn a payload into a command, and an answer into an acknowledgement.

Everything that a command changes is committed before `ack`: Slack never repeats a click. No listener decides anything;
`bot.commands` does. Lazy listeners are not used: what is only in memory after the ack would be lost.
"""

import html
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.commands import Answer, Commands, Receipt, Refusal
from bot.commands.authority import COMMANDS
from bot.grammar import Known, WordsError, parse, parse_line
from bot.grammar.verbs import Command, Promote
from bot.policy import Actor
from bot.slack.bolt import Bolt
from bot.slack.bound_lines import meant, way_back
from bot.slack.channels import ANYWHERE, Channels
from bot.slack.deploy_form import NAME as DEPLOY
from bot.slack.deploy_form import asks_for_form, bare_deploy, invitation
from bot.slack.directory import SlackDirectory
from bot.slack.explaining import Explaining
from bot.slack.home import Home as Tabs
from bot.slack.inbox import Inbox, Reply
from bot.slack.mentioning import said_to
from bot.slack.message import Message
from bot.slack.modals import Forms
from bot.slack.news import News
from bot.slack.origin import Home, Origin
from bot.slack.payloads import Payload, author_of, command_fingerprint, label_of, where
from bot.slack.pressing import After, Presses, Say, placed
from bot.slack.promptness import DONE, Outcome, Prompt
from bot.slack.replying import Replies
from bot.slack.threads import Threads
from bot.store import Inbound

log = logging.getLogger("sluice.slack")

_OLD_SHORTCUT = Message(
    "This shortcut is from another version of the bot; nothing was changed. `/deploy help` says what works."
)


class SlackDoor:
    """Registers the listeners and serves `POST /slack/events`."""

    def __init__(
        self,
        *,
        commands: Commands,
        directory: SlackDirectory,
        channels: Channels,
        client: AsyncWebClient,
        origin: Origin,
        token: str,
        signing_secret: str,
    ) -> None:
        """Speak through `client`; the token is the bot's."""
        self.origin = origin
        self._commands = commands
        self._news = News(directory, channels)
        self._channels = channels
        self._known = Known(commands.known())
        self._replies = Replies(client)
        self._prompt = Prompt(self._replies)
        self.forms = Forms(client, check=channels.check)
        self.shortcuts: dict[str, str] = {}
        """The form that each shortcut of the manifest opens, by its callback id."""
        self.at_home: Callable[[Actor], Awaitable[None]] | None = None
        self._threads: Threads | None = None
        self.explaining = Explaining()
        self.explaining.me = lambda: self.origin.home.name
        self.forms.refused = self.explaining.refused
        self.explaining.meant = partial(meant, commands)
        self.presses = Presses(
            commands,
            self._replies,
            self.forms,
            self.explaining,
            self._say,
            self._back,
            self._after,
        )
        self.inbox: Inbox | None = None
        self._bolt = Bolt(client, origin, token, signing_secret)
        self.events = self._bolt.events
        self.connect_socket = self._bolt.connect_socket
        self.disconnect = self._bolt.disconnect
        self._register()

    @property
    def home(self) -> Home:
        """Which workspace is ours."""
        return self.origin.home

    def use(self, home: Tabs, threads: Threads) -> None:
        """Set who shows Home tabs, and who knows what a thread is about."""
        self.at_home, self._threads = home.show, threads
        self._news.groups_changed = lambda: home.touch("")
        self._replies.at_home = lambda body, said: home.show(self.origin.of_press(body), said)

    async def greet(self) -> None:
        """Ask Slack which workspace this is. Raises what Slack raises."""
        await self.origin.greet()

    def _register(self) -> None:
        app = self._bolt.app
        app.command(re.compile(r".*"))(self._on_command)
        app.action(re.compile(r".*"))(self._on_action)
        app.view(re.compile(r".*"))(self._on_form)
        app.shortcut(re.compile(r".*"))(self._on_shortcut)
        app.event("app_home_opened")(self._on_home)
        app.event("app_mention")(self._on_mention)
        self._news.register(app)
        app.event(re.compile(r".*"))(self._on_other_event)
        app.error(self._on_error)

    async def settled(self) -> None:
        """Wait until all answers have been sent."""
        if self.inbox is not None:
            await self.inbox.settled()
        await self._replies.settled()

    # ---- commands -------------------------------------------------------------------------------------------------

    async def _on_command(self, ack: Callable[..., Awaitable[Any]], body: Payload) -> None:
        if bare_deploy(body):
            await ack()
            who = self.origin.of_command(body)
            self._replies.soon(self.forms.asked(DEPLOY, body, who, self._replies.on(body)))
            return
        outcome = await self._prompt.outcome(self._command(body), self._replies.on(body))
        await ack(response_type="ephemeral", **(outcome[0] or DONE).payload())
        if outcome[1] is not None:
            outcome[1]()

    async def _command(self, body: Payload) -> Outcome:
        actor = self.origin.of_command(body)
        text = html.unescape(str(body.get("text") or ""))
        receipt = Receipt(f"cmd:{command_fingerprint(body)}", where(body))
        name = str(body.get("command", ""))
        try:
            undo = name.endswith("rollback")
            command = parse(text, command="rollback" if undo else "deploy", known=self._known)
            answer = await self._handle(command, actor, receipt)
        except (WordsError, Refusal) as refusal:
            return await self.explaining.refused(refusal), None
        told = await self.explaining.told(answer)
        return told, self._after(answer, receipt, self._replies.on(body))

    def _after(self, answer: Answer, receipt: Receipt, reply: Reply) -> After | None:
        inbox = self.inbox
        if answer.kind != "recorded" or inbox is None:
            return None
        return lambda: inbox.settle(receipt.key, reply)

    # ---- buttons --------------------------------------------------------------------------------------------------

    async def _on_action(self, ack: Callable[..., Awaitable[Any]], body: Payload) -> None:
        reply = self._replies.on(body)
        trouble, after = await self._prompt.outcome(self._tried(body, reply), reply)
        await ack()
        if trouble is not None:
            self._replies.soon(reply(trouble))
        if after is not None:
            after()

    async def _tried(self, body: Payload, reply: Reply) -> Outcome:
        """Do what a press asks; return what the person has to be told, and what follows."""
        try:
            return None, await self._action(body, reply)
        except (WordsError, Refusal) as refusal:
            return await self.explaining.refused(refusal, pressed=label_of(body)), None

    async def _action(self, body: Payload, reply: Reply) -> After | None:
        actor = self.origin.of_press(body)
        if actor.team_ok:
            await self._channels.admit(body)
        return await self.presses.act(body, actor, reply)

    async def _say(self, line: str, actor: Actor, receipt: Receipt) -> Answer:
        return await self._handle(parse_line(line, self._known), actor, receipt)

    async def _back(self, value: str, actor: Actor, receipt: Receipt) -> Answer:
        return await self._handle(way_back(value, self._known), actor, receipt)

    # ---- forms, shortcuts, the Home tab ----------------------------------------------------------------------------

    async def _on_form(self, ack: Callable[..., Awaitable[Any]], body: Payload) -> None:
        reply = self._replies.on({**body, "view": {}})
        sending = self.forms.sent(body, self.origin.of_press(body))
        records = self.forms.records(body)
        answer, message = await self._prompt.sent(sending, reply, records=records)
        await ack(**answer)
        if message is not None:
            self._replies.soon(reply(message))

    async def _on_shortcut(self, ack: Callable[..., Awaitable[Any]], body: Payload) -> None:
        await ack()
        reply = self._replies.on(body)
        form = self.shortcuts.get(str(body.get("callback_id", "")))
        if form is None:
            self._replies.soon(reply(_OLD_SHORTCUT))
            return
        self._replies.soon(self.forms.asked(form, body, self.origin.of_press(body), reply))

    async def _on_home(self, event: Payload) -> None:
        if self.at_home is not None and event.get("tab", "home") == "home":
            self._replies.soon(self.at_home(self.origin.of_event(event)))

    # ---- mentions and the rest ------------------------------------------------------------------------------------

    async def _on_mention(self, body: Payload) -> None:
        event = body.get("event") or {}
        if not author_of(event):
            return
        text = said_to(str(event.get("text") or ""), self.origin.home.bot_user)
        actor = self.origin.of_event(event)
        channel = str(event.get("channel", ""))
        thread = str(event.get("thread_ts") or "") or None
        receipt = Receipt(f"evt:{body.get('event_id', '')}", {"channel": channel, "user": actor.id})
        reply = self._replies.to(channel, actor.id, thread)
        if asks_for_form(text):
            self._replies.soon(self._invited(channel, actor, reply))
            return
        try:
            say: Say = self._say
            if self._threads is not None and thread is not None:
                say = await self._threads.meant(channel, thread, say)
            answer = await say(html.unescape(text), actor, receipt)
        except (WordsError, Refusal) as refusal:
            self._replies.soon(reply(await self.explaining.refused(refusal)))
            return
        self._replies.soon(self.explaining.answer(answer, reply))
        after = self._after(answer, receipt, reply)
        if after is not None:
            after()

    async def _invited(self, channel: str, actor: Actor, reply: Reply) -> None:
        """Offer the form, where it may be asked for."""
        try:
            if actor.team_ok:
                await self._channels.check(channel)
        except Refusal as refusal:
            await reply(await self.explaining.refused(refusal))
            return
        await reply(invitation())

    async def _on_other_event(self) -> None:
        """Accept events that need no answer, so that Slack does not send them again."""

    async def _on_error(self, error: Exception, body: Payload) -> None:
        log.error(
            "a listener failed on %s", body.get("type") or body.get("command"), exc_info=error
        )

    # ---- who and where --------------------------------------------------------------------------------------------

    async def _handle(self, command: Command, actor: Actor, receipt: Receipt) -> Answer:
        if isinstance(command, Promote):
            placed(actor)
        if COMMANDS.get(type(command)) not in ANYWHERE and actor.team_ok:
            await self._channels.check(str(receipt.body.get("channel", "")))
        return await self._commands.handle(command, actor, receipt)

    def later(self, inbound: Inbound) -> Reply:
        """Return how to reach somebody whose response_url is gone with the last process."""
        return self._replies.to(str(inbound.body.get("channel", "")), inbound.actor)
