"""The questions of a rollout in Slack: asked, brought to mind, decided; elsewhere where their channel takes nothing.

A question that reached nobody is reported, so that its clock stands still. Questions never wait behind progress.
"""

from collections.abc import Callable
from datetime import datetime

from slack_sdk.errors import SlackApiError

from bot.commands.undelivered import Undelivered
from bot.rollout.question import Gate
from bot.rollout.reminding import CHANNEL
from bot.slack import asking
from bot.slack.detour import Detour, closed, delivered
from bot.slack.line import OUTAGE, Line
from bot.slack.message import Message
from bot.slack.pace import Edits
from bot.slack.picturing import Pictures
from bot.slack.posting import Poster, Wanted
from bot.slack.scene import Scene
from bot.slack.speaking import refused_with


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
            await self._ask(scene, r.gate)
        for decided in r.closed:
            await self._detour.close(r, decided, scene.posts)
            record = asking.closed_gate(r, decided)
            await self._end(scene, f"gate:{decided.id}", record)
            await self._end(scene, f"reminder:{decided.id}", asking.closed_reminder(r, decided))

    async def _end(self, scene: Scene, key: str, record: Message) -> None:
        if key in scene.posts:
            await self._put(scene, Wanted(key, scene.r.channel, record, again=False))

    async def _ask(self, scene: Scene, gate: Gate) -> None:
        refusal = None if scene.shut else await self._here(scene, gate)
        if scene.shut:
            arrived = await self._detour.ask(scene.r, scene.posts, scene.shut)
        else:
            await self._detour.back(scene.r, scene.posts)
            arrived = delivered(gate.id, scene.posts)
        await self._report(scene, gate, arrived=arrived)
        if refusal is not None:
            raise refusal
        if gate.reminders >= CHANNEL and not scene.shut:
            again = asking.reminder(scene.r, gate)
            await self._put(scene, Wanted(f"reminder:{gate.id}", scene.r.channel, again))

    async def _here(self, scene: Scene, gate: Gate) -> SlackApiError | None:
        """Ask in the rollout's own channel; returns the refusal that shuts it."""
        r = scene.r
        message = asking.gate_card(r, gate)
        if self.pictures is not None:
            message = await self.pictures.beside(message, r, scene.posts)
        try:
            await self._put(scene, Wanted(f"gate:{gate.id}", r.channel, message))
        except SlackApiError as error:
            if not closed(refused_with(error)):
                raise
            scene.shut = refused_with(error)
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
        await self._poster.put(scene.r.id, wanted, scene.posts)

    async def _report(self, scene: Scene, gate: Gate, *, arrived: bool) -> None:
        if self.undelivered is None:
            return
        if arrived and gate.unseen is not None:
            await self.undelivered.find(scene.r.id, gate.id)
        elif not arrived and not delivered(gate.id, scene.posts):
            why = f"Slack takes no message ({scene.shut})"
            await self.undelivered.lose(scene.r.id, gate.id, why)

    async def overdue(self, scene: Scene) -> None:
        """Report a question that could not be asked for a while because Slack cannot be used."""
        gate = scene.r.gate
        if self.undelivered is None or gate is None or gate.unseen is not None:
            return
        if self._now() - gate.opened >= OUTAGE and not delivered(gate.id, scene.posts):
            why = self._line.lost or "Slack cannot be reached"
            await self.undelivered.lose(scene.r.id, gate.id, why)


def unasked(scene: Scene) -> bool:
    """Whether there is a question that nobody could see yet."""
    gate = scene.r.gate
    return gate is not None and not delivered(gate.id, scene.posts)
