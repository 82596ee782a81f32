"""The weighted records of one name: which are the lanes, how they share, and the changes that share anew.

Pure. Nothing of a record is changed but its weight.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from integrations.base import RefusedError
from integrations.splitting.shares import percent_of, share

Record = Mapping[str, Any]

MOST = 255
"""The largest weight of a record."""
ALIAS_TTL = 60
"""Seconds. An alias has the TTL of what it leads to, which Route 53 does not tell; load balancers have this one."""
_SIBLINGS = {"A": "AAAA", "AAAA": "A"}
"""What a client may ask for besides, to reach the same name."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def plain_name(name: str) -> str:
    """Return a name as people write it: lower case, no escapes, no dot at its end."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), name).rstrip(".").lower()


@dataclass(frozen=True, slots=True)
class Group:
    """The records of one name and type."""

    stable: Record | None
    canary: Record | None
    others: tuple[Record, ...] = ()
    siblings: tuple[Record, ...] = ()
    """Records of the name for the other kind of address; they are never written."""
    names: tuple[str, str] = ("", "")
    """The identifiers of stable and canary."""

    @property
    def records(self) -> tuple[Record, ...]:
        """All that there are."""
        return tuple(x for x in (self.stable, self.canary, *self.others) if x is not None)

    @property
    def ttl(self) -> int:
        """The longest time, in seconds, for which an answer may be kept."""
        ours = [record for record in (self.stable, self.canary) if record is not None]
        return max((int(record.get("TTL", ALIAS_TTL)) for record in ours), default=ALIAS_TTL)

    @property
    def percent(self) -> float:
        """The canary's percentage of what the lanes share."""
        if self.canary is None:
            return 0.0
        if not any(weight_of(record) for record in self.records):
            # Without any weight Route 53 answers with every record alike.
            return 100.0 if self.stable is None else 50.0
        return percent_of(weight_of(self.stable), weight_of(self.canary))


def group_of(listed: Sequence[Record], name: str, kind: str, stable: str, canary: str) -> Group:
    """Return the records of a name and type among those listed."""
    found = [x for x in listed if x.get("Type") == kind and plain_name(str(x["Name"])) == name]
    by_id = {str(record.get("SetIdentifier", "")): record for record in found}
    others = tuple(x for x in found if x.get("SetIdentifier") not in {stable, canary})
    other = _SIBLINGS.get(kind)
    siblings = [x for x in listed if x.get("Type") == other and plain_name(str(x["Name"])) == name]
    return Group(by_id.get(stable), by_id.get(canary), others, tuple(siblings), (stable, canary))


def sibling_names(group: Group) -> list[str]:
    """Return what to call the records of the other kind of address that answer with the canary."""
    canary = group.names[1]
    return [
        f"{canary} of type {record['Type']}"
        for record in group.siblings
        if record.get("SetIdentifier") == canary and weight_of(record)
    ]


def weight_of(record: Record | None) -> int:
    """Return the weight of a record, 0 for none."""
    return int(record.get("Weight", 0)) if record is not None else 0


def lacking(group: Group, what: str, stable: str, canary: str) -> RefusedError | None:
    """Return why the records cannot be split: `records_missing`, `not_weighted`; None where they can."""
    ours = {stable: group.stable, canary: group.canary}
    away = [name for name, record in ours.items() if record is None]
    if away:
        return RefusedError(
            f"{what} has no record with the SetIdentifier {' and '.join(away)}. Add it with weight 0, or correct "
            "`traffic` in sluice.yaml.",
            code="records_missing",
        )
    if any(record is not None and "Weight" not in record for record in ours.values()):
        return RefusedError(
            f"The records of {what} are not weighted, so there is no share to change. Give them the weights 100 and 0.",
            code="not_weighted",
        )
    return None


def shared(group: Group, percent: float) -> Group:
    """Return the group with a share for the canary. Raises `RefusedError`: `bad_weight`, `inexact_weight`."""
    assert group.stable is not None
    assert group.canary is not None
    stable, canary = share(
        weight_of(group.stable),
        weight_of(group.canary),
        others=sum(map(weight_of, group.others)),
        percent=percent,
        most=MOST,
    )
    return replace(
        group,
        stable={**group.stable, "Weight": stable},
        canary={**group.canary, "Weight": canary},
    )


def home(group: Group, what: str) -> Group:
    """Return the group with nothing for the canary, whatever became of it. Raises `RefusedError` (`cannot_cut_off`)."""
    if group.canary is None or not group.percent:
        return group
    if group.stable is not None and "Weight" in group.stable and "Weight" in group.canary:
        return shared(group, 0.0)
    if "Weight" not in group.canary or not any(map(weight_of, group.others)):
        raise RefusedError(
            f"{what} has no weighted record for stable any more, so there is nothing to give its traffic back to. "
            "Create it again: the rollback goes on by itself then.",
            code="cannot_cut_off",
        )
    return replace(group, canary={**group.canary, "Weight": 0})


def changes(before: Sequence[Record], after: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the changes from some records to others: each is deleted by its exact values before it is created."""
    return [
        *({"Action": "DELETE", "ResourceRecordSet": dict(record)} for record in before),
        *({"Action": "CREATE", "ResourceRecordSet": dict(record)} for record in after),
    ]
