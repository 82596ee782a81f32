"""Applied, pending or drift: one pure function for weights and one for lanes.

An intent is saved before it is written (G1). Whether it has landed is only ever read from the object.
"""

from collections.abc import Sequence
from typing import Literal, assert_never

from bot.rollout.seen import Seen
from bot.rollout.values import Phase, Rollout
from bot.rollout.wanted import PutFleet, PutLane, PutLed, PutWeight
from integrations.base import FleetState, HeaderRule, LaneState, Split
from integrations.controller import LedState
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
    if r.phase is not Phase.ROLLING_BACK and not same_people(r, split):
        return "drift"
    written = fence_of(split.fence) >= (r.counter, intent.since)
    if same_weight(split.canary, intent.percent) and same_audience(split.rules, intent.rules):
        if not written:
            return "pending"
        return "arriving" if split.waits else "applied"
    if split.cut and (written or (intent.before != ANYTHING and cut_off(r, split))):
        return "drift"
    # Ours on its way to other rules of the same weight, or still where it was: anything else is somebody's edit.
    here = same_weight(split.canary, intent.before) or same_weight(split.canary, intent.percent)
    return "pending" if intent.before == ANYTHING or here else "drift"


def cut_off(r: Rollout, split: Split) -> bool:
    """Whether somebody cut the canary off since it was armed, which a weight of 0 does not tell from before."""
    return bool(split.cut) and r.armed is not None and not r.armed.cut


def same_people(r: Rollout, split: Split) -> bool:
    """Whether the weights are of those people that they were of when it was armed."""
    return r.armed is None or split.among == r.armed.among


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


def led_state(r: Rollout, intent: PutLed, led: LedState) -> State:
    """Say whether an order has been carried out, from how the controller stands; `drift`: it no longer makes sense."""
    state = _order_state(r, intent, led)
    # A suspended one does not come, and where nothing moves there is nothing to come for.
    kept = led.fetches and led.moving and not led.held and intent.order in {"resume", "abort"}
    return "arriving" if kept and state == "pending" else state


def _order_state(r: Rollout, intent: PutLed, led: LedState) -> State:
    match intent.order:
        case "start":
            return _start_state(intent, led)
        case "resume":
            if not led.movement:
                return "arriving"  # where it stands is told once the controller has looked
            # At any other stop, or at none, there is nothing to write: it has moved on, whoever did that.
            return "pending" if led.stop and led.stop == intent.stop else "applied"
        case "abort":
            return _abort_state(r, intent, led)
        case "retry":
            return "pending" if led.aborted else "applied"
        case "hold":
            return "applied" if led.held else "pending"
        case "release":
            return "pending" if led.held else "applied"
        case _ as unknown:
            assert_never(unknown)


def _start_state(intent: PutLed, led: LedState) -> State:
    if not same_image(led.image, intent.image):
        return "pending" if intent.before in {"", led.image} else "drift"
    if not led.movement:
        return "arriving"
    done = not intent.full or led.full or led.fetches or led.aborted or led.phase == "healthy"
    return "applied" if done else "pending"


def _abort_state(r: Rollout, intent: PutLed, led: LedState) -> State:
    if led.aborted:
        # A hold would keep the controller from bringing the traffic home.
        return "pending" if led.held else "applied" if same_weight(led.weight, 0) else "arriving"
    if not led.movement:
        return "arriving"
    # What cannot be told is what a person wants back: nothing else is known to move there.
    ours = is_ours(r, led) or unnoticed(r, led) or not led.image
    if led.parked and not led.held and ours:
        return "applied"  # nothing of it runs, and nobody will let it begin
    if r.followed is None and not ours:
        # Nothing was seen to move, but a start may be on its way: the fence is what it fails at.
        fenced = fence_of(led.fence) >= (r.counter, intent.since) and not led.held
        return "applied" if fenced else "pending"
    if is_back(r, led):
        return "pending" if led.held else "applied" if led.phase == "healthy" else "arriving"
    return "pending" if ours and led.phase != "healthy" else "drift"


def is_ours(r: Rollout, led: LedState) -> bool:
    """Whether what is asked for is what this rollout moves: by its identity, once that is known, else by the image.

    A new configuration of the same image is a movement like any other.
    """
    known = r.followed.movement if r.followed is not None else ""
    if known and led.base and led.movement:
        return led.movement == known
    return same_image(led.image, r.image)


def is_back(r: Rollout, led: LedState) -> bool:
    """Whether what is asked for is what was stable, so that it is on its way home by itself."""
    if r.armed is None:
        return False
    if r.armed.base:
        # The old version asked for once another one has become stable is a movement, with pauses of its own.
        return led.movement == led.base == r.armed.base
    return same_image(led.image, r.armed.stable.image)


def unnoticed(r: Rollout, led: LedState) -> bool:
    """Whether our movement goes on although another image is asked for: who fetches its orders looks now and then."""
    return led.fetches and r.followed is not None and led.movement == r.followed.movement


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
        case PutLed() as intent if seen.led is not None:
            return led_state(r, intent, seen.led)
        case _:
            return "pending"


def unwritten(r: Rollout, seen: Seen) -> bool:
    """Whether a write of ours is still to land: what stood in its way is not over because reading works again."""
    writing = r.phase in {Phase.RUNNING, Phase.ROLLING_BACK} and r.intent is not None
    return writing and intent_state(r, seen) == "pending"
