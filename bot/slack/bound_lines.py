"""Lines on buttons that are tied to what they were offered about: a rollout to go back from, or locks.

The tie is read and made here; whether it still holds is for the command to say.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.commands import Commands, Offer, Refusal
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.verbs import Freeze, Lock, Rollback, Thaw, Unlock
from bot.slack.blocks import VALUE

_LINE = VALUE - 100
"""Characters of a line on a button, with the rollout that goes along."""


async def meant(commands: Commands, line: str) -> Sequence[Offer]:
    """Return what says a line that was probably meant; one that goes back is about what is there now."""
    try:
        command = parse_line(line, Known(commands.known()))
    except WordsError:
        return ()
    label = f"Yes, {line}"
    if len(line) > _LINE:
        return ()
    if not isinstance(command, Rollback):
        return (Offer(label, line),)
    known = command.service and await commands.there(command.service, command.environment)
    return (Offer(label, line, danger=True, of=known or ""),)


def way_back(value: str, known: Known) -> Rollback | Lock | Unlock | Freeze | Thaw:
    """Return what a button asks for that is bound to what it was shown about. Raises `Refusal` and `WordsError`."""
    about, _, line = value.partition(" ")
    command = parse_line(line, known) if about else None
    match command:
        case Rollback():
            return replace(command, of=about)
        case Lock() | Unlock() | Freeze() | Thaw():
            return replace(command, of=tuple(about.split(",")))
        case _:
            raise Refusal(
                "This button carries nothing that I understand; nothing was changed. `/deploy status` shows where "
                "things stand.",
                code="unknown_button",
            )
