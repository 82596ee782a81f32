"""The way home: traffic first, read back, then the workloads. Pure.

Rolling back is absorbing: it ends only when the target reads back as it was armed, and it is retried for ever. It never
takes the traffic to a stable lane without ready pods, and never writes over an image that somebody else put there.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout import fleets
from bot.rollout.intents import ANYTHING, fence_of, intent_state, same_image, same_weight, unwritten
from bot.rollout.pace import DRAIN, RECHECK
from bot.rollout.part import Armed, Trouble
from bot.rollout.retiring import still_kept
from bot.rollout.seen import Seen
from bot.rollout.turning import back_to_batch
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.wanted import PutFleet, PutLane, PutWeight
from integrations.base import Lane, LaneState

_LASTING = 3
"""Failed tries after which a rollback pages."""

_PATIENCE = timedelta(minutes=5)
"""How long what is left behind the traffic is tried before a person is asked what to do about it."""

_GRACE = timedelta(seconds=5)
"""How long stable may show no ready pods before that pages: a controller that has not caught up yet looks the same."""


def roll_back(r: Rollout, seen: Seen) -> Rollout:
    """Take the next step home."""
    armed = r.armed
    if armed is None:
        return nothing_written(r, seen)
    if seen.trouble is not None:
        trying = _keep_trying(r, seen.trouble)
        return _left_over(trying, seen) or _blind(trying, seen, armed)
    if r.lanes == "one":
        return _instances(r, seen, armed)
    if seen.lanes is None or seen.split is None:
        return r
    if r.trouble is not None and r.trouble.code != "stable_unhealthy" and not unwritten(r, seen):
        r = replace(r, trouble=None)
    if r.back is not None and r.back.home is not None:
        if same_weight(seen.split.canary, armed.canary_weight):
            return _workloads(r, seen, armed)
        r = replace(r, back=replace(r.back, home=None), intent=None, weight=seen.split.canary)
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
        return _ask(
            r,
            seen,
            "stable_changed",
            f"The instances are told to run {seen.fleet.image}, which this rollout did not write; they are left alone. "
            "Decide by hand, then `resolve`.",
        )
    if not isinstance(r.intent, PutFleet):
        return replace(r, intent=fleets.homeward(r, seen))
    if fence_of(seen.fleet.fence)[0] > r.counter:
        return _keep_trying(r, _overtaken(r, seen))
    if not fleets.is_home(r, seen):
        return _page_if_late(fleets.nudged(r, seen, seen.fleet), seen)
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


def _overtaken(r: Rollout, seen: Seen) -> Trouble:
    """Return the trouble of a place that carries a fence from beyond this rollout: no write of ours counts there."""
    assert seen.fleet is not None
    text = (
        f"The instances carry the fence {seen.fleet.fence}, which is newer than this rollout ({r.counter}). If nobody "
        "else rolls this service out, remove the annotation sluice/fence."
    )
    return Trouble("fenced", text, seen.now, final=True)


def _page_if_late(r: Rollout, seen: Seen) -> Rollout:
    assert isinstance(r.intent, PutFleet)
    if seen.now - r.intent.at <= timedelta(minutes=5) or seen.fleet is None:
        return r
    if r.trouble is not None and (r.trouble.code == "instances_late" or r.trouble.tries > 0):
        # A write that does not get through has been told, and is why nothing moves.
        return r
    text = (
        f"The instances of {r.service} are not back on {r.from_version} after 5 minutes: {seen.fleet.ready} of "
        f"{seen.fleet.total} are ready. {seen.fleet.detail} It goes on by itself when they start."
    )
    trouble = Trouble("instances_late", text, seen.now, tries=0, paged=True)
    return _paged(replace(r, trouble=trouble), "rollback_held", "instances_late", text)


def _paged(r: Rollout, verb: str, code: str, text: str) -> Rollout:
    """Call people, once for each thing that is in the way of a rollback: two that take turns must not be a storm."""
    if r.back is None or code in r.back.paged:
        return r
    entry = Entry(
        verb, "sluice", text, code=code, event="rollout.needs_attention", tell="broadcast"
    )
    return replace(r, back=replace(r.back, paged=(*r.back.paged, code))).tell(entry)


def _left_over(r: Rollout, seen: Seen) -> Rollout | None:
    """Ask what to do about pods that cannot be brought home, for example because their Deployment was deleted.

    Only once the traffic is home: until then nobody may call it settled.
    """
    home = r.back.home if r.back is not None else None
    trouble = r.trouble
    if home is None or trouble is None or not trouble.final:
        return None
    if seen.now - trouble.since < _PATIENCE:
        return None
    return _ask(
        r,
        seen,
        trouble.code,
        f"The traffic of {r.service} is home, but its pods cannot be put back: {trouble.sentence} "
        "`resume` tries again; or put it right by hand, then `resolve`.",
    )


def _blind(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    """Bring the traffic home although the workloads cannot be read, once waiting for sight of them makes no sense.

    A deleted canary, a missing right: stable's health is then unknown, but the router is ours to write.
    """
    lasting = r.trouble is not None and (r.trouble.final or r.trouble.tries >= _LASTING)
    force = r.back is not None and r.back.force
    if seen.split is None or seen.lanes is not None:
        return r
    if r.stable_touched or not (lasting or force):
        return _withheld(r)
    if r.back is None or r.back.home is not None:
        return r
    return _homeward(r, seen, armed)


def _withheld(r: Rollout) -> Rollout:
    """Take the traffic's intent back: whether stable can carry it is not known."""
    return replace(r, intent=None) if isinstance(r.intent, PutWeight) else r


