"""Who people are and which groups they are in, asked from Slack at the moment of a decision.

Counted as new for a minute at most: usergroups.users.list allows 20 calls a minute. What cannot be looked up is not
known, and `bot.policy` refuses what goes forward on it; what was last heard is kept for a day, for whoever goes back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.policy import Actor, Membership, Person, Silence
from bot.slack.origin import Home
from bot.slack.speaking import TROUBLE, reason, refused_with, retry_after

log = logging.getLogger("sluice.directory")

FRESH = timedelta(seconds=60)
KEPT = timedelta(hours=24)
"""How long what was heard counts for going back, and for breaking the glass."""
PATIENCE = 2.0
"""Seconds for all look-ups of one promote together."""
GLANCE = 1.5
"""Seconds for the look-up of one person, which may stand before an acknowledgement."""
_NOT_ASKED = {"missing_scope", "unknown_method", "not_allowed_token_type"}
_NOBODY = {"user_not_found", "user_not_visible"}


class SlackDirectory:
    """Asks Slack, and remembers."""

    def __init__(
        self,
        client: AsyncWebClient,
        now: Callable[[], datetime],
        home: Callable[[], Home] = Home,
        patience: float = PATIENCE,
    ) -> None:
        """`now` is wall time: people leave groups at the speed of people. `home` says which workspace is ours."""
        self._client = client
        self._now = now
        self._home = home
        self._patience = patience
        self._groups: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._people: dict[str, tuple[datetime, Person]] = {}

    def forget(self, group: str | None = None, user: str | None = None) -> None:
        """Drop what an event says has changed."""
        if group is not None:
            self._groups.pop(group, None)
        if user is not None:
            self._people.pop(user, None)

    async def membership(
        self, actor: Actor, groups: Sequence[str], others: Sequence[str] = ()
    ) -> Membership:
        """Look up the person, the groups and the `others` who voted; never raises."""
        wanted = [group for group in groups if group.startswith("S")]
        asked = [actor.id] if actor.door == "slack" else []
        asked += [one for one in others if not one.startswith("token:")]
        patience = self._patience if wanted else min(self._patience, GLANCE)
        looking: dict[str, asyncio.Task[Any]] = {
            **{group: asyncio.create_task(self._members(group)) for group in wanted},
            **{who: asyncio.create_task(self._person_or_none(who)) for who in asked},
        }
        silent = await _gathered(looking, patience)
        for what, why in silent.items():
            log.warning("could not look up %s: %s", what, why.code)
        then = self.recalled(actor, wanted, asked)
        found = {what: task.result() for what, task in looking.items() if what not in silent}
        return Membership(
            {group: found.get(group, then.members.get(group, frozenset())) for group in wanted},
            found.get(actor.id, then.person),
            known=not silent,
            people={
                who: person
                for who in asked
                if (person := found.get(who, then.people.get(who))) is not None
            },
            silent=silent,
        )

    def recalled(
        self, actor: Actor, groups: Sequence[str] = (), others: Sequence[str] = ()
    ) -> Membership:
        """Return what was last heard within a day, without asking: it is not known to be so now."""
        groups_then = {
            group: kept[1]
            for group in groups
            if (kept := self._groups.get(group)) and self._now() - kept[0] < KEPT
        }
        people = {
            who: heard[1]
            for who in (*([actor.id] if actor.door == "slack" else []), *others)
            if (heard := self._people.get(who)) and self._now() - heard[0] < KEPT
        }
        return Membership(groups_then, people.get(actor.id), known=False, people=people)

    async def _person_or_none(self, user: str) -> Person | None:
        """Return who somebody is; None where this app was never allowed to ask: that is no reason to refuse a click."""
        try:
            return await self._person(user)
        except SlackApiError as error:
            if reason(error) not in _NOT_ASKED:
                raise
            log.warning(
                "users.info is not allowed (scope users:read): guests cannot be told from members"
            )
            return None

    async def person(self, user: str) -> Person:
        """Return who somebody is. Raises what Slack raises."""
        return await self._person(user)

    async def members(self, group: str) -> frozenset[str]:
        """Return who is in a user group. Raises what Slack raises."""
        return await self._members(group)

    async def _members(self, group: str) -> frozenset[str]:
        known = self._groups.get(group)
        if known is not None and self._now() - known[0] < FRESH:
            return known[1]
        answer = await _once_more(lambda: self._client.usergroups_users_list(usergroup=group))
        members = frozenset(str(user) for user in answer.get("users") or ())
        self._groups[group] = (self._now(), members)
        return members

    async def _person(self, user: str) -> Person:
        known = self._people.get(user)
        if known is not None and self._now() - known[0] < FRESH:
            return known[1]
        person = person_of(user, await self._profile(user), self._home())
        self._people[user] = (self._now(), person)
        return person

    async def _profile(self, user: str) -> dict[str, Any]:
        try:
            answer = await _once_more(lambda: self._client.users_info(user=user))
        except SlackApiError as error:
            if reason(error) not in _NOBODY:
                raise
            # Slack answers, and does not know them here: they are of another workspace.
            return {"is_stranger": True}
        body: dict[str, Any] = answer.get("user") or {}
        return body


async def _gathered(
    looking: Mapping[str, asyncio.Task[Any]], patience: float
) -> dict[str, Silence]:
    """Wait for all look-ups, `patience` seconds at most; return what was not answered, and why."""
    silent: dict[str, Silence] = {}
    try:
        if looking:
            await asyncio.wait(looking.values(), timeout=patience)
        for what, task in looking.items():
            if not task.done():
                silent[what] = Silence("no answer in time")
            elif isinstance(error := task.exception(), TROUBLE):
                silent[what] = Silence(reason(error), passing=_passes(error))
            elif error is not None:
                raise error
    finally:
        for task in looking.values():
            task.cancel()
    return silent


def _passes(error: BaseException) -> bool:
    """Whether Slack may answer the same question well in a moment."""
    return not isinstance(error, SlackApiError) or refused_with(error) in {"", "ratelimited"}


async def _once_more(call: Callable[[], Awaitable[Any]]) -> Any:
    """Ask again where Slack wants to be left alone for no longer than somebody waits anyway."""
    try:
        return await call()
    except SlackApiError as error:
        pause = retry_after(error)
        if not 0 < pause < PATIENCE:
            raise
    await asyncio.sleep(pause)
    return await call()


def person_of(user: str, body: dict[str, Any], home: Home) -> Person:
    """Return a person as users.info describes them, seen from our workspace."""
    enterprise = str((body.get("enterprise_user") or {}).get("enterprise_id") or "")
    theirs = {str(body.get("team_id") or ""), enterprise} - {""}
    ours = {home.team, home.enterprise} - {""}
    elsewhere = bool(ours and theirs) and not ours & theirs
    return Person(
        id=user,
        name=str(body.get("name", "")),
        deleted=bool(body.get("deleted")),
        bot=bool(body.get("is_bot")),
        guest=bool(
            body.get("is_restricted")
            or body.get("is_ultra_restricted")
            or body.get("is_invited_user")
        ),
        stranger=bool(body.get("is_stranger")) or elsewhere,
    )
