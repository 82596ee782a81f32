"""Forms on somebody's screen: opened at once, filled when their content is known, sent once.

Slack's key to a screen (`trigger_id`) lives three seconds and opens one form. So whatever is not known in a moment is
shown as "One moment…" first and replaced; where the key is stale all the same, the person gets the way by words and a
button, whose press brings a fresh key. What a form carries (`private_metadata`) is routing, never authority.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.commands import Receipt, Refusal
from bot.grammar import WordsError
from bot.policy import Actor
from bot.slack.blocks import Block, actions, button, clip, plain, section
from bot.slack.inbox import Reply
from bot.slack.limits import problems
from bot.slack.message import Message
from bot.slack.payloads import Payload, channel_of, shortcut_fingerprint, view_fingerprint
from bot.slack.replies import refusal_message
from bot.slack.speaking import TROUBLE, reason

log = logging.getLogger("sluice.modals")

OPENS = "form:"
"""What the names of buttons begin with that open a form; their value is what the form is about."""
_TITLE = 24
_METADATA = 3000
_MOMENT = 0.6
"""Seconds that a form may take to be made before “One moment…” is shown in its place."""


@dataclass(frozen=True, slots=True)
class View:
    """What a form shows. A modal with inputs needs the word of its submit button."""

    title: str
    blocks: Sequence[Block]
    submit: str = ""
    close: str = "Close"
    about: "About | None" = None
    """What it is about from here on; None: what the form before it was about."""

    def payload(self, name: str, about: "About") -> dict[str, Any]:
        """Return the view as the Web API takes it."""
        words = {"submit": self.submit, "close": self.close}
        return {
            "type": "modal",
            "callback_id": name,
            "title": _words(self.title),
            "blocks": list(self.blocks),
            "private_metadata": (self.about or about).text(),
            **{key: _words(text) for key, text in words.items() if text},
        }


@dataclass(frozen=True, slots=True)
class About:
    """What a form is about, and where it was asked for; travels with the form and comes back with it."""

    value: str = ""
    """The value of the button, or what was typed; `""` where a shortcut opened it."""
    channel: str = ""
    message_ts: str = ""
    """The message that a message shortcut or a button was used on."""
    thread_ts: str = ""
    """The message whose thread that is in."""
    opened: str = ""
    """What is the same in every delivery of what opened it."""

    def text(self) -> str:
        """Return it for `private_metadata`."""
        body = {"v": self.value, "c": self.channel, "m": self.message_ts}
        return json.dumps({**body, "t": self.thread_ts, "o": self.opened})[:_METADATA]

    @property
    def whole(self) -> bool:
        """Whether all of it fits into a form."""
        return len(self.text()) < _METADATA

    @classmethod
    def read(cls, text: str) -> "About":
        """Return what `text` wrote. Raises `Refusal` for anything else: another version of the bot made the form."""
        try:
            body = json.loads(text)
            return cls(*(str(body[key]) for key in "vcmto"))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _unknown() from error


@dataclass(frozen=True, slots=True)
class Said:
    """A form that was sent."""

    actor: Actor
    about: About
    values: Mapping[str, Any]
    """By block id: text, the value of an option, a list of values, a date; None where nothing was given."""
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Wrong:
    """A form that is refused at its fields, by block id; it stays open as it was filled in."""

    fields: Mapping[str, str]


class Form(Protocol):
    """One kind of form."""

    name: str
    """Its `callback_id`, and what stands behind `form:` in the name of a button."""

    async def view(self, actor: Actor, about: About) -> View:
        """Return what it shows. Raises `Refusal` and `WordsError`, which are shown in its place."""
        ...

    async def sent(self, said: Said) -> Wrong | View | Message | None:
        """Do what it asks for: what is wrong, what it shows next, what its sender is told, or nothing: it closes.

        Raises `Refusal` and `WordsError`, which are shown in its place.
        """
        ...

    def in_words(self, about: About) -> str:
        """Return how the same is done by words, where no form can be opened."""
        ...


async def _refused(refusal: Refusal | WordsError) -> Message:
    return refusal_message(refusal)


@dataclass(slots=True)
class Forms:
    """All forms, by name."""

    client: AsyncWebClient
    by_name: dict[str, Form] = field(default_factory=dict)
    refused: Callable[[Refusal | WordsError], Awaitable[Message]] = _refused
    """Returns what somebody is told in place of a form that is refused."""
    acting: set[str] = field(default_factory=set)
    """The forms that do something when they are opened, and then show what came of it."""

    def add(self, form: Form, *, acts: bool = False) -> None:
        """Make a form known. One that `acts` is never broken off; what it cannot show is said."""
        self.by_name[form.name] = form
        if acts:
            self.acting.add(form.name)

    async def open(self, name: str, trigger: str, actor: Actor, about: About, reply: Reply) -> None:
        """Show a form to somebody; where that fails they are told how else it is done. Never raises."""
        form = self.by_name[name]
        making = asyncio.create_task(_made(self, form, actor, about))
        await asyncio.wait({making}, timeout=_MOMENT)
        first = making.result() if making.done() else _moment()
        try:
            answer = await self.client.views_open(
                trigger_id=trigger, view=_sendable(first.payload(name, about))
            )
            view_id = str((answer.get("view") or {}).get("id", ""))
            if first is not (view := await making):
                await self.client.views_update(
                    view_id=view_id, view=_sendable(view.payload(name, about))
                )
        except TROUBLE as error:
            log.warning("the form %s could not be opened: %s", name, reason(error))
            if name in self.acting:
                await reply(_said_instead(await making))
                return
            making.cancel()
            await reply(_instead(form, about))

    async def asked(self, name: str, body: Payload, actor: Actor, reply: Reply) -> None:
        """Show the form that a command or a shortcut asks for. Never raises."""
        await self.open(name, str(body.get("trigger_id") or ""), actor, opened_by(body), reply)

    async def turn(self, view_id: str, name: str, actor: Actor, about: About) -> None:
        """Show another form, or an earlier page of the same, in the place of an open one."""
        view = await _made(self, self.by_name[name], actor, about)
        await self.change(view_id, view, name, about)

    async def change(self, view_id: str, view: View, name: str, about: About) -> None:
        """Replace what a form shows; best effort."""
        with suppress(*TROUBLE):
            await self.client.views_update(
                view_id=view_id, view=_sendable(view.payload(name, about))
            )

    async def sent(self, body: Payload, actor: Actor) -> tuple[dict[str, Any], Message | None]:
        """Carry out a form that was sent; return what Slack is answered and what its sender is told besides."""
        view = body.get("view") or {}
        name = str(view.get("callback_id", ""))
        about = About()
        try:
            about = About.read(str(view.get("private_metadata") or ""))
            if name not in self.by_name:
                raise _unknown()
            where = {"channel": about.channel, "user": actor.id}
            receipt = Receipt(f"view:{view_fingerprint(body)}", where)
            said = Said(actor, about, values_of(view), receipt)
            outcome = await self.by_name[name].sent(said)
        except (Refusal, WordsError) as refusal:
            outcome = as_view(await self.refused(refusal))
        return _answered(outcome, name, about)


def _answered(
    outcome: Wrong | View | Message | None, name: str, about: About
) -> tuple[dict[str, Any], Message | None]:
    match outcome:
        case Wrong(fields=fields):
            return {"response_action": "errors", "errors": dict(fields)}, None
        case View():
            view = _sendable(outcome.payload(name, about))
            return {"response_action": "update", "view": view}, None
        case Message():
            return {"response_action": "clear"}, outcome
        case None:
            return {"response_action": "clear"}, None


async def _made(forms: Forms, form: Form, actor: Actor, about: About) -> View:
    try:
        return await form.view(actor, about)
    except (Refusal, WordsError) as refusal:
        return as_view(await forms.refused(refusal))
    except Exception:
        log.exception("the form %s could not be made", form.name)
        return View("Sluice", [section(f"Something went wrong here. {form.in_words(about)}")])


def _unknown() -> Refusal:
    return Refusal(
        "This form is from another version of the bot; nothing was changed. Open it again.",
        code="unknown_form",
    )


def as_view(message: Message, title: str = "Sluice") -> View:
    """Return an answer as it stands in a form."""
    return View(title, message.blocks or [section(message.text)])


def _said_instead(view: View) -> Message:
    first = next((block["text"]["text"] for block in view.blocks if "text" in block), view.title)
    return Message(first, tuple(view.blocks))


def _moment() -> View:
    return View("Sluice", [section("One moment…")])


def _instead(form: Form, about: About) -> Message:
    text = f"Slack did not let me open the form in time. {form.in_words(about)}"
    again = button("Open the form", f"{OPENS}{form.name}", about.value or "-")
    return Message(text, (section(text), actions(again)))


def _sendable(view: dict[str, Any]) -> dict[str, Any]:
    faults = problems({"view": view})
    if not faults:
        return view
    log.error("a form breaks Slack's limits, shown as text: %s", "; ".join(faults))
    kept = {key: value for key, value in view.items() if key != "submit"}
    return {
        **kept,
        "blocks": [section("This form cannot be shown. Use the words: `/deploy help`.")],
    }


def values_of(view: Payload) -> dict[str, Any]:
    """Return what was given in a form, by block id; an option counts by its value."""
    state = (view.get("state") or {}).get("values") or {}
    return {
        block: _given(next(iter(elements.values()), {}))
        for block, elements in state.items()
        if isinstance(elements, Mapping)
    }


def _given(element: Mapping[str, Any]) -> Any:
    if element.get("selected_option"):
        return element["selected_option"].get("value")
    if element.get("selected_options") is not None:
        return [option.get("value") for option in element["selected_options"]]
    for key in ("value", "selected_user", "selected_channel", "selected_date", "selected_time"):
        if element.get(key) is not None:
            return element[key]
    return None


def _words(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": clip(plain(text), _TITLE)}


def opened_by(body: Payload) -> About:
    """Return what a form is about that a button, a command or a shortcut opens."""
    pressed = (body.get("actions") or [{}])[0]
    container = body.get("container") or {}
    message = body.get("message") or {}
    value = str(pressed.get("value") or body.get("text") or "")
    return About(
        "" if value == "-" else value,
        channel_of(body),
        str(container.get("message_ts") or message.get("ts") or ""),
        str(container.get("thread_ts") or message.get("thread_ts") or ""),
        shortcut_fingerprint(body),
    )
