"""What everybody has to hear of a rollout: in the alert channel, whatever has become of the rollout's own.

Beside each call stands what the row does not know: the link to the card, and what to paste where hands are needed.
"""

from collections.abc import Callable
from datetime import datetime

from bot.rollout.values import Rollout
from bot.slack import cards
from bot.slack.broadcasts import Beside
from bot.slack.by_hand import Hands
from bot.slack.posting import Poster, Posts, Wanted
from bot.slack.scene import Scene
from bot.slack.story import alert, late, still_an_alert, untold
from bot.store import JournalRow

CALLS = {"alert", "broadcast"}
"""Lines of the thread that the alert channel gets."""


class Alerts:
    """Calls people where they are called."""

    def __init__(self, poster: Poster, channel: str, now: Callable[[], datetime]) -> None:
        """Call in `channel` through `poster`."""
        self._poster = poster
        self._channel = channel
        self._now = now
        self.by_hand: Callable[[Rollout], Hands] = lambda _: Hands()
        """What people do themselves to bring a rollout home, by the configuration."""

    async def beside(self, scene: Scene) -> Beside:
        """Return what stands beside the calls that are still to be made; Slack is asked only where there are any."""
        now = self._now()
        here = any(row.entry.loud for row in untold(scene.journal, scene.posts))
        there = self._channel != scene.r.channel and any(
            row.entry.tell in CALLS and f"alert:{row.id}" not in scene.posts and not late(row, now)
            for row in scene.journal
        )
        if not (here or there):
            return Beside()
        link = await self._poster.permalink(scene.posts.get("card"))
        return Beside(link, self.by_hand(scene.r))

    async def show(self, scene: Scene) -> None:
        """Call people in the alert channel. Raises what the poster raises."""
        if self._channel == scene.r.channel:
            return
        for row in scene.journal:
            if row.entry.tell in CALLS and still_an_alert(scene.r, scene.journal, row, self._now()):
                why = scene.why(self._channel, row.at)
                message = alert(scene.r, row, self._now(), scene.beside, why)
                aloud = Wanted(f"alert:{row.id}", self._channel, message, editable=False)
                await self._poster.put(scene.r.id, aloud, scene.posts)

    async def unreadable(self, journal: list[JournalRow], posts: Posts) -> None:
        """Say in the alert channel what a row that cannot be read was last known to need."""
        for row in journal:
            if row.entry.tell in CALLS:
                message = cards.thread_lines([row.entry])
                aloud = Wanted(f"alert:{row.id}", self._channel, message, editable=False)
                await self._poster.put(row.rollout, aloud, posts)
