"""Make Slack match the row: one card, one message per gate, one thread, broadcasts only where people must look.

Level-triggered like the reconciler: it compares what should be there with what was posted, and sends the difference.
Unchanged content is never sent, and a card is edited every few seconds at most unless its phase has changed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errands import Errands
from bot.rollout.values import Entry, Phase, Rollout
from bot.slack import asking, cards
from bot.slack.pace import Pace
from bot.slack.posting import UNREACHABLE, Poster, Posts, Wanted, refused_with, retry_after
from bot.slack.wording import told
from bot.store import JournalRow, NoRowError, PoisonedRowError, Store

log = logging.getLogger("sluice.announcer")

CALM = timedelta(seconds=3)
"""Between two edits of one card that shows the same phase."""
_LONGEST = timedelta(minutes=1)
_LONGEST_REFUSED = timedelta(minutes=15)
"""Before something that Slack refuses (an archived channel) is tried again; a person has to act."""
_SIDE_BY_SIDE = 1
"""Rollouts that are drawn at the same time: pictures never crowd out the commits that people wait for."""
_REST = 30
"""Breaths between two drawings of the same rollout, nearly a second."""
_SECTION = 2800
"""Characters of one thread message; a section takes 3,000."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What there is to show, and what is shown."""

    r: Rollout
    posts: Posts
    journal: list[JournalRow]


class Announcer:
    """Shows rollouts in Slack."""

    def __init__(
        self,
        store: Store,
        client: AsyncWebClient,
        now: Callable[[], datetime],
        alert_channel: str,
        breath: float = 0.0,
    ) -> None:
        """Speak through `client`; `now` stamps what was posted.

        `breath` is the seconds that a picture waits after its row: the write that a click asked for goes first, and
        saves that follow each other closely are drawn once.
        """
        self._store = store
        self._poster = Poster(store, client, now)
        self._now = now
        self._alert_channel = alert_channel
        self._again: Callable[[str, datetime], None] | None = None
        self._errands = Errands("announce", self._draw, self._rest)
        self._failures: dict[str, int] = {}
        self._edited: dict[str, tuple[datetime, Phase]] = {}
        self._places = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._breath = breath
        self._drawn: dict[str, float] = {}
        """When each rollout was drawn last, in the loop's time."""
        self._pace = Pace(now)
        self._quiet: datetime | None = None
        """Until when Slack asked to be left alone."""

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `touch` again later, when Slack could not be reached."""
        self._again = again

    def touch(self, rollout: str) -> None:
        """Show this rollout as it is now, soon."""
        self._errands.soon(rollout)

    async def boot(self) -> None:
        """Show what may have changed, or was not told, when the last process stopped."""
        for rollout in {*await self._store.live_ids(), *await self._store.untold_ids()}:
            self.touch(rollout)

    async def settled(self) -> None:
        """Wait until nothing is being sent."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Stop sending; the rows remember what is missing."""
        await self._errands.stop()

    async def _draw(self, rollout: str) -> None:
        async with self._places:
            await self._show_safely(rollout)

    async def _rest(self, rollout: str) -> None:
        """Let the write go first that a click asked for, and draw once what is saved in quick succession."""
        if not self._breath:
            return
        now = asyncio.get_running_loop().time()
        last = self._drawn.get(rollout, 0.0)
        await asyncio.sleep(max(self._breath, last + self._breath * _REST - now))
        self._drawn[rollout] = asyncio.get_running_loop().time()

    async def _show_safely(self, rollout: str) -> None:
        if self._quiet is not None and self._now() < self._quiet:
            self._ring(rollout, self._quiet)
            return
        try:
            await self.show(rollout)
        except SlackApiError as error:
            self._refused(rollout, error)
        except UNREACHABLE as error:
            log.warning("Slack cannot be reached: %s", type(error).__name__)
            self._later(rollout, _LONGEST)
        except NoRowError:
            log.warning("rollout %s is not there", rollout)
        except Exception:
            log.exception("showing rollout %s failed", rollout)
            self._later(rollout, _LONGEST)
        else:
            self._failures.pop(rollout, None)

    def _refused(self, rollout: str, error: SlackApiError) -> None:
        code, asked = refused_with(error), retry_after(error)
        log.warning("Slack refused: %s", code or "no clear answer")
        if asked:
            self._quiet = self._now() + timedelta(seconds=asked)
            self._ring(rollout, self._quiet)
        else:
            self._later(rollout, _LONGEST_REFUSED if code else _LONGEST)

    def _later(self, rollout: str, longest: timedelta) -> None:
        tries = self._failures.get(rollout, 0) + 1
        self._failures[rollout] = tries
        self._ring(rollout, self._now() + min(longest, timedelta(seconds=1 << min(tries, 12))))

    def _ring(self, rollout: str, at: datetime) -> None:
        if self._again is not None:
            self._again(rollout, at)

    async def aloud(self, channel: str | None, sentence: str) -> None:
        """Say what is about no rollout in a channel, else in that of the alerts. Raises `SlackApiError`."""
        await self._poster.say(channel or self._alert_channel, cards.whisper(sentence))

    async def permalink(self, r: Rollout) -> str:
        """Return the link to a rollout's card, `""` when there is none to be had. Never raises."""
        return await self._poster.permalink((await self._store.posts(r.id)).get("card"))

    async def show(self, rollout: str) -> None:
        """Send what is missing or has changed; what Slack refuses does not keep the rest from being said."""
        posts = await self._store.posts(rollout)
        journal = await self._store.to_tell(rollout, _told_up_to(posts))
        try:
            r = await self._store.get(rollout)
        except PoisonedRowError:
            await self._raise_alarm(journal, posts)
            return
        scene = _Scene(r, posts, journal)
        refusals: list[SlackApiError] = []
        parts: list[Callable[[_Scene], Awaitable[None]]] = [
            self._alerts,
            self._card,
            self._gates,
            self._thread,
        ]
        for part in parts:
            try:
                await part(scene)
            except SlackApiError as error:
                if not refused_with(error) or retry_after(error):
                    raise
                refusals.append(error)
        if refusals:
            raise refusals[0]

    async def _alerts(self, scene: _Scene) -> None:
        """Tell the alert channel, whatever has become of the rollout's own."""
        if self._alert_channel == scene.r.channel:
            return
        for row in scene.journal:
            if row.entry.tell == "broadcast":
                message = cards.broadcast(scene.r, row.entry)
                aloud = Wanted(f"alert:{row.id}", self._alert_channel, message, editable=False)
                await self._poster.put(scene.r.id, aloud, scene.posts)

    async def _raise_alarm(self, journal: list[JournalRow], posts: Posts) -> None:
        """Say in the alert channel what a row that cannot be read was last known to need."""
        for row in journal:
            if row.entry.tell == "broadcast":
                message = cards.thread_lines([row.entry])
                aloud = Wanted(f"alert:{row.id}", self._alert_channel, message, editable=False)
                await self._poster.put(row.rollout, aloud, posts)

    async def _card(self, scene: _Scene) -> None:
        r, now = scene.r, self._now()
        wanted = Wanted("card", r.channel, cards.card(r))
        post = scene.posts.get("card")
        if post is not None and post.ts and post.digest == wanted.message.digest:
            return
        edited, phase = self._edited.get(r.id, (None, None))
        if post is not None and edited is not None and phase is r.phase and now - edited < CALM:
            self._ring(r.id, edited + CALM)
            return
        await self._poster.put(r.id, wanted, scene.posts)
        self._edited[r.id] = (now, r.phase)
        if r.phase.final:
            del self._edited[r.id]

    async def _gates(self, scene: _Scene) -> None:
        r = scene.r
        for closed in r.closed:
            if f"gate:{closed.id}" in scene.posts:
                record = asking.closed_gate(r, closed)
                wanted = Wanted(f"gate:{closed.id}", r.channel, record)
                await self._poster.put(r.id, wanted, scene.posts)
        if r.gate is not None:
            wanted = Wanted(f"gate:{r.gate.id}", r.channel, asking.gate_card(r, r.gate))
            await self._poster.put(r.id, wanted, scene.posts)

    async def _thread(self, scene: _Scene) -> None:
        r, posts = scene.r, scene.posts
        if "card" not in posts or not posts["card"].ts:
            return
        await self._poster.find_lost_lines(posts)
        wait = self._pace.wait(r.channel)
        if wait is not None and not _urgent(scene):
            # Slack takes a message a second in a channel: what is told later is told in one message.
            self._ring(r.id, wait)
            return
        for wanted in _story(r, scene.journal, _told_up_to(posts)):
            if await self._poster.put(r.id, wanted, posts):
                self._pace.spend(r.channel)
                for sentence in wanted.whisper:
                    await self._poster.whisper(r.channel, r.requester, cards.whisper(sentence))


