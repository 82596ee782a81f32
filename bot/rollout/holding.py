"""How the way up ends early: the rollout holds and asks, or gives up and goes back. Pure."""

from dataclasses import replace
from datetime import datetime

from bot.rollout import gates
from bot.rollout.judging import start_back
from bot.rollout.seen import Seen
from bot.rollout.values import Back, Entry, Phase, Progress, PutWeight, Rollout

PASSING = {"unschedulable", "quota"}
"""What a cluster may still mend by itself (a new node, a pod that leaves): only the deadline ends the hope."""


def drifted(r: Rollout, seen: Seen) -> Rollout:
    """Stop and ask: somebody else changed the weights. Nothing is written over their change."""
    who = seen.split.changed_by if seen.split and seen.split.changed_by else "somebody"
    found = f"{seen.split.canary:g} %" if seen.split else "something else"
    wanted = r.intent.percent if isinstance(r.intent, PutWeight) else r.weight
    text = (
        f"The canary gets {found} where this rollout put {wanted:g} % (changed by {who}). "
        "`resume` writes our weight again, `rollback` goes home."
    )
    return hold(r, seen.now, "drift", text)


def hold(r: Rollout, now: datetime, code: str, text: str) -> Rollout:
    """Pause by itself, with a page."""
    r = gates.close_gate(r, f"Closed: {text}")
    entry = Entry("held", "sluice", text, code=code, event="rollout.paused", tell="broadcast")
    progress = stopped(r.progress, now)
    return replace(r, phase=Phase.PAUSED, code=code, progress=progress, reminded=now).tell(entry)


def stopped(progress: Progress, now: datetime) -> Progress:
    """Return the progress with its clock stopped."""
    return replace(progress, observed=progress.seconds(now), since=None)


def give_up(r: Rollout, now: datetime, code: str, reason: str) -> Rollout:
    """Go back by itself because the new version cannot get where it should."""
    return start_back(
        r,
        Back(
            code=code,
            reason=reason.rstrip("."),
            actor="sluice",
            at=now,
            automatic=True,
            weight=r.weight,
        ),
    )
