"""A foreign weight on the way up: the rollout holds and asks. Pure."""

from dataclasses import replace

from bot.rollout.seen import Seen
from bot.rollout.turning import hold
from bot.rollout.values import Rollout
from bot.rollout.wanted import PutWeight

PASSING = {"unschedulable", "quota", "unreachable"}
"""What may mend by itself (a new node, a pod that leaves, an instance that restarts): the deadline ends the hope."""


def drifted(r: Rollout, seen: Seen) -> Rollout:
    """Stop and ask: somebody else changed the weights. Nothing is written over their change."""
    who = seen.split.changed_by if seen.split and seen.split.changed_by else "somebody"
    found = f"{seen.split.canary:g} %" if seen.split else "something else"
    wanted = r.intent.percent if isinstance(r.intent, PutWeight) else r.weight
    text = (
        f"The canary gets {found} where this rollout put {wanted:g} % (changed by {who}). "
        "`resume` writes our weight again, `rollback` goes home."
    )
    weighed = seen.split is not None and not r.in_place and not r.stable_touched
    theirs = seen.split.canary if seen.split is not None and weighed else None
    return hold(replace(r, found=theirs), seen.now, "drift", text)
