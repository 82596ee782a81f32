"""The form that breaks the glass: what would be done all the same, and a reason that everybody will read.

It has no rules of its own: it says the refused line again with `break-glass` and the reason, and is answered like
anybody.
"""

from dataclasses import replace

from bot.commands import Commands, Refusal
from bot.commands.glass import FORM
from bot.grammar import Known, parse_line, render
from bot.grammar.phone import spoken
from bot.grammar.verbs import Deploy, Promote
from bot.policy import Actor
from bot.slack.blocks import context, escape, section
from bot.slack.deploy_fields import field, typed
from bot.slack.form import About, Said, View, Wrong
from bot.slack.message import Message
from bot.slack.replies import answer_message

_REASON = "reason"
_LONGEST = 300


class GlassForm:
    """Asks why, then says the line."""

    name = FORM

    def __init__(self, commands: Commands) -> None:
        """Act through `commands`."""
        self._commands = commands

    async def view(self, actor: Actor, about: About) -> View:  # noqa: ARG002 - who may is asked when it is sent
        """Return the question. Raises `Refusal` and `WordsError` for a line that cannot be done so."""
        command = self._meant(about)
        return View(
            "Break glass",
            [
                section(f"This passes what was just refused:\n*{escape(_plainly(command))}*"),
                context(
                    "It is for whoever is on call. The channel, the alert channel and the alert sinks are told at once "
                    "who broke the glass and why, and it stays in the journal."
                ),
                field(_REASON, "Why", typed(_REASON, "", "payments are down", most=_LONGEST)),
            ],
            submit="Break glass",
            close="Cancel",
        )

    async def sent(self, said: Said) -> Wrong | View | Message | None:
        """Say the line with its reason. Raises `Refusal` and `WordsError`."""
        reason = " ".join(str(said.values.get(_REASON) or "").split())
        if not spoken(reason):
            return Wrong({_REASON: "Say why: everybody will read it."})
        if len(reason) > _LONGEST:
            long = f"Say it in {_LONGEST} characters; these are {len(reason)}."
            return Wrong({_REASON: long})
        command = self._meant(said.about)
        command = replace(command, reason=reason)
        answer = await self._commands.handle(command, said.actor, said.receipt)
        return answer_message(answer)

    def in_words(self, about: About) -> str:
        """Return how it is said."""
        return f"Say it in words: `/deploy {about.value} break-glass because REASON`."

    def _meant(self, about: About) -> Deploy | Promote:
        command = parse_line(about.value, Known(self._commands.known()))
        match command:
            case Deploy():
                return replace(command, options=replace(command.options, break_glass=True))
            case Promote():
                return replace(command, break_glass=True)
            case _:
                raise Refusal(
                    "The glass is broken for a deploy or a promote only; nothing was changed.",
                    code="unknown_form",
                )


def _plainly(command: Deploy | Promote) -> str:
    if isinstance(command, Deploy):
        unmarked = replace(command, options=replace(command.options, break_glass=False))
        return render(replace(unmarked, reason=""))
    return render(replace(command, break_glass=False, reason=""))
