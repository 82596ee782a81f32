"""What Sluice notes in the zone: a TXT record beside the name, with a text for each fact. Pure.

A text that somebody mangled counts as none; texts of others stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from integrations.fencing import parse_fence
from integrations.routers.route53.records import plain_name

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_FENCE, _SENT, _TTL, _MARK = "sluice/fence", "sluice/sent", "sluice/ttl", "sluice/rollback"
_OURS = (_FENCE, _SENT, _TTL)
_OWN_TTL = 60


def note_name(name: str) -> str:
    """Return the name of the record with the note."""
    return f"_sluice.{name}"


@dataclass(frozen=True, slots=True)
class Note:
    """What the record says."""

    fence: str = ""
    mark: str = ""
    sent: datetime | None = None
    """When the weights were changed last."""
    ttl: int = 0
    """Seconds for which an answer from before that may be kept."""
    record: Mapping[str, Any] | None = None
    """As it was read; None where there is none."""


def note_of(listed: Sequence[Mapping[str, Any]], name: str) -> Note:
    """Return the note among the records that were listed."""
    wanted = note_name(name)
    for record in listed:
        if record.get("Type") == "TXT" and plain_name(str(record["Name"])) == wanted:
            texts = dict(_fact(value) for value in _values(record))
            fence, ttl = texts.get(_FENCE, ""), texts.get(_TTL, "")
            return Note(
                fence=fence if parse_fence(fence) else "",
                mark=texts.get(_MARK, ""),
                sent=_time(texts.get(_SENT, "")),
                ttl=int(ttl) if ttl.isascii() and ttl.isdigit() and len(ttl) < 8 else 0,
                record=record,
            )
    return Note()


def note_record(
    before: Note, name: str, fence: str, sent: datetime | None, ttl: int
) -> dict[str, Any]:
    """Return the record that takes the place of the one that was read."""
    facts = {_FENCE: fence}
    if sent is not None:
        facts |= {_SENT: sent.astimezone(UTC).strftime(_TIME), _TTL: str(ttl)}
    kept = [value for value in _values(before.record or {}) if _fact(value)[0] not in _OURS]
    values = [*kept, *(f'"{key}={text}"' for key, text in facts.items())]
    record = dict(before.record or {"Name": f"{note_name(name)}.", "Type": "TXT", "TTL": _OWN_TTL})
    return record | {"ResourceRecords": [{"Value": value} for value in values]}


def _values(record: Mapping[str, Any]) -> list[str]:
    return [str(one.get("Value", "")) for one in record.get("ResourceRecords") or ()]


def _fact(value: str) -> tuple[str, str]:
    key, _, text = value.strip('"').partition("=")
    return key, text


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
