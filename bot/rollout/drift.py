"""Foreign edits of what is ours: noticed, never written over unless a person says so. Pure."""

from dataclasses import replace

from bot.rollout.holding import drifted, hold
from bot.rollout.intents import ANYTHING, intent_state, same_weight
from bot.rollout.seen import Seen
from bot.rollout.values import PutWeight, Rollout
from integrations.base import Lane, LaneState, Split
from strategies.plan import Prepare


def foreign_edit(r: Rollout, seen: Seen) -> Rollout | None:
    """Hold on an edit of what is ours. While a weight of ours is on its way its own step decides."""
    if r.code == "drift" or r.armed is None:
        return None
    on_its_way = isinstance(r.intent, PutWeight)
    if seen.split is not None and not on_its_way and not same_weight(seen.split.canary, r.weight):
        return drifted(r, seen)
    if seen.lanes is None:
        return None
    stable, canary = seen.lanes[Lane.STABLE], seen.lanes[Lane.CANARY]
    text = _stable_image(r, stable) or _canary_image(r, canary)
    return hold(r, seen.now, "drift", text) if text else None


def _stable_image(r: Rollout, stable: LaneState) -> str:
    if r.armed is None or r.stable_touched or stable.image == r.armed.stable.image:
        return ""
    return (
        f"Stable now runs {stable.image} instead of {r.armed.stable.image}; this rollout did not do that. "
        "Put it back and `resume`, or `rollback`: that leaves stable as it is."
    )


def _canary_image(r: Rollout, canary: LaneState) -> str:
    ours = r.intent is not None or r.stable_touched or canary.image == r.image
    if ours or isinstance(r.step, Prepare):
        return ""
    return (
        f"The canary now runs {canary.image} instead of {r.image}; this rollout did not do that. "
        "Put it back and `resume`, or `rollback`."
    )


def reapplied(r: Rollout, seen: Seen) -> Rollout | None:
    """Settle the weight that a person asked to write again after a drift; until it is there nothing else happens."""
    if not isinstance(r.intent, PutWeight) or r.intent.before != ANYTHING:
        return None
    if not same_weight(r.intent.percent, r.weight):
        return None
    return replace(r, intent=None) if intent_state(r, seen) == "applied" else r


def offline_mark(r: Rollout, split: Split | None) -> str:
    """Return the mark of an offline rollback of this rollout; one that was there before it began does not count."""
    if split is None or r.armed is None or split.mark == r.armed.mark:
        return ""
    return split.mark
