"""The `Router` of an application load balancer: two reads to look, one write of the actions and one of the tags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from json import dumps
from typing import Any

from integrations.aws import AwsAccount, understood
from integrations.base import ConflictError, Finding, HeaderRule, RefusedError, Split
from integrations.fencing import is_newer, refuse_newer
from integrations.routers.alb.actions import (
    home,
    lacking,
    sendable,
    share_of_canary,
    split,
    unserved,
)
from integrations.routers.alb.objects import Balancer, Found
from integrations.routers.alb.preflight import findings
from integrations.routers.alb.tags import notes_of, tags_for
from integrations.splitting.sighting import told_split
from integrations.splitting.trying import unwritable


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at the object showed."""

    split: Split
    found: Found
    wrong: RefusedError | None = None
    """Why nothing but going home is possible here."""


@dataclass(frozen=True, slots=True)
class _Unnoted:
    """What should stand in the tags and could not be written there."""

    tags: tuple[Mapping[str, str], ...]
    why: str


class AlbRouter:
    """Splits what a rule or a listener forwards between two target groups."""

    def __init__(
        self,
        account: AwsAccount,
        *,
        clock: Callable[[], datetime],
        stable: str,
        canary: str,
        rule: str | None = None,
        listener: str | None = None,
        quiet: float = 15,
    ) -> None:
        """`stable` and `canary` are ARNs of target groups, `quiet` is in seconds: see the package."""
        self._balancer = Balancer(account, rule=rule, listener=listener)
        self._clock = clock
        self._stable = stable
        self._canary = canary
        self._quiet = timedelta(seconds=quiet)
        self._unnoted: _Unnoted | None = None

    async def read(self) -> Split:
        """Return the split. Raises `MangledError` (`not_forwarding`, `groups_missing`)."""
        return told_split(await self._look())

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent to its group and write the fence, only if the object still is what was read.

        Raises `RefusedError` (`no_header_routes`, `bad_weight`, `inexact_weight`, `fenced`), and what `Router.write`
        raises.
        """
        if rules:
            raise no_headers(str(self))
        sight = await self._look()
        if sight.split.token != token:
            raise ConflictError(f"{self} changed since it was read.")
        refuse_newer(sight.split.fence, fence, str(self), where="the tag sluice:fence")
        wanted = self._wanted(sight, canary)
        tags = tags_for(fence, self._clock())
        raises = canary > sight.split.canary
        if raises:
            await self._balancer.tag(tags)
        actions = sight.found.actions
        if wanted != list(actions):
            actions = tuple(await self._balancer.put(sendable(wanted)))
        noted = raises or await self._lowered(tags, home=not canary)
        there = _over(sight.found.tags, tags) if noted else sight.found.tags
        return self._sight(replace(sight.found, actions=actions, tags=there)).split

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail. Rights cannot be tried: see the package."""
        try:
            sight = await self._look()
            if sight.wrong is not None:
                return [Finding(sight.wrong.code, str(sight.wrong))]
            found = await findings(
                self._balancer, sight.found, self._stable, self._canary, canary_pods=canary_pods
            )
        except RefusedError as error:
            return [Finding(error.code, str(error))]

        def trial(percent: float, audience: Sequence[HeaderRule]) -> object:
            if audience:
                raise no_headers(str(self))
            return self._wanted(sight, percent)

        return [*found, *unwritable(trial, weights, rules)]

    def __str__(self) -> str:
        return str(self._balancer)

    async def _look(self) -> Sight:
        found = await self._balancer.look()
        with understood(str(self)):
            return self._sight(found)

    async def _lowered(self, tags: Sequence[Mapping[str, str]], *, home: bool) -> bool:
        """Write the tags behind a lowered weight; on the way home they may stay in our memory, which is told."""
        try:
            await self._balancer.tag(tags)
        except RefusedError as error:
            if not home:
                raise
            self._unnoted = _Unnoted(tuple(tags), str(error).rstrip("."))
            return False
        self._unnoted = None
        return True

    def _sight(self, found: Found) -> Sight:
        notes = notes_of(found.tags)
        kept = self._unnoted
        if kept is not None and is_newer(notes_of(kept.tags).fence, notes.fence):
            notes = notes_of(_over(found.tags, kept.tags))
        else:
            kept = None
        waits, until = notes.waits(self._clock(), self._quiet)
        if waits and kept is not None:
            waits += f" (its tags could not be written: {kept.why})"
        seen = Split(
            canary=share_of_canary(found.actions, self._stable, self._canary),
            token=_digest(found),
            fence=notes.fence,
            mark=notes.mark,
            waits=waits,
            until=until,
            unserved=unserved(found.actions, self._stable, self._canary, str(self)),
        )
        return Sight(seen, found, lacking(found.actions, self._stable, self._canary, str(self)))

    def _wanted(self, sight: Sight, canary: float) -> list[Mapping[str, Any]]:
        if sight.wrong is None:
            return split(sight.found.actions, self._stable, self._canary, canary)
        if canary:
            raise RefusedError(str(sight.wrong), code=sight.wrong.code)
        return home(sight.found.actions, self._stable, self._canary)


def no_headers(what: str) -> RefusedError:
    """Return the refusal of an audience."""
    return RefusedError(
        f"{what} is split by weights only: leave the audience out of the request.",
        code="no_header_routes",
    )


def _over(
    tags: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, str]]
) -> tuple[Mapping[str, Any], ...]:
    keys = {tag["Key"] for tag in ours}
    return (*(tag for tag in tags if tag["Key"] not in keys), *ours)


def _digest(found: Found) -> str:
    """Return what stands for everything that a write is decided upon."""
    tags = sorted(
        (tag["Key"], tag.get("Value", ""))
        for tag in found.tags
        if str(tag["Key"]).startswith("sluice:")
    )
    text = dumps([found.actions, tags], sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:32]
