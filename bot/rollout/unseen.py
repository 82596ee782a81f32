"""A question that reached nobody: its clock stands still and people are called another way. Pure.

A gate that expires although nobody could answer would decide by itself; so its time counts from the first delivery.
"""

from dataclasses import replace
from datetime import datetime

from bot.rollout.times import lasting
from bot.rollout.values import Entry, Rollout


def lose(r: Rollout, gate: str, why: str) -> Rollout:
    """Stop the clock of the open gate, with a call: no message about it reached anybody."""
    if r.gate is None or r.gate.id != gate or r.gate.unseen is not None:
        return r
    # Nothing was delivered since it opened: what has run of its time does not count.
    text = (
        f"The decision on {r.service} {r.version} at {r.weight:g} % reached nobody: {why}. Its deadline stands still; "
        f"decide with `sluice promote {r.service} {r.environment}`, `sluice rollback` or over REST."
    )
    entry = Entry(
        "gate_undeliverable",
        "sluice",
        text,
        code="gate_undeliverable",
        event="rollout.needs_attention",
        data={"gate": gate},
    )
    return replace(r, gate=replace(r.gate, unseen=r.gate.opened)).tell(entry)


def find(r: Rollout, gate: str, now: datetime) -> Rollout:
    """Let the clock of the open gate run again: somebody can see it now."""
    if r.gate is None or r.gate.id != gate or r.gate.unseen is None:
        return r
    stood = max(now - r.gate.unseen, now - now)
    text = (
        f"The decision could be asked after {lasting(stood.total_seconds())}; its time begins now."
    )
    entry = Entry(
        "gate_delivered",
        "sluice",
        text,
        event="rollout.resumed",
        data={"gate": gate},
    )
    seen = replace(r.gate, unseen=None, expires=r.gate.expires + stood)
    return replace(r, gate=seen).tell(entry)
