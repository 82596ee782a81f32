"""A weight that is not what it should be, or not yet: somebody else's, and one that has still to arrive. Pure."""

from dataclasses import replace

from bot.rollout.intents import same_weight
from bot.rollout.seen import Seen
from bot.rollout.turning import hold
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutWeight
from integrations.base import Split

PASSING = {"unschedulable", "quota", "node_unreachable"}
"""What may mend by itself (a new node, a pod that leaves, an instance that restarts): the deadline ends the hope."""


def drifted(r: Rollout, seen: Seen) -> Rollout:
    """Stop and ask: somebody else changed the weights. Nothing is written over their change."""
    split = seen.split
    wanted = r.intent.percent if isinstance(r.intent, PutWeight) else r.weight
    if split is not None and same_weight(split.canary, wanted):
        text = (
            f"The routes of the audience are not those that this rollout wrote (changed by {whose(split)}). "
            "`resume` writes ours again, `rollback` goes home."
        )
        return hold(r, seen.now, "drift", text)
    found = f"{split.canary:g} %" if split is not None else "something else"
    text = (
        f"The canary gets {found} where this rollout put {wanted:g} % (changed by {whose(split)}). "
        "`resume` writes our weight again, `rollback` goes home."
    )
    weighed = split is not None and not r.in_place and not r.stable_touched
    theirs = split.canary if split is not None and weighed else None
    return hold(replace(r, found=theirs), seen.now, "drift", text)


def arriving(r: Rollout, seen: Seen) -> Rollout:
    """Say once that a weight is written, and what it waits for before it counts."""
    if not isinstance(r.intent, PutWeight) or r.intent.told or seen.split is None:
        return r
    text = f"{r.intent.percent:g} % is written and has still to hold: {seen.split.waits}."
    return replace(r, intent=replace(r.intent, told=True)).tell(Entry("arriving", "sluice", text))


def whose(split: Split | None) -> str:
    """Return who changed a router last, as far as it tells."""
    return split.changed_by if split is not None and split.changed_by else "somebody"
