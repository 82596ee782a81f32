"""A stand-in Slack workspace over real HTTP: the bot talks to it, and it talks to the bot, as Slack does.

Two halves that meet in the memory of a `Chat`: the Web API that the bot calls, and the people who type and press. Not a
mock: the bot's own client and its own signature check are in between, so that what works here works in Slack.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.web_request import FileField

from bot.sandbox import payloads
from bot.sandbox.chat import BOT_USER, Channel, Chat, Group, Message, Person
from bot.sandbox.delivery import Answer, Delivery
from bot.sandbox.forms import find_element, state_values
from bot.sandbox.page import Panel, page_routes
from bot.sandbox.uploads import Uploads
from bot.sandbox.views import Response, Views
from bot.sandbox.web_api import Refused, WebApi, accept, truth

SLACKBOT = "USLACKBOT"
SCOPES = (
    "app_mentions:read", "channels:read", "chat:write", "commands", "files:write", "groups:read", "im:write",
    "usergroups:read", "users:read",
)  # fmt: skip
_PEOPLE = (
    Person("U0DANA", "Dana", "requester"),
    Person("U0ANA", "Ana", "approver"),
    Person("U0BEN", "Ben", "approver"),
    Person("U0OLU", "Olu", "on call"),
)
_GROUPS = (Group("S0SRE", "sre", ("U0ANA", "U0BEN")), Group("S0ONCALL", "oncall", ("U0OLU",)))
_CHANNELS = (Channel("C0DEPLOYS", "deploys"), Channel("C0ALERTS", "alerts"))


def real_clock() -> datetime:
    """Return the real time: in tests Slack has a clock of its own."""
    return datetime.fromtimestamp(time.time(), UTC)


class Workspace:
    """One workspace with one bot in it. Starts empty; `populate` brings the people of the sandbox."""

    def __init__(
        self,
        bot_url: str,
        signing_secret: str,
        bot_token: str,
        clock: Callable[[], datetime] = real_clock,
        *,
        panel: Panel | None = None,
    ) -> None:
        self.chat = Chat(clock)
        self.views = Views()
        self.panel = panel
        self.down = False
        """While True nothing gets through: the Web API answers 503 and people cannot act."""
        self.url = ""
        self.scopes: tuple[str, ...] = SCOPES
        """What the token of the bot may do, as Slack says with every answer."""
        self._bot_token = bot_token
        self._delivery = Delivery(bot_url, signing_secret)
        self.uploads = Uploads(self.chat, lambda: self.url)
        self._api = WebApi(self.chat, self.views, lambda: self.url, self.uploads)
        self._runner: web.AppRunner | None = None

    @property
    def bot_url(self) -> str:
        """Where the bot listens; may be set when it becomes known."""
        return self._delivery.bot_url

    @bot_url.setter
    def bot_url(self, url: str) -> None:
        self._delivery.bot_url = url

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Listen and return the URL of the page; the bot's `SLACK_API_URL` is that plus `/api/`."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._serve_method)
        app.router.add_post("/response/{key}", self._serve_response)
        app.router.add_post("/upload/v1/{key}", self.take)
        app.add_routes(page_routes(self))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        await self._delivery.open()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        return self.url

    async def stop(self) -> None:
        """Close everything."""
        await self._delivery.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def add_person(self, person: Person) -> Person:
        """Let somebody join, or replace what is known of them."""
        self.chat.people[person.id] = person
        self.chat.revision += 1
        return person

    async def add_group(self, group: Group) -> Group:
        """Create a user group, or replace its members."""
        self.chat.groups[group.id] = group
        self.chat.revision += 1
        return group

    async def add_channel(self, channel: Channel) -> Channel:
        """Create a channel, or replace its flags."""
        self.chat.channels[channel.id] = channel
        self.chat.revision += 1
        return channel

    async def populate(self) -> None:
        """Bring in the people, the groups and the channels of the sandbox."""
        for person in _PEOPLE:
            await self.add_person(person)
        for group in _GROUPS:
            await self.add_group(group)
        for channel in _CHANNELS:
            await self.add_channel(channel)

    async def command(self, user: str, command: str, text: str, channel: str) -> Message | None:
        """Type a slash command and return what its answer shows, `None` when it shows nothing."""
        links = self._links(user, channel)
        words = payloads.typed(self.chat, text)
        person, place = self.chat.people[user], self.chat.channels[channel]
        body = payloads.command_body(person, place, command=command, text=words, links=links)
        answer = await self._deliver(body)
        if not answer.ok:
            return self._failed(user, channel, command, answer)
        shown = answer.body()
        if shown.get("response_type") == "in_channel":
            line = f"{command} {words}".strip()
            self.chat.post(Message(self.chat.now(), channel, user, line))
        return (
            self._show(user, channel, shown) if shown.get("text") or shown.get("blocks") else None
        )

    async def click(self, user: str, message_ts: str, action: str, *, block_id: str = "") -> int:
        """Press what is called `action` (an action id, a button's text, an option's text) and return the bot's status.

        The status is 0 when the bot did not answer in time. Raises `LookupError` when this person sees no such message
        or no such button.
        """
        message = self.chat.messages.get(message_ts)
        if message is None or message.only_for not in {"", user}:
            raise LookupError(f"{user} sees no message {message_ts}")
        block, element = find_element(message.blocks, action, block_id)
        pressed = payloads.pressed(element, block, self.chat.now(), action)
        links = self._links(user, message.channel, message_ts)
        body = payloads.click_body(self.chat, self.chat.people[user], message, pressed, links)
        answer = await self._deliver(body)
        if not answer.ok:
            label = element.get("text", {}).get("text", action)
            self._failed(user, message.channel, f"“{label}”", answer)
        return answer.status

    async def press_view(self, user: str, view_id: str, action: str, *, block_id: str = "") -> int:
        """Press what is called `action` on a form or on the Home tab, and return the bot's status.

        Raises `LookupError` when this person sees no such view or no such button.
        """
        seen = [*self.views.open.values(), *self.views.homes.values()]
        view = next((v for v in seen if (v["id"], v["user"]) == (view_id, user)), None)
        if view is None:
            raise LookupError(f"{user} sees no view {view_id}")
        block, element = find_element(tuple(view["blocks"]), action, block_id)
        pressed = payloads.pressed(element, block, self.chat.now(), action)
        trigger = self.views.trigger(user)
        body = payloads.view_click_body(self.chat.people[user], view, pressed, trigger)
        return (await self._deliver(body)).status

    async def shortcut(self, user: str, callback_id: str, message_ts: str = "") -> int:
        """Use a shortcut: one of the composer's menu, or one on a message. Returns the bot's status."""
        person = self.chat.people[user]
        if not message_ts:
            trigger = self.views.trigger(user)
            body = payloads.shortcut_body(person, callback_id, self.chat.now(), trigger)
            return (await self._deliver(body)).status
        message = self.chat.messages[message_ts]
        links = self._links(user, message.channel)
        body = payloads.message_shortcut_body(self.chat, person, message, callback_id, links)
        return (await self._deliver(body)).status

    async def mention(self, user: str, channel: str, text: str, thread_ts: str = "") -> Message:
        """Say something to the bot in a channel or a thread, and return what was said."""
        said = self.post(user, channel, text, thread_ts)
        if f"<@{BOT_USER}>" not in said.text:
            said = self.chat.edit(said, text=f"<@{BOT_USER}> {said.text}")
        await self._event(payloads.mention_event(said))
        return said

    async def open_home(self, user: str) -> Mapping[str, Any] | None:
        """Open the bot's Home tab and return the view that is there before the bot has answered."""
        shown = self.views.homes.get(user)
        person, channel = self.chat.people[user], self.chat.direct(user)
        await self._event(payloads.home_event(person, channel, shown, self.chat.now()))
        return shown

    async def submit(self, user: str, view_id: str, given: Mapping[str, Any]) -> dict[str, str]:
        """Send a form, `given` by action id, and return the errors that the bot put at its fields, by block id."""
        view = self.views.open[view_id]
        state = state_values(view, given)
        person, trigger = self.chat.people[user], self.views.trigger(user)
        body = payloads.submission_body(person, view, state, trigger)
        answer = await self._deliver(body)
        if not answer.ok:
            return {"": f"The form was not sent: {_why(answer)}."}
        reply = answer.body()
        self.chat.revision += 1
        match reply.get("response_action"):
            case "errors":
                return dict(reply["errors"])
            case "update" | "push":
                self.views.change(view, reply["view"])
            case _:
                self.views.close(view_id)
        return {}

    async def say(self, user: str, channel: str, text: str, thread_ts: str = "") -> None:
        """Send what a person typed into the composer: a command, a word to the bot, or just a message."""
        command, _, rest = text.strip().partition(" ")
        if self.down:
            self._notice(
                user, channel, "Slack cannot be reached. Your message was not sent.", thread_ts
            )
        elif command.startswith("/") and thread_ts:
            self._notice(user, channel, f"{command} is not supported in threads. Sorry!", thread_ts)
        elif command.startswith("/"):
            await self.command(user, command, rest.strip(), channel)
        elif f"<@{BOT_USER}>" in payloads.typed(self.chat, text):
            await self.mention(user, channel, text, thread_ts)
        elif text.strip():
            self.post(user, channel, text, thread_ts)

    def post(self, user: str, channel: str, text: str, thread_ts: str = "") -> Message:
        """Put a person's message into a channel or a thread."""
        root = self.chat.root(thread_ts) if thread_ts else ""
        words = payloads.typed(self.chat, text)
        return self.chat.post(Message(self.chat.now(), channel, user, words, thread_ts=root))

    async def answer(
        self, request: web.Request, method: str, args: Mapping[str, Any]
    ) -> web.Response:
        """Answer one call of the Web API. Tests override this to break it."""
        if self.down:
            return web.Response(status=503, text="service unavailable")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or args.get(
            "token"
        )
        if not token:
            return web.json_response(Refused("not_authed").body())
        if not secrets.compare_digest(str(token).encode(), self._bot_token.encode()):
            return web.json_response(Refused("invalid_auth").body())
        shown = {"X-OAuth-Scopes": ",".join(self.scopes)}
        return web.json_response(self._api.call(method, args), headers=shown)

    async def take(self, request: web.Request) -> web.Response:
        """Take the bytes of a file, bare or in a form. Tests override this to break it."""
        if self.down:
            return web.Response(status=503, text="service unavailable")
        form = await request.post() if request.content_type.startswith("multipart/") else {}
        sent = next(
            (part.file.read() for part in form.values() if isinstance(part, FileField)), b""
        )
        status, text = self.uploads.take(request.match_info["key"], sent or await request.read())
        return web.Response(status=status, text=text)

    async def _serve_method(self, request: web.Request) -> web.Response:
        args: dict[str, Any] = dict(request.query)
        if request.content_type == "application/json" and request.can_read_body:
            args |= await request.json()
        else:
            args |= dict(await request.post())
        return await self.answer(request, request.match_info["method"], args)

    async def _serve_response(self, request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503, text="service unavailable")
        asked, why = self.views.answer(request.match_info["key"])
        if asked is None:
            return web.json_response({"ok": False, "error": why}, status=404)
        body = await request.json()
        try:
            self._respond(asked, body)
        except Refused as refusal:
            return web.json_response(refusal.body(), status=400)
        return web.Response(text="ok")

    def _respond(self, asked: Response, body: Mapping[str, Any]) -> None:
        pressed = self.chat.messages.get(asked.ts)
        if truth(body.get("delete_original")):
            if pressed is not None:
                self.chat.delete(pressed)
            return
        accept(body)
        if truth(body.get("replace_original")) and pressed is not None:
            blocks = tuple(body.get("blocks") or ())
            self.chat.edit(pressed, text=body["text"], blocks=blocks, edited=self.chat.now())
            return
        self._message(asked.user, asked.channel, body)

    def _show(self, user: str, channel: str, body: Mapping[str, Any]) -> Message:
        try:
            accept(body)
        except Refused as refusal:
            why = "; ".join(refusal.messages)
            return self._notice(user, channel, f"The answer of the bot was refused: {why}")
        return self._message(user, channel, body)

    def _message(self, user: str, channel: str, body: Mapping[str, Any]) -> Message:
        blocks = tuple(body.get("blocks") or ())
        message = Message(self.chat.now(), channel, BOT_USER, body["text"], blocks)
        thread = self.chat.root(str(body["thread_ts"])) if body.get("thread_ts") else ""
        only_for = "" if body.get("response_type") == "in_channel" else user
        return self.chat.post(replace(message, thread_ts=thread, only_for=only_for))

    def _failed(self, user: str, channel: str, what: str, answer: Answer) -> Message:
        return self._notice(user, channel, f"{what} failed with the error “{_why(answer)}”.")

    def _notice(self, user: str, channel: str, text: str, thread_ts: str = "") -> Message:
        message = Message(self.chat.now(), channel, SLACKBOT, text)
        return self.chat.post(replace(message, only_for=user, thread_ts=thread_ts))

    def _links(self, user: str, channel: str, ts: str = "") -> dict[str, str]:
        key = self.views.response(user, channel, ts)
        return {
            "trigger_id": self.views.trigger(user),
            "response_url": f"{self.url}/response/{key}",
        }

    async def _event(self, event: Mapping[str, Any]) -> None:
        event_id = f"Ev{secrets.token_hex(5).upper()}"
        body = payloads.event_body(event, event_id=event_id, at=int(time.time()))
        if not self.down:
            await self._delivery.event(body)

    async def _deliver(self, body: str) -> Answer:
        return Answer(0) if self.down else await self._delivery.form(body)


def _why(answer: Answer) -> str:
    """Return Slack's word for an answer that was none."""
    return "dispatch_failed" if answer.status else "operation_timeout"