def _keep_trying(r: Rollout, trouble: Trouble) -> Rollout:
    """Count the failed try and page once when it looks lasting; nothing ends a rollback but its success."""
    before = r.trouble
    known = before is not None and before.code == trouble.code
    if before is not None and known:
        trouble = replace(trouble, since=before.since, tries=before.tries + 1)
    r = replace(r, trouble=trouble)
    lasting = trouble.tries == _LASTING or (trouble.final and not known)
    if not lasting:
        return r
    text = (
        f"The rollback of {r.service} is not getting through: {trouble.sentence} It is tried again "
        f"until it works; by hand: {_by_hand(r)}."
    )
    return _paged(r, "rollback_failing", trouble.code, text)


def _by_hand(r: Rollout) -> str:
    if r.lanes == "one":
        return f"let the instances run {r.from_version}"
    if r.back is not None and r.back.home is not None:
        return "the traffic is home already, only the pods are left"
    return f"give all traffic to stable ({r.from_version})"


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
        return _ask(
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
    return _unhealthy(r, seen, stable)


def _unhealthy(r: Rollout, seen: Seen, stable: LaneState) -> Rollout:
    text = (
        f"Holding the traffic where it is: stable has {stable.ready} ready pods "
        f"({stable.detail or stable.image}). Repair it and the rollback goes on; "
        f"`/rollback {r.service} now` moves the traffic anyway."
    )
    r = _withheld(r)
    known = r.trouble if r.trouble is not None and r.trouble.code == "stable_unhealthy" else None
    if known is None:
        return replace(r, trouble=Trouble("stable_unhealthy", text, seen.now))
    if known.paged or seen.now - known.since < _GRACE:
        return r
    return _paged(
        replace(r, trouble=replace(known, paged=True)), "rollback_held", "stable_unhealthy", text
    )


def _traffic(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    assert seen.lanes is not None
    assert seen.split is not None
    stable = seen.lanes[Lane.STABLE]
    force = r.back is not None and r.back.force
    moves = not same_weight(seen.split.canary, armed.canary_weight)
    if stable.ready < 1 and moves and not force:
        return _unhealthy(r, seen, stable)
    if r.trouble is not None and r.trouble.code == "stable_unhealthy":
        r = replace(r, trouble=None)
    return _homeward(r, seen, armed)


def _homeward(r: Rollout, seen: Seen, armed: Armed) -> Rollout:
    """Write the armed split and read it back. The fence is written even where the weights are right already."""
    partial = r.back is not None and r.back.partial
    if not isinstance(r.intent, PutWeight):
        weight = r.batch_began if partial else armed.canary_weight
        return replace(r, intent=PutWeight(weight, before=ANYTHING, since=r.revision + 1))
    if intent_state(r, seen) != "applied":
        return r
    if partial:
        there = replace(r, intent=None, weight=r.intent.percent, weight_at=seen.now)
        return back_to_batch(there, seen.now)
    other = seen.split.elsewhere if seen.split is not None else ""
    rest = f"; {other} still leads to {r.version}" if other else ""
    text = f"All traffic of the split is back on {r.from_version}, read back{rest}."
    if not rest:
        text = f"All traffic is back on {r.from_version}, read back."
    back = replace(r.back, home=seen.now) if r.back else None
    home = replace(
        r, intent=None, weight=r.intent.percent, weight_at=seen.now, back=back, audience=()
    )
    return home.tell(Entry("traffic_home", "sluice", text))


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
    seconds = int((seen.now - r.back.at).total_seconds())
    how = "automatically" if r.back.automatic else f"by {r.back.actor}"
    why = f": {r.back.reason}" if r.back.reason else ""
    kept = any(entry.verb == "canary_kept" for entry in r.news)
    how_it_is = "The split is as before" if kept else "Everything is as before"
    text = (
        f"Rolled back {r.service} {r.version} → {r.from_version} in {r.environment} {how} "
        f"from {r.back.weight:g} %{why}. {how_it_is}, {seconds} s after the decision."
    )
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
        retire_at=still_kept(r, seen.now),
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


def _ask(r: Rollout, seen: Seen, code: str, text: str) -> Rollout:
    entry = Entry(
        "needs_attention",
        "sluice",
        text,
        code=code,
        event="rollout.needs_attention",
        tell="broadcast",
    )
    trouble = Trouble(code, text, seen.now, final=True)
    return replace(
        r,
        phase=Phase.NEEDS_ATTENTION,
        code=code,
        trouble=trouble,
        resume_to=Phase.ROLLING_BACK,
        reminded=seen.now,
    ).tell(entry)
