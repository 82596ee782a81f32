"""What a rollout does that waits or has ended: a gate expires, a reminder, one more look after a rollback. Pure."""

from dataclasses import replace

from bot.rollout import gates
from bot.rollout.judging import recovered
from bot.rollout.pace import PAUSED_ALOUD, paused_by, reminder_at, stuck_reminder_at
from bot.rollout.reminding import nudged
from bot.rollout.seen import Seen
from bot.rollout.stuck import since_stuck
from bot.rollout.times import clock, lasting
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
    if paused_by(r) is not None:
        return _still_paused(r, seen)
    text = (
        f"Still holding at {r.weight:g} % ({r.code.replace('_', ' ')}), and it needs a person: "
        "`resume` or `rollback`."
    )
    event = "rollout.paused" if r.phase is Phase.PAUSED else "rollout.needs_attention"
    entry = Entry("reminded", "sluice", text, code=r.code, event=event, tell="broadcast")
    return replace(r, reminded=seen.now).tell(entry)


def still_stuck(r: Rollout, seen: Seen) -> Rollout:
    """Say again and again that a rollback does not get on; less often once somebody looks at it."""
    since = since_stuck(r)
    if since is None:
        return r
    if r.reminded is None:
        # People have just been called.
        return replace(r, reminded=seen.now)
    due = stuck_reminder_at(r)
    if due is None or seen.now < due:
        return r
    why = f" {r.trouble.sentence}" if r.trouble is not None else ""
    text = (
        f"Still not home after {lasting((seen.now - since).total_seconds())}.{why} It is tried again at least once a "
        "minute until it works."
    )
    code = r.trouble.code if r.trouble is not None else r.code
    # The sinks were called already, and what they opened is still open.
    entry = Entry("rollback_stuck", "sluice", text, code=code, tell="broadcast")
    return replace(r, reminded=seen.now).tell(entry)


def _still_paused(r: Rollout, seen: Seen) -> Rollout:
    """Bring a pause to mind: in the thread first, then in the channel, to whoever paused it and who asked for it."""
    paused = paused_by(r)
    assert paused is not None
    lasted = seen.now - paused.at
    why = f" ({paused.reason})" if paused.reason else ""
    text = (
        f"Still paused at {r.weight:g} %, by {paused.actor} since {clock(paused.at)}{why}, "
        f"{lasting(lasted.total_seconds())} by now: `resume` goes on, `rollback` takes it home."
    )
    people = tuple(dict.fromkeys((r.requester, paused.actor)))
    entry = Entry(
        "still_paused",
        "sluice",
        text,
        code=r.code,
        tell="channel" if lasted >= PAUSED_ALOUD else "thread",
        data={"people": [paused.actor], "call": people},
    )
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
