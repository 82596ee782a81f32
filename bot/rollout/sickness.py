"""A canary whose pods crash, or stay unready, while they carry traffic: the rollout goes back. Pure.

What a cluster may still mend by itself is shown meanwhile, from the first look on.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout.holding import PASSING
from bot.rollout.part import Trouble
from bot.rollout.seen import Seen
from bot.rollout.turning import turn
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutFleet, PutLane
from integrations.base import FleetState, Lane, LaneState

SICKNESS = timedelta(seconds=60)
"""How long a canary with traffic may be without a single ready pod before the rollout goes back."""

_CRASHING = {"crash_loop", "out_of_memory", "image_pull", "container_config"}


def sick(r: Rollout, seen: Seen) -> Rollout:
    """Roll back when the canary's pods crash, or stay unready, while they carry traffic; else say what hinders pods."""
    after = _failing(r, seen)
    return after if after.phase is not r.phase else _hindered(after, seen)


def _failing(r: Rollout, seen: Seen) -> Rollout:
    canary = _serving(r, seen)
    if canary is None or r.weight <= 0:
        return r
    if canary.problem in _CRASHING:
        return turn(
            r, seen.now, canary.problem, (canary.detail or canary.problem).rstrip("."), r.judgement
        )
    known = r.trouble is not None and r.trouble.code == "canary_not_ready"
    ready = canary.moved if isinstance(canary, FleetState) else canary.ready
    if ready > 0:
        return replace(r, trouble=None) if known else r
    if not known:
        pods = isinstance(canary, FleetState) or canary.counted
        lacks = "has no ready pod" if pods else "is not ready"
        text = f"The canary {lacks} while it gets {r.weight:g} % of the traffic. {canary.detail}"
        text = text.rstrip()
        trouble = Trouble("canary_not_ready", text, seen.now, tries=0)
        return replace(r, trouble=trouble).tell(Entry("sick", "sluice", text, code=trouble.code))
    if r.trouble is not None and seen.now - r.trouble.since >= SICKNESS:
        span = int(SICKNESS.total_seconds())
        reason = f"the canary was not ready for {span} s"
        if isinstance(canary, FleetState) or canary.counted:
            reason = f"the canary had no ready pod for {span} s"
        return turn(r, seen.now, "canary_not_ready", reason, r.judgement)
    return r


def _hindered(r: Rollout, seen: Seen) -> Rollout:
    """Show what keeps pods from starting as long as it does; whether that ends the rollout is for its step to say."""
    place = _moving(r, seen)
    if place is None or (r.trouble is not None and not _of_pods(r.trouble)):
        return r
    if place.problem not in PASSING:
        return replace(r, trouble=None) if r.trouble is not None else r
    if r.trouble is not None and r.trouble.code == place.problem:
        return r
    text = place.detail or place.problem
    trouble = Trouble(place.problem, text, seen.now, tries=0)
    return replace(r, trouble=trouble).tell(Entry("sick", "sluice", text, code=trouble.code))


def _of_pods(trouble: Trouble) -> bool:
    """Whether a trouble is one that was seen here; a call that failed is another matter, and counts its own time."""
    return trouble.code in PASSING and trouble.tries == 0


def _moving(r: Rollout, seen: Seen) -> LaneState | FleetState | None:
    """Return where pods are being started, or have been; None where that was not looked at."""
    if r.lanes == "one":
        return seen.fleet
    if seen.lanes is None:
        return None
    if isinstance(r.intent, PutLane):
        return seen.lanes[r.intent.lane]
    return seen.lanes[Lane.STABLE if r.in_place or r.stable_touched else Lane.CANARY]


def _serving(r: Rollout, seen: Seen) -> LaneState | FleetState | None:
    """Return where the new version serves people; None while that is not to be judged, or was not looked at."""
    if r.lanes == "one":
        resting = not isinstance(r.intent, PutFleet)
        return seen.fleet if resting else None
    if seen.lanes is None or (r.stable_touched and not r.in_place):
        return None
    return seen.lanes[Lane.STABLE if r.in_place else Lane.CANARY]
