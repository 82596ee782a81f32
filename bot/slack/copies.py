"""How often one message may appear: again where its answer was lost, anew where Slack refuses to edit it. Pure.

Both could fill a channel: nobody knows whether a copy arrived, and every change would be a new message. So copies are
counted in the row of the message, and a new message is worth it when it says something that people wait for.
"""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from bot.slack.blocks import context
from bot.slack.message import Message
from bot.store import Post

MOST = 3
"""Copies of one message in an hour."""
_PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1))
"""After a lost answer, before the next copy; the last one as often as need be."""
AGAIN = timedelta(minutes=10)
"""Between two messages in the place of one that cannot be edited, where nothing has turned."""
_LOST, _STIFF, _FORMER = "lost:", "stiff:", "was:"
_CALL = re.compile(r"<(!subteam\^|@)([A-Z0-9]+)>", re.ASCII)
_NOTE = "If you see this twice, Slack lost my first answer."


def lost(post: Post | None) -> int:
    """Return how many copies of a message were sent and never answered."""
    if post is None or post.ts or not post.digest.startswith(_LOST):
        return 0
    return int(post.digest.removeprefix(_LOST))


def on_its_way(post: Post, copies: int) -> Post:
    """Return a message as it is recorded while so many copies of it have no answer."""
    return replace(post, ts="", digest=f"{_LOST}{copies}" if copies else "")


def due_again(post: Post) -> datetime:
    """Return when another copy of a message may be sent whose answers were lost."""
    copies = lost(post)
    return post.at + _PAUSES[min(copies, len(_PAUSES)) - 1] if copies else post.at


def maybe_seen(post: Post | None) -> bool:
    """Whether a message that nobody knows to have arrived may have: an answer or two got lost."""
    return 0 < lost(post) < MOST


def noted(message: Message) -> Message:
    """Return a further copy of a message: it says why it is there twice."""
    blocks = (*message.blocks, context(_NOTE)) if message.blocks else ()
    return Message(f"{message.text}\n{_NOTE}", blocks)


def hushed(message: Message, asked: Collection[str]) -> Message:
    """Return a message that calls no group, and nobody of those who were asked with it the first time."""

    def quiet(found: re.Match[str]) -> str:
        if found[1] == "@":
            return "a person asked before" if found[2] in asked else found[0]
        return "the group asked before"

    blocks = json.loads(_CALL.sub(quiet, json.dumps(message.blocks)))
    return Message(message.text, tuple(blocks))


def mark_of(what: str) -> str:
    """Return in a few characters what a message stands for: another one is worth a new message at once."""
    return hashlib.sha256(what.encode()).hexdigest()[:16]


def stiff_key(key: str) -> str:
    """Return the key under which it is kept that a message cannot be edited, with the mark of what it shows."""
    return _STIFF + key


def former_key(ts: str) -> str:
    """Return the key of a message in whose place another one stands."""
    return _FORMER + ts
