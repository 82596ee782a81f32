"""Promote on fixed lanes: stable gets the version, then traffic goes home, then the canary is scaled to 0. Pure.

Where it stands is read from the row's weight and intent, so that it can be taken up anywhere.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout.holding import PASSING, arriving, drifted
from bot.rollout.intents import ANYTHING, intent_state
from bot.rollout.pace import STARTING, proxies_lag
from bot.rollout.seen import Seen
from bot.rollout.turning import turn
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutLane, PutWeight
from integrations.base import Lane, LaneState


def promote(r: Rollout, seen: Seen) -> Rollout:
    """Stable gets the version and is ready; then traffic goes home; then the canary is scaled to 0."""
    if seen.lanes is None or seen.split is None or r.armed is None:
        return r
    stable, canary = seen.lanes[Lane.STABLE], seen.lanes[Lane.CANARY]
    pods = max(stable.replicas, r.armed.stable.replicas)
    # What was judged and approved, wherever the tag points by now.
    image = pinned(r.image, r.digest or canary.digest)
    new_stable = PutLane(Lane.STABLE, image, pods, seen.now)
    if not r.stable_touched:
        if proxies_lag(r, seen.now):
            return r
        text = f"Promoting: stable gets {r.version} while the canary carries the traffic."
        return replace(r, intent=new_stable, stable_touched=True).tell(
            Entry("promoting", "sluice", text)
        )
    match r.intent:
        case None if r.weight > 0:
            # A drift in the middle took the intent away: the traffic is not home yet, so stable comes first.
            return replace(r, intent=new_stable)
        case PutLane(lane=Lane.STABLE):
            return _stable_ready(r, seen, stable)
        case PutWeight():
            return _home(r, seen)
        case PutLane(lane=Lane.CANARY) if intent_state(r, seen) == "applied":
            return replace(r, intent=None).to_next(seen.now)
        case None:
            return _scale_down(r, seen, canary)
        case _:
            return r


def pinned(image: str, digest: str) -> str:
    """Return the image with the digest that the canary's pods reported, so that a moved tag changes nothing."""
    return f"{image}@{digest}" if digest and "@" not in image else image


def _stable_ready(r: Rollout, seen: Seen, stable: LaneState) -> Rollout:
    assert isinstance(r.intent, PutLane)
    applied = intent_state(r, seen) == "applied"
    if applied and stable.settled and stable.ready >= 1:
        before = seen.split.canary if seen.split else ANYTHING
        intent = PutWeight(0.0, before=before, since=r.revision + 1)
        text = f"Stable runs {r.version} with {stable.ready} pods ready; traffic goes home."
        return replace(r, intent=intent).tell(Entry("going_home", "sluice", text))
    if applied and stable.problem and stable.problem not in PASSING:
        return turn(r, seen.now, "promote_failed", stable.detail or stable.problem)
    if seen.now - r.intent.at > timedelta(seconds=STARTING):
        sentence = f"stable was not ready with {r.version} after {STARTING} s"
        return turn(r, seen.now, "promote_failed", sentence)
    return r


def _home(r: Rollout, seen: Seen) -> Rollout:
    state = intent_state(r, seen)
    if state == "drift":
        return drifted(r, seen)
    if state == "arriving":
        return arriving(r, seen)
    if state == "pending":
        return r
    return replace(r, intent=None, weight=0.0, weight_at=seen.now, audience=())


def _scale_down(r: Rollout, seen: Seen, canary: LaneState) -> Rollout:
    if proxies_lag(r, seen.now):
        return r
    if seen.split is not None and seen.split.elsewhere:
        text = f"The canary's pods were left running: {seen.split.elsewhere} still leads to them."
        return r.to_next(seen.now).tell(Entry("canary_kept", "sluice", text))
    return replace(r, intent=PutLane(Lane.CANARY, canary.image, 0, seen.now))
