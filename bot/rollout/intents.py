"""Applied, pending or drift: one pure function for weights and one for lanes.

An intent is saved before it is written (G1). Whether it has landed is only ever read from the object.
"""

from collections.abc import Sequence
from typing import Literal

from bot.rollout.seen import Seen
from bot.rollout.values import Phase, Rollout
from bot.rollout.wanted import PutFleet, PutLane, PutWeight
from integrations.base import FleetState, HeaderRule, LaneState, Split
from integrations.fencing import parse_fence
from strategies.plan import Rule

State = Literal["applied", "arriving", "pending", "drift"]
"""`arriving`: written, but not at work yet; there is nothing to write again."""

ANYTHING = -1.0
"""As `before`: whatever the router shows may be overwritten (a person said so)."""

_SAME = 0.05
"""Percent. Integer weights over odd totals do not divide evenly."""


def same_weight(a: float, b: float) -> bool:
    """Whether two weights are the same, up to the rounding of integer weights."""
    return abs(a - b) <= _SAME


def same_image(found: str, wanted: str) -> bool:
    """Whether an image that runs is the one that is meant, by its tag or pinned by a digest behind it."""
    return found == wanted or found.startswith(f"{wanted}@")


def fence_of(text: str) -> tuple[int, int]:
    """Return a fence as numbers; `(0, 0)` when there is none or it is not ours."""
    return parse_fence(text) or (0, 0)


def weight_state(r: Rollout, intent: PutWeight, split: Split) -> State:
    """Say whether a weight has landed. Equal weights with an older fence are still pending: the fence must land too."""
    if same_weight(split.canary, intent.percent) and same_audience(split.rules, intent.rules):
        if fence_of(split.fence) < (r.counter, intent.since):
            return "pending"
        return "arriving" if split.waits else "applied"
    # Ours on its way to other rules of the same weight, or still where it was: anything else is somebody's edit.
    here = same_weight(split.canary, intent.before) or same_weight(split.canary, intent.percent)
    return "pending" if intent.before == ANYTHING or here else "drift"


def lane_state(r: Rollout, intent: PutLane, lane: LaneState) -> State:
    """Say whether a lane has what it should have; readiness is another question."""
    same = lane.image == intent.image and lane.replicas == intent.replicas
    fenced = not intent.since or fence_of(lane.fence) >= (r.counter, intent.since)
    return "applied" if same and fenced else "pending"


def fleet_state(r: Rollout, intent: PutFleet, fleet: FleetState) -> State:
    """Say whether the instances were told; how many have moved is another question."""
    if fence_of(fleet.fence) < (r.counter, intent.since):
        return "pending"
    # An autoscaler may have its own idea of how many; whether there are any at all is ours.
    sized = intent.replicas is None or bool(fleet.total) == bool(intent.replicas)
    if fleet.image != intent.image or not sized:
        return "drift"
    return "pending" if fleet.again else "applied"


def same_audience(found: Sequence[HeaderRule], wanted: Sequence[Rule]) -> bool:
    """Whether the managed routes of a router are the rules that are wanted, in their order."""
    return [_condition(one) for one in found] == [_condition(one) for one in wanted]


def _condition(one: HeaderRule | Rule) -> tuple[str, str | None, str | None, bool | None]:
    return (one.header, one.equals, one.regex, one.present)


def intent_state(r: Rollout, seen: Seen) -> State:
    """Say how the open intent of a row stands; without one, or without sight of it, nothing is known: pending."""
    match r.intent:
        case PutWeight() as intent if seen.split is not None:
            return weight_state(r, intent, seen.split)
        case PutLane() as intent if seen.lanes is not None:
            return lane_state(r, intent, seen.lanes[intent.lane])
        case PutFleet() as intent if seen.fleet is not None:
            return fleet_state(r, intent, seen.fleet)
        case _:
            return "pending"


def unwritten(r: Rollout, seen: Seen) -> bool:
    """Whether a write of ours is still to land: what stood in its way is not over because reading works again."""
    writing = r.phase in {Phase.RUNNING, Phase.ROLLING_BACK} and r.intent is not None
    return writing and intent_state(r, seen) == "pending"
