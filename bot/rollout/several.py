"""The state machine where a rollout has several targets: forward in order, backward all at once. Pure.

Each step is done on the first target, then on the next, and everybody waits at soaks and gates together. The worst
target decides what a look is worth. On the way home every target is tried, and none waits for another.
"""

from dataclasses import replace

from bot.rollout import scheduling
from bot.rollout.back import done, nothing_written, roll_back
from bot.rollout.drift import foreign_edit, landed_while_paused, offline, offline_mark, reapplied
from bot.rollout.forward import walk
from bot.rollout.judging import look_at
from bot.rollout.outages import answers_again, troubled
from bot.rollout.part import Part
from bot.rollout.parts import absorb, own, put, standing, summed, told, turn_of, view
from bot.rollout.resting import recheck, reminded, still_stuck, waiting
from bot.rollout.retiring import retire
from bot.rollout.seen import Seen
from bot.rollout.shown import renewed
from bot.rollout.sickness import sick
from bot.rollout.starting import arm, cancel
from bot.rollout.stuck import LASTING
from bot.rollout.turning import back_to_batch
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.worst import afterwards, each_judged, each_shown, each_warned, with_worst
from strategies.plan import Watch


def advance(r: Rollout, seen: Seen) -> Rollout:
    """Return the row as it should be next."""
    match r.phase:
        case Phase.CANCELLED:
            return r
        case Phase.SCHEDULED:
            return scheduling.start(r, seen)
        case Phase.SUCCEEDED:
            return _retire(r, seen)
        case Phase.NEEDS_ATTENTION:
            return reminded(r, seen)
        case Phase.ROLLED_BACK:
            return _retire(recheck(r, afterwards(r, seen)), seen)
        case Phase.ROLLING_BACK:
            return still_stuck(_home(r, seen), seen)
        case Phase.RUNNING | Phase.WAITING | Phase.PAUSED:
            return _forward(r, seen)


def _forward(r: Rollout, seen: Seen) -> Rollout:
    for part in r.parts:
        mark = _mark(r, part, seen.parts.get(part.name))
        if mark:
            return offline(r, seen, f"{mark} on {part.name}")
    r, looks = each_judged(r, seen)
    seen = with_worst(r, seen, looks)
    looked, judgement = look_at(r, seen)
    if looked.phase is Phase.ROLLING_BACK:
        return each_shown(looked, seen, looks)
    looked = renewed(looked, seen.look, judgement, seen.now)
    # A running soak judges the look itself.
    watching = r.phase is Phase.RUNNING and isinstance(r.step, Watch)
    going = each_warned(r if watching else looked, seen, looks)
    return each_shown(_onward(going, seen), seen, looks)


def _onward(r: Rollout, seen: Seen) -> Rollout:
    """Go on, unless something is in the way on one of the targets."""
    r = _without_flags(r, seen)
    troubles = [part for part in r.parts if _sight(part, seen).trouble is not None]
    if troubles:
        return _troubled(r, seen, troubles)
    if r.armed is None and r.phase is Phase.RUNNING:
        return _arm(r, seen)
    phase = r.phase
    r = _answering(r, seen)
    if r.armed is None or r.phase is not phase:
        return r
    for part in r.parts:
        after = foreign_edit(view(r, part), _sight(part, seen))
        if after is not None:
            return absorb(r, part, after, seen.now, foreign=True)
    for part in r.parts:
        after = sick(view(r, part), _sight(part, seen))
        r = absorb(r, part, after, seen.now)
        if r.phase is not phase:
            return r
    return _by_phase(r, seen)


def _by_phase(r: Rollout, seen: Seen) -> Rollout:
    match r.phase:
        case Phase.RUNNING:
            return _reapplied(r, seen) or _step(r, seen)
        case Phase.WAITING:
            return waiting(r, seen)
        case Phase.PAUSED:
            for part in r.parts:
                after = landed_while_paused(view(r, part), _sight(part, seen))
                r = absorb(r, part, after, seen.now)
            return reminded(r, seen)
        case _:
            return r


