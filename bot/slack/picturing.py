"""Pictures at Slack: draw the stage that a question is about, upload it, and hang it into the question's message.

The question is asked first and never waits. Slack refuses a fresh file until it has looked through it: then the message
is left as it is and tried again; in the end the picture goes into the thread, or its numbers stand there as text.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errands import Errands
from bot.rollout.values import Rollout
from bot.slack.calling import UNREACHABLE
from bot.slack.charts.painter import Painter
from bot.slack.charts.picture import NO_FILE, Hangs, Picture, Subject, subject
from bot.slack.charts.series import Chart, stage_chart
from bot.slack.charts.words import alt_text, spark_blocks, spark_text
from bot.slack.message import Message
from bot.slack.posting import Poster, Posts, Wanted
from bot.slack.speaking import refused_with, retry_after
from bot.store import NoRowError, PoisonedRowError, Post, Store

log = logging.getLogger("sluice.pictures")

CALM = timedelta(minutes=1)
"""Between two pictures of the same question."""
_TRIES = 6
"""Attempts to hang or to send a picture, a second after the first and twice as long each time."""
_LEAST = 2
"""Looks without which there is nothing to see that the table does not say."""
_BLOCKS = 50


class Pictures:
    """Hangs pictures beside questions."""

    def __init__(
        self,
        store: Store,
        client: AsyncWebClient,
        now: Callable[[], datetime],
        touch: Callable[[str], None],
        painter: Painter,
    ) -> None:
        """Speak through `client`; `touch` is called with the id of a rollout that there is a new picture for."""
        self._store = store
        self._client = client
        self._now = now
        self._touch = touch
        self._painter = painter
        self._again: Callable[[str, datetime], None] = lambda _, __: None
        self._errands = Errands("picture", self._make_safely)
        self._tries: dict[str, tuple[int, datetime]] = {}
        """By key: failed attempts, and when the next one is due."""

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `touch` of the announcer again later."""
        self._again = again

    async def settled(self) -> None:
        """Wait until nothing is being drawn or sent."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Draw and send no more; the rows remember what is missing."""
        await self._errands.stop()
        self._painter.stop()

    async def beside(self, message: Message, r: Rollout, posts: Posts) -> Message:
        """Return the message of the open gate with what is known to be taken: its picture, or the numbers as text."""
        wanted = subject(r)
        picture = Picture.read(posts.get(wanted.key)) if wanted else None
        if wanted is None or picture is None or not wanted.gate:
            return message
        if picture.shown is not None:
            return await self._framed(message, r, *picture.shown)
        if picture.hangs is Hangs.WORDS:
            chart = await self._chart(r, picture.of)
            return _with(message, *spark_blocks(chart)) if chart else message
        return message

    async def tend(self, r: Rollout, posts: Posts, poster: Poster, message: Message | None) -> None:
        """Begin what is missing: a drawing, or the next attempt to hang one into `message`. Raises `SlackApiError`."""
        wanted = subject(r)
        if wanted is None or not _begun(wanted, posts):
            return
        picture = Picture.read(posts.get(wanted.key))
        _, due = self._tries.get(wanted.key, (0, self._now()))
        if due > self._now():
            self._again(r.id, due)
        elif picture is None or picture.hangs is Hangs.REFUSED:
            self._errands.soon(r.id)
        elif wanted.gate and picture.hangs is Hangs.NOWHERE and message is not None:
            await self._hang(r, wanted, posts, message, poster)
        elif not wanted.gate and picture.hangs is Hangs.WORDS:
            await self._say(r, picture, posts, poster)
        elif wanted.gate and picture.of < wanted.of:
            self._renew(r, posts[wanted.key])

    def _renew(self, r: Rollout, post: Post) -> None:
        if self._now() - post.at < CALM:
            self._again(r.id, post.at + CALM)
        else:
            self._errands.soon(r.id)

    async def _hang(
        self, r: Rollout, wanted: Subject, posts: Posts, message: Message, poster: Poster
    ) -> None:
        """Try to hang an uploaded picture into the message of its gate."""
        row, gate = posts[wanted.key], posts[wanted.gate]
        picture = Picture.read(row)
        assert picture is not None
        framed = await self._framed(message, r, picture.file, picture.of)
        try:
            where = {"channel": gate.channel, "ts": gate.ts}
            await poster.call("chat.update", **where, **framed.payload())
        except SlackApiError as error:
            code = refused_with(error)
            if not code or retry_after(error):
                raise
            log.info("Slack does not take the picture of %s yet: %s", r.id, code)
            if not self._tried(r.id, wanted.key):
                await self._record(r, wanted, replace(picture, hangs=Hangs.REFUSED), posts, row.at)
                self._errands.soon(r.id)
            return
        self._tries.pop(wanted.key, None)
        await self._put(replace(gate, digest=framed.digest), posts)
        hung = replace(picture, hangs=Hangs.GATE, before="", before_of=0)
        await self._record(r, wanted, hung, posts, row.at)
        await self._throw_away(picture.before)

    async def _say(self, r: Rollout, picture: Picture, posts: Posts, poster: Poster) -> None:
        """Tell the numbers of a rollback in the thread, once."""
        chart = await self._chart(r, picture.of)
        if chart is not None:
            message = Message(spark_text(chart), tuple(spark_blocks(chart)))
            said = Wanted("words:back", r.channel, message, in_thread=True, editable=False)
            await poster.put(r.id, said, posts)

    async def _make_safely(self, rollout: str) -> None:
        try:
            await self._make(rollout)
        except (NoRowError, PoisonedRowError):
            log.warning("there is no picture of rollout %s: it cannot be read", rollout)
        except Exception:
            log.exception("the picture of rollout %s failed", rollout)

    async def _make(self, rollout: str) -> None:
        """Draw and upload what is wanted now, and record where it hangs."""
        r, posts = await self._store.get(rollout), await self._store.posts(rollout)
        wanted = subject(r)
        if wanted is None or not _begun(wanted, posts):
            return
        old = Picture.read(posts.get(wanted.key))
        if old is not None and old.of >= wanted.of and old.hangs is not Hangs.REFUSED:
            return  # asked for again while it was being made
        chart = await self._chart(r, wanted.of)
        if chart is None:
            return
        png = await self._painter.paint(chart)
        made = Picture(NO_FILE, wanted.of, Hangs.WORDS)
        if png is not None:
            threaded = not wanted.gate or (old is not None and old.hangs is Hangs.REFUSED)
            sent = await self._upload(r, wanted, png, chart, posts["card"] if threaded else None)
            if sent is None:
                return
            if sent:
                made = replace(made, file=sent, hangs=Hangs.THREAD if threaded else Hangs.NOWHERE)
        if made.hangs is Hangs.NOWHERE and old is not None and old.shown is not None:
            made = replace(made, before=old.shown[0], before_of=old.shown[1])
        await self._record(r, wanted, made, posts, self._now())
        self._touch(rollout)

    async def _upload(
        self, r: Rollout, wanted: Subject, png: bytes, chart: Chart, card: Post | None
    ) -> str | None:
        """Return the id of the file; `""` when Slack does not want it, None when it is to be tried again later."""
        try:
            answer = await self._client.files_upload_v2(
                filename="stage.png",
                file=png,
                title=chart.title,
                alt_txt=alt_text(chart),
                channel=card.channel if card else None,
                thread_ts=card.ts if card else None,
                # A message of its own needs words: a notification shows no picture.
                initial_comment=spark_text(chart) if card else None,
            )
        except (SlackClientError, *UNREACHABLE) as error:
            code = refused_with(error) if isinstance(error, SlackApiError) else ""
            log.warning("a picture was not uploaded: %s", code or type(error).__name__)
            waiting = retry_after(error) if isinstance(error, SlackApiError) else 0.0
            clear = code and not waiting
            return "" if clear or not self._tried(r.id, wanted.key, waiting) else None
        self._tries.pop(wanted.key, None)
        return str(answer["files"][0]["id"])

    def _tried(self, rollout: str, key: str, pause: float = 0.0) -> bool:
        """Count a failed attempt and say when the next one is due; False when there have been enough."""
        tries = self._tries.get(key, (0, self._now()))[0] + 1
        if tries >= _TRIES:
            self._tries.pop(key, None)
            return False
        due = self._now() + timedelta(seconds=max(pause, float(1 << (tries - 1))))
        self._tries[key] = (tries, due)
        self._again(rollout, due)
        return True

    async def _throw_away(self, file: str) -> None:
        """Delete a picture that another one has taken the place of; best effort."""
        if not file:
            return
        try:
            await self._client.files_delete(file=file)
        except (SlackClientError, *UNREACHABLE):
            log.warning("an old picture was left at Slack")

    async def _chart(self, r: Rollout, of: int) -> Chart | None:
        """Return what there is to draw of the stage up to this second; None where that is nothing."""
        until = datetime.fromtimestamp(of + 1, UTC)
        chart = stage_chart(r, await self._store.looks(r.id, until))
        return None if chart is None or chart.looks < _LEAST or chart.blank else chart

    async def _framed(self, message: Message, r: Rollout, file: str, of: int) -> Message:
        chart = await self._chart(r, of)
        alt = alt_text(chart) if chart else f"Chart of {r.service} {r.version}"
        return _with(message, {"type": "image", "slack_file": {"id": file}, "alt_text": alt})

    async def _record(
        self, r: Rollout, wanted: Subject, picture: Picture, posts: Posts, at: datetime
    ) -> None:
        await self._put(picture.row(r.id, wanted.key, r.channel, at), posts)

    async def _put(self, post: Post, posts: Posts) -> None:
        async with self._store.writing() as writing:
            await writing.put_post(post)
        posts[post.key] = post


def _begun(wanted: Subject, posts: Posts) -> bool:
    """Whether the message is there that the picture belongs to."""
    post = posts.get(wanted.gate or "card")
    return post is not None and bool(post.ts)


def _with(message: Message, *more: dict[str, object]) -> Message:
    """Return the message with more blocks at its end: on a phone the buttons are not to be scrolled for."""
    if len(message.blocks) + len(more) > _BLOCKS:
        return message
    return replace(message, blocks=(*message.blocks, *more))
