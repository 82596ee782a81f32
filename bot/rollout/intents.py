"""Applied, pending or drift: one pure function for weights and one for lanes.

An intent is saved before it is written (G1). Whether it has landed is only ever read from the object.
"""

from typing import Literal

from bot.rollout.seen import Seen
from bot.rollout.values import Phase, PutLane, PutWeight, Rollout
from integrations.base import LaneState, Split

State = Literal["applied", "pending", "drift"]

ANYTHING = -1.0
"""As `before`: whatever the router shows may be overwritten (a person said so)."""

_SAME = 0.05
"""Percent. Integer weights over odd totals do not divide evenly."""


def same_weight(a: float, b: float) -> bool:
    """Whether two weights are the same, up to the rounding of integer weights."""
    return abs(a - b) <= _SAME


def fence_of(text: str) -> tuple[int, int]:
    """Return a fence as numbers; `(0, 0)` when there is none or it is not ours."""
    counter, dot, revision = text.partition(".")
    if dot and counter.isdigit() and revision.isdigit():
        return int(counter), int(revision)
    return 0, 0


def weight_state(r: Rollout, intent: PutWeight, split: Split) -> State:
    """Say whether a weight has landed. Equal weights with an older fence are still pending: the fence must land too."""
    if same_weight(split.canary, intent.percent):
        return "applied" if fence_of(split.fence) >= (r.counter, intent.since) else "pending"
    expected = intent.before == ANYTHING or same_weight(split.canary, intent.before)
    return "pending" if expected else "drift"


def lane_state(intent: PutLane, lane: LaneState) -> State:
    """Say whether a lane has what it should have; readiness is another question."""
    same = lane.image == intent.image and lane.replicas == intent.replicas
    return "applied" if same else "pending"


def intent_state(r: Rollout, seen: Seen) -> State:
    """Say how the open intent of a row stands; without one, or without sight of it, nothing is known: pending."""
    match r.intent:
        case PutWeight() as intent if seen.split is not None:
            return weight_state(r, intent, seen.split)
        case PutLane() as intent if seen.lanes is not None:
            return lane_state(intent, seen.lanes[intent.lane])
        case _:
            return "pending"


def unwritten(r: Rollout, seen: Seen) -> bool:
    """Whether a write of ours is still to land: what stood in its way is not over because reading works again."""
    writing = r.phase in {Phase.RUNNING, Phase.ROLLING_BACK} and r.intent is not None
    return writing and intent_state(r, seen) == "pending"