def _sight(part: Part, seen: Seen) -> Seen:
    """Return what was seen of one target; nothing where it was not looked at."""
    return seen.parts.get(part.name) or Seen(seen.now)


def _mark(r: Rollout, part: Part, sight: Seen | None) -> str:
    if sight is None:
        return ""
    own = view(r, part)
    return offline_mark(own, sight.fleet if own.lanes == "one" else sight.split)


def _troubled(r: Rollout, seen: Seen, troubles: list[Part]) -> Rollout:
    phase = r.phase
    for part in troubles:
        sight = _sight(part, seen)
        assert sight.trouble is not None
        r = absorb(r, part, troubled(view(r, part), sight, sight.trouble), seen.now)
        if r.phase is not phase:
            return r
    return reminded(r, seen) if phase is Phase.PAUSED else r


def _arm(r: Rollout, seen: Seen) -> Rollout:
    """Take the snapshot of every target before the first write to any of them."""
    said, level = [], []
    for part in r.parts:
        after = arm(view(r, part), _sight(part, seen)) if part.armed is None else view(r, part)
        if after.code == "already_live":
            level.append(part.name)
        elif after.phase is not r.phase:
            return absorb(r, part, after, seen.now)
        else:
            r = replace(put(r, own(part, after)), counter=after.counter)
            said += [f"{part.name}: {entry.text}" for entry in after.news]
    moving = tuple(part for part in r.parts if part.name not in level)
    if moving and all(part.unwatched for part in moving) and _watches(r):
        text = (
            f"{', '.join(level)}: {r.version} already runs, and without that nothing says whether the rest goes well. "
            f"Roll {', '.join(part.name for part in moving)} out by itself."
        )
        return cancel(r, seen.now, "already_live", text)
    if not moving:
        text = f"{r.version} is what already runs on every target. Name another version."
        return cancel(r, seen.now, "already_live", text)
    if any(part.armed is None for part in moving):
        return r
    ahead = [part for part in r.parts if part.name in level]
    # A target that was ahead is made no part of it: the others are brought level.
    r = summed(replace(r, parts=moving))
    said += [
        f"{part.name}: runs {part.to or r.version} already and is left alone." for part in ahead
    ]
    data = {"from_version": r.from_version}
    text = f"Started on {len(r.parts)} targets. {' '.join(said)}".replace(": Started:", ":")
    return r.tell(Entry("armed", "sluice", text, event="rollout.started", data=data))


def _without_flags(r: Rollout, seen: Seen) -> Rollout:
    """Leave out the flags that are in the way of an undo before it has begun: its pods wait for none of them."""
    if not r.rollback_of or r.armed is not None or r.phase is not Phase.RUNNING:
        return r
    left_out = {
        part.name: why
        for part in r.parts
        if part.lanes and part.armed is None and (why := _unarmable(r, part, seen))
    }
    staying = tuple(part for part in r.parts if part.name not in left_out)
    if not staying or not left_out:
        return r
    for name, why in left_out.items():
        text = f"{name}: The flag is left as it is, and the rest goes back without it: {why} See to it by hand."
        r = r.tell(
            Entry(
                "left_out",
                "sluice",
                text,
                code="flag_left_out",
                event="rollout.needs_attention",
                tell="broadcast",
            )
        )
    return summed(replace(r, parts=staying))


def _unarmable(r: Rollout, part: Part, seen: Seen) -> str:
    """Return why a flag cannot be made part of an undo; `""` while it can, or may."""
    sight, before = _sight(part, seen), part.trouble.tries if part.trouble is not None else 0
    if sight.trouble is not None:
        lasting = sight.trouble.final or before + 1 >= LASTING
        return sight.trouble.sentence if lasting else ""
    after = arm(view(r, part), sight)
    if after.phase is not Phase.CANCELLED or after.code == "already_live":
        return ""
    return after.news[-1].text.removeprefix("Not started: ")


