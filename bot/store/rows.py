"""Values to rows and back. What is read is validated: a row that makes no sense is refused, not half understood."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from bot.rollout.part import Part
from bot.rollout.values import Entry, Phase, Rollout
from strategies.plan import plan_to_json

_ROLLOUT = TypeAdapter(Rollout)


class PoisonedRowError(Exception):
    """A stored row cannot be read. The rollout needs a person; the others go on."""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One line of the journal as it is kept."""

    id: int
    rollout: str
    revision: int
    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Inbound:
    """A command or a click as it was received, before anything was done about it."""

    key: str
    door: str
    actor: str
    body: Mapping[str, Any]
    at: datetime
    rollout: str = ""
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One message in Slack that belongs to a rollout. `ts` is empty while it is on its way."""

    rollout: str
    key: str
    channel: str
    ts: str
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A REST token; only the digest of its secret is kept."""

    name: str
    owner: str
    created: datetime
    revoked: datetime | None


def epoch(at: datetime) -> float:
    """Return a time as the tables keep it."""
    return at.timestamp()


def moment(seconds: float) -> datetime:
    """Return a kept time as an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def dump(r: Rollout) -> str:
    """Return the row as JSON; the news belong to the journal."""
    body = _ROLLOUT.dump_python(replace(r, news=()), mode="json", exclude_defaults=False)
    body["plan"] = plan_to_json(r.plan)
    return json.dumps(body, separators=(",", ":"))


def load(text: str) -> Rollout:
    """Read a row back. Raises `PoisonedRowError`."""
    try:
        body = json.loads(text)
        for derived in ("digest", "estimate_s"):
            body["plan"].pop(derived, None)
        return _ROLLOUT.validate_python(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PoisonedRowError(f"the stored row cannot be read: {type(error).__name__}") from error


def readable(bodies: Iterable[str]) -> list[Rollout]:
    """Return rows; poisoned ones are left out of lists: one bad row must not hide the others."""
    found = []
    for body in bodies:
        with suppress(PoisonedRowError):
            found.append(load(body))
    return found


def as_json(r: Rollout) -> dict[str, Any]:
    """Return the row for REST and the CLI: every field that a caller may rely on, and the plan as §7.3 has it."""
    gate = None
    if r.gate is not None:
        gate = {
            "id": r.gate.id,
            "kind": r.gate.kind,
            "quorum": r.gate.quorum,
            "approved_by": [vote.actor for vote in r.gate.votes],
            "groups": list(r.gate.groups),
            "expires": r.gate.expires.isoformat(),
        }
    return {
        "id": r.id,
        "service": r.service,
        "environment": r.environment,
        "version": r.version,
        "from_version": r.from_version,
        "strategy": r.plan.strategy,
        "phase": r.phase.value,
        "code": r.code,
        "weight": int(r.weight) if r.weight.is_integer() else r.weight,
        "step": r.cursor,
        "revision": r.revision,
        "requester": r.requester,
        "reason": r.reason,
        "rollback_of": r.rollback_of or None,
        "winner": r.winner or None,
        "gate": gate,
        "trouble": {"code": r.trouble.code, "detail": r.trouble.sentence} if r.trouble else None,
        "created": r.created.isoformat(),
        "due": r.due.isoformat() if r.due else None,
        "ended": r.ended.isoformat() if r.ended else None,
        "targets": [_part_json(part) for part in r.parts],
        "plan": plan_to_json(r.plan),
    }


def _part_json(part: Part) -> dict[str, Any]:
    trouble = part.trouble
    return {
        "name": part.name,
        "weight": int(part.weight) if part.weight.is_integer() else part.weight,
        "from_version": part.from_version,
        "home": part.home.isoformat() if part.home else None,
        "trouble": {"code": trouble.code, "detail": trouble.sentence} if trouble else None,
    }


def in_flight(r: Rollout) -> bool:
    """Whether the row still holds its target."""
    return not r.phase.final and r.phase is not Phase.SCHEDULED


def journal_row(row: Any) -> JournalRow:
    """Return one line of the journal; its sentence counts, details that cannot be read are left off."""
    data = _object(row.data)
    entry = Entry(row.verb, row.actor, row.text, row.code, row.event, row.tell, data)
    return JournalRow(row.id, row.rollout, row.revision, moment(row.at), entry)


def inbound_row(row: Any) -> Inbound:
    """Return something received; a body that cannot be read names no gate, so that it is refused like a stale one."""
    answer = None if row.answer is None else _object(row.answer)
    body = _object(row.body)
    return Inbound(row.key, row.door, row.actor, body, moment(row.at), row.rollout, answer)


def _object(text: str) -> dict[str, Any]:
    """Read a JSON object; one bad row must not keep the others from being served."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
