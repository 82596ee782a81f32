"""After the end, where lanes swap: the old version is kept for its time, then scaled down. Pure.

The row is final and stays so; a new rollout on the target ends the keeping at once (`bot.store` clears `retire_at`).
One that does not take the place of the old version scales it down in the end: its fence is the newer one by then.
"""

from dataclasses import replace
from datetime import datetime

from bot.rollout.intents import intent_state, same_weight
from bot.rollout.pace import LAG, SLOWEST
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
    dark, share = (Lane.STABLE, 100) if _moved(r) else (Lane.CANARY, 0)
    if not same_weight(seen.split.canary, share):
        return _kept(r, "the traffic is not where this rollout left it")
    old = seen.lanes[dark]
    if not isinstance(r.intent, PutLane):
        return replace(r, intent=PutLane(dark, old.image, 0, seen.now))
    if intent_state(r, seen) != "applied":
        return r
    entry = Entry(
        "retired", "sluice", f"{old.version} is scaled down; going back now starts it first."
    )
    return replace(r, intent=None, retire_at=None).tell(entry)


def _moved(r: Rollout) -> bool:
    """Whether the traffic ended in the other place."""
    return r.live_changed and not r.in_place


def still_kept(r: Rollout, now: datetime) -> datetime | None:
    """Return until when a rollout that ends where it began keeps what an earlier one had kept; None for nothing."""
    return max(r.kept_until, now + LAG) if r.kept_until is not None else None


def _kept(r: Rollout, why: str) -> Rollout:
    entry = Entry(
        "retired", "sluice", f"{r.from_version} was left running: {why}.", code="not_retired"
    )
    return replace(r, intent=None, retire_at=None).tell(entry)