def _watches(r: Rollout) -> bool:
    return any(isinstance(step, Watch) for step in r.plan.steps)


def _answering(r: Rollout, seen: Seen) -> Rollout:
    """Forget the troubles that are over; what they held goes on when all of them are."""
    for part in r.parts:
        others = [one for one in r.parts if one.name != part.name and one.trouble is not None]
        after = answers_again(view(r, part), _sight(part, seen))
        if after.phase is not r.phase and others:
            after = replace(view(r, part), trouble=None)
        r = absorb(r, part, after, seen.now)
    return r


def _reapplied(r: Rollout, seen: Seen) -> Rollout | None:
    for part in r.parts:
        after = reapplied(view(r, part), _sight(part, seen))
        if after is not None:
            return absorb(r, part, after, seen.now)
    return None


def _step(r: Rollout, seen: Seen) -> Rollout:
    part = turn_of(r)
    if part is None:
        return _together(r, seen)
    before = view(r, part)
    after = walk(before, _sight(part, seen))
    if after.phase is not r.phase:
        return absorb(r, part, after, seen.now)
    passed = after.cursor != r.cursor
    r = absorb(r, part, after, seen.now, done=passed)
    if not all(one.done for one in r.parts):
        return r
    r = summed(r.to_next(seen.now))
    if all(one.look is None for one in r.parts):
        # Behind a new weight the old numbers say nothing.
        r = replace(r, look=None, judgement=None)
    return r


def _together(r: Rollout, seen: Seen) -> Rollout:
    """Do a step that all targets do at the same time."""
    after = walk(r, seen)
    return _keeping(after) if after.phase.final else after


def _keeping(ended: Rollout) -> Rollout:
    """Let each target keep its old version as long as the row does; a flag has none to be kept."""
    parts = tuple(
        replace(part, retire_at=None if standing(part) else ended.retire_at) for part in ended.parts
    )
    return replace(ended, parts=parts)


def _home(r: Rollout, seen: Seen) -> Rollout:
    if r.armed is None:
        return nothing_written(r, seen)
    for part in r.parts:
        if not part.done:
            r = _nearer(r, part, roll_back(view(r, part), _sight(part, seen)))
    return _all_home(r, seen) if all(part.done for part in r.parts) else r


def _nearer(r: Rollout, part: Part, after: Rollout) -> Rollout:
    """Take one target's next step home; that it has arrived is said when all of them have."""
    if r.back is not None and after.back is not None:
        rest, left, cut = after.back.rest, after.back.left, after.back.cut
        r = replace(r, back=replace(r.back, rest=rest, left=left, cut=cut, paged=after.back.paged))
    if after.phase is Phase.ROLLING_BACK:
        return told(put(r, own(part, after)), part.name, after.news)
    if after.phase is Phase.NEEDS_ATTENTION:
        return told(put(r, own(part, after, done=True, asks=True)), part.name, after.news)
    home = own(part, after, done=True, intent=None, trouble=None)
    return told(put(r, home), part.name, after.news[:-1])


def _all_home(r: Rollout, seen: Seen) -> Rollout:
    asking = [part.trouble for part in r.parts if part.asks and part.trouble is not None]
    if asking:
        return replace(
            r,
            phase=Phase.NEEDS_ATTENTION,
            code=asking[0].code,
            resume_to=Phase.ROLLING_BACK,
            reminded=seen.now,
        )
    if r.back is not None and r.back.partial:
        return back_to_batch(r, seen.now)
    return _keeping(done(r, seen))


def _retire(r: Rollout, seen: Seen) -> Rollout:
    if r.retire_at is None or seen.now < r.retire_at:
        return r
    for part in r.parts:
        if part.retire_at is None:
            continue
        after = retire(view(r, replace(part, retire_at=seen.now)), _sight(part, seen))
        r = told(put(r, own(part, after)), part.name, after.news)
    return r
