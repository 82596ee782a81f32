"""One message in Slack: post it once, edit it while Slack allows it, find it again when the answer was lost.

A message is recorded as on its way before it is sent; after a crash in between it is looked for by its metadata, and
only where Slack does not let us look it may appear twice.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import ClientConnectorError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack import copies
from bot.slack.calling import UNREACHABLE, Caller, NotNowError, NotYetError
from bot.slack.line import Line
from bot.slack.message import Message
from bot.slack.refusals import LOST, closed
from bot.slack.speaking import refused_with, send
from bot.store import Post, Store

log = logging.getLogger("sluice.posting")

EVENT_TYPE = "sluice_rollout"
_DELETED = "message_not_found"
_NO_THREAD = {"thread_not_found", "message_not_found"}
_BUSY = "ratelimited"
_PAGE = 200
_LINKS = 1000
"""Links that are remembered."""

Posts = dict[str, Post]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message that should be there."""

    key: str
    channel: str
    message: Message
    in_thread: bool = False
    also_in_channel: bool = False
    """Show a thread reply in the channel too."""
    editable: bool = True
    whisper: tuple[Message, ...] = ()
    """What the requester is told besides, for them alone."""
    again: bool = True
    """Worth posting once more when somebody has deleted it."""
    afresh: bool = True
    """Worth posting anew at all; without it, what can no longer be edited stays as it is."""
    mark: str = ""
    """What it stands for: where Slack refuses edits, only another mark is worth a new message at once."""
    hushed: Message | None = None
    """The same without calling a group: how it looks where it is said again."""
    stamp: str = ""
    """What is kept with it, once it is there, in the place of its looks."""


