"""A question that nobody can see, or answer, at Slack: its clock stands still and people are called another way. Pure.

A gate that expires although nobody could answer would decide by itself; so its time counts from the first delivery, and
not while Slack is away. People are called once for all that wait for the same trouble, and again once a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.rollout.question import Gate
from bot.rollout.times import clock, lasting
from bot.rollout.values import Entry, Rollout

_LEAST = timedelta(minutes=5)
"""What people have at least to answer a question once Slack is back."""
_DAILY = timedelta(days=1)
_NAMED = 5
"""Other questions that are named in a call."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a question cannot be answered at Slack."""

    gate: str
    why: str
    since: datetime | None = None
    """Since when, where people have seen it before; None: no message about it ever reached anybody."""
    alone: bool = False
    """It is about this question only, and no trouble of all of Slack."""
    told: bool = False
    """People were called because of the trouble itself."""


def lose(r: Rollout, loss: Loss, now: datetime, others: Sequence[Rollout] = ()) -> Rollout:
    """Stop the clock of the open gate; call people where that is due and nobody has for one of the `others`."""
    gate = r.gate
    if gate is None or gate.id != loss.gate:
        return r
    # Where nothing was delivered since it opened, what has run of its time does not count.
    stopped = gate if gate.unseen is not None else replace(gate, unseen=loss.since or gate.opened)
    if not due(gate, loss, now):
        return r
    if not _call_due(stopped, loss, now):
        return _quietly(replace(r, gate=stopped), loss)
    waiting = [one for one in others if one.gate is not None and one.id != r.id]
    told = loss.told and gate.called is None
    if told or (not loss.alone and any(_called(one, now) for one in waiting)):
        return _quietly(replace(r, gate=replace(stopped, called=now)), loss)
    entry = _entry(loss, _sentence(r, loss, waiting), "rollout.needs_attention")
    return replace(r, gate=replace(stopped, called=now, paged=True)).tell(entry)


def due(gate: Gate, loss: Loss, now: datetime) -> bool:
    """Whether something is to be written down about a question that cannot be answered."""
    return gate.unseen is None or _call_due(gate, loss, now)


def _call_due(gate: Gate, loss: Loss, now: datetime) -> bool:
    if gate.called is not None:
        return now - gate.called >= _DAILY
    return loss.since is None or now >= gate.expires


def _called(r: Rollout, now: datetime) -> bool:
    gate = r.gate
    return (
        gate is not None
        and gate.unseen is not None
        and gate.called is not None
        and now - gate.called < _DAILY
    )


def _sentence(r: Rollout, loss: Loss, waiting: Sequence[Rollout]) -> str:
    what = f"The decision on {r.service} {r.version} at {r.weight:g} %"
    why = f"{loss.why} since {clock(loss.since)}" if loss.since is not None else loss.why
    how = f"cannot be answered at Slack: {why}" if loss.since else f"reached nobody: {why}"
    text = (
        f"{what} {how}. Its deadline stands still; "
        f"decide with `sluice promote {r.service} {r.environment}`, `sluice rollback` or over REST."
    )
    if loss.alone or not waiting:
        return text
    named = ", ".join(
        f"{one.service} {one.version} ({one.environment})" for one in waiting[:_NAMED]
    )
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    count = "1 more question waits" if len(waiting) == 1 else f"{len(waiting)} more questions wait"
    return f"{text} {count}: {named}{more}."


def _quietly(r: Rollout, loss: Loss) -> Rollout:
    return r.tell(_entry(loss, _sentence(r, loss, ()), ""))


def _entry(loss: Loss, text: str, event: str) -> Entry:
    return Entry(
        "gate_undeliverable",
        "sluice",
        text,
        code="gate_undeliverable",
        event=event,
        data={"gate": loss.gate},
    )


def find(r: Rollout, gate: str, now: datetime) -> Rollout:
    """Let the clock of the open gate run again: somebody can see it now."""
    if r.gate is None or r.gate.id != gate or r.gate.unseen is None:
        return r
    stood = max(now - r.gate.unseen, now - now)
    expires = max(r.gate.expires + stood, now + _LEAST)
    waited = lasting(stood.total_seconds())
    text = f"The decision could be asked after {waited}; its time begins now."
    if r.gate.unseen > r.gate.opened:
        text = f"Slack is back after {waited}; the decision is due at {clock(expires)} now."
    entry = Entry(
        "gate_delivered",
        "sluice",
        text,
        event="rollout.resumed" if r.gate.paged else "",
        data={"gate": gate},
    )
    seen = replace(r.gate, unseen=None, called=None, paged=False, expires=expires)
    return replace(r, gate=seen).tell(entry)
