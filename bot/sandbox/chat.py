"""What a stand-in workspace remembers: people, groups, channels and messages.

Values are frozen; an edit replaces the message. Every change counts `revision` up, so that a page knows when to look.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

TEAM = "T0SLUICE"
BOT_USER = "U0SLUICE"
BOT_ID = "B0SLUICE"
APP_ID = "A0SLUICE"
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the workspace, with the flags that decide who may press what."""

    id: str
    name: str
    title: str = ""
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_admin: bool = False
    team_id: str = TEAM

    @property
    def label(self) -> str:
        """The name with the title behind it: `Ana (approver)`."""
        return f"{self.name} ({self.title})" if self.title else self.name


@dataclass(frozen=True, slots=True)
class Group:
    """A user group, mentioned by its handle."""

    id: str
    handle: str
    users: tuple[str, ...]
    updated_by: str = ""
    """Who changed it last."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A place to talk in. A direct message is a channel whose id begins with `D`."""

    id: str
    name: str
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_pending_ext_shared: bool = False
    is_member: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is now."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()
    thread_ts: str = ""
    """The root of the thread that this message answers in; `""` for a message in the channel."""
    broadcast: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    edited: str = ""
    """When it was last edited, as a `ts`."""
    only_for: str = ""
    """The one person who sees it, for an ephemeral message."""
    reactions: tuple[str, ...] = ()


class Chat:
    """The memory of a workspace."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = 0
        self.revision = 0
        self.people: dict[str, Person] = {BOT_USER: Person(BOT_USER, "sluice", is_bot=True)}
        self.groups: dict[str, Group] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, Message] = {}
        """By `ts`, oldest first: a `ts` is unique in the whole stand-in, not only in its channel."""

    def now(self) -> str:
        """Return a new `ts`: seconds and microseconds, never the same twice, never going back."""
        self._last = max(self._last + 1, int(self._clock().timestamp() * _MICRO))
        return f"{self._last // _MICRO}.{self._last % _MICRO:06d}"

    def post(self, message: Message) -> Message:
        """Keep a new message, its blocks with the ids that Slack gives to those without."""
        message = replace(message, blocks=_with_ids(message.blocks))
        self.messages[message.ts] = message
        self.revision += 1
        return message

    def edit(self, message: Message, **changes: Any) -> Message:
        """Replace a message in its place."""
        return self.post(replace(message, **changes))

    def delete(self, message: Message) -> None:
        """Forget a message."""
        del self.messages[message.ts]
        self.revision += 1

    def find(self, channel: str, ts: str) -> Message | None:
        """Return a message that everybody in the channel sees."""
        message = self.messages.get(ts)
        shown = message is not None and message.channel == channel and not message.only_for
        return message if shown else None

    def history(self, channel: str) -> Iterator[Message]:
        """Yield what is said in the channel itself, oldest first: no threads, but their broadcasts."""
        for message in self.messages.values():
            here = message.channel == channel and not message.only_for
            if here and (message.broadcast or not message.thread_ts):
                yield message

    def replies(self, ts: str) -> Iterator[Message]:
        """Yield the answers to a message, oldest first."""
        for message in self.messages.values():
            if message.thread_ts == ts and not message.only_for:
                yield message

    def ephemerals(self, user: str) -> Iterator[Message]:
        """Yield what only this person sees, oldest first."""
        return (message for message in self.messages.values() if message.only_for == user)

    def direct(self, user: str) -> Channel:
        """Return the direct messages between the bot and a person, opening them when needed."""
        channel = Channel(f"D{user[1:]}", self.people[user].name, is_private=True)
        return self.channels.setdefault(channel.id, channel)

    def root(self, ts: str) -> str:
        """Return the root of the thread that a message belongs to: its own `ts` when it is one."""
        message = self.messages.get(ts)
        return message.thread_ts or ts if message else ts


def _with_ids(blocks: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
    return tuple({"block_id": secrets.token_hex(3), **block} for block in blocks)


def message_json(chat: Chat, message: Message, *, metadata: bool = False) -> dict[str, Any]:
    """Return a message as Slack's methods and payloads show it."""
    shown: dict[str, Any] = {
        "type": "message",
        "user": message.user,
        "team": TEAM,
        "text": message.text,
        "ts": message.ts,
        "blocks": [dict(block) for block in message.blocks],
    }
    if message.user == BOT_USER:
        shown |= {"bot_id": BOT_ID, "app_id": APP_ID}
    if message.edited:
        shown["edited"] = {"user": message.user, "ts": message.edited}
    if metadata and message.metadata:
        shown["metadata"] = dict(message.metadata)
    if message.reactions:
        shown["reactions"] = [
            {"name": name, "users": [BOT_USER], "count": 1} for name in message.reactions
        ]
    return shown | _thread_json(chat, message)


def _thread_json(chat: Chat, message: Message) -> dict[str, Any]:
    if message.thread_ts:
        subtype = {"subtype": "thread_broadcast"} if message.broadcast else {}
        return {"thread_ts": message.thread_ts, **subtype}
    replies = list(chat.replies(message.ts))
    if not replies:
        return {}
    latest = replies[-1].ts
    return {"thread_ts": message.ts, "reply_count": len(replies), "latest_reply": latest}
