"""Where a question goes that its channel does not take: the alert channel, else the people who may answer, one by one.

A copy has the same buttons as the question. When the channel works again, or the question is decided, it says so.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.rollout.question import ClosedGate
from bot.rollout.values import Rollout
from bot.slack import asking
from bot.slack.blocks import context, section
from bot.slack.line import LOST
from bot.slack.message import Message
from bot.slack.posting import Poster, Posts, Wanted
from bot.slack.speaking import TROUBLE, reason, refused_with

log = logging.getLogger("sluice.detour")

_CLOSED = {"channel_not_found", "is_archived", "not_in_channel", "no_permission", "access_denied"}
_RESTRICTED = "restricted_action"
"""How the refusals begin that say that not everybody may post there."""
_PEOPLE = 20
"""People who are written to one by one at most; more would be nobody's business."""

Members = Callable[[str], Awaitable[Collection[str]]]
"""Return who is in a user group. May raise what Slack raises."""


def closed(code: str) -> bool:
    """Whether a refusal says that a channel takes no message of ours, whatever it is."""
    return code in _CLOSED or code.startswith(_RESTRICTED)


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
        if self._alert_channel != r.channel and await self._put(
            r, self._alert_channel, message, posts
        ):
            return True
        return any([await self._put(r, user, message, posts) for user in await self._people(r)])

    async def _put(self, r: Rollout, place: str, message: Message, posts: Posts) -> bool:
        assert r.gate is not None
        try:
            await self._poster.put(r.id, Wanted(_key(r.gate.id, place), place, message), posts)
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
        await self._say(r, r.gate.id, said, posts)

    async def close(self, r: Rollout, gate: ClosedGate, posts: Posts) -> None:
        """Say on the copies what became of the question."""
        await self._say(r, gate.id, asking.closed_gate(r, gate), posts)

    async def _say(self, r: Rollout, gate: str, message: Message, posts: Posts) -> None:
        for key, post in list(posts.items()):
            if key.startswith(_key(gate, "")):
                await self._poster.put(r.id, Wanted(key, post.channel, message, again=False), posts)


def _key(gate: str, place: str) -> str:
    return f"gate:{gate}@{place}"


def delivered(gate: str, posts: Posts) -> bool:
    """Whether any message about a question has arrived anywhere."""
    own = f"gate:{gate}"
    return any(post.ts and (key == own or key.startswith(f"{own}@")) for key, post in posts.items())
