"""The questions of a rollout in Slack: asked, brought to mind, decided; elsewhere where their channel takes nothing.

A question that reached nobody is reported, so that its clock stands still. Questions never wait behind progress.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from slack_sdk.errors import SlackApiError

from bot.commands.undelivered import Undelivered
from bot.rollout.question import Gate
from bot.rollout.reminding import CHANNEL
from bot.rollout.unseen import Loss, due
from bot.slack import asking
from bot.slack.calling import NotNowError, NotYetError
from bot.slack.copies import stiff_key
from bot.slack.detour import Detour, delivered, key_of, maybe_delivered, over, wanted_of
from bot.slack.line import LONGEST, OUTAGE, Line
from bot.slack.message import Message
from bot.slack.pace import Edits
from bot.slack.picturing import Pictures
from bot.slack.posting import Poster, Wanted
from bot.slack.refusals import LOST, closed, why_closed
from bot.slack.scene import Scene
from bot.slack.speaking import refused_with

_BEFORE = timedelta(minutes=10)
"""So long before a question expires, Slack is asked every minute whether it answers: else nobody could."""


class Questions:
    """Puts questions where people see them."""

    def __init__(
        self,
        poster: Poster,
        detour: Detour,
        edits: Edits,
        line: Line,
        now: Callable[[], datetime],
        ring: Callable[[str, datetime], None],
    ) -> None:
        """`ring` is called with the id of a rollout that is to be shown again at a time."""
        self._poster = poster
        self._detour = detour
        self._edits = edits
        self._line = line
        self._now = now
        self._ring = ring
        self.undelivered: Undelivered | None = None
        """Who records what people could not see."""
        self.pictures: Pictures | None = None

    async def show(self, scene: Scene) -> None:
        """Ask what is open, and say of the rest what became of it. Raises what the poster raises."""
        r = scene.r
        if r.gate is not None:
            try:
                await self._ask(scene, r.gate)
            except NotNowError:
                await self.overdue(scene)
                raise
        for decided in r.closed:
            await self._detour.close(r, decided, scene.posts)
            record = asking.closed_gate(r, decided)
            await self._end(scene, key_of(decided.id), record)
            await self._end(scene, f"reminder:{decided.id}", asking.closed_reminder(r, decided))

    async def link(self, scene: Scene) -> str:
        """Return the link to the open question, `""` where there is none to be had."""
        gate = scene.r.gate
        return await self._poster.permalink(scene.posts.get(key_of(gate.id))) if gate else ""

    async def doubt(self, scene: Scene) -> None:
        """Ask again where whoever deleted the card may have deleted the question too: drawing it finds out."""
        gate = scene.r.gate
        key = key_of(gate.id) if gate is not None else ""
        # Where the card was posted anew because it cannot be edited, nobody has deleted anything.
        if key in scene.posts and stiff_key("card") not in scene.posts:
            scene.posts[key] = replace(scene.posts[key], digest="")
            await self.show(scene)

    async def _end(self, scene: Scene, key: str, record: Message) -> None:
        if key in scene.posts:
            await self._put(scene, over(key, scene.r.channel, record))

    async def _ask(self, scene: Scene, gate: Gate) -> None:
        refusal = None if scene.shut else await self._here(scene, gate)
        if scene.shut:
            arrived = await self._detour.ask(scene.r, scene.posts, why_closed(scene.shut))
        else:
            await self._detour.back(scene.r, scene.posts)
            arrived = delivered(gate.id, scene.posts)
        await self._report(scene, gate, arrived=arrived)
        if gate.reminders >= CHANNEL:
            await self._remind(scene, gate)
        if refusal is not None:
            raise refusal

    async def _remind(self, scene: Scene, gate: Gate) -> None:
        """Bring the question to mind where it stands."""
        again = asking.reminder(scene.r, gate, await self.link(scene))
        if scene.shut:
            await self._detour.remind(scene.r, again, scene.posts)
        else:
            key = f"reminder:{gate.id}"
            await self._put(scene, wanted_of(gate, key, scene.r.channel, again))

    async def _here(self, scene: Scene, gate: Gate) -> SlackApiError | None:
        """Ask in the rollout's own channel; returns the refusal, which shuts it where the question is not there."""
        r = scene.r
        message = asking.gate_card(r, gate)
        if self.pictures is not None:
            message = await self.pictures.beside(message, r, scene.posts)
        try:
            await self._put(scene, wanted_of(gate, key_of(gate.id), r.channel, message))
        except SlackApiError as error:
            code = refused_with(error)
            if not code or code in LOST:
                raise
            # Every clear no leads elsewhere: a question that nobody sees must not decide by itself.
            post = scene.posts.get(key_of(gate.id))
            if closed(code) or post is None or not post.ts:
                scene.shut = code
            return error
        return None

    async def _put(self, scene: Scene, wanted: Wanted) -> None:
        """Put a message that people wait for; only the limit of a whole minute keeps it back."""
        post = scene.posts.get(wanted.key)
        if post is not None and post.ts and post.digest != wanted.message.digest:
            if self._edits.full is not None:
                self._ring(scene.r.id, self._edits.full)
                return
            self._edits.count()
        try:
            await self._poster.put(scene.r.id, wanted, scene.posts)
        except NotYetError as error:
            if post is None or not post.ts:
                raise
            # It stands as it is for a while: Slack refuses to edit it.
            self._ring(scene.r.id, error.until)

    async def _report(self, scene: Scene, gate: Gate, *, arrived: bool) -> None:
        if self.undelivered is None:
            return
        if arrived:
            await self._find_out(scene, gate)
            if gate.unseen is not None and self._line.down is None:
                await self.undelivered.find(scene.r.id, gate.id)
        elif not delivered(gate.id, scene.posts) and not maybe_delivered(gate.id, scene.posts):
            why = f"Slack takes no message ({scene.shut})"
            loss = Loss(gate.id, why, alone=True)
            if due(gate, loss, self._now()):
                await self.undelivered.lose(scene.r.id, loss)

    async def _find_out(self, scene: Scene, gate: Gate) -> None:
        """Ask Slack whether it answers, where that decides about a deadline and nothing else is said to it."""
        soon = gate.expires - _BEFORE
        if gate.unseen is None and self._now() < soon:
            self._ring(scene.r.id, soon)
            return
        if gate.unseen is None:
            self._ring(scene.r.id, self._now() + LONGEST)
        if self._line.down is not None or not self._line.heard_lately:
            await self._poster.probe()

    async def overdue(self, scene: Scene) -> None:
        """Report a question that could not be asked, or cannot be answered, for a while because of Slack."""
        gate = scene.r.gate
        if self.undelivered is None or gate is None:
            return
        shown = delivered(gate.id, scene.posts)
        since = self._line.down if shown else gate.opened
        if since is None or (not shown and maybe_delivered(gate.id, scene.posts)):
            return
        if self._now() - since < OUTAGE:
            self._ring(scene.r.id, since + OUTAGE)
            return
        limit = "Slack takes no message because of a rate limit"
        why = self._line.lost or ("Slack cannot be reached" if self._line.down else limit)
        told = bool(self._line.lost)
        loss = Loss(gate.id, why, since if shown else None, told=told)
        if due(gate, loss, self._now()):
            await self.undelivered.lose(scene.r.id, loss)


def unasked(scene: Scene) -> bool:
    """Whether there is a question that nobody could see yet."""
    gate = scene.r.gate
    return gate is not None and not delivered(gate.id, scene.posts)
