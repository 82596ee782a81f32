"""Forms on somebody's screen: opened at once, filled when their content is known, sent once.

Slack's key to a screen (`trigger_id`) lives three seconds and opens one form. So whatever is not known in a moment is
shown as "One moment…" first and replaced; where the key is stale all the same, the person gets the way by words and a
button, whose press brings a fresh key. What a form carries (`private_metadata`) is routing, never authority.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.commands import Receipt, Refusal
from bot.grammar import WordsError
from bot.policy import Actor
from bot.slack.blocks import VALUE, actions, button, context, escape, section
from bot.slack.filled import values_of
from bot.slack.form import METADATA, OPENS, About, Answered, Form, Said, View, Ways, Wrong, unknown
from bot.slack.inbox import Reply
from bot.slack.limits import problems
from bot.slack.message import Message
from bot.slack.payloads import Payload, channel_of, shortcut_fingerprint, view_fingerprint
from bot.slack.replies import refusal_message
from bot.slack.speaking import TROUBLE, reason, refused_with

log = logging.getLogger("sluice.modals")

_BLOCKS = 50
"""Of a message; a form may have twice as many."""
_REMEMBERED = 500
_MOMENT = 0.6
"""Seconds that a form may take to be made before “One moment…” is shown in its place."""


async def _refused(refusal: Refusal | WordsError) -> Message:
    return refusal_message(refusal)


@dataclass(slots=True)
class Forms:
    """All forms, by name."""

    client: AsyncWebClient
    by_name: dict[str, Form] = field(default_factory=dict)
    refused: Callable[[Refusal | WordsError], Awaitable[Message]] = _refused
    """Returns what somebody is told in place of a form that is refused."""
    ways: dict[str, Ways] = field(default_factory=dict)
    check: Callable[[str], Awaitable[None]] | None = None
    """Refuses what is asked for in a channel that outsiders read."""
    _told: dict[str, None] = field(default_factory=dict)
    """The forms whose sender has been told what came of them; Slack, and thumbs, send one more than once."""

    def add(self, form: Form, ways: Ways | None = None) -> None:
        """Make a form known."""
        self.by_name[form.name] = form
        self.ways[form.name] = ways or Ways()

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
            if self.ways[name].said:
                await reply(_said_instead(await making, error))
                return
            making.cancel()
            await reply(_instead(form, about, error))

    async def asked(self, name: str, body: Payload, actor: Actor, reply: Reply) -> None:
        """Show the form that a command or a shortcut asks for. Never raises."""
        await self.open(name, str(body.get("trigger_id") or ""), actor, opened_by(body), reply)

    async def turn(self, view_id: str, name: str, actor: Actor, about: About, reply: Reply) -> None:
        """Show another form, or an earlier page of the same, in the place of an open one; else say so."""
        form = self.by_name[name]
        view = await _made(self, form, actor, about)
        try:
            await self.client.views_update(
                view_id=view_id, view=_sendable(view.payload(name, about))
            )
        except TROUBLE as error:
            log.warning("the form %s could not be changed: %s", name, reason(error))
            await reply(_instead(form, about, error))

    async def admit(self, name: str, about: About, actor: Actor) -> None:
        """Refuse a form where it was asked for. Raises `Refusal`."""
        if self.check is not None and actor.team_ok and not self.ways[name].anywhere:
            await self.check(about.channel)

    def records(self, body: Payload) -> bool:
        """Whether a form that is sent may change anything, as far as it can be read."""
        view = body.get("view") or {}
        ways = self.ways.get(str(view.get("callback_id", "")))
        try:
            about = About.read(str(view.get("private_metadata") or ""))
        except Refusal:
            return False
        return ways is None or not ways.only_shows(about)

    async def sent(self, body: Payload, actor: Actor) -> Answered:
        """Carry out a form that was sent."""
        view = body.get("view") or {}
        name = str(view.get("callback_id", ""))
        about = About()
        try:
            about = About.read(str(view.get("private_metadata") or ""))
            if name not in self.by_name:
                raise unknown()
            where = {"channel": about.channel, "user": actor.id}
            await self.admit(name, about, actor)
            receipt = Receipt(f"view:{view_fingerprint(body)}", where)
            said = Said(actor, about, values_of(view), receipt)
            outcome = await self.by_name[name].sent(said)
        except (Refusal, WordsError) as refusal:
            outcome = as_view(await self.refused(refusal))
        if isinstance(outcome, Message) and self._again(view_fingerprint(body)):
            outcome = None
        return _answered(outcome, name, about)

    def _again(self, key: str) -> bool:
        """Say whether the sender of this form has been told already."""
        told = key in self._told
        self._told[key] = None
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        return told


def _answered(outcome: Wrong | View | Message | None, name: str, about: About) -> Answered:
    match outcome:
        case Wrong(fields=fields):
            return Answered({"response_action": "errors", "errors": dict(fields)})
        case View():
            view = _sendable(outcome.payload(name, about))
            return Answered({"response_action": "update", "view": view}, late=outcome.told)
        case Message():
            return Answered({"response_action": "clear"}, outcome)
        case None:
            return Answered({"response_action": "clear"})


async def _made(forms: Forms, form: Form, actor: Actor, about: About) -> View:
    try:
        await forms.admit(form.name, about, actor)
        _fits(about)
        return await form.view(actor, about)
    except (Refusal, WordsError) as refusal:
        return as_view(await forms.refused(refusal))
    except Exception:
        log.exception("the form %s could not be made", form.name)
        return View("Sluice", [section(f"Something went wrong here. {form.in_words(about)}")])


def _fits(about: About) -> None:
    if about.whole:
        return
    raise Refusal(
        f"What the form would be about is {len(about.value)} characters long, and Slack lets a form carry {METADATA} "
        "in all; nothing was changed. Shorten the reason, or type the line.",
        code="too_long",
        status=422,
    )


def as_view(message: Message, title: str = "Sluice") -> View:
    """Return an answer as it stands in a form."""
    return View(title, message.blocks or [section(message.text)])


def _said_instead(view: View, error: BaseException) -> Message:
    texts = [b["text"]["text"] for b in view.blocks if "text" in b and b["type"] != "header"]
    first = view.title if not texts or view.blocks[0]["type"] == "header" else texts[0]
    blocks = (*view.blocks, context(escape(_why_not(error))))
    if len(blocks) > _BLOCKS:
        more = context(f"+ {len(blocks) - _BLOCKS + 1} lines more: `/rollback` lists them")
        blocks = (*blocks[: _BLOCKS - 1], more)
    return Message(first, blocks)


def _moment() -> View:
    return View("Sluice", [section("One moment…")])


_STALE = {"expired_trigger_id", "invalid_trigger_id", "exchanged_trigger_id"}


def _why_not(error: BaseException) -> str:
    """Return in a sentence why there is no form."""
    if reason(error) in _STALE:
        return "Slack did not let me open the form in time."
    if isinstance(error, SlackApiError) and refused_with(error):
        return f"Slack refused the form ({reason(error)})."
    return "Slack did not answer when I sent the form."


def _instead(form: Form, about: About, error: BaseException) -> Message:
    text = f"{_why_not(error)} {form.in_words(about)}"
    again = button("Open the form", f"{OPENS}{form.name}", about.value[:VALUE] or "-")
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
