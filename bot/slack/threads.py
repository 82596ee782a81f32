"""What is said to the bot in the thread of a card or a gate is about that rollout, where it names no other.

Slash commands do not exist in threads, so this is how a thread steers. `rollback` there means the rollout that is being
talked about and no later one on the same target: it is asked for by its id, as its card's button would.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from bot.commands import Answer, Commands, Receipt, Refusal
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.line import Line
from bot.grammar.mistakes import closest
from bot.grammar.parse import spelled
from bot.grammar.verbs import Extend, Pause, Promote, Resolve, Resume, Rollback
from bot.policy import Actor
from bot.rollout.values import Rollout
from bot.slack.pressing import Say, placed
from bot.store import NoRowError, PoisonedRowError, Store
from bot.store.tracing import rollout_at

HERE = {
    "rollback",
    "promote",
    "approve",
    "pause",
    "resume",
    "extend",
    "resolve",
    "status",
    "history",
}
"""The verbs that mean the rollout of the thread when they name no service."""


class Threads:
    """Knows which rollout a thread is about, and does what is asked of that one."""

    def __init__(self, commands: Commands, store: Store, known: Known) -> None:
        """Act through `commands`; `store` knows the messages of rollouts."""
        self._commands = commands
        self._store = store
        self._known = known

    async def meant(self, channel: str, thread: str, say: Say) -> Say:
        """Return how a line is carried out that is said in a thread: `say`, where that is about no rollout."""
        found = await self._store.ask(rollout_at(channel, thread))
        try:
            r = await self._store.get(found) if found else None
        except (NoRowError, PoisonedRowError):
            return say
        return say if r is None else partial(self._say, r, say)

    async def _say(self, r: Rollout, say: Say, text: str, actor: Actor, receipt: Receipt) -> Answer:
        line = about(text, r, self._known)
        try:
            command = parse_line(line, self._known)
        except WordsError as error:
            error.line = about(error.line, r, self._known)
            raise
        if line == text or getattr(command, "environment", "") != r.environment:
            return await say(line, actor, receipt)
        match command:
            case Rollback(to=None):
                return await self._back(r, command, actor, receipt, partial(say, line))
            case Promote(gate=gate, reason=reason):
                placed(actor)
                return await self._press("promote", r, actor, receipt, reason, gate=gate)
            case Pause(reason=reason):
                return await self._press("pause", r, actor, receipt, reason)
            case Resume():
                return await self._press("resume", r, actor, receipt)
            case Extend(seconds=seconds):
                return await self._press("extend", r, actor, receipt, seconds=seconds)
            case Resolve(reason=reason):
                return await self._press("resolve", r, actor, receipt, reason)
            case _:
                return await say(line, actor, receipt)

    async def _back(
        self,
        r: Rollout,
        command: Rollback,
        actor: Actor,
        receipt: Receipt,
        say: Callable[[Actor, Receipt], Awaitable[Answer]],
    ) -> Answer:
        try:
            return await self._press(
                "rollback", r, actor, receipt, command.reason, force=command.now
            )
        except Refusal as refusal:
            # What would be undone now is this very rollout, and `now` has answered the question.
            if refusal.code != "confirmation_needed" or not command.now:
                raise
        return await say(actor, receipt)

    async def _press(
        self, verb: str, r: Rollout, actor: Actor, receipt: Receipt, reason: str = "", **more: Any
    ) -> Answer:
        return await self._commands.press(verb, r.id, actor, receipt, reason=reason, **more)


def about(text: str, r: Rollout, known: Known) -> str:
    """Return a line with the service and the environment of a rollout in it, where it names no service itself.

    A word that is nearly the name of a service stays as it is: taken for a reason it would move the wrong traffic.
    """
    line = Line(text)
    verb = line.take()
    said = spelled(line, verb) if verb is not None else ""
    if said not in HERE:
        return text
    rest = text[line.at :]
    word = line.peek()
    if word is None or word.because:
        return f"{said} {r.service} {r.environment} {rest.strip()}".rstrip()
    if known.has_service(word.bare) or closest(word.bare, known.services) is not None:
        return text
    place = r.service if known.names_environment(word.bare) else f"{r.service} {r.environment}"
    return f"{said} {place} {rest.strip()}"
