"""A batch where there are two lanes: the canary grows by the batch, and the traffic with it. Pure.

The batch repeats (`Rollout.to_next`) until the canary has all traffic; on fixed lanes its last visit hands over to
stable.
"""

from dataclasses import replace
from math import floor

from bot.rollout.promoting import promote
from bot.rollout.seen import Seen
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutLane, PutWeight
from bot.rollout.weighing import not_ready, plural, pods_for, weigh, weight_landed
from integrations.base import Lane
from strategies.plan import Batch

_FINEST = 0.01
"""Percent: the smallest step of a weight, and so of a batch."""


def batch(r: Rollout, seen: Seen, step: Batch) -> Rollout:
    """Move one batch, or hand over when all are moved."""
    if r.stable_touched or r.weight >= 100:
        return promote(r, seen)
    if seen.lanes is None or seen.split is None:
        return r
    if isinstance(r.intent, PutWeight):
        return weight_landed(r, seen)
    if r.progress.attempt == 0:
        return _begun(r, step)
    return _pods(r, seen, step) or weigh(r, seen, goal(r, step))


def goal(r: Rollout, step: Batch) -> float:
    """Return the weight (percent) that the current batch leads to, in hundredths: finer ones a router cannot carry."""
    least = r.batch_began + _FINEST
    return min(100.0, round(max(least, _reached(r, step)), 2))


def _reached(r: Rollout, step: Batch) -> float:
    if isinstance(step.instances, str):
        return r.batch_began + float(step.instances.rstrip("%"))
    whole = max(1, r.armed.stable.replicas if r.armed else 0)
    moved = round(whole * r.batch_began / 100) + step.instances
    # Rounded down: a third of three instances must not ask for a second pod.
    return floor(10_000 * min(moved, whole) / whole) / 100


def _begun(r: Rollout, step: Batch) -> Rollout:
    progress = replace(r.progress, attempt=1)
    begun = replace(r, progress=progress, batch_began=r.weight)
    text = f"Batch {r.batches + 1}: {r.weight:g} % to {goal(begun, step):g} %."
    return begun.tell(Entry("batch", "sluice", text))


def _pods(r: Rollout, seen: Seen, step: Batch) -> Rollout | None:
    """Start the pods of the batch, at most `max_concurrent` at a time; None once all of them are ready."""
    assert seen.lanes is not None
    canary = seen.lanes[Lane.CANARY]
    wanted = pods_for(r, goal(r, step))
    ours = canary.image == r.image
    ready = canary.ready if ours else 0
    if isinstance(r.intent, PutLane):
        failure = not_ready(r, seen, canary, step.timeout)
        if failure:
            return failure
        if not ours or not canary.settled or ready < r.intent.replicas:
            return r
    if ready >= wanted:
        return None
    now_up = min(wanted, ready + step.max_concurrent)
    text = f"Starting {now_up - ready} {plural(now_up - ready)} of {r.version}."
    return replace(r, intent=PutLane(Lane.CANARY, r.image, now_up, seen.now)).tell(
        Entry("preparing", "sluice", text, tell="")
    )