class Poster:
    """Puts messages of rollouts where they should be."""

    def __init__(
        self, store: Store, client: AsyncWebClient, now: Callable[[], datetime], line: Line
    ) -> None:
        """Speak through `client`; `now` stamps what was posted, `line` hears how every call went."""
        self._store = store
        self._now = now
        self._line = line
        self._caller = Caller(client, now, line)
        self.call = self._caller.call
        self.probe = self._caller.probe
        self._links: dict[tuple[str, str], str] = {}
        """Links to messages, by channel and time: they never change."""
        self._marks: dict[tuple[str, str], str] = {}
        """What each message stands for that was posted or edited lately, by rollout and key."""
        self._lines: dict[str, int] = {}
        """How many copies of a rollout's thread were sent in vain: its stretches are cut anew each time."""

    async def put(self, rollout: str, wanted: Wanted, posts: Posts) -> bool:
        """Post or edit one message, if it is not there or looks different; returns whether it was posted anew.

        Raises `SlackApiError`, `NotNowError` and `UNREACHABLE`. `posts` is brought up to date.
        """
        post = posts.get(wanted.key)
        if post is not None and not post.ts:
            post = await self._recover(post, posts, in_thread=wanted.in_thread)
        if post is not None and (post.digest == wanted.message.digest or not wanted.editable):
            return False
        gone = "" if post is None else await self._edit(wanted, post, posts)
        if post is not None and not gone:
            await self._record(replace(post, digest=wanted.message.digest), posts)
            self._marks[rollout, wanted.key] = copies.mark_of(wanted.mark)
            return False
        if post is not None and gone and not wanted.afresh:
            await self._record(replace(post, digest=wanted.message.digest), posts)
            return False
        if gone == _DELETED and not wanted.again:
            await self._forget(rollout, wanted.key, posts)
            return False
        former = post if gone != _DELETED else None
        fresh = await self._post(rollout, wanted, posts, former)
        if former is not None:
            await self._replaced(former, wanted, posts)
            await self._lead_on(former, fresh)
        return True

    async def find_lost_lines(self, posts: Posts) -> None:
        """Settle thread messages that were on their way, before the stretch they belong to is cut anew."""
        for post in [p for p in posts.values() if p.key.startswith("line:") and not p.ts]:
            if await self._recover(post, posts, in_thread=True) is None:
                self._lines[post.rollout] = copies.lost(posts[post.key])
                await self._forget(post.rollout, post.key, posts)

    async def say(self, channel: str, message: Message) -> None:
        """Post what belongs to no rollout. Raises `SlackApiError` and `UNREACHABLE`."""
        await self._send("chat.postMessage", message, channel=channel)

    async def whisper(self, channel: str, user: str, message: Message) -> None:
        """Tell one person; an ephemeral message is best effort, the thread has it too."""
        if not user.startswith(("U", "W")):
            return
        try:
            await self._send("chat.postEphemeral", message, channel=channel, user=user)
        except (SlackApiError, *UNREACHABLE):
            log.warning("an answer did not reach %s", user)

    async def permalink(self, post: Post | None) -> str:
        """Return the link to a message, `""` when there is none to be had. Never raises."""
        if post is None or not post.ts or self._line.pause is not None:
            # An alert waits for the link; while Slack does not answer it goes without one.
            return ""
        known = self._links.get((post.channel, post.ts))
        if known:
            return known
        try:
            where = {"channel": post.channel, "message_ts": post.ts}
            answer = await self.call("chat.getPermalink", **where)
        except (SlackApiError, *UNREACHABLE):
            return ""
        if len(self._links) >= _LINKS:
            self._links.clear()
        found = str(answer.get("permalink") or "")
        self._links[post.channel, post.ts] = found
        return found

    async def _post(self, rollout: str, wanted: Wanted, posts: Posts, former: Post | None) -> Post:
        payload = {"id": rollout, "key": wanted.key}
        extra: dict[str, Any] = {
            "metadata": {
                "event_type": EVENT_TYPE,
                "event_payload": {**payload, "stamp": wanted.stamp} if wanted.stamp else payload,
            },
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if wanted.in_thread:
            extra |= {"thread_ts": posts["card"].ts, "reply_broadcast": wanted.also_in_channel}
        self._caller.ready("chat.postMessage")
        digest = wanted.stamp or wanted.message.digest
        post = Post(rollout, wanted.key, wanted.channel, "", digest, self._now())
        before = self._sent(rollout, wanted.key, posts)
        await self._record(copies.on_its_way(post, before + 1), posts)
        message = wanted.hushed or wanted.message if before or former else wanted.message
        try:
            answer = await self._send(
                "chat.postMessage",
                copies.noted(message) if before else message,
                channel=wanted.channel,
                **extra,
            )
        except SlackApiError as error:
            code = refused_with(error)
            if code:
                await self._not_posted(rollout, wanted, code, posts, former)
            else:
                # Slack says that it failed: in all likelihood it did nothing.
                await self._record(copies.on_its_way(post, before), posts)
            raise
        except ClientConnectorError:
            await self._record(copies.on_its_way(post, before), posts)
            raise
        except NotNowError:
            await self._not_posted(rollout, wanted, _BUSY, posts, former)
            raise
        channel = str(answer.get("channel") or wanted.channel)
        self._marks[rollout, wanted.key] = copies.mark_of(wanted.mark)
        self._lines.pop(rollout, None)
        return await self._record(replace(post, channel=channel, ts=str(answer["ts"])), posts)

    def _sent(self, rollout: str, key: str, posts: Posts) -> int:
        """Return how many copies of a message were sent already without an answer."""
        if key not in posts and key.startswith("line:"):
            return self._lines.get(rollout, 0)
        return copies.lost(posts.get(key))

    async def _not_posted(
        self, rollout: str, wanted: Wanted, code: str, posts: Posts, former: Post | None
    ) -> None:
        """Slack said no: the message is certainly not there, so nothing has to be looked for."""
        if former is not None:
            await self._record(former, posts)
        else:
            await self._forget(rollout, wanted.key, posts)
        if wanted.in_thread and code in _NO_THREAD:
            # Somebody deleted the card: the next look posts it afresh, and the thread goes on under it.
            await self._forget(rollout, "card", posts)

    async def _send(self, method: str, message: Message, **where: Any) -> Any:
        """Send a message, noting how it went; see `speaking.send`."""
        return await send(partial(self.call, method), message, **where)

    async def _edit(self, wanted: Wanted, post: Post, posts: Posts) -> str:
        """Edit a message; returns Slack's reason when it cannot be edited and is to be posted anew.

        Raises `NotYetError` where a new message is not worth it yet.
        """
        stiff = posts.get(copies.stiff_key(wanted.key))
        if stiff is not None and stiff.ts == post.ts:
            self._check_worth(wanted, post, stiff.digest)
        try:
            await self._send("chat.update", wanted.message, channel=post.channel, ts=post.ts)
        except SlackApiError as error:
            code = refused_with(error)
            if not code or code in LOST or closed(code):
                raise
            if code != _DELETED and wanted.afresh:
                known = self._marks.get((post.rollout, wanted.key), "")
                shown = stiff.digest if stiff is not None else known
                key = copies.stiff_key(wanted.key)
                await self._record(replace(post, key=key, digest=shown), posts)
                self._check_worth(wanted, post, shown)
            return code
        return ""

    def _check_worth(self, wanted: Wanted, post: Post, shown: str) -> None:
        """Let what cannot be edited stand for a while where nothing has turned; nobody knows after a restart."""
        turned = shown != copies.mark_of(wanted.mark)
        if not turned and post.at <= self._now() < post.at + copies.AGAIN:
            raise NotYetError("chat.update", post.at + copies.AGAIN)

    async def _replaced(self, former: Post, wanted: Wanted, posts: Posts) -> None:
        """Remember that another message stands in the place of this one, and what it stands for."""
        await self._record(
            replace(former, key=copies.former_key(former.ts), digest=wanted.key), posts
        )
        mark = copies.mark_of(wanted.mark)
        key = copies.stiff_key(wanted.key)
        await self._record(replace(former, key=key, digest=mark), posts)

    async def _lead_on(self, old: Post, fresh: Post) -> None:
        """Say under a message that can no longer be edited where it goes on; best effort."""
        link = await self.permalink(fresh)
        text = f"Slack no longer lets me edit this message. It goes on here: {link}"
        under: dict[str, Any] = {"channel": old.channel, "thread_ts": old.ts, "unfurl_links": False}
        try:
            await self._send("chat.postMessage", Message(text), **under)
        except (SlackApiError, *UNREACHABLE):
            log.warning("no link was left under an old message of %s", old.rollout)

    async def _recover(self, post: Post, posts: Posts, *, in_thread: bool) -> Post | None:
        """Look for a message that was on its way when the process died; None means: send it (again).

        Raises `NotYetError` where Slack does not let us look, and it may be there.
        """
        said = await self._said(post.channel, posts.get("card") if in_thread else None)
        if said is None:
            due = copies.due_again(post)
            if post.at <= self._now() < due:
                raise NotYetError("chat.postMessage", due)
            return None
        for message in said:
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get("id") == post.rollout and payload.get("key") == post.key:
                # What it shows is unknown: an empty digest makes the next comparison edit it.
                stamp = str(payload.get("stamp", ""))
                return await self._record(replace(post, ts=str(message["ts"]), digest=stamp), posts)
        posts[post.key] = copies.on_its_way(post, 0)
        return None

    async def _said(self, channel: str, card: Post | None) -> Sequence[dict[str, Any]] | None:
        """Return the newest messages of a channel, or those under a card; None where we may not look."""
        options: dict[str, Any] = {"include_all_metadata": True, "limit": _PAGE}
        try:
            if card is not None and card.ts:
                where = {"channel": card.channel, "ts": card.ts}
                answer = await self.call("conversations.replies", **where, **options)
            else:
                answer = await self.call("conversations.history", channel=channel, **options)
        except SlackApiError as error:
            if not refused_with(error):
                raise
            return None
        return answer.get("messages") or ()

    async def _record(self, post: Post, posts: Posts) -> Post:
        async with self._store.writing() as writing:
            await writing.put_post(post)
        posts[post.key] = post
        return post

    async def _forget(self, rollout: str, key: str, posts: Posts) -> None:
        async with self._store.writing() as writing:
            await writing.forget_post(rollout, key)
        posts.pop(key, None)
