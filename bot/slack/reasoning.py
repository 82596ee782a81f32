"""The form for a reason given afterwards: whoever stopped a rollout says why, when there is time for it."""

import re

from bot.commands import Commands, Refusal
from bot.policy import Actor
from bot.rollout.explaining import LONGEST, MOST
from bot.slack.blocks import Block, context, escape, section
from bot.slack.form import About, Said, View, Wrong
from bot.slack.message import Message
from bot.slack.wording import headline

_FIELD = "reason"
_ABOUT = re.compile(r"(\S{1,60}) ([0-9]{1,4})", re.ASCII)


class ReasonForm:
    """Asks why, after the deed."""

    name = "reason"

    def __init__(self, commands: Commands) -> None:
        """Act through `commands`."""
        self._commands = commands

    async def view(self, actor: Actor, about: About) -> View:
        """Return the one field that it has; refused like the sending itself, so that nobody types for nothing."""
        rollout, decision = _read(about)
        r = await self._commands.explainable(rollout, decision, actor)
        deed = "rolled back" if r.decided[decision].deed == "rollback" else "paused"
        blocks = [
            section(f"You {deed} *{escape(headline(r))}*. Why?"),
            _input(),
            context("It goes on the card and into the thread, and can be given once."),
        ]
        return View("Add a reason", blocks, submit="Add", close="Not now")

    async def sent(self, said: Said) -> Wrong | View | Message | None:
        """Note the reason."""
        rollout, decision = _read(said.about)
        reason = " ".join(str(said.values.get(_FIELD) or "").split())
        if not reason:
            return Wrong(
                {_FIELD: "Say it in a few words, or close the form: nothing waits for it."}
            )
        if len(reason) > MOST:
            return Wrong({_FIELD: f"That is {len(reason)} characters: use {MOST} at most."})
        await self._commands.explain(rollout, decision, reason, said.actor, said.receipt)
        return None

    def in_words(self, about: About) -> str:
        """Return how it is done without a form."""
        hours = int(LONGEST.total_seconds() // 3600)
        which = escape(about.value.partition(" ")[0])
        return f"The button works for {hours} hours; or say it in the thread of {which}."


def _read(about: About) -> tuple[str, int]:
    found = _ABOUT.fullmatch(about.value)
    if found is None:
        raise Refusal(
            "This button is from another version of the bot; nothing was changed. Say it in the thread.",
            code="unknown_button",
        )
    return found[1], int(found[2])


def _input() -> Block:
    return {
        "type": "input",
        "block_id": _FIELD,
        "label": {"type": "plain_text", "text": "Reason"},
        "element": {
            "type": "plain_text_input",
            "action_id": _FIELD,
            "max_length": MOST,
            "focus_on_load": True,
        },
    }
