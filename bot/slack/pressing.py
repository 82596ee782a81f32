"""What a button does: its name and value become one act on one rollout, or the command that it stands for.

Nothing is decided here; `bot.commands` looks everything up again. A button of ours that is not in the table is from
another version of the bot and does nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from bot.commands import Answer, Commands, Receipt, Refusal
from bot.commands.answers import PlanChanged
from bot.grammar.verbs import HALF_HOUR
from bot.policy import Actor, unplaced
from bot.slack.channels import ANYWHERE
from bot.slack.deploy_form import start_shown
from bot.slack.explaining import Explaining
from bot.slack.form import OPENS, About
from bot.slack.inbox import Reply
from bot.slack.message import Message
from bot.slack.modals import Forms, opened_by
from bot.slack.offering import BACK
from bot.slack.older import Older
from bot.slack.payloads import (
    Payload,
    alone,
    channel_of,
    older,
    picked,
    press_fingerprint,
    routing,
    seen,
    where,
)
from bot.slack.previewing import START, outdated
from bot.slack.replies import answer_message
from bot.slack.replying import Replies

PRESSES = {
    "promote", "keep", "pause", "resume", "adopt", "rollback", "force", "extend", "acknowledge", "details", "older",
}  # fmt: skip
"""The names of the buttons on cards. `keep` lets variant A of an A/B test stay: whoever may roll back may do that."""

_REPLACING = {"dismiss", "older", START}
"""The names of the buttons whose message is replaced by what came of them."""

After = Callable[[], None]
"""What happens once Slack has its acknowledgement."""
Say = Callable[[str, Actor, Receipt], Awaitable[Answer]]
"""Handle a line of the grammar."""
Settle = Callable[[Answer, Receipt, Reply], After | None]
"""Return what follows an answer."""


def placed(actor: Actor) -> None:
    """Refuse a promote of unknown origin: what is recorded for the vote no longer says where it came from."""
    decision = unplaced(actor, "promote")
    if decision is not None:
        raise Refusal(decision.sentence, code=decision.code, status=403)


class Presses:
    """Carries out what was pressed."""

    def __init__(
        self,
        commands: Commands,
        replies: Replies,
        forms: Forms,
        explain: Explaining,
        say: Say,
        back: Say,
        settle: Settle,
    ) -> None:
        """Act through `commands`; buttons that stand for a line of text go through `say`, bound ways back `back`."""
        self._commands = commands
        self._forms = forms
        self._explain = explain
        self._replies = replies
        self._say = say
        self._back = back
        self._settle = settle
        self.older: Older | None = None
        """Who knows which messages go on elsewhere."""

    async def act(self, body: Payload, actor: Actor, reply: Reply) -> After | None:
        """Do what one press asks. Raises `Refusal` and `WordsError`."""
        action = (body.get("actions") or [{}])[0]
        name, value, seconds = picked(action)
        receipt = Receipt(f"act:{press_fingerprint(body, action)}", where(body))
        instead = self._replies.in_place_of(body)
        if name == "refresh":
            return lambda: self._replies.soon(self._replies.refresh(body))
        if name.startswith(("say:", BACK)):
            say = self._back if name.startswith(BACK) else self._say
            answer = await say(value, actor, receipt)
            if body.get("view"):
                return lambda: self._replies.soon(self._done(answer, instead))
            return lambda: self._replies.soon(instead(answer_message(answer)))
        if name.startswith(OPENS) and name.removeprefix(OPENS) in self._forms.by_name:
            return self._opening(name.removeprefix(OPENS), body, actor, reply)
        if name in _REPLACING:
            told = await self._in_its_place(name, value, actor, receipt, body)
            return lambda: self._replies.soon(instead(told))
        if name not in PRESSES:
            raise Refusal(
                "This button is from another version of the bot; nothing was changed. "
                "`/deploy status` shows where things stand.",
                code="unknown_button",
            )
        if name == "details":
            found = await self._commands.details(routing(value)[0], actor)
            return lambda: self._replies.soon(self._explain.answer(found, reply))
        if self.older is not None:
            await self.older.check(name, value, body)
        settling, answer = await self._press(body, name, value, actor, receipt, reply, seconds)
        if settling is None and (body.get("view") or answer.offers):
            # No card changes under the finger, or there is something to add: what was done has to be said.
            return lambda: self._replies.soon(self._done(answer, reply))
        return settling

    async def _in_its_place(
        self, name: str, value: str, actor: Actor, receipt: Receipt, body: Payload
    ) -> Message:
        """Do what takes the place of the message that was pressed, and return that. Raises `Refusal`."""
        match name:
            case "dismiss":
                return Message("Nothing was changed.")
            case "older":
                return answer_message(await self._commands.handle(older(value), actor, receipt))
            case _:
                return await self._started(value, actor, body)

    def _opening(self, form: str, body: Payload, actor: Actor, reply: Reply) -> After:
        """Return what opens a form, or turns to it where a form is open already."""
        about, shown = opened_by(body), body.get("view") or {}
        if shown.get("type") == "modal":
            view = str(shown.get("id", ""))
            # Where the form before it was asked for: a press on a form names no channel.
            before = About.read(str(shown.get("private_metadata") or ""))
            about = replace(before, value=about.value)
            directly = self._replies.to("", actor.id)
            turning = partial(self._forms.turn, view, form, actor, about, directly)
            return lambda: self._replies.soon(turning())
        trigger = str(body.get("trigger_id") or "")
        return lambda: self._replies.soon(self._forms.open(form, trigger, actor, about, reply))

    async def _started(self, value: str, actor: Actor, body: Payload) -> Message:
        """Start what was shown; where that is out of date, show what it is now."""
        try:
            return answer_message(await start_shown(self._commands, value, actor, where(body)))
        except PlanChanged as changed:
            return outdated(changed, changed.answer)

    async def _done(self, answer: Answer, reply: Reply) -> None:
        await reply(await self._explain.done(answer))

    async def _press(
        self,
        body: Payload,
        name: str,
        value: str,
        actor: Actor,
        receipt: Receipt,
        reply: Reply,
        seconds: int,
    ) -> tuple[After | None, Answer]:
        rollout, gate = routing(value)
        if name == "promote":
            placed(actor)
        if name not in ANYWHERE and not alone(body):
            await self._commands.belongs(rollout, channel_of(body))
        answer = await self._commands.press(
            "rollback" if name == "force" else name,
            rollout,
            actor,
            receipt,
            gate=gate,
            force=name == "force",
            picture=seen(value) if name == "promote" else None,
            seconds=seconds or HALF_HOUR,
        )
        return self._settle(answer, receipt, reply), answer
