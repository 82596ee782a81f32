"""After the end, where lanes swap: the old version is kept for its time, then scaled down. Pure.

The row is final and stays so; a new rollout on the target ends the keeping at once (`bot.store` clears `retire_at`).
"""

from dataclasses import replace

from bot.rollout.intents import intent_state, same_weight
from bot.rollout.pace import SLOWEST
from bot.rollout.seen import Seen
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutLane
from integrations.base import Lane


def retire(r: Rollout, seen: Seen) -> Rollout:
    """Scale the old version down when its time is over and the traffic is where this rollout left it."""
    if r.retire_at is None or seen.now < r.retire_at:
        return r
    if seen.trouble is not None and seen.trouble.final:
        return _kept(r, f"it could not be scaled down: {seen.trouble.sentence}")
    if seen.trouble is not None:
        return replace(r, retire_at=seen.now + SLOWEST)
    if seen.split is None or seen.lanes is None:
        return r
    if not same_weight(seen.split.canary, 100):
        return _kept(r, "the traffic is not where this rollout left it")
    if not isinstance(r.intent, PutLane):
        old = seen.lanes[Lane.STABLE]
        return replace(r, intent=PutLane(Lane.STABLE, old.image, 0, seen.now))
    if intent_state(r, seen) != "applied":
        return r
    entry = Entry(
        "retired", "sluice", f"{r.from_version} is scaled down; going back now starts it first."
    )
    return replace(r, intent=None, retire_at=None).tell(entry)


def _kept(r: Rollout, why: str) -> Rollout:
    entry = Entry(
        "retired", "sluice", f"{r.from_version} was left running: {why}.", code="not_retired"
    )
    return replace(r, intent=None, retire_at=None).tell(entry)
