"""A stand-in for Route 53: one hosted zone, its records, and changes that take some time to reach all servers.

It keeps what moto does not: batches that are all or nothing, deletions by exact values, the range of weights, changes
that are pending for a while.
"""

import copy
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from tests.fakes.aws_server import AwsError, AwsServer, xml
from tests.fakes.wheel import VirtualClock

ZONE, NAME = "Z148QEXAMPLE8V", "auth.orion.example"
_NS = "https://route53.amazonaws.com/doc/2013-04-01/"
_ITEMS = {
    "ResourceRecordSets": "ResourceRecordSet",
    "ResourceRecords": "ResourceRecord",
}
_ORDER = ("Name", "Type", "SetIdentifier", "Weight", "TTL", "ResourceRecords", "AliasTarget")

Record = dict[str, Any]


def weighted(name: str, weight: int, value: str, *, ttl: int = 60, kind: str = "A") -> Record:
    """Return a weighted record; its SetIdentifier is `name`."""
    return {
        "Name": f"{NAME}.",
        "Type": kind,
        "SetIdentifier": name,
        "Weight": str(weight),
        "TTL": str(ttl),
        "ResourceRecords": [{"Value": value}],
    }


@dataclass
class FakeRoute53(AwsServer):
    """One hosted zone."""

    clock: Callable[[], datetime] = field(default_factory=VirtualClock)
    takes: timedelta = timedelta(seconds=30)
    """How long a change is pending."""
    records: list[Record] = field(default_factory=list)
    changes: dict[str, datetime] = field(default_factory=dict)
    """When each change was sent."""
    gone: bool = False
    busy: bool = False
    """An earlier request for the zone is still being worked on."""

    def __post_init__(self) -> None:
        self.records += [
            weighted("stable", 100, "192.0.2.1"),
            weighted("canary", 0, "192.0.2.2"),
            {
                "Name": "orion.example.",
                "Type": "TXT",
                "TTL": "300",
                "ResourceRecords": [{"Value": '"v=1"'}],
            },
        ]

    def record(self, name: str) -> Record:
        """Return a weighted record by its SetIdentifier, not one of the sixth version of the protocol."""
        return next(
            x for x in self.records if x.get("SetIdentifier") == name and x["Type"] != "AAAA"
        )

    @property
    def weights(self) -> tuple[int, int]:
        """The weights of stable and canary."""
        return int(self.record("stable")["Weight"]), int(self.record("canary")["Weight"])

    @property
    def note(self) -> list[str]:
        """The texts of the note."""
        found = [x for x in self.records if x["Name"] == f"_sluice.{NAME}."]
        return [one["Value"] for record in found for one in record["ResourceRecords"]]

    # ---- the protocol -----------------------------------------------------------------------------------------------

    def understood(
        self, request: web.Request, body: bytes
    ) -> tuple[str, Callable[[], web.Response]]:
        parts = request.path.strip("/").split("/")
        if parts[1] == "change":
            return "GetChange", lambda: self._told(self._get_change, parts[2])
        if request.method == "GET":
            query = dict(request.query)
            return "ListResourceRecordSets", lambda: self._told(self._list, parts[2], query)
        return "ChangeResourceRecordSets", lambda: self._told(self._change, parts[2], body)

    def _told(self, serve: Callable[..., tuple[str, Any]], *arguments: Any) -> web.Response:
        try:
            name, result = serve(*arguments)
        except AwsError as error:
            return self.refusal(error)
        text = f'<{name} xmlns="{_NS}">{xml(result, _ITEMS)}</{name}>'
        return web.Response(text=text, content_type="text/xml")

    def _list(self, zone: str, query: dict[str, str]) -> tuple[str, Any]:
        self._must_be(zone)
        start = (_order(query.get("name", "")), query.get("type", ""))
        most = int(query.get("maxitems", "100"))
        ordered = sorted(self.records, key=_place)
        found = [x for x in ordered if (_order(x["Name"]), x["Type"]) >= start]
        page = [{key: one[key] for key in (*_ORDER, *one) if key in one} for one in found[:most]]
        return "ListResourceRecordSetsResponse", {
            "ResourceRecordSets": page,
            "IsTruncated": len(found) > most,
            "MaxItems": most,
        }

    def _get_change(self, change: str) -> tuple[str, Any]:
        if change not in self.changes:
            raise AwsError("NoSuchChange", "no such change", 404)
        return "GetChangeResponse", {"ChangeInfo": self._info(change)}

    def _change(self, zone: str, body: bytes) -> tuple[str, Any]:
        self._must_be(zone)
        if self.busy:
            raise AwsError("PriorRequestNotComplete", "The request was rejected, try again")
        after = copy.deepcopy(self.records)
        for action, record in _batch(body):
            _apply(after, action, record)
        if len({x["TTL"] for x in after if x.get("SetIdentifier") and "TTL" in x}) > 1:
            raise AwsError("InvalidChangeBatch", "RRSets with the same name must have the same TTL")
        self.records = after
        change = f"C{len(self.changes) + 1}"
        self.changes[change] = self.clock()
        return "ChangeResourceRecordSetsResponse", {"ChangeInfo": self._info(change)}

    def _info(self, change: str) -> dict[str, str]:
        sent = self.changes[change]
        status = "INSYNC" if self.clock() - sent >= self.takes else "PENDING"
        return {
            "Id": f"/change/{change}",
            "Status": status,
            "SubmittedAt": sent.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _must_be(self, zone: str) -> None:
        if self.gone or zone != ZONE:
            raise AwsError("NoSuchHostedZone", f"No hosted zone found with ID: {zone}", 404)


def _batch(body: bytes) -> list[tuple[str, Record]]:
    root = ET.fromstring(body)
    return [
        (
            change.findtext(f"{{{_NS}}}Action", ""),
            _plain(change.find(f"{{{_NS}}}ResourceRecordSet")),
        )
        for change in root.iter(f"{{{_NS}}}Change")
    ]


def _plain(node: Any) -> Any:
    tag = node.tag.partition("}")[2]
    if tag in _ITEMS:
        return [_plain(child) for child in node]
    return (
        {child.tag.partition("}")[2]: _plain(child) for child in node} if len(node) else node.text
    )


def _apply(records: list[Record], action: str, record: Record) -> None:
    name = record["Name"] = record["Name"].rstrip(".").lower() + "."
    said = f"name='{name}', type='{record['Type']}', set identifier='{record.get('SetIdentifier', '')}'"
    there = next((x for x in records if _key(x) == _key(record)), None)
    if not 0 <= int(record.get("Weight", 0)) <= 255:
        raise AwsError("InvalidInput", "Weight must be between 0 and 255")
    if action == "DELETE":
        if there is None:
            raise AwsError(
                "InvalidChangeBatch",
                f"[Tried to delete resource record set [{said}] but it was not found]",
            )
        if there != record:
            raise AwsError(
                "InvalidChangeBatch",
                f"[Tried to delete resource record set [{said}] but the values provided do not match "
                "the current values]",
            )
        records.remove(there)
    elif action == "CREATE":
        if there is not None:
            raise AwsError(
                "InvalidChangeBatch",
                f"[Tried to create resource record set [{said}] but it already exists]",
            )
        records.append(record)
    else:
        raise AwsError("InvalidInput", f"unexpected action {action}")


def _key(record: Record) -> tuple[str, str, str]:
    return record["Name"], record["Type"], record.get("SetIdentifier", "")


def _order(name: str) -> list[str]:
    return name.rstrip(".").split(".")[::-1]


def _place(record: Record) -> tuple[list[str], str, str]:
    return _order(record["Name"]), record["Type"], record.get("SetIdentifier", "")
