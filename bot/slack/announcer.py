"""Make Slack match the row: one card, one message per gate, one thread, broadcasts only where people must look.

Level-triggered like the reconciler: it compares what should be there with what was posted, and sends the difference.
Unchanged content is never sent. A message is recorded as on its way before it is sent; after a crash in between it is
looked for by its metadata, and only where Slack does not let us look it may appear twice.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aiohttp import ClientError
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.rollout.values import Entry, Rollout
from bot.slack import cards
from bot.slack.limits import problems
from bot.slack.message import Message
from bot.store import JournalRow, PoisonedRowError, Post, Store

log = logging.getLogger("sluice.announcer")

EVENT_TYPE = "sluice_rollout"
_GONE = {"message_not_found", "edit_window_closed", "cant_update_message", "is_inactive"}
_REFUSED_BLOCKS = {"invalid_blocks", "msg_too_long", "invalid_blocks_format"}
_LONGEST = 60.0


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
    whisper: tuple[str, ...] = ()
    """Sentences that the requester is told besides, for them alone."""


class Announcer:
    """Shows rollouts in Slack."""

    def __init__(
        self,
        store: Store,
        client: AsyncWebClient,
        now: Callable[[], datetime],
        alert_channel: str,
    ) -> None:
        """Speak through `client`; `now` stamps what was posted."""
        self._store = store
        self._client = client
        self._now = now
        self._alert_channel = alert_channel
        self._again: Callable[[str, datetime], None] | None = None
        self._dirty: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `touch` again later, when Slack could not be reached."""
        self._again = again

    def touch(self, rollout: str) -> None:
        """Show this rollout as it is now, soon."""
        self._dirty.add(rollout)
        if rollout not in self._tasks:
            task = asyncio.create_task(self._serve(rollout), name=f"announce {rollout}")
            self._tasks[rollout] = task
            task.add_done_callback(lambda _: self._tasks.pop(rollout, None))

    async def settled(self) -> None:
        """Wait until nothing is being sent."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Stop sending; the rows remember what is missing."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _serve(self, rollout: str) -> None:
        while rollout in self._dirty:
            self._dirty.discard(rollout)
            try:
                await self.show(rollout)
            except (SlackApiError, ClientError, TimeoutError, OSError) as error:
                self._later(rollout, error)
            except (KeyError, PoisonedRowError):
                log.warning("rollout %s cannot be shown", rollout)
            except Exception:
                log.exception("showing rollout %s failed", rollout)
                self._later(rollout, None)
            else:
                self._failures.pop(rollout, None)

    def _later(self, rollout: str, error: Exception | None) -> None:
        tries = self._failures.get(rollout, 0) + 1
        self._failures[rollout] = tries
        delay = min(_LONGEST, 2.0**tries)
        if isinstance(error, SlackApiError):
            asked = error.response.headers.get("Retry-After")
            delay = max(delay, float(asked)) if asked else delay
            log.warning("Slack refused: %s", error.response.get("error"))
        elif error is not None:
            log.warning("Slack cannot be reached: %s", type(error).__name__)
        if self._again is not None:
            self._again(rollout, self._now() + timedelta(seconds=delay))

    async def permalink(self, r: Rollout) -> str:
        """Return the link to a rollout's card, `""` when there is none to be had. Never raises."""
        post = (await self._store.posts(r.id)).get("card")
        if post is None or not post.ts:
            return ""
        try:
            answer = await self._client.chat_getPermalink(channel=post.channel, message_ts=post.ts)
        except (SlackApiError, ClientError, TimeoutError, OSError):
            return ""
        return str(answer.get("permalink") or "")

    async def show(self, rollout: str) -> None:
        """Send what is missing or has changed."""
        r = await self._store.get(rollout)
        posts = await self._store.posts(rollout)
        await self._put(r, Wanted("card", r.channel, cards.card(r)), posts)
        for wanted in _gates(r, posts):
            await self._put(r, wanted, posts)
        await self._find_lost_lines(posts)
        journal = await self._store.journal(rollout)
        for wanted in self._story(r, journal, posts):
            await self._put(r, wanted, posts)

    def _story(self, r: Rollout, journal: list[JournalRow], posts: dict[str, Post]) -> list[Wanted]:
        """Return the thread's missing lines; neighbours become one message, a broadcast stands alone."""
        told = _told_up_to(posts)
        wanted: list[Wanted] = []
        stretch: list[JournalRow] = []
        for row in journal:
            if row.entry.tell == "" or row.id <= told:
                continue
            if row.entry.tell == "broadcast":
                wanted += _lines(r, stretch)
                stretch = []
                wanted += self._loud(r, row)
            else:
                stretch.append(row)
        return wanted + _lines(r, stretch)

    def _loud(self, r: Rollout, row: JournalRow) -> list[Wanted]:
        message = cards.broadcast(r, row.entry)
        aloud = Wanted(f"alert:{row.id}", self._alert_channel, message, editable=False)
        here = Wanted(
            f"line:{row.id}",
            r.channel,
            message,
            in_thread=True,
            also_in_channel=True,
            editable=False,
        )
        return [here] if self._alert_channel == r.channel else [aloud, here]

    async def _put(self, r: Rollout, wanted: Wanted, posts: dict[str, Post]) -> None:
        post = posts.get(wanted.key)
        if post is not None and not post.ts:
            post = await self._recover(post, posts, in_thread=wanted.in_thread)
        if post is not None and (post.digest == wanted.message.digest or not wanted.editable):
            return
        if post is None or not await self._edit(wanted, post):
            post = await self._post(r, wanted, posts)
        else:
            post = replace(post, digest=wanted.message.digest)
            await self._record(post)
        posts[wanted.key] = post

    async def _record(self, post: Post) -> None:
        async with self._store.writing() as writing:
            await writing.put_post(post)

    async def _post(self, r: Rollout, wanted: Wanted, posts: dict[str, Post]) -> Post:
        digest = wanted.message.digest
        post = Post(r.id, wanted.key, wanted.channel, "", digest, self._now())
        await self._record(post)
        extra: dict[str, Any] = {
            "metadata": {
                "event_type": EVENT_TYPE,
                "event_payload": {"id": r.id, "key": wanted.key},
            },
            "unfurl_links": False,
            "unfurl_media": False,
        }
        card = posts.get("card")
        if wanted.in_thread and card is not None:
            extra |= {"thread_ts": card.ts, "reply_broadcast": wanted.also_in_channel}
        try:
            answer = await self._send(wanted, extra)
        except SlackApiError:
            # Slack said no: it is certainly not there, so nothing has to be looked for.
            async with self._store.writing() as writing:
                await writing.forget_post(r.id, wanted.key)
            raise
        post = replace(
            post, channel=str(answer.get("channel") or wanted.channel), ts=str(answer["ts"])
        )
        await self._record(post)
        for sentence in wanted.whisper:
            await self._whisper(r, sentence)
        return post

    async def _whisper(self, r: Rollout, sentence: str) -> None:
        """Tell the requester; an ephemeral message is best effort, the thread has it too."""
        if not r.requester.startswith(("U", "W")):
            return
        message = cards.whisper(sentence)
        try:
            await self._client.chat_postEphemeral(
                channel=r.channel, user=r.requester, **message.payload()
            )
        except (SlackApiError, ClientError, TimeoutError, OSError):
            log.warning("the requester of %s was not reached", r.id)

    async def _send(self, wanted: Wanted, extra: dict[str, Any]) -> Any:
        body = wanted.message.payload()
        faults = problems({**body, **extra})
        if faults:
            log.error("a message breaks Slack's limits, sent as text: %s", "; ".join(faults))
            body = wanted.message.bare()
        try:
            return await self._client.chat_postMessage(channel=wanted.channel, **body, **extra)
        except SlackApiError as error:
            if error.response.get("error") not in _REFUSED_BLOCKS:
                raise
            log.exception("Slack refused the blocks, sent as text")
            return await self._client.chat_postMessage(
                channel=wanted.channel, **wanted.message.bare(), **extra
            )

    async def _edit(self, wanted: Wanted, post: Post) -> bool:
        """Edit a message; False when it can no longer be edited and has to be posted anew."""
        body = wanted.message.payload()
        if problems(body):
            body = wanted.message.bare()
        try:
            await self._client.chat_update(channel=post.channel, ts=post.ts, **body)
        except SlackApiError as error:
            if error.response.get("error") not in _GONE:
                raise
            return False
        return True

    async def _find_lost_lines(self, posts: dict[str, Post]) -> None:
        """Settle thread messages that were on their way, before the stretch they belong to is cut anew."""
        lost = [p for p in posts.values() if p.key.startswith("line:") and not p.ts]
        for post in lost:
            if await self._recover(post, posts, in_thread=True) is None:
                posts.pop(post.key)
                async with self._store.writing() as writing:
                    await writing.forget_post(post.rollout, post.key)

    async def _recover(self, post: Post, posts: dict[str, Post], *, in_thread: bool) -> Post | None:
        """Look for a message that was on its way when the process died; None means: send it (again)."""
        card = posts.get("card")
        try:
            if in_thread and card is not None and card.ts:
                answer = await self._client.conversations_replies(
                    channel=post.channel, ts=card.ts, include_all_metadata=True, limit=200
                )
            else:
                answer = await self._client.conversations_history(
                    channel=post.channel, include_all_metadata=True, limit=100
                )
        except SlackApiError:
            return None
        for message in answer.get("messages") or ():
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get("id") == post.rollout and payload.get("key") == post.key:
                # What it shows is unknown: an empty digest makes the next comparison edit it.
                found = replace(post, ts=str(message["ts"]), digest="")
                await self._record(found)
                posts[post.key] = found
                return found
        return None


def _gates(r: Rollout, posts: dict[str, Post]) -> list[Wanted]:
    wanted = [
        Wanted(f"gate:{gate.id}", r.channel, cards.closed_gate(r, gate))
        for gate in r.closed
        if f"gate:{gate.id}" in posts
    ]
    if r.gate is not None:
        wanted.append(Wanted(f"gate:{r.gate.id}", r.channel, cards.gate_card(r, r.gate)))
    return wanted


def _lines(r: Rollout, stretch: list[JournalRow]) -> list[Wanted]:
    if not stretch:
        return []
    entries: list[Entry] = [row.entry for row in stretch]
    whisper = tuple(e.text for e in entries if e.tell == "requester")
    key = f"line:{stretch[-1].id}"
    message = cards.thread_lines(entries)
    return [
        Wanted(key, r.channel, message, in_thread=True, editable=False, whisper=whisper),
    ]


def _told_up_to(posts: dict[str, Post]) -> int:
    """Return the journal entry up to which the thread has been told."""
    told = [
        int(key.partition(":")[2])
        for key, post in posts.items()
        if key.startswith("line:") and post.ts
    ]
    return max(told, default=0)
