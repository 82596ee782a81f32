"""Where a question goes that its channel does not take: the alert channel, else the people who may answer, one by one.

A copy has the same buttons as the question. When the channel works again, or the question is decided, it says so.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.rollout.question import ClosedGate, Gate
from bot.rollout.values import Rollout
from bot.slack import asking, copies
from bot.slack.blocks import context, section
from bot.slack.calling import NotYetError
from bot.slack.message import Message
from bot.slack.posting import Poster, Posts, Wanted
from bot.slack.refusals import LOST
from bot.slack.speaking import TROUBLE, reason, refused_with
from bot.store import Post

log = logging.getLogger("sluice.detour")

_PEOPLE = 20
"""People who are written to one by one at most; more would be nobody's business."""

Members = Callable[[str], Awaitable[Collection[str]]]
"""Return who is in a user group. May raise what Slack raises."""


class Detour:
    """Asks elsewhere."""

    def __init__(self, poster: Poster, alert_channel: str) -> None:
        """Post through `poster`."""
        self._poster = poster
        self._alert_channel = alert_channel
        self.members: Members | None = None
        """Who is in a user group; where nobody can say, groups are not written to."""

    async def ask(self, r: Rollout, posts: Posts, why: str) -> bool:
        """Put the open question where it is seen; returns whether it arrived anywhere."""
        assert r.gate is not None
        note = f"Asked here because <#{r.channel}> takes no message ({why})."
        asked = asking.gate_card(r, r.gate)
        message = replace(asked, blocks=(*asked.blocks, context(note)))
        own = key_of(r.gate.id)
        if self._alert_channel != r.channel and await self._put(
            r, own, self._alert_channel, message, posts
        ):
            return True
        people = await self._people(r)
        return any([await self._put(r, own, user, message, posts) for user in people])

    async def remind(self, r: Rollout, message: Message, posts: Posts) -> None:
        """Bring the open question to mind wherever it stands instead of its own channel."""
        assert r.gate is not None
        own = f"{key_of(r.gate.id)}@"
        for place in [key.removeprefix(own) for key in posts if key.startswith(own)]:
            await self._put(r, f"reminder:{r.gate.id}", place, message, posts)

    async def _put(self, r: Rollout, own: str, place: str, message: Message, posts: Posts) -> bool:
        """Put a message about the open question at another place; returns whether it is there."""
        assert r.gate is not None
        wanted = wanted_of(r.gate, f"{own}@{place}", place, message)
        try:
            await self._poster.put(r.id, wanted, posts)
        except NotYetError:
            known = posts.get(wanted.key)
            return known is not None and bool(known.ts)
        except SlackApiError as error:
            code = refused_with(error)
            if not code or code in LOST:
                raise
            log.warning("a question of %s did not reach %s: %s", r.id, place, code)
            return False
        return True

    async def _people(self, r: Rollout) -> list[str]:
        assert r.gate is not None
        found = [r.requester]
        for who in r.gate.groups:
            found += sorted(await self._in_group(who)) if who.startswith("S") else [who]
        people = [one for one in dict.fromkeys(found) if one.startswith(("U", "W"))]
        return people[:_PEOPLE]

    async def _in_group(self, group: str) -> Collection[str]:
        if self.members is None:
            return ()
        try:
            return await self.members(group)
        except TROUBLE as error:
            log.warning("who is in %s could not be looked up: %s", group, reason(error))
            return ()

    async def back(self, r: Rollout, posts: Posts) -> None:
        """Take the buttons away from the copies: the question is in its channel again."""
        assert r.gate is not None
        text = f"{r.service} {r.version}: this is asked in its own channel again."
        said = Message(text, (section(f"{text} <#{r.channel}>"),))
        await self._say(r, key_of(r.gate.id), said, posts)
        await self._say(r, f"reminder:{r.gate.id}", said, posts)

    async def close(self, r: Rollout, gate: ClosedGate, posts: Posts) -> None:
        """Say on the copies, and under the reminders, what became of the question."""
        await self._say(r, key_of(gate.id), asking.closed_gate(r, gate), posts)
        await self._say(r, f"reminder:{gate.id}", asking.closed_reminder(r, gate), posts)

    async def _say(self, r: Rollout, own: str, message: Message, posts: Posts) -> None:
        for key, post in list(posts.items()):
            if key.startswith(f"{own}@"):
                await self._poster.put(r.id, over(key, post.channel, message), posts)


_OVER = "over"
"""What the message of a question stands for that nobody is asked any more."""


def wanted_of(gate: Gate, key: str, place: str, message: Message) -> Wanted:
    """Return a message about an open question: worth a new one for a vote; said again it calls nobody."""
    return Wanted(
        key,
        place,
        message,
        mark=f"{gate.id} {len(gate.votes)}",
        hushed=copies.hushed(message, gate.groups),
    )


def over(key: str, place: str, record: Message) -> Wanted:
    """Return the line that a message about a question turns into."""
    return Wanted(key, place, record, again=False, mark=_OVER)


def key_of(gate: str) -> str:
    """Return the key of a question in its own channel."""
    return f"gate:{gate}"


def delivered(gate: str, posts: Posts) -> bool:
    """Whether any message about a question has arrived anywhere."""
    return any(post.ts for post in _all(gate, posts))


def maybe_delivered(gate: str, posts: Posts) -> bool:
    """Whether some message about a question may have arrived that nobody knows of: its answer was lost."""
    return any(copies.maybe_seen(post) for post in _all(gate, posts))


def _all(gate: str, posts: Posts) -> list[Post]:
    own = key_of(gate)
    return [post for key, post in posts.items() if key == own or key.startswith(f"{own}@")]
