"""Look at the rows for one person: what is in flight, what waits for them, what went live, with links to the cards.

Nothing is cached but permalinks, which never change. Who may is asked of `bot.policy`, as a click would; where that
cannot be looked up, rollback stays offered and the questions do not.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from slack_sdk.web.async_client import AsyncWebClient

from bot import policy
from bot.commands import Directory
from bot.policy import Actor, Membership
from bot.rollout.past import successors
from bot.rollout.values import Phase, Rollout
from bot.slack.overview import RECENT, Overview
from bot.slack.speaking import TROUBLE
from bot.store import Post, Store

_HISTORY = 200
"""Rows that are looked back through, as for `/rollback`."""
_LINKED = 10
"""Cards of each kind that get a link: each takes a call of its own the first time."""
_REMEMBERED = 500


class Survey:
    """Makes overviews."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        client: AsyncWebClient,
        now: Callable[[], datetime],
    ) -> None:
        """Read from `store`; Slack is asked for the links of messages, through `client`."""
        self._now = now
        self._store = store
        self._directory = directory
        self._client = client
        self._known: dict[tuple[str, str], str] = {}

    async def of(self, actor: Actor) -> Overview:
        """Return what this person sees now."""
        now = self._now()
        flying = list(reversed(await self._store.in_flight()))
        groups = {group for r in flying if r.gate is not None for group in r.gate.groups}
        membership = await self._directory.membership(actor, sorted(groups))
        decision = policy.allow(actor, "read", membership=membership)
        if not decision.allowed:
            return Overview(now, barred=decision.sentence)
        mine = [r for r in flying if _asks(actor, r, membership)]
        past = await self._store.history(limit=_HISTORY)
        ended = [r for r in past if _ended_since(r, now - RECENT)]
        return Overview(
            now,
            flying=flying,
            mine=mine,
            unsure=bool(groups) and not membership.known,
            ended=ended,
            live=_live(past, ended),
            later=await self._store.scheduled(),
            held=[lock for lock in await self._store.locks() if lock.holds(now)],
            replaced=successors(past),
            links=await self._links([*flying[:_LINKED], *mine[:_LINKED], *ended[:_LINKED]]),
        )

    async def card(self, rollout: str) -> str:
        """Return the link to the card of a rollout, `""` when there is none to be had."""
        return await self._link((await self._store.posts(rollout)).get("card"))

    async def _links(self, rows: Sequence[Rollout]) -> dict[str, str]:
        links = {}
        for r in {r.id: r for r in rows}.values():
            posts = await self._store.posts(r.id)
            links[r.id] = await self._link(posts.get("card"))
            if r.gate is not None:
                links[r.gate.id] = await self._link(posts.get(f"gate:{r.gate.id}"))
        return links

    async def _link(self, post: Post | None) -> str:
        if post is None or not post.ts:
            return ""
        place = post.channel, post.ts
        if place not in self._known:
            try:
                answer = await self._client.chat_getPermalink(
                    channel=post.channel, message_ts=post.ts
                )
            except TROUBLE:
                return ""
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[place] = str(answer.get("permalink") or "")
        return self._known[place]


def _asks(actor: Actor, r: Rollout, membership: Membership) -> bool:
    """Whether the open gate of a rollout waits for this person. Only shown: the click is looked at again."""
    if r.gate is None or r.gate.kind == "start":
        return False
    # Who opens the Home tab is not said to be of a team; who they are has just been looked up.
    return policy.allow(replace(actor, team_known=True), "promote", r, membership).allowed


def _ended_since(r: Rollout, moment: datetime) -> bool:
    return r.phase.final and r.ended is not None and r.ended > moment


def _live(past: Sequence[Rollout], shown: Sequence[Rollout]) -> list[Rollout]:
    """Return what went live last on each target of which nothing ended within the hour."""
    seen = {r.target for r in shown if r.live_changed or r.phase is Phase.ROLLED_BACK}
    found = []
    for r in past:
        if r.target in seen or not (r.live_changed or r.phase is Phase.ROLLED_BACK):
            continue
        seen.add(r.target)
        if r.live_changed:
            found.append(r)
    return found
