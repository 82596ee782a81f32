"""The Slack door: thin listeners that turn a payload into a command, and an answer into an acknowledgement.

Everything that a command changes is committed before `ack`: Slack never repeats a click. No listener decides anything;
`bot.commands` does. Lazy listeners are not used: what is only in memory after the ack would be lost.
"""

import asyncio
import html
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.commands import Answer, Commands, Receipt, Refusal
from bot.commands.authority import COMMANDS
from bot.grammar import Known, WordsError, parse, parse_line
from bot.grammar.verbs import Command, Promote
from bot.policy import Actor
from bot.slack.channels import ANYWHERE, Channels
from bot.slack.deploy_form import NAME as DEPLOY
from bot.slack.deploy_form import asks_for_form, bare_deploy, invitation
from bot.slack.directory import SlackDirectory
from bot.slack.explaining import Explaining
from bot.slack.gatekeeping import Received, Turned, for_bolt, only_ours, turned_away
from bot.slack.home import Home as Tabs
from bot.slack.inbox import Inbox, Reply
from bot.slack.message import Message
from bot.slack.modals import Forms
from bot.slack.news import News
from bot.slack.origin import Home, Origin
from bot.slack.payloads import Payload, author_of, command_fingerprint, label_of, where
from bot.slack.pressing import After, Presses, Say, placed
from bot.slack.replying import Replies
from bot.slack.speaking import nameless
from bot.slack.threads import Threads
from bot.store import Inbound

log = logging.getLogger("sluice.slack")

_BUDGET = 2.2
"""Seconds for the commit: Slack gives up at 3, and a silent success after that would be clicked again."""

_LATE = Message(
    "The database is slow: whether this was recorded is not known yet. I will say so here; look at the card before "
    "you say it again. [not_known_yet]"
)
_DONE = Message("Done.")
_BROKEN = Message(
    "Something went wrong here; nothing may have been done. Try again, or use `sluice`."
)

_OLD_SHORTCUT = Message(
    "This shortcut is from another version of the bot; nothing was changed. `/deploy help` says what works."
)

Outcome = tuple[Message | None, After | None]
"""What a person is told, and what happens after the acknowledgement."""


