"""The buttons that go on from an answer: one says a line, one opens a form, one goes back from exactly what was shown.

Pure. What a button carries is routing, never a right; one that goes back names the rollout that it was about, and one
about locks those locks, so that a stale press undoes nothing else.
"""

from typing import Literal

from bot.commands.answers import Offer
from bot.slack.blocks import Block, button

BACK = "back:"
"""What the names of buttons begin with that go back from what they were shown about, or are about those locks."""


def offered(number: int, offer: Offer) -> Block:
    """Return the button of an offer, the one with this number on its message."""
    look: Literal["danger"] | None = "danger" if offer.danger else None
    if offer.form:
        return button(offer.label, f"form:{offer.form}", offer.line, look)
    if offer.of:
        return button(offer.label, f"{BACK}{number}", f"{offer.of} {offer.line}", look)
    return button(offer.label, f"say:{number}", offer.line, look)
