"""What a button does: its name and value become one act on one rollout, or the command that it stands for.

Nothing is decided here; `bot.commands` looks everything up again. A button of ours that is not in the table is from
another version of the bot and does nothing.
"""

from collections.abc import Awaitable, Callable

from bot.commands import Answer, Commands, Receipt, Refusal
from bot.policy import Actor, unplaced
from bot.slack.inbox import Reply
from bot.slack.message import Message
from bot.slack.modals import OPENS, Forms, opened_by
from bot.slack.payloads import Payload, press_fingerprint, routing, where
from bot.slack.replies import answer_message
from bot.slack.replying import Replies

PRESSES = {"promote", "keep", "pause", "resume", "adopt", "rollback", "force"}
"""The names of the buttons on cards. `keep` lets variant A of an A/B test stay: whoever may roll back may do that."""

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
        self, commands: Commands, replies: Replies, forms: Forms, say: Say, settle: Settle
    ) -> None:
        """Act through `commands`; buttons that stand for a line of text go through `say`."""
        self._commands = commands
        self._forms = forms
        self._replies = replies
        self._say = say
        self._settle = settle

    async def act(self, body: Payload, actor: Actor, reply: Reply) -> After | None:
        """Do what one press asks. Raises `Refusal` and `WordsError`."""
        action = (body.get("actions") or [{}])[0]
        name, value = str(action.get("action_id", "")), str(action.get("value") or "")
        receipt = Receipt(f"act:{press_fingerprint(body, action)}", where(body))
        instead = self._replies.in_place_of(body)
        if name == "dismiss":
            return lambda: self._replies.soon(instead(Message("Nothing was changed.")))
        if name.startswith("say:"):
            answer = await self._say(value, actor, receipt)
            return lambda: self._replies.soon(instead(answer_message(answer)))
        if name.startswith(OPENS) and name.removeprefix(OPENS) in self._forms.by_name:
            trigger, form = str(body.get("trigger_id") or ""), name.removeprefix(OPENS)
            about = opened_by(body)
            return lambda: self._replies.soon(self._forms.open(form, trigger, actor, about, reply))
        if name not in PRESSES:
            raise Refusal(
                "This button is from another version of the bot; nothing was changed. "
                "`/deploy status` shows where things stand.",
                code="unknown_button",
            )
        return await self._press(name, value, actor, receipt, reply)

    async def _press(
        self, name: str, value: str, actor: Actor, receipt: Receipt, reply: Reply
    ) -> After | None:
        rollout, gate = routing(value)
        if name == "promote":
            placed(actor)
        answer = await self._commands.press(
            "rollback" if name == "force" else name,
            rollout,
            actor,
            receipt,
            gate=gate,
            force=name == "force",
        )
        return self._settle(answer, receipt, reply)
