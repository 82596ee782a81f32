"""What would make a split of records fail, and what is slow about it. Pure."""

from collections.abc import Iterator, Sequence

from integrations.base import Finding
from integrations.routers.route53.records import ALIAS_TTL, Group, Record, sibling_names
from integrations.splitting.elsewhere import phrase, reached_elsewhere

_SHORT = 60
"""Seconds. A longer TTL makes going back slower than it has to be."""

_HERITAGE = "heritage=external-dns"


def claim_names(name: str, kind: str) -> tuple[str, str]:
    """Return the names of the TXT records by which external-dns says that a name is its own."""
    return name, f"{kind.lower()}-{name}"


def claimed(noted: Sequence[Record], group: Group, what: str) -> Iterator[Finding]:
    """Yield that external-dns writes these records, where one of the records `noted` says so."""
    ours = {x.get("SetIdentifier") for x in (group.stable, group.canary) if x is not None}
    if any(
        record.get("Type") == "TXT"
        and record.get("SetIdentifier") in ours
        and any(_HERITAGE in str(one.get("Value")) for one in record.get("ResourceRecords") or ())
        for record in noted
    ):
        yield Finding(
            "owned_by_external_dns",
            f"The records of {what} belong to external-dns, which writes back the weight of the annotation "
            "external-dns.alpha.kubernetes.io/aws-weight. Take records that are not its own.",
        )


def findings(group: Group, what: str) -> Iterator[Finding]:
    """Yield everything noticed about two weighted records."""
    ours = [record for record in (group.stable, group.canary) if record is not None]
    ttls = {int(record.get("TTL", ALIAS_TTL)) for record in ours}
    if len(ttls) > 1:
        yield Finding(
            "ttl_differs",
            f"The records of {what} have different TTLs ({', '.join(map(str, sorted(ttls)))} s), so resolvers keep one "
            "answer longer than the other and the shares do not hold. Give them the same.",
        )
    if any(record.get("TrafficPolicyInstanceId") for record in ours):
        yield Finding(
            "traffic_policy",
            f"The records of {what} are made by a traffic policy, which alone may change them. Take records of their "
            "own.",
        )
    yield from _beside(group, what)
    yield Finding(code="slow_way_back", sentence=_slow(what, group.ttl), fatal=False)


def _beside(group: Group, what: str) -> Iterator[Finding]:
    """Yield what becomes of clients that ask for the other kind of address."""
    reached = sibling_names(group)
    yield from reached_elsewhere(phrase("record", reached))
    if group.siblings and not reached:
        kind = group.siblings[0]["Type"]
        yield Finding(
            "other_type_not_split",
            f"{what} has records of type {kind} too, and these stay as they are: clients that ask for them get their "
            "answer whatever the share.",
            fatal=False,
        )


def _slow(what: str, ttl: int) -> str:
    lasting = 2 * ttl
    about = f"{round(lasting / 60)} min" if lasting >= 90 else f"{lasting} s"
    advice = " Lower it to 60 s some time before a rollout." if ttl > _SHORT else ""
    return (
        f"{what}: going back reaches everybody only after about {about} (TTL {ttl} s), because resolvers keep the "
        f"answers that they have.{advice}"
    )
