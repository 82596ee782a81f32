"""A weight that is not what it should be, or not yet: somebody else's, and one that has still to arrive. Pure."""

from dataclasses import replace
from datetime import timedelta

from bot.rollout.intents import same_people, same_weight
from bot.rollout.seen import Seen
from bot.rollout.turning import hold
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutWeight
from integrations.base import Split

PASSING = {"unschedulable", "quota", "node_unreachable"}
"""What may mend by itself (a new node, a pod that leaves, an instance that restarts): the deadline ends the hope."""

PATIENCE = timedelta(minutes=30)
"""How much longer than promised a weight may take to arrive before somebody is asked to look."""

_REFUSED = timedelta(minutes=1)
"""How long a refusal may stand: what looks like one may be the last answer to what was asked before."""

_ANOTHER = timedelta(minutes=1)
"""By how much a promise has to differ from the last one to be told again."""


def drifted(r: Rollout, seen: Seen) -> Rollout:
    """Stop and ask: somebody else changed the weights. Nothing is written over their change."""
    split = seen.split
    wanted = r.intent.percent if isinstance(r.intent, PutWeight) else r.weight
    if split is not None and not same_people(r, split):
        text = (
            "Somebody changed the constraints or segments, so the percentage is one of other people than before. "
            "Put them back and `resume`, or `rollback`."
        )
        return hold(r, seen.now, "drift", text)
    if split is not None and split.cut:
        text = f"{split.cut[:1].upper()}{split.cut[1:]}. This rollout did not do that."
        text = f"{text} `resume` turns it on again, `rollback` goes home and leaves it off."
        return hold(replace(r, found=split.canary), seen.now, "drift", text)
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
    """Say what a weight that is written waits for before it counts; hold when that takes far too long."""
    r = awaited(r, seen)
    late = overdue(r, seen)
    if not late:
        return r
    return hold(r, seen.now, "still_arriving", f"{late} `resume` waits on, `rollback` goes home.")


def awaited(r: Rollout, seen: Seen) -> Rollout:
    """Note what a weight that is written waits for; people are told once, and again when another time is promised."""
    intent, split = r.intent, seen.split
    if not isinstance(intent, PutWeight) or split is None:
        return r
    known, promise = intent.promised, split.until
    another = promise is not None and (known is None or abs(promise - known) >= _ANOTHER)
    now = replace(
        intent,
        told=split.waits,
        told_at=intent.told_at or seen.now,
        promised=promise if another else known,
    )
    r = r if now == intent else replace(r, intent=now)
    if intent.told and not another:
        return r
    text = f"{intent.percent:g} % is written and has still to hold: {split.waits}."
    return r.tell(Entry("arriving", "sluice", text))


def overdue(r: Rollout, seen: Seen) -> str:
    """Return the sentence about a weight that should have arrived long ago; `""` while there is time."""
    intent, split = r.intent, seen.split
    if not isinstance(intent, PutWeight) or intent.told_at is None:
        return ""
    if split is not None and split.refused and seen.now >= intent.told_at + _REFUSED:
        return f"{intent.percent:g} % is written, but cannot get there: {intent.told}."
    if seen.now < (intent.promised or intent.told_at) + PATIENCE:
        return ""
    minutes = int(PATIENCE.total_seconds() // 60)
    how = f"{minutes} min longer than it should" if intent.promised else f"over {minutes} min"
    return f"{intent.percent:g} % is written, but takes {how} to arrive: {intent.told}."


def whose(split: Split | None) -> str:
    """Return who changed a router last, as far as it tells."""
    return split.changed_by if split is not None and split.changed_by else "somebody"
