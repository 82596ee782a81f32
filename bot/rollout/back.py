"""The way home: traffic first, read back, then the workloads. Pure.

Rolling back is absorbing: it ends only when the target reads back as it was armed, and it is retried for ever. It never
takes the traffic to a stable lane without ready pods, and never writes over an image that somebody else put there.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout import fleets
from bot.rollout.holding import awaited
from bot.rollout.impact import exactly, home_at
from bot.rollout.intents import ANYTHING, fence_of, intent_state, same_image, same_weight, unwritten
from bot.rollout.pace import DRAIN, RECHECK
from bot.rollout.part import Armed
from bot.rollout.retiring import still_kept
from bot.rollout.seen import Seen
from bot.rollout.stuck import (
    LASTING,
    ask,
    keep_trying,
    left_over,
    overtaken,
    page_if_late,
    page_if_overdue,
    unhealthy,
    withheld,
)
from bot.rollout.turning import back_to_batch
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.wanted import PutFleet, PutLane, PutWeight
from integrations.base import Lane, LaneState


def roll_back(r: Rollout, seen: Seen) -> Rollout:
    """Take the next step home."""
    armed = r.armed
    if armed is None:
        return nothing_written(r, seen)
    if seen.trouble is not None:
        trying = keep_trying(r, seen.trouble)
        return left_over(trying, seen) or _blind(trying, seen, armed)
    if r.lanes == "one":
        return _instances(r, seen, armed)
    if seen.lanes is None or seen.split is None:
        return r
    if r.trouble is not None and r.trouble.code != "stable_unhealthy" and not unwritten(r, seen):
        r = replace(r, trouble=None)
    if r.back is not None and r.back.home is not None:
        if same_weight(seen.split.canary, armed.canary_weight):
            return _workloads(r, seen, armed)
        r = replace(
            r,
            back=replace(r.back, home=None, rest="", cut=""),
            intent=None,
            weight=seen.split.canary,
        )
    if r.stable_touched:
        waiting = _stable_image_home(r, seen, armed)
        if waiting is not None:
            return waiting
    return _traffic(r, seen, armed)


def _instances(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    """Bring the instances of the one place home."""
    back = r.back
    assert back is not None
    if seen.fleet is None:
        return r
    if r.trouble is not None and r.trouble.tries > 0 and not unwritten(r, seen):
        r = replace(r, trouble=None)
    if fleets.foreign_image(r, seen.fleet):
        return ask(
            r,
            seen,
            "stable_changed",
            f"The instances are told to run {seen.fleet.image}, which this rollout did not write; they are left alone. "
            "Decide by hand, then `resolve`.",
        )
    if not isinstance(r.intent, PutFleet):
        return replace(r, intent=fleets.homeward(r, seen))
    if fence_of(seen.fleet.fence)[0] > r.counter:
        return keep_trying(r, overtaken(r, seen))
    if not fleets.is_home(r, seen):
        return page_if_late(fleets.nudged(r, seen, seen.fleet), seen)
    left = int(r.batch_began) if back.partial else 0
    percent = round(100.0 * left / max(1, r.whole), 2)
    home = replace(
        r,
        intent=None,
        moved=left,
        template=armed.stable.image,
        weight=percent,
        weight_at=seen.now,
    )
    return back_to_batch(home, seen.now) if back.partial else done(home, seen)


def _blind(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    """Bring the traffic home although the workloads cannot be read, once waiting for sight of them makes no sense.

    A deleted canary, a missing right: stable's health is then unknown, but the router is ours to write.
    """
    lasting = r.trouble is not None and (r.trouble.final or r.trouble.tries >= LASTING)
    force = r.back is not None and r.back.force
    if seen.split is None or seen.lanes is not None:
        return r
    if r.stable_touched or not (lasting or force):
        return withheld(r)
    if r.back is None or r.back.home is not None:
        return r
    return _homeward(r, seen, armed)


def nothing_written(r: Rollout, seen: Seen) -> Rollout:
    """End a rollout that has not touched its target."""
    reason = r.back.reason if r.back and r.back.reason else "before anything was written"
    entry = Entry("cancelled", r.back.actor if r.back else "sluice", f"Cancelled: {reason}.")
    return replace(r, phase=Phase.CANCELLED, ended=seen.now, trouble=None).tell(entry)


def _stable_image_home(r: Rollout, seen: Seen, armed: Armed) -> Rollout | None:
    """Give stable its old image while the traffic stays put; None when that is done."""
    assert seen.lanes is not None
    stable = seen.lanes[Lane.STABLE]
    if stable.image == armed.stable.image and stable.settled and stable.ready >= 1:
        return None
    force = r.back is not None and r.back.force
    if stable.image == armed.stable.image and force and stable.ready >= 1:
        return None
    if stable.image != armed.stable.image and not _ours(r, stable):
        return ask(
            r,
            seen,
            "stable_changed",
            f"Stable runs {stable.image}, which this rollout did not put there; it is left alone. "
            "Decide by hand, then `resolve`.",
        )
    if not (isinstance(r.intent, PutLane) and r.intent.lane is Lane.STABLE):
        pods = max(stable.replicas, armed.stable.replicas)
        text = f"Stable gets {r.from_version} back before the traffic moves."
        return replace(r, intent=PutLane(Lane.STABLE, armed.stable.image, pods, seen.now)).tell(
            Entry("stable_back", "sluice", text)
        )
    return _page_if_slow(r, seen, stable)


def _ours(r: Rollout, stable: LaneState) -> bool:
    return same_image(stable.image, r.image)


def _page_if_slow(r: Rollout, seen: Seen, stable: LaneState) -> Rollout:
    assert isinstance(r.intent, PutLane)
    slow = seen.now - r.intent.at > timedelta(minutes=5)
    if not slow:
        return r
    return unhealthy(r, seen, stable)


def _traffic(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    assert seen.lanes is not None
    assert seen.split is not None
    stable = seen.lanes[Lane.STABLE]
    force = r.back is not None and r.back.force
    moves = not same_weight(seen.split.canary, armed.canary_weight)
    if stable.ready < 1 and moves and not force:
        return unhealthy(r, seen, stable)
    if r.trouble is not None and r.trouble.code == "stable_unhealthy":
        r = replace(r, trouble=None)
    return _homeward(r, seen, armed)


def _homeward(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    """Write the armed split and read it back. The fence is written even where the weights are right already."""
    partial = r.back is not None and r.back.partial
    # What somebody took from the canary meanwhile stays taken: nothing on the way home raises its share.
    shown = seen.split.canary if seen.split is not None else 100.0
    weight = min(r.batch_began, shown) if partial else armed.canary_weight
    if not isinstance(r.intent, PutWeight) or r.intent.percent > weight:
        return replace(r, intent=PutWeight(weight, before=ANYTHING, since=r.revision + 1))
    state = intent_state(r, seen)
    if state != "applied":
        return page_if_overdue(awaited(r, seen), seen) if state == "arriving" else r
    if partial:
        there = replace(r, intent=None, weight=r.intent.percent, weight_at=seen.now)
        return back_to_batch(there, seen.now)
    rest = _rest(r, seen)
    text = f"All traffic is back on {r.from_version}, read back."
    if armed.stable.standing:
        text = f"The flag is {r.from_version} for everybody again, read back."
    if rest:
        text = f"The split gives nothing to {r.version}, read back; {rest}."
    own = f"{r.place}: {rest}" if r.place and rest else rest
    left, cut = (seen.split.left, seen.split.cut) if seen.split is not None else ("", "")
    back = r.back and replace(
        r.back,
        home=seen.now,
        rest=own or r.back.rest,
        left=left or r.back.left,
        cut=cut or r.back.cut,
    )
    home = replace(
        r, intent=None, weight=r.intent.percent, weight_at=seen.now, back=back, audience=()
    )
    text += f" {cut[:1].upper()}{cut[1:]}." if cut else ""
    return home.tell(Entry("traffic_home", "sluice", text))


def _rest(r: Rollout, seen: Seen) -> str:
    """Return why not all traffic is on the old version although the split is, as a clause; `""`: it is."""
    split = seen.split
    if split is not None and split.elsewhere:
        return f"{split.elsewhere} still leads to {r.version}"
    return split.unserved if split is not None else ""


def _workloads(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    assert r.back is not None
    assert r.back.home is not None
    assert seen.lanes is not None
    assert seen.split is not None
    if seen.split.elsewhere:
        return done(_pods_kept(r, seen.split.elsewhere), seen)
    if not isinstance(r.intent, PutLane):
        # Also from a weight of 0: an audience, or a write that was on its way, may have brought requests here.
        if seen.now - r.back.home < DRAIN:
            return r
        memo = armed.canary
        return replace(r, intent=PutLane(Lane.CANARY, memo.image, memo.replicas, seen.now))
    if intent_state(r, seen) != "applied":
        return r
    return done(r, seen)


def done(r: Rollout, seen: Seen) -> Rollout:
    """End the way home: everything reads back as it was armed."""
    assert r.back is not None
    if r.back.lost:
        return _a_stays(r, seen)
    home = exactly(((home_at(r) or seen.now) - r.back.at).total_seconds())
    how = "automatically" if r.back.automatic else f"by {r.back.actor}"
    why = f": {r.back.reason}" if r.back.reason else ""
    kept = any(entry.verb == "canary_kept" for entry in r.news)
    how_it_is = "The split is as before" if kept or r.back.rest else "Everything is as before"
    but = [f"{r.back.cut}."] if r.back.cut else []
    if r.back.left:
        but.append(
            f"{r.back.left} still names {r.version}: the next change by somebody else builds on it, and gets no "
            "traffic by itself."
        )
    how_it_is = "All traffic is as before" if but and not r.back.rest else how_it_is
    text = (
        f"Rolled back {r.service} {r.version} → {r.from_version} in {r.environment} {how} "
        f"from {r.back.weight:g} %{why}. The traffic was home {home} after the decision, read back. {how_it_is}."
        f"{''.join(f' But {one}' for one in but)}"
    )
    return rolled_back(replace(r, retire_at=still_kept(r, seen.now)), seen, text)


def rolled_back(r: Rollout, seen: Seen, text: str) -> Rollout:
    """End the way home with its last sentence; everybody hears of it where nobody had asked for it."""
    assert r.back is not None
    entry = Entry(
        "rolled_back",
        r.back.actor,
        text,
        code=r.back.code,
        event="rollout.rolled_back",
        tell="broadcast" if r.back.automatic else "thread",
    )
    return replace(
        r,
        phase=Phase.ROLLED_BACK,
        ended=seen.now,
        intent=None,
        trouble=None,
        recheck_at=seen.now + RECHECK if r.back.weight > 0 else None,
    ).tell(entry)


def _pods_kept(r: Rollout, elsewhere: str) -> Rollout:
    text = (
        f"{elsewhere} still leads to {r.version}, so its pods were left running: take that route away, then scale "
        "them down."
    )
    return r.tell(Entry("canary_kept", "sluice", text[:1].upper() + text[1:]))


def _a_stays(r: Rollout, seen: Seen) -> Rollout:
    """End an A/B test that A won: what was live stays live, and nobody is alerted."""
    assert r.back is not None
    text = f"A stays: {r.from_version} keeps all traffic of {r.service} in {r.environment}, {r.version} is retired."
    why = f" {r.back.reason}." if r.back.reason else ""
    entry = Entry("succeeded", r.back.actor, text + why, code=r.back.code, event="")
    return replace(
        r,
        phase=Phase.SUCCEEDED,
        ended=seen.now,
        intent=None,
        trouble=None,
        winner="A",
        retire_at=still_kept(r, seen.now),
    ).tell(entry)
