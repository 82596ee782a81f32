"""What a rollout does that waits or has ended: a gate expires, a reminder, one more look after a rollback. Pure."""

from dataclasses import replace

from bot.rollout import gates
from bot.rollout.judging import recovered
from bot.rollout.pace import reminder_at
from bot.rollout.reminding import nudged
from bot.rollout.seen import Seen
from bot.rollout.turning import turn
from bot.rollout.values import Entry, Phase, Rollout


def waiting(r: Rollout, seen: Seen) -> Rollout:
    """Do what time does to a question: it is brought to mind, and expires in the end."""
    if r.gate is not None and r.gate.over(seen.now):
        return expired(r, seen)
    return nudged(r, seen)


def expired(r: Rollout, seen: Seen) -> Rollout:
    """Answer a gate that nobody decided: hold, or go back, as it said."""
    if gates.on_expiry(r) == "hold":
        return gates.expire(r, seen.now)
    return turn(r, seen.now, "gate_expired", "nobody decided in time", r.judgement)


def reminded(r: Rollout, seen: Seen) -> Rollout:
    """Say once a day that a rollout which holds by itself still needs somebody."""
    due = reminder_at(r)
    if due is None or seen.now < due:
        return r
    text = (
        f"{r.service} {r.version} still holds at {r.weight:g} % ({r.code.replace('_', ' ')}) and needs a person: "
        "`resume` or `rollback`."
    )
    event = "rollout.paused" if r.phase is Phase.PAUSED else "rollout.needs_attention"
    entry = Entry("reminded", "sluice", text, code=r.code, event=event, tell="broadcast")
    return replace(r, reminded=seen.now).tell(entry)


def recheck(r: Rollout, seen: Seen) -> Rollout:
    """Say once, some minutes after a rollback, whether the numbers recovered."""
    if r.recheck_at is None or seen.now < r.recheck_at:
        return r
    if seen.trouble is not None:
        text = f"Whether the numbers recovered could not be looked up: {seen.trouble.sentence}"
    elif seen.look is not None:
        text = recovered(r, seen.look)
    else:
        return r
    return replace(r, recheck_at=None).tell(Entry("rechecked", "sluice", text))
