"""After an outage a channel is told once what happened meanwhile; only then the threads go on.

How far a channel has been told is a post of its own under `digest:CHANNEL`, so that nothing is summed up twice.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from bot.rollout.values import Rollout
from bot.slack.digest import Missed, digest
from bot.slack.line import Line
from bot.slack.posting import Poster, Wanted
from bot.slack.scene import Scene
from bot.slack.story import late, untold
from bot.store import JournalRow, NoRowError, PoisonedRowError, Post, Store

DIGEST = "digest:"
"""What the errand, and the posts, of a channel's digest begin with."""


class CatchingUp:
    """Sums up for channels what they missed."""

    def __init__(
        self,
        store: Store,
        poster: Poster,
        line: Line,
        now: Callable[[], datetime],
        permalink: Callable[[Rollout], Awaitable[str]],
    ) -> None:
        """Post through `poster`; `permalink` returns the link to a card, `""` where there is none."""
        self._store = store
        self._poster = poster
        self._line = line
        self._now = now
        self._permalink = permalink

    async def told(self, scene: Scene) -> bool:
        """Whether the channel has heard of what this thread is told late, if anything is."""
        now = self._now()
        past = [row.id for row in untold(scene.journal, scene.posts) if late(row, now)]
        return not past or max(past) <= await self._up_to(DIGEST + scene.r.channel)

    async def tell(self, name: str, *, patient: bool) -> list[str] | None:
        """Post the digest of one channel, if one is due; returns the rollouts whose threads may go on.

        None: their cards, which it leads to, are not all there yet; with `patient` they are waited for.
        """
        missed = await self._missed(name)
        if not missed:
            return []
        if patient and not all(one.link for one in missed):
            return None
        rows = [row for one in missed for row in one.rows]
        since = min(row.at for row in rows)
        channel = name.removeprefix(DIGEST)
        why = self._line.why(channel, since)
        message = digest(missed, min(since, self._line.down or since), self._now(), why)
        # What happens while it is on its way must not make it another message.
        done = await self._up_to(name)
        key = f"{DIGEST}{min(row.id for row in rows if row.id > done)}"
        last = max(row.id for row in rows)
        wanted = Wanted(key, channel, message, editable=False, stamp=str(last))
        await self._poster.put(name, wanted, await self._store.posts(name))
        return [one.r.id for one in missed]

    async def _up_to(self, name: str) -> int:
        """Return the journal entry up to which a channel has got its digests."""
        posts = await self._store.posts(name)
        return max((_last(post) for post in posts.values() if post.ts), default=0)

    async def _missed(self, name: str) -> list[Missed]:
        done, now = await self._up_to(name), self._now()
        rows: dict[str, list[JournalRow]] = {}
        for row in await self._store.untold():
            rows.setdefault(row.rollout, []).append(row)
        found = []
        for rollout, lines in rows.items():
            if not any(row.id > done and late(row, now) for row in lines):
                continue
            try:
                r = await self._store.get(rollout)
            except (PoisonedRowError, NoRowError):
                continue
            if r.channel == name.removeprefix(DIGEST):
                found.append(Missed(r, lines, await self._permalink(r)))
        return found


def _last(post: Post) -> int:
    """Return the journal entry up to which a digest tells; of one that was found again the first, at least."""
    first = int(post.key.rpartition(":")[2])
    return max(first, int(post.digest)) if post.digest.isdecimal() else first
