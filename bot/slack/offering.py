"""The buttons that go on from an answer: one says a line, one opens a form, one goes back from exactly what was shown.

What a button carries is routing, never a right; one that goes back names the rollout that it was about, and one about
locks those locks, so that a stale press undoes nothing else.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.commands import Commands, Offer, Refusal
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.verbs import Freeze, Lock, Rollback, Thaw, Unlock
from bot.slack.blocks import VALUE, Block, button

BACK = "back:"
"""What the names of buttons begin with that go back from what they were shown about, or are about those locks."""

_LINE = VALUE - 100
"""Characters of a line on a button, with the rollout that goes along."""


def offered(number: int, offer: Offer) -> Block:
    """Return the button of an offer, the one with this number on its message."""
    look = "danger" if offer.danger else None
    if offer.form:
        return button(offer.label, f"form:{offer.form}", offer.line, look)
    if offer.of:
        return button(offer.label, f"{BACK}{number}", f"{offer.of} {offer.line}", look)
    return button(offer.label, f"say:{number}", offer.line, look)


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