async def _answered(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Turn a failure into a sentence: Slack shows a bare triangle for anything else."""
    try:
        return await work
    except Exception:
        log.exception("a command or a press failed")
        return _BROKEN, None


async def _afterwards(task: asyncio.Task[Outcome], reply: Reply) -> None:
    """Give slow work its effect and its answer."""
    message, after = await task
    if after is not None:
        after()
    await reply(message or _DONE)


async def _late_form(
    sending: asyncio.Task[tuple[dict[str, Any], Message | None]], reply: Reply
) -> None:
    """Tell what came of a form that was slow; what it would have shown on the screen is said as a message."""
    answer, message = await sending
    wrong = " ".join(answer.get("errors", {}).values())
    shown = Message("The form says more.", tuple((answer.get("view") or {}).get("blocks", ())))
    await reply(message or (Message(f"Nothing was done. {wrong}") if wrong else shown))


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
        self._client = client
        self._token = token
        self._secret = signing_secret
        self._received = Received()
        self._channels = channels
        self._known = Known(commands.known())
        self._replies = Replies(client)
        self.forms = Forms(client)
        self.shortcuts: dict[str, str] = {}
        """The form that each shortcut of the manifest opens, by its callback id."""
        self.at_home: Callable[[Actor], Awaitable[None]] | None = None
        self._threads: Threads | None = None
        self.explaining = Explaining()
        self.forms.refused = self.explaining.refused
        self._presses = Presses(
            commands, self._replies, self.forms, self.explaining, self._say, self._after
        )
        self.inbox: Inbox | None = None
        self._socket: AsyncSocketModeHandler | None = None
        self._app = AsyncApp(
            client=nameless(client),
            signing_secret=signing_secret,
            authorize=self._authorization(),
            process_before_response=True,
            ssl_check_enabled=False,
            logger=logging.getLogger("sluice.bolt"),
        )
        self._register()

    @property
    def home(self) -> Home:
        """Which workspace is ours."""
        return self.origin.home

    def use(self, home: Tabs, threads: Threads) -> None:
        """Set who shows Home tabs, and who knows what a thread is about."""
        self.at_home, self._threads = home.show, threads
        self._replies.at_home = lambda body, said: home.show(self.origin.of_press(body), said)

    async def greet(self) -> None:
        """Ask Slack which workspace this is. Raises what Slack raises."""
        await self.origin.greet()

    def _authorization(self) -> Callable[..., Awaitable[AuthorizeResult]]:
        # A plain function, because Bolt fills the parameters by their names, `self` among them. It never calls Slack:
        # that would stand between a click and its acknowledgement.
        async def authorize() -> AuthorizeResult:
            return AuthorizeResult(
                enterprise_id=self.home.enterprise or None,
                team_id=self.home.team or None,
                bot_token=self._token,
                bot_id=self.home.bot_id or None,
                bot_user_id=self.home.bot_user or None,
            )

        return authorize

    def _register(self) -> None:
        self._app.middleware(only_ours(self.origin))
        self._app.command(re.compile(r".*"))(self._on_command)
        self._app.action(re.compile(r".*"))(self._on_action)
        self._app.view(re.compile(r".*"))(self._on_form)
        self._app.shortcut(re.compile(r".*"))(self._on_shortcut)
        self._app.event("app_home_opened")(self._on_home)
        self._app.event("app_mention")(self._on_mention)
        self._news.register(self._app)
        self._app.event(re.compile(r".*"))(self._on_other_event)
        self._app.error(self._on_error)

    async def events(self, request: web.Request) -> web.Response:
        """Serve one request of Slack."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"error": "too_large"}, status=413)
        except web.RequestPayloadError:
            return web.json_response({"error": "bad_request"}, status=400)
        # Wall time, whatever clock the bot runs on: Slack signs with it.
        now = time.time()
        turned = turned_away(request.headers, body, self._secret, now)
        if turned is None and self._received.again(request.headers["X-Slack-Signature"], now):
            log.warning("a request to /slack/events came a second time: nothing was done again")
            return web.Response()
        bolt = turned or for_bolt(request.headers, request.content_type, body.decode("utf-8"))
        if isinstance(bolt, Turned):
            log.warning("a request to /slack/events was turned away: %s", bolt.code)
            return web.json_response({"error": bolt.code}, status=bolt.status)
        if bolt is None:
            return web.Response()
        return await to_aiohttp_response(await self._app.async_dispatch(bolt))

    async def connect_socket(self, app_token: str) -> None:
        """Receive over Socket Mode as well; everything goes through the same listeners."""
        self._socket = AsyncSocketModeHandler(self._app, app_token)
        await self._socket.connect_async()  # type: ignore[no-untyped-call]

    async def disconnect(self) -> None:
        """Leave Socket Mode, if it was used."""
        if self._socket is not None:
            await self._socket.close_async()  # type: ignore[no-untyped-call]

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
        outcome = await self._in_time(self._command(body), self._replies.on(body))
        await ack(response_type="ephemeral", **(outcome[0] or _DONE).payload())
        if outcome[1] is not None:
            outcome[1]()

    async def _in_time(self, work: Coroutine[Any, Any, Outcome], reply: Reply) -> Outcome:
        """Return what came of a command or a press, or within the time that Slack gives that it is not known yet.

        Slow work is never cut off: its commit may have landed, and then it must have its effect and its answer.
        """
        task = asyncio.create_task(_answered(work))
        done, _ = await asyncio.wait({task}, timeout=_BUDGET)
        if done:
            return task.result()
        self._replies.soon(_afterwards(task, reply))
        return _LATE, None

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
        trouble, after = await self._in_time(self._tried(body, reply), reply)
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
        return await self._presses.act(body, actor, reply)

    async def _say(self, line: str, actor: Actor, receipt: Receipt) -> Answer:
        return await self._handle(parse_line(line, self._known), actor, receipt)

    # ---- forms, shortcuts, the Home tab ----------------------------------------------------------------------------

    async def _on_form(self, ack: Callable[..., Awaitable[Any]], body: Payload) -> None:
        reply = self._replies.on({**body, "view": {}})
        sending = asyncio.create_task(self._sent(body))
        done, _ = await asyncio.wait({sending}, timeout=_BUDGET)
        if not done:
            self._replies.soon(_late_form(sending, reply))
            await ack(response_action="clear")
            self._replies.soon(reply(_LATE))
            return
        answer, message = sending.result()
        await ack(**answer)
        if message is not None:
            self._replies.soon(reply(message))

    async def _sent(self, body: Payload) -> tuple[dict[str, Any], Message | None]:
        try:
            return await self.forms.sent(body, self.origin.of_press(body))
        except Exception:
            log.exception("a form failed")
            return {"response_action": "clear"}, _BROKEN

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
        text = re.sub(r"<@[UW][A-Z0-9]+(\|[^>]*)?>", " ", str(event.get("text") or ""), count=1)
        actor = self.origin.of_event(event)
        channel = str(event.get("channel", ""))
        thread = str(event.get("thread_ts") or "") or None
        receipt = Receipt(f"evt:{body.get('event_id', '')}", {"channel": channel, "user": actor.id})
        reply = self._replies.to(channel, actor.id, thread)
        if asks_for_form(text):
            self._replies.soon(reply(invitation()))
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
