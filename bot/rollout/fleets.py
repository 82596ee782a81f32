"""One place whose instances move: a batch, a replacement, and the way home. Pure.

There is no router: the share of the new version is the share of the instances that run it. Going back is the same
movement with the old image.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from bot.rollout.holding import PASSING
from bot.rollout.intents import intent_state
from bot.rollout.pace import STARTING
from bot.rollout.seen import Seen
from bot.rollout.turning import hold, turn
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutFleet
from integrations.base import FleetState
from strategies.plan import Batch

NUDGE = timedelta(seconds=15)
"""How long nothing may move before the same is written again."""


def goal(r: Rollout, step: Batch) -> int:
    """Return how many instances run the new version when the current batch is done."""
    if not isinstance(step.instances, str):
        return min(r.whole, int(r.batch_began) + step.instances)
    if r.plan.repeated is not None:
        return min(r.whole, int(r.batch_began) + _share(r.whole, _percent(step)))
    # Every notch is named: rounding each of them up would reach the end too early.
    named = sum(_percent(one) for one in r.plan.steps[: r.cursor + 1] if isinstance(one, Batch))
    return min(r.whole, _share(r.whole, named))


def _percent(step: Batch) -> float:
    return float(str(step.instances).rstrip("%"))


def _share(instances: int, percent: float) -> int:
    return max(1, ceil(round(instances * percent / 100, 9)))


def move_batch(r: Rollout, seen: Seen, step: Batch) -> Rollout:
    """Move the next instances, at most `max_concurrent` at a time, each healthy within its timeout."""
    fleet = seen.fleet
    if fleet is None:
        return r
    if fleet.total != r.whole:
        # An autoscaler goes on doing its work; what counts is how many there are now.
        r = replace(r, instances=fleet.total)
    if r.progress.attempt == 0:
        return _begun(r, fleet, step)
    if not isinstance(r.intent, PutFleet):
        return _move(r, fleet, seen.now, step)
    match intent_state(r, seen):
        case "drift":
            return _changed(r, seen, fleet)
        case "pending" | "arriving":
            return r
        case "applied":
            return _moving(r, seen, fleet, step)


def _begun(r: Rollout, fleet: FleetState, step: Batch) -> Rollout:
    # Behind a batch that was undone the place is told to run the old version, beside what had moved before.
    there = fleet.moved + fleet.pending if fleet.image == r.image else r.moved
    began = float(min(there, r.whole))
    begun = replace(r, progress=replace(r.progress, attempt=1), batch_began=began)
    text = f"Batch {r.batches + 1}: {began:g} to {goal(begun, step)} of {r.whole} instances."
    return begun.tell(Entry("batch", "sluice", text))


def _move(r: Rollout, fleet: FleetState, now: datetime, step: Batch) -> Rollout:
    moved = fleet.moved if fleet.image == r.image else 0
    count = min(goal(r, step), moved + step.max_concurrent)
    intent = PutFleet(
        r.image,
        now,
        since=r.revision + 1,
        before=_left_with(r),
        count=None if count >= r.whole else count,
    )
    return replace(r, intent=intent)


def _moving(r: Rollout, seen: Seen, fleet: FleetState, step: Batch) -> Rollout:
    assert isinstance(r.intent, PutFleet)
    if r.intent.image != r.image:
        # Somebody's edit was written over with what had been there; the batch has yet to begin.
        return _move(r, fleet, seen.now, step)
    count = r.intent.count
    if count is None and fleet.settled:
        return _moved(r, seen, fleet)
    if count is not None and fleet.pending == 0 and fleet.moved >= min(count, fleet.total):
        # Only a place that is no longer held back has moved as a whole.
        done = goal(r, step) <= fleet.moved < fleet.total
        return _moved(r, seen, fleet) if done else _move(r, fleet, seen.now, step)
    return _stuck(r, seen, fleet, step.timeout) or nudged(r, seen, fleet)


def nudged(r: Rollout, seen: Seen, fleet: FleetState) -> Rollout:
    """Write the intent once more when nothing moves: a controller does not repeat a pass that met a conflict."""
    intent = r.intent
    assert isinstance(intent, PutFleet)
    wanted = fleet.total if intent.count is None else min(intent.count, fleet.total)
    last = intent.nudged or intent.at
    if fleet.pending or fleet.moved >= wanted or fleet.problem or seen.now - last < NUDGE:
        return r
    return replace(r, intent=replace(intent, since=r.revision + 1, nudged=seen.now))


def _moved(r: Rollout, seen: Seen, fleet: FleetState) -> Rollout:
    percent = round(100.0 * fleet.moved / fleet.total, 2) if fleet.total else 100.0
    text = f"{fleet.moved} of {fleet.total} instances run {r.version}."
    there = replace(
        r,
        intent=None,
        moved=fleet.moved,
        instances=fleet.total,
        template=r.image,
        weight=min(100.0, percent),
        weight_at=seen.now,
        batches=r.batches + 1,
        look=None,
        judgement=None,
    )
    return there.to_next(seen.now).tell(
        Entry("weight", "sluice", text, data={"percent": there.weight})
    )


def _stuck(r: Rollout, seen: Seen, fleet: FleetState, timeout: int) -> Rollout | None:
    assert isinstance(r.intent, PutFleet)
    if fleet.problem and fleet.problem not in PASSING:
        return turn(r, seen.now, fleet.problem, fleet.detail or fleet.problem)
    # Where they all run it but are handed over from one place to another, as many start once more.
    patience = timeout + (STARTING if fleet.moved >= fleet.total else 0)
    if seen.now - r.intent.at <= timedelta(seconds=patience):
        return None
    reason = f"{fleet.pending} instances of {r.version} were not healthy after {patience} s. {fleet.detail}"
    return turn(r, seen.now, "not_ready_in_time", reason.rstrip())


def replace_all(r: Rollout, seen: Seen) -> Rollout:
    """Stop all instances, and when they are gone start as many with the new version."""
    fleet = seen.fleet
    if fleet is None or r.armed is None:
        return r
    if not isinstance(r.intent, PutFleet):
        text = f"Stopping {r.from_version}; nobody is served until {r.version} is ready."
        image = _left_with(r)
        stop = PutFleet(image, seen.now, since=r.revision + 1, before=image, replicas=0)
        return replace(r, intent=stop).tell(Entry("stopping", "sluice", text))
    match intent_state(r, seen):
        case "drift":
            return _scaled(r, seen, fleet)
        case "pending" | "arriving":
            return r
        case "applied":
            return _replacing(r, seen, fleet)


def _replacing(r: Rollout, seen: Seen, fleet: FleetState) -> Rollout:
    assert isinstance(r.intent, PutFleet)
    if r.intent.replicas == 0:
        if fleet.moved or fleet.pending or fleet.old:
            return r
        text = f"{r.from_version} is stopped; starting {r.whole} of {r.version}."
        start = PutFleet(
            r.image, seen.now, since=r.revision + 1, before=_left_with(r), replicas=r.whole
        )
        return replace(r, intent=start).tell(Entry("starting", "sluice", text))
    if fleet.settled and fleet.moved > 0:
        return _moved(r, seen, fleet)
    return _stuck(r, seen, fleet, STARTING) or r


def _scaled(r: Rollout, seen: Seen, fleet: FleetState) -> Rollout:
    assert isinstance(r.intent, PutFleet)
    who = fleet.changed_by or "somebody"
    text = (
        f"There shall be {fleet.total} instances where this rollout asked for {r.intent.replicas} (changed by {who}). "
        "`resume` writes ours again, `rollback` goes home."
    )
    return hold(r, seen.now, "drift", text)


def foreign_image(r: Rollout, fleet: FleetState) -> bool:
    """Whether the instances are told to run something that this rollout knows nothing of."""
    known = {r.image, r.armed.stable.image if r.armed else ""}
    return fleet.image not in known


def _changed(r: Rollout, seen: Seen, fleet: FleetState) -> Rollout:
    who = fleet.changed_by or "somebody"
    text = (
        f"The instances are told to run {fleet.image}, which this rollout did not write (changed by {who}). "
        "`resume` writes ours again, `rollback` goes home."
    )
    return hold(r, seen.now, "drift", text)


def foreign_fleet(r: Rollout, seen: Seen) -> Rollout | None:
    """Hold when somebody else told the instances to run another version; what is ours on its way is not that."""
    if seen.fleet is None or r.code == "drift" or _as_told(r, seen, seen.fleet.image):
        return None
    return _changed(r, seen, seen.fleet)


def _as_told(r: Rollout, seen: Seen, image: str) -> bool:
    if not isinstance(r.intent, PutFleet):
        return image == _left_with(r)
    on_its_way = intent_state(r, seen) == "pending"
    return image == r.intent.image or (on_its_way and r.intent.before in {"", image})


def _left_with(r: Rollout) -> str:
    """Return the image that the place was last told to run, as read back."""
    before = r.armed.stable.image if r.armed else ""
    return r.template or before


def homeward(r: Rollout, seen: Seen) -> PutFleet:
    """Return the intent that brings the instances home: all of them, or those of the batch that failed."""
    assert r.armed is not None
    assert r.back is not None
    there = seen.fleet.total if seen.fleet is not None else r.whole
    count = max(1, there - int(r.batch_began)) if r.back.partial else None
    return PutFleet(
        r.armed.stable.image,
        seen.now,
        since=r.revision + 1,
        count=count,
        replicas=r.whole if r.in_place else None,
    )


def is_home(r: Rollout, seen: Seen) -> bool:
    """Whether the instances that go back have arrived."""
    if not isinstance(r.intent, PutFleet) or seen.fleet is None:
        return False
    if intent_state(r, seen) != "applied":
        return False
    if r.intent.count is None or seen.fleet.settled:
        return seen.fleet.settled
    return seen.fleet.moved >= r.intent.count and seen.fleet.pending == 0


def again(r: Rollout, now: datetime) -> PutFleet:
    """Return the intent that writes over a foreign version: what was on its way, else what had been reached."""
    since = r.revision + 1
    if isinstance(r.intent, PutFleet):
        return replace(r.intent, at=now, since=since, before="", nudged=None)
    if r.moved == 0:
        return PutFleet(_left_with(r), now, since=since)
    return PutFleet(r.image, now, since=since, count=None if r.moved >= r.whole else r.moved)
