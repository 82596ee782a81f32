"""Replace where there are two lanes: stable is stopped, then started with the new version. Pure.

Nobody is served in between; the plan says so. The router is left alone: all traffic stays on the stable lane.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout.holding import PASSING
from bot.rollout.intents import intent_state
from bot.rollout.pace import STARTING
from bot.rollout.seen import Seen
from bot.rollout.turning import turn
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutLane
from integrations.base import Lane, LaneState


def replace_stable(r: Rollout, seen: Seen) -> Rollout:
    """Stop the old pods, and when all are gone start the new ones."""
    if seen.lanes is None or r.armed is None:
        return r
    stable = seen.lanes[Lane.STABLE]
    if not isinstance(r.intent, PutLane):
        text = f"Stopping {r.from_version}; nobody is served until {r.version} is ready."
        stop = PutLane(Lane.STABLE, stable.image, 0, seen.now)
        return replace(r, intent=stop, stable_touched=True).tell(Entry("stopping", "sluice", text))
    if intent_state(r, seen) != "applied":
        return r
    if r.intent.replicas == 0:
        return _start(r, seen, stable)
    return _started(r, seen, stable)


def _start(r: Rollout, seen: Seen, stable: LaneState) -> Rollout:
    assert r.armed is not None
    if not stable.settled or stable.ready > 0:
        return r
    pods = r.armed.stable.replicas
    text = f"{r.from_version} is stopped; starting {pods} of {r.version}."
    return replace(r, intent=PutLane(Lane.STABLE, r.image, pods, seen.now)).tell(
        Entry("starting", "sluice", text)
    )


def _started(r: Rollout, seen: Seen, stable: LaneState) -> Rollout:
    assert isinstance(r.intent, PutLane)
    if stable.settled and stable.ready >= r.intent.replicas:
        text = f"{r.version} serves all traffic with {stable.ready} ready."
        done = replace(r, intent=None, weight=100.0, weight_at=seen.now, look=None, judgement=None)
        return done.to_next(seen.now).tell(Entry("replaced", "sluice", text))
    if stable.problem and stable.problem not in PASSING:
        return turn(r, seen.now, stable.problem, stable.detail or stable.problem)
    if seen.now - r.intent.at > timedelta(seconds=STARTING):
        reason = f"{r.version} had {stable.ready} of {r.intent.replicas} ready after {STARTING} s"
        return turn(r, seen.now, "not_ready_in_time", reason)
    return r
