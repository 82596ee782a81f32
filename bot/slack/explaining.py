"""What somebody is told about a command, with what only the outside knows: the link to the card, the mark in the log.

A refusal carries a short mark that stands in the log line too, so that whoever asks about it can be helped. A link is
worth half a second of waiting and no more: without it the sentence is as true.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence

from bot.commands import Answer, Offer, Refusal
from bot.grammar import WordsError
from bot.rollout.values import Rollout
from bot.slack.board import alone
from bot.slack.inbox import Reply
from bot.slack.message import Message
from bot.slack.replies import answer_message, refusal_message

log = logging.getLogger("sluice.refusals")

_WORTH = 0.5
"""Seconds that a link may take."""


class Explaining:
    """Makes messages of answers and refusals."""

    def __init__(self) -> None:
        """Work without links until `link` is set."""
        self.meant: Callable[[str], Awaitable[Sequence[Offer]]] | None = None
        """Returns the button that says a line which was probably meant."""
        self.me: Callable[[], str] | None = None
        """Returns what the bot is called."""
        self.link: Callable[[Rollout], Awaitable[str]] | None = None
        """Returns the link to the card of a rollout."""

    async def refused(self, refusal: Refusal | WordsError, pressed: str = "") -> Message:
        """Return a refusal; `pressed` is what stood on the button."""
        mark = f"e-{secrets.token_hex(2)}"
        r = (refusal.now or refusal.rollout) if isinstance(refusal, Refusal) else None
        # The sentence is not logged: it repeats what somebody typed.
        log.info("refused %s [%s]%s", refusal.code, mark, f" about {r.id}" if r else "")
        line = refusal.line if isinstance(refusal, WordsError) else ""
        offers = await self.meant(line) if line and self.meant is not None else ()
        return refusal_message(refusal, await self._link(r), mark, pressed, offers)

    async def told(self, answer: Answer) -> Message:
        """Return an answer; only one that is about a single rollout waits for a link."""
        one = answer.rows[0] if answer.kind == "status" and alone(answer) else None
        r = answer.rollout if answer.kind == "details" else one
        me = self.me() if answer.kind == "help" and self.me is not None else ""
        return answer_message(answer, await self._link(r), me)

    async def done(self, answer: Answer) -> Message:
        """Return what was done with the link to its card: for a form or the Home tab, which are far from it."""
        return answer_message(answer, await self._link(answer.rollout))

    async def answer(self, answer: Answer, reply: Reply) -> None:
        """Send an answer to whoever asked."""
        await reply(await self.told(answer))

    async def _link(self, r: Rollout | None) -> str:
        if r is None or self.link is None:
            return ""
        try:
            async with asyncio.timeout(_WORTH):
                return await self.link(r)
        except TimeoutError:
            return ""
