"""Who people are and which groups they are in, asked from Slack at the moment of a decision.

Cached for a minute at most: usergroups.users.list allows 20 calls a minute. What cannot be looked up is not known, and
`bot.policy` refuses to promote on it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.policy import Actor, Membership, Person
from bot.slack.speaking import TROUBLE, reason

log = logging.getLogger("sluice.directory")

FRESH = timedelta(seconds=60)
_PATIENCE = 2.5
"""Seconds for all look-ups of one click together."""


class SlackDirectory:
    """Asks Slack, remembers for a minute."""

    def __init__(self, client: AsyncWebClient, now: Callable[[], datetime]) -> None:
        """`now` is wall time: people leave groups at the speed of people."""
        self._client = client
        self._now = now
        self._groups: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._people: dict[str, tuple[datetime, Person]] = {}

    def forget(self, group: str | None = None, user: str | None = None) -> None:
        """Drop what an event says has changed."""
        if group is not None:
            self._groups.pop(group, None)
        if user is not None:
            self._people.pop(user, None)

    async def membership(self, actor: Actor, groups: Sequence[str]) -> Membership:
        """Look up the person and the groups; never raises."""
        wanted = [group for group in groups if group.startswith("S")]
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await asyncio.gather(*(self._members(group) for group in wanted))
                person = await self._person_or_none(actor) if actor.door == "slack" else None
        except TROUBLE as error:
            log.warning("could not look up who may: %s", reason(error))
            return Membership(known=False)
        return Membership(dict(zip(wanted, found, strict=True)), person)

    async def _person_or_none(self, actor: Actor) -> Person | None:
        """Return who somebody is; None where this app was never allowed to ask: that is no reason to refuse a click."""
        try:
            return await self._person(actor.id)
        except SlackApiError as error:
            if reason(error) not in {"missing_scope", "unknown_method", "not_allowed_token_type"}:
                raise
            log.warning(
                "users.info is not allowed (scope users:read): guests cannot be told from members"
            )
            return None

    async def _members(self, group: str) -> frozenset[str]:
        known = self._groups.get(group)
        if known is not None and self._now() - known[0] < FRESH:
            return known[1]
        answer = await self._client.usergroups_users_list(usergroup=group)
        members = frozenset(str(user) for user in answer.get("users") or ())
        self._groups[group] = (self._now(), members)
        return members

    async def _person(self, user: str) -> Person:
        known = self._people.get(user)
        if known is not None and self._now() - known[0] < FRESH:
            return known[1]
        answer = await self._client.users_info(user=user)
        body: dict[str, Any] = answer.get("user") or {}
        person = Person(
            id=user,
            name=str(body.get("name", "")),
            deleted=bool(body.get("deleted")),
            bot=bool(body.get("is_bot")),
            guest=bool(body.get("is_restricted") or body.get("is_ultra_restricted")),
            stranger=bool(body.get("is_stranger")),
        )
        self._people[user] = (self._now(), person)
        return person
