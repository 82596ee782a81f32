"""An acknowledgement within the three seconds that Slack waits, whatever the work behind it takes.

Slow work is never cut off: its commit may have landed, and then it must have its effect and its answer. What is not
known in time is said to be so.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from bot.slack.form import Answered
from bot.slack.inbox import Reply
from bot.slack.message import Message
from bot.slack.pressing import After
from bot.slack.replying import Replies

log = logging.getLogger("sluice.slack")

BUDGET = 2.2
"""Seconds for the commit: Slack gives up at 3, and a silent success after that would be clicked again."""

DONE = Message("Done.")
_LATE = Message(
    "The database is slow: whether this was recorded is not known yet. I will say so here; look at the card before "
    "you say it again. [not_known_yet]"
)
_BROKEN = Message(
    "Something went wrong here; nothing may have been done. Try again, or use `sluice`."
)

Outcome = tuple[Message | None, After | None]
"""What a person is told, and what happens after the acknowledgement."""
Sent = tuple[dict[str, Any], Message | None]
"""What Slack is answered to a form, and what its sender is told besides."""
_SLOW = Message(
    "This takes longer than Slack keeps a form open. Nothing is started by it: what it would have shown follows here."
)


class Prompt:
    """Waits for work as long as Slack does."""

    def __init__(self, replies: Replies) -> None:
        """Answer late through `replies`."""
        self._replies = replies

    async def outcome(self, work: Coroutine[Any, Any, Outcome], reply: Reply) -> Outcome:
        """Return what came of a command or a press, or within the time that Slack gives that it is not known yet."""
        task = asyncio.create_task(_answered(work))
        done, _ = await asyncio.wait({task}, timeout=BUDGET)
        if done:
            return task.result()
        self._replies.soon(_afterwards(task, reply))
        return _LATE, None

    async def sent(
        self, work: Coroutine[Any, Any, Answered], reply: Reply, *, records: bool = True
    ) -> Sent:
        """Return what came of a form; one that is not done in time is closed, and told as a message.

        `records`: it may have changed something.
        """
        task = asyncio.create_task(_sent(work))
        done, _ = await asyncio.wait({task}, timeout=BUDGET)
        if done:
            return task.result().ack, task.result().message
        self._replies.soon(_late_form(task, reply))
        return {"response_action": "clear"}, _LATE if records else _SLOW


async def _answered(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Turn a failure into a sentence: Slack shows a bare triangle for anything else."""
    try:
        return await work
    except Exception:
        log.exception("a command or a press failed")
        return _BROKEN, None


async def _sent(work: Coroutine[Any, Any, Answered]) -> Answered:
    try:
        return await work
    except Exception:
        log.exception("a form failed")
        return Answered({"response_action": "clear"}, _BROKEN)


async def _afterwards(task: asyncio.Task[Outcome], reply: Reply) -> None:
    """Give slow work its effect and its answer."""
    message, after = await task
    if after is not None:
        after()
    await reply(message or DONE)


async def _late_form(sending: asyncio.Task[Answered], reply: Reply) -> None:
    """Tell what came of a form that was slow; what it would have shown on the screen is said as a message."""
    answered = await sending
    wrong = " ".join(answered.ack.get("errors", {}).values())
    if wrong:
        await reply(Message(f"Nothing was done. {wrong}"))
        return
    shown = (answered.ack.get("view") or {}).get("blocks", ())
    screen = Message("The form says more.", tuple(shown)) if shown else DONE
    await reply(answered.message or answered.late or screen)
