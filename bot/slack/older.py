"""Copies of a question that another one stands in the place of: their buttons still work in Slack, and decide nothing.

A copy is old only where it is known to be: the message that went on elsewhere is remembered. One whose answer was lost,
so that nobody knows of it, counts as long as its gate and its numbers are those of now.
"""

from collections.abc import Awaitable, Callable

from bot.commands import Refusal
from bot.slack.copies import former_key
from bot.slack.payloads import Payload, channel_of, routing
from bot.store import Post, Store

BOUND = {"promote", "keep", "resume", "adopt", "extend"}
"""What an older copy does not do. Stopping and going home works from wherever it is pressed."""


class Older:
    """Turns presses on older copies away."""

    def __init__(self, store: Store, permalink: Callable[[Post | None], Awaitable[str]]) -> None:
        """`permalink` returns the link to a message, `""` where there is none to be had."""
        self._store = store
        self._permalink = permalink

    async def check(self, name: str, value: str, body: Payload) -> None:
        """Raise `Refusal` where a button was pressed on a message that goes on elsewhere."""
        ts = str((body.get("container") or {}).get("message_ts", ""))
        if name not in BOUND or not ts:
            return
        posts = await self._store.posts(routing(value)[0])
        former = posts.get(former_key(ts))
        if former is None or former.channel != channel_of(body):
            return
        link = await self._permalink(posts.get(former.digest))
        there = f": {link}" if link else " below it"
        raise Refusal(
            f"This is an older copy: it goes on in a newer message{there}. Nothing was changed. Decide there; rollback "
            "and pause work here too.",
            code="older_copy",
        )
