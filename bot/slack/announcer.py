"""Make Slack match the row: one card, one message per gate, one thread, broadcasts only where people must look.

Level-triggered like the reconciler: it compares what should be there with what was posted, and sends the difference.
Unchanged content is never sent. What people wait for (a gate, an alert, the end) is drawn ahead of progress, and nobody
waits for Slack: what it does not take now is sent when it takes it again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.commands.undelivered import Undelivered
from bot.errands import Errands
from bot.rollout.values import Phase, Rollout
from bot.slack import asking, cards
from bot.slack.alerting import Alerts
from bot.slack.calling import UNREACHABLE, NotNowError
from bot.slack.catching_up import DIGEST, CatchingUp
from bot.slack.detour import Detour
from bot.slack.homeward import tell_who_asked
from bot.slack.line import Line
from bot.slack.message import Message
from bot.slack.older import Older
from bot.slack.pace import Edits, Pace
from bot.slack.picturing import Pictures
from bot.slack.posting import Poster, Wanted
from bot.slack.questioning import Questions, unasked
from bot.slack.refusals import LOST, closed
from bot.slack.scene import Scene
from bot.slack.speaking import refused_with
from bot.slack.story import story, told_up_to
from bot.slack.succession import placed
from bot.store import NoRowError, PoisonedRowError, Post, Store

log = logging.getLogger("sluice.announcer")

_LONGEST = timedelta(minutes=1)
_LONGEST_REFUSED = timedelta(minutes=15)
"""Before something that Slack refuses (an archived channel) is tried again; a person has to act."""
_REST = 30
"""Breaths between two drawings of the same rollout, nearly a second."""
_PATIENT = 3
"""How often a digest waits for the cards that it leads to."""
_ENDED = timedelta(days=1)
"""How long after its end a card is looked at again at a start: its last state may not be shown, or be worded anew."""


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
        self.line = Line(now)
        self._store = store
        self._poster = Poster(store, client, now, self.line)
        self.detour = Detour(self._poster, alert_channel)
        self.older = Older(store, self._poster.permalink)
        self.alerts = Alerts(self._poster, alert_channel, now)
        self._now = now
        self._alert_channel = alert_channel
        self._undelivered: Undelivered | None = None
        self._again: Callable[[str, datetime], None] | None = None
        self._errands = Errands("announce", self._draw, self._rest)
        self._failures: dict[str, int] = {}
        # Pictures never crowd out the commits that people wait for: one at a time is read, drawn ahead, and drawn.
        self._reading, self._ahead, self._places = (asyncio.Semaphore(1) for _ in range(3))
        self._breath = breath
        self._drawn: dict[str, float] = {}
        """When each rollout was drawn last, in the loop's time."""
        self._pace = Pace(now)
        self._edits = Edits(now)
        self._questions = Questions(
            self._poster, self.detour, self._edits, self.line, now, self._ring
        )
        self._catching_up = CatchingUp(store, self._poster, self.line, now, self.permalink)
        self._shown: dict[str, Phase] = {}
        """The phase that each card shows, as far as this process knows."""
        self._rung: dict[str, datetime] = {}
        """When each errand is due again: an earlier time is never pushed back by a later one."""
        self._told_lost: bool | None = None
        """Whether people were called because of our token; None: the last process may have."""

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `touch` again later, when Slack could not be reached."""
        self._again = again

    def report(self, undelivered: Undelivered) -> None:
        """Set who records what people could not see."""
        self._undelivered = self._questions.undelivered = undelivered

    @property
    def pictures(self) -> Pictures | None:
        """Who draws the stage beside its question; None where no pictures are wanted."""
        return self._questions.pictures

    @pictures.setter
    def pictures(self, pictures: Pictures | None) -> None:
        self._questions.pictures = pictures

    def touch(self, rollout: str) -> None:
        """Show this rollout as it is now, soon."""
        self._errands.soon(rollout)

    async def boot(self) -> None:
        """Show what may have changed, was not told, or is worded anew since the last process stopped."""
        live, since = await self._store.live_ids(), self._now() - _ENDED
        left = {row.rollout for row in await self._store.untold()}
        for rollout in {*live, *left, *await self._store.ended_since(since)}:
            self.touch(rollout)

    async def settled(self) -> None:
        """Wait until nothing is being sent."""
        await self._errands.settled()
        if self.pictures is not None:
            await self.pictures.settled()
            # A picture that is there is shown.
            await self._errands.settled()

    async def stop(self) -> None:
        """Stop sending; the rows remember what is missing."""
        await self._errands.stop()
        if self.pictures is not None:
            await self.pictures.stop()

    async def aloud(self, channel: str | None, said: str | Message) -> None:
        """Say what is about no rollout in a channel, else in that of the alerts. Raises `SlackApiError`."""
        message = said if isinstance(said, Message) else cards.whisper(said)
        await self._poster.say(channel or self._alert_channel, message)

    async def permalink(self, r: Rollout) -> str:
        """Return the link to a rollout's card, `""` when there is none to be had. Never raises."""
        return await self._poster.permalink((await self._store.posts(r.id)).get("card"))

    # ---- when ------------------------------------------------------------------------------------------------------

    async def _rest(self, rollout: str) -> None:
        """Let the write go first that a click asked for, and draw once what is saved in quick succession."""
        if not self._breath:
            return
        now = asyncio.get_running_loop().time()
        last = self._drawn.get(rollout, 0.0)
        await asyncio.sleep(max(self._breath, last + self._breath * _REST - now))
        self._drawn[rollout] = asyncio.get_running_loop().time()

    async def _draw(self, name: str) -> None:
        """Do one errand: show a rollout, or tell a channel what it missed. Never raises."""
        self._rung.pop(name, None)
        try:
            if name.startswith(DIGEST):
                async with self._places:
                    if not self._waits(name):
                        await self._catch_up(name)
                return
            async with self._reading:
                scene = await self._scene(name)
            if scene is None:
                return
            async with self._ahead if self._urgent(scene) else self._places:
                if self._waits(name):
                    await self._questions.overdue(scene)
                    return
                await self.show(scene)
            self._failures.pop(name, None)
            await self._token_works()
        except SlackApiError as error:
            await self._refused(name, refused_with(error))
        except NotNowError as error:
            self._ring(name, error.until)
        except UNREACHABLE:
            self._later(name, _LONGEST)
        except NoRowError:
            log.warning("rollout %s is not there", name)
        except Exception:
            log.exception("showing %s failed", name)
            self._later(name, _LONGEST)

    async def _catch_up(self, channel: str) -> None:
        patient = self._failures.get(channel, 0) < _PATIENT
        told = await self._catching_up.tell(channel, patient=patient)
        if told is None:
            self._later(channel, _LONGEST)
            return
        self._failures.pop(channel, None)
        for rollout in told:
            self.touch(rollout)

    def _waits(self, name: str) -> bool:
        """Whether it is not worth to try now; then it is tried again when it is."""
        if self.line.pause is None:
            return False
        self._ring(name, self.line.pause)
        return True

    async def _refused(self, name: str, code: str) -> None:
        if code in LOST:
            self._ring(name, self.line.pause or self._now() + _LONGEST)
            self._told_lost = True
            if self._undelivered is not None:
                about = f"Slack refuses the bot. {self.line.standing}."
                await self._undelivered.token_lost(code, about)
            return
        if code:
            log.warning("Slack refused to show %s: %s", name, code)
        self._later(name, _LONGEST_REFUSED if code else _LONGEST)

    async def _token_works(self) -> None:
        if self._told_lost is not False and self.line.down is None:
            self._told_lost = False
            if self._undelivered is not None:
                await self._undelivered.token_found()

    def _later(self, name: str, longest: timedelta) -> None:
        tries = self._failures.get(name, 0) + 1
        self._failures[name] = tries
        own = self._now() + min(longest, timedelta(seconds=1 << min(tries, 12)))
        self._ring(name, max(own, self.line.pause or own))

    def _ring(self, name: str, at: datetime) -> None:
        known = self._rung.get(name)
        if self._again is None or (known is not None and self._now() < known <= at):
            return
        self._rung[name] = at
        self._again(name, at)

    # ---- what ------------------------------------------------------------------------------------------------------

    async def _scene(self, rollout: str) -> Scene | None:
        posts = await self._store.posts(rollout)
        journal = await self._store.to_tell(rollout, told_up_to(posts))
        try:
            return await placed(self._store, Scene(await self._store.get(rollout), posts, journal))
        except PoisonedRowError:
            await self.alerts.unreadable(journal, posts)
            return None

    def _urgent(self, scene: Scene) -> bool:
        """Whether people wait for some of it."""
        turned = self._shown.get(scene.r.id, scene.r.phase) is not scene.r.phase
        return turned or scene.pressing or unasked(scene)

    async def show(self, scene: Scene) -> None:
        """Send what is missing or has changed; what Slack refuses does not keep the rest from being said."""
        problems: list[SlackApiError] = []
        scene.why = self.line.why
        scene.beside = await self.alerts.beside(scene)
        for part in (
            self.alerts.show,
            *self._card_and_question(scene),
            self._thread,
            self._picture,
            self._whoever_asked,
        ):
            try:
                await part(scene)
            except NotNowError as error:
                self._ring(scene.r.id, error.until)
            except SlackApiError as error:
                code = refused_with(error)
                if not code or code in LOST:
                    raise
                scene.shut = scene.shut or (
                    code if closed(code) and part != self.alerts.show else ""
                )
                problems.append(error)
        if problems:
            raise problems[0]

    def _card_and_question(self, scene: Scene) -> tuple[Callable[[Scene], Awaitable[None]], ...]:
        """Return both in order: the card leads to the question, so it is drawn, or drawn again, behind it."""
        card, question = self._card, self._questions.show
        return (question, card) if _there(scene.posts.get("card")) else (card, question, card)

    async def _card(self, scene: Scene) -> None:
        r = scene.r
        drawn = cards.card(r, scene.after, await self._questions.link(scene))
        wanted = Wanted("card", r.channel, drawn, afresh=scene.after is None, mark=_mark(r))
        post = scene.posts.get("card")
        there = _there(post)
        if post is None or not there or post.digest != wanted.message.digest:
            turned = self._shown.get(r.id, r.phase) is not r.phase
            wait = self._edits.wait(r.id, urgent=turned or r.phase.final) if there else None
            if wait is not None:
                self._ring(r.id, wait)
                return
            if there:
                self._edits.count()
            if await self._poster.put(r.id, wanted, scene.posts) and there:
                await self._questions.doubt(scene)
            self._edits.rest(r.id)
        self._shown[r.id] = r.phase
        if r.phase.final:
            self._edits.forget(r.id)
            del self._shown[r.id]
        if scene.former:
            self.touch(scene.former)

    async def _thread(self, scene: Scene) -> None:
        r, posts = scene.r, scene.posts
        if not _there(posts.get("card")):
            return
        await self._poster.find_lost_lines(posts)
        if not await self._catching_up.told(scene):
            self.touch(DIGEST + r.channel)
            return
        wait = self._pace.wait(r.channel)
        if wait is not None and not scene.pressing:
            # Slack takes a message a second in a channel: what is told later is told in one message.
            self._ring(r.id, wait)
            return
        for wanted in story(r, scene.journal, posts, self._now(), scene.beside, scene.why):
            if await self._poster.put(r.id, wanted, posts):
                self._pace.spend(r.channel)
                for line in wanted.whisper:
                    await self._poster.whisper(r.channel, r.requester, line)

    async def _picture(self, scene: Scene) -> None:
        r = scene.r
        if self.pictures is not None and not scene.shut:
            question = asking.gate_card(r, r.gate) if r.gate else None
            await self.pictures.tend(r, scene.posts, self._poster, question)

    async def _whoever_asked(self, scene: Scene) -> None:
        await tell_who_asked(self._store, self._poster, scene.r, scene.posts)


def _mark(r: Rollout) -> str:
    """Return what a card stands for: where it cannot be edited, only another one is worth a new card at once."""
    gate = f"{r.gate.id} {len(r.gate.votes)}" if r.gate is not None else ""
    return f"{r.phase} {gate}"


def _there(post: Post | None) -> bool:
    return post is not None and bool(post.ts)
