"""The `Router` of weighted records: two listings to look, one batch to write."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from json import dumps
from typing import Any

from integrations.aws import AwsAccount, understood
from integrations.base import (
    ConflictError,
    Finding,
    GoneError,
    HeaderRule,
    RefusedError,
    Split,
)
from integrations.fencing import refuse_newer
from integrations.routers.route53.arriving import Arrival
from integrations.routers.route53.note import Note, note_name, note_of, note_record
from integrations.routers.route53.preflight import claim_names, claimed, findings
from integrations.routers.route53.records import (
    Group,
    changes,
    group_of,
    home,
    lacking,
    plain_name,
    shared,
    sibling_names,
)
from integrations.splitting.elsewhere import phrase
from integrations.splitting.sighting import sight_for, told_split
from integrations.splitting.trying import unwritable

_PAGE = "300"
"""Records of one answer: as many as AWS gives. Of one name and type 100 may be weighted."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at the zone showed."""

    split: Split
    group: Group
    note: Note
    wrong: RefusedError | None = None
    """Why nothing but going home is possible here."""


class Route53Router:
    """Splits the answers for one name between two weighted records."""

    def __init__(
        self,
        account: AwsAccount,
        *,
        clock: Callable[[], datetime],
        zone: str,
        name: str,
        type: str,  # noqa: A002 - as it is called in the zone and in sluice.yaml
        stable: str,
        canary: str,
    ) -> None:
        """`zone` is the id of the hosted zone, `stable` and `canary` are values of SetIdentifier."""
        self._account = account
        self._clock = clock
        self._zone = zone
        self._name = name
        self._type = type
        self._stable = stable
        self._canary = canary
        self._arrival = Arrival(self._in_sync, clock)
        self._last: Sight | None = None

    async def read(self) -> Split:
        """Return the split. Raises `MangledError` (`records_missing`, `not_weighted`)."""
        return told_split(await self._look())

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Give `canary` percent to its record and write the fence, only if the records still are what was read.

        Raises `RefusedError` (`no_header_routes`, `bad_weight`, `inexact_weight`, `cannot_cut_off`, `fenced`), and
        what `Router.write` raises.
        """
        if rules:
            raise self._no_headers()
        sight = await sight_for(self._last, self._look, token, str(self))
        where = f"the text sluice/fence of its TXT record {note_name(self._name)}"
        refuse_newer(sight.note.fence, fence, str(self), where=where)
        group = self._wanted(sight, canary)
        # A record that somebody took away may have answered until just now.
        moved = group != sight.group or group.canary is None
        sent = self._clock().replace(microsecond=0) if moved else sight.note.sent
        ttl = max(group.ttl, sight.group.ttl) if moved else sight.note.ttl
        if group.canary is None:
            ttl = max(ttl, sight.note.ttl)
        note = note_record(sight.note, self._name, fence, sent, ttl)
        self._last = None
        change = await self._send(sight, group, note)
        if moved and sent is not None:
            self._arrival.sent(change, sent)
        return (await self._sight(group, note_of([note], self._name))).split

    async def inspect(
        self,
        *,
        canary_pods: bool,  # noqa: ARG002 - which pods stand behind a name is not known here
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a split fail, and how slow going back is. Rights cannot be tried: AWS has no way to."""
        claims = claim_names(self._name, self._type)
        try:
            sight, *noted = await asyncio.gather(
                self._look(), *(self._list(name, "TXT") for name in claims)
            )
        except RefusedError as error:
            return [Finding(error.code, str(error))]
        if sight.wrong is not None:
            return [Finding(sight.wrong.code, str(sight.wrong))]

        def trial(percent: float, audience: Sequence[HeaderRule]) -> object:
            if audience:
                raise self._no_headers()
            return self._wanted(sight, percent)

        there = [x for listed in noted for x in listed if plain_name(str(x["Name"])) in claims]
        return [
            *claimed(there, sight.group, str(self)),
            *findings(sight.group, str(self)),
            *unwritable(trial, weights, rules),
        ]

    def __str__(self) -> str:
        return f"The name {self._name} ({self._type})"

    async def _look(self) -> Sight:
        listed, noted = await asyncio.gather(
            self._list(self._name, self._type), self._list(note_name(self._name), "TXT")
        )
        with understood(str(self)):
            group = group_of(listed, self._name, self._type, self._stable, self._canary)
            note = note_of(noted, self._name)
            if not group.records:
                raise GoneError(f"{self} has no records in the zone.", code="records_missing")
            return await self._sight(group, note)

    async def _sight(self, group: Group, note: Note) -> Sight:
        waits, until = await self._arrival.waits(note)
        seen = Split(
            canary=group.percent,
            token=_digest(group, note),
            fence=note.fence,
            mark=note.mark,
            waits=waits,
            until=until,
            elsewhere=phrase("record", sibling_names(group)),
        )
        wrong = lacking(group, str(self), self._stable, self._canary)
        self._last = Sight(seen, group, note, wrong)
        return self._last

    def _wanted(self, sight: Sight, canary: float) -> Group:
        if sight.wrong is None:
            return shared(sight.group, canary)
        if canary:
            raise RefusedError(str(sight.wrong), code=sight.wrong.code)
        return home(sight.group, str(self))

    async def _send(self, sight: Sight, group: Group, note: Mapping[str, Any]) -> str:
        """Send one batch; returns the id of the change."""
        pairs = [(sight.group.stable, group.stable), (sight.group.canary, group.canary)]
        before = [old for old, _ in pairs if old is not None]
        after = [new for _, new in pairs if new is not None]
        batch = [
            *changes([*before, *([sight.note.record] if sight.note.record else [])], [*after, note])
        ]
        try:
            answer = await self._call(
                "change_resource_record_sets",
                HostedZoneId=self._zone,
                ChangeBatch={"Changes": batch},
            )
        except RefusedError as error:
            if error.code == "refused_by_aws" and await self._changed(sight.split.token):
                raise ConflictError(f"{self} changed since it was read.") from error
            raise
        return str((answer.get("ChangeInfo") or {}).get("Id", ""))

    async def _changed(self, token: str) -> bool:
        return (await self._look()).split.token != token

    async def _in_sync(self, change: str) -> bool:
        answer = await self._call("get_change", Id=change)
        return (answer.get("ChangeInfo") or {}).get("Status") == "INSYNC"

    async def _list(self, name: str, kind: str) -> Sequence[Mapping[str, Any]]:
        answer = await self._call(
            "list_resource_record_sets",
            HostedZoneId=self._zone,
            StartRecordName=name,
            # The records of the other kind of address stand beside those of the one that is split.
            StartRecordType="A" if kind == "AAAA" else kind,
            MaxItems=_PAGE,
        )
        return tuple(answer.get("ResourceRecordSets") or ())

    async def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        return await self._account.call(
            "route53", operation, what=str(self), missing="zone_missing", **arguments
        )

    def _no_headers(self) -> RefusedError:
        return RefusedError(
            f"{self} is answered before there is a request: leave the audience out.",
            code="no_header_routes",
        )


def _digest(group: Group, note: Note) -> str:
    """Return what stands for everything that a write is decided upon."""
    text = dumps([group.stable, group.canary, note.record], sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:32]