def _urgent(scene: _Scene) -> bool:
    told_up_to = _told_up_to(scene.posts)
    return any(e.entry.tell not in {"", "thread"} for e in scene.journal if e.id > told_up_to)


def _story(r: Rollout, journal: list[JournalRow], told_up_to: int) -> list[Wanted]:
    """Return the thread's missing lines; neighbours become one message, a broadcast stands alone."""
    wanted: list[Wanted] = []
    stretch: list[JournalRow] = []
    for row in journal:
        if row.entry.tell == "" or row.id <= told_up_to:
            continue
        aloud = row.entry.tell == "broadcast"
        if stretch and (aloud or _length([*stretch, row]) > _SECTION):
            wanted.append(_lines(r, stretch))
            stretch = []
        if aloud:
            wanted.append(_broadcast(r, row))
        else:
            stretch.append(row)
    return [*wanted, _lines(r, stretch)] if stretch else wanted


def _length(stretch: list[JournalRow]) -> int:
    return sum(len(told(row.entry)) + 1 for row in stretch)


def _broadcast(r: Rollout, row: JournalRow) -> Wanted:
    return Wanted(
        f"line:{row.id}",
        r.channel,
        cards.broadcast(r, row.entry),
        in_thread=True,
        also_in_channel=True,
        editable=False,
    )


def _lines(r: Rollout, stretch: list[JournalRow]) -> Wanted:
    entries: list[Entry] = [row.entry for row in stretch]
    return Wanted(
        f"line:{stretch[-1].id}",
        r.channel,
        cards.thread_lines(entries),
        in_thread=True,
        editable=False,
        whisper=tuple(e.text for e in entries if e.tell == "requester"),
    )


def _told_up_to(posts: Posts) -> int:
    """Return the journal entry up to which the thread has been told."""
    told_lines = [
        int(key.partition(":")[2])
        for key, post in posts.items()
        if key.startswith("line:") and post.ts
    ]
    return max(told_lines, default=0)
