"""The way up: one function per step. Pure.

Each returns the row as it should be next; the same row means: nothing to do until the world has moved.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import assert_never

from bot.rollout import gates
from bot.rollout.intents import ANYTHING, fence_of, intent_state, same_weight
from bot.rollout.judging import look_at, start_back
from bot.rollout.pace import DRAIN
from bot.rollout.seen import Seen
from bot.rollout.values import (
    Armed,
    Back,
    Entry,
    LaneMemo,
    Phase,
    Progress,
    PutLane,
    PutWeight,
    Rollout,
)
from integrations.base import Lane, LaneState
from strategies.plan import Approve, Prepare, Promote, Retire, SetWeight, Soak, Switch
from strategies.verdict import Judgement, Verdict

Lanes = Mapping[Lane, LaneState]

STARTING = 600
"""Seconds that more pods for a weight may take."""


def walk(r: Rollout, seen: Seen) -> Rollout:
    """Take the next step of a running rollout."""
    match r.step:
        case None:
            return _succeed(r, seen.now)
        case Prepare() as step:
            return _prepare(r, seen, step)
        case SetWeight(percent=percent):
            return _weigh(r, seen, percent)
        case Switch():
            return _weigh(r, seen, 100.0)
        case Soak() as step:
            return _soak(r, seen, step)
        case Approve():
            return gates.open_gate(r, seen.now, "approve")
        case Promote():
            return _promote(r, seen)
        case Retire() as step:
            return _retire(r, seen, step)
        case _ as unknown:
            assert_never(unknown)


def arm(r: Rollout, seen: Seen) -> Rollout:
    """Take the snapshot that going back restores, or refuse to start. Nothing has been written yet."""
    if seen.trouble is not None and seen.trouble.final:
        return cancel(r, seen.now, seen.trouble.code, seen.trouble.sentence)
    if seen.split is None or seen.lanes is None or seen.findings is None:
        return r
    for finding in seen.findings:
        if finding.fatal:
            return cancel(r, seen.now, finding.code, finding.sentence)
    stable, canary = seen.lanes[Lane.STABLE], seen.lanes[Lane.CANARY]
    refusal = _start_refused(r, seen, stable)
    if refusal:
        return cancel(r, seen.now, *refusal)
    seen_counters = (fence_of(f)[0] for f in (seen.split.fence, stable.fence, canary.fence))
    armed = Armed(
        canary_weight=seen.split.canary,
        stable=LaneMemo(stable.image, stable.replicas, stable.ready),
        canary=LaneMemo(canary.image, canary.replicas, canary.ready),
        at=seen.now,
    )
    text = f"Started: {stable.version} → {r.version}, {stable.ready} stable pods ready."
    notes = "".join(f" {f.sentence}" for f in seen.findings if not f.fatal)
    return replace(
        r,
        armed=armed,
        image=seen.image,
        from_version=stable.version,
        # A fence left by an earlier database must not lock this rollout out.
        counter=max(r.counter, *(c + 1 for c in seen_counters if c >= r.counter), r.counter),
        progress=Progress(began=seen.now),
        trouble=None,
    ).tell(
        Entry(
            "armed",
            "sluice",
            text + notes,
            event="rollout.started",
            data={"from_version": stable.version},
        )
    )


def _start_refused(r: Rollout, seen: Seen, stable: LaneState) -> tuple[str, str] | None:
    if seen.split is not None and not same_weight(seen.split.canary, 0):
        return (
            "split_not_clean",
            f"The canary already receives {seen.split.canary:g} % of the traffic, so there is no clean state"
            + " to go back to. Set the weights to 100/0 and start again.",
        )
    if stable.ready < 1:
        return (
            "stable_unhealthy",
            f"The stable lane has no ready pods ({stable.detail or stable.image}); a rollback would have"
            + " nowhere to go. Repair stable first.",
        )
    if stable.image == seen.image:
        return (
            "already_live",
            f"{r.version} is what already runs as stable. Name another version.",
        )
    return None


def cancel(r: Rollout, now: datetime, code: str, sentence: str) -> Rollout:
    """End a rollout that has not written anything."""
    entry = Entry(
        "cancelled",
        "sluice",
        f"Not started: {sentence}",
        code=code,
        tell="requester",
        event="rollout.cancelled",
    )
    return replace(r, phase=Phase.CANCELLED, code=code, ended=now, trouble=None, gate=None).tell(
        entry
    )


def pods_for(r: Rollout, percent: float) -> int:
    """Return the ready pods that a weight needs: its share of what stable had ready, at least one."""
    ready = r.armed.stable.ready if r.armed else 1
    return max(1, ceil(ready * percent / 100))


def _first_percent(r: Rollout) -> float:
    percent = gates.next_weight(r)
    return 100.0 if percent is None else percent


def _prepare(r: Rollout, seen: Seen, step: Prepare) -> Rollout:
    if seen.lanes is None:
        return r
    canary = seen.lanes[Lane.CANARY]
    pods = pods_for(r, _first_percent(r))
    if not isinstance(r.intent, PutLane):
        intent = PutLane(Lane.CANARY, r.image, pods, seen.now)
        text = f"Starting {pods} {_plural(pods)} of {r.version} without traffic."
        return replace(r, intent=intent).tell(Entry("preparing", "sluice", text))
    failure = _not_ready(r, seen, canary, step.timeout)
    if failure:
        return failure
    if intent_state(r, seen) == "applied" and canary.settled and canary.ready >= pods:
        text = f"{canary.ready} {_plural(canary.ready)} of {r.version} ready."
        return replace(r, intent=None).to_next(seen.now).tell(Entry("prepared", "sluice", text))
    return r


def _plural(pods: int) -> str:
    return "pod" if pods == 1 else "pods"


def _not_ready(r: Rollout, seen: Seen, canary: LaneState, timeout: int) -> Rollout | None:
    """Return the rollback that a canary which cannot start asks for; None while there is hope."""
    if not isinstance(r.intent, PutLane) or intent_state(r, seen) != "applied":
        return None
    if canary.problem:
        return _give_up(r, seen.now, canary.problem, canary.detail or canary.problem)
    if seen.now - r.intent.at > timedelta(seconds=timeout):
        sentence = (
            f"{r.version} had {canary.ready} of {r.intent.replicas} pods ready after {timeout} s"
        )
        return _give_up(r, seen.now, "not_ready_in_time", sentence)
    return None


def _give_up(r: Rollout, now: datetime, code: str, reason: str) -> Rollout:
    return start_back(
        r,
        Back(
            code=code,
            reason=reason.rstrip("."),
            actor="sluice",
            at=now,
            automatic=True,
            weight=r.weight,
        ),
    )


def _weigh(r: Rollout, seen: Seen, percent: float) -> Rollout:
    if seen.lanes is None or seen.split is None:
        return r
    if isinstance(r.intent, PutWeight):
        return _weight_landed(r, seen, r.intent)
    if seen.findings is None:
        return r
    canary = seen.lanes[Lane.CANARY]
    pods = pods_for(r, percent)
    if isinstance(r.intent, PutLane):
        failure = _not_ready(r, seen, canary, STARTING)
        if failure:
            return failure
    if canary.replicas < pods:
        return _more_pods(r, seen, canary, pods, percent)
    if canary.ready < pods:
        wanted = PutLane(Lane.CANARY, canary.image, canary.replicas, seen.now)
        return r if isinstance(r.intent, PutLane) else replace(r, intent=wanted)
    fatal = [f for f in seen.findings if f.fatal]
    if fatal:
        return _blocked(r, seen, fatal[0].code, fatal[0].sentence)
    intent = PutWeight(percent, before=seen.split.canary, since=r.revision + 1)
    text = f"Opening to {percent:g} %."
    return replace(r, intent=intent, trouble=None).tell(
        Entry("weighing", "sluice", text, tell="", data={"percent": percent})
    )


def _more_pods(r: Rollout, seen: Seen, canary: LaneState, pods: int, percent: float) -> Rollout:
    if isinstance(r.intent, PutLane) and r.intent.replicas >= pods:
        return r
    intent = PutLane(Lane.CANARY, canary.image, pods, seen.now)
    text = f"Scaling the canary to {pods} {_plural(pods)} for {percent:g} %."
    return replace(r, intent=intent).tell(Entry("scaling", "sluice", text))


def _blocked(r: Rollout, seen: Seen, code: str, sentence: str) -> Rollout:
    """Hold before a weight that would hurt; give up when the pods' deadline passes."""
    began = r.progress.began or seen.now
    if seen.now - began > timedelta(seconds=STARTING):
        return _give_up(r, seen.now, code, sentence)
    return r


def _weight_landed(r: Rollout, seen: Seen, intent: PutWeight) -> Rollout:
    state = intent_state(r, seen)
    if state == "drift":
        return drifted(r, seen)
    if state == "pending":
        return r
    text = f"{intent.percent:g} % of the traffic on {r.version}, read back."
    landed = replace(
        r, intent=None, weight=intent.percent, weight_at=seen.now, look=None, judgement=None
    )
    entry = Entry("weight", "sluice", text, data={"percent": intent.percent})
    return landed.to_next(seen.now).tell(entry)


def drifted(r: Rollout, seen: Seen) -> Rollout:
    """Stop and ask: somebody else changed the weights. Nothing is written over their change."""
    who = seen.split.changed_by if seen.split and seen.split.changed_by else "somebody"
    found = f"{seen.split.canary:g} %" if seen.split else "something else"
    wanted = r.intent.percent if isinstance(r.intent, PutWeight) else r.weight
    text = (
        f"The canary gets {found} where this rollout put {wanted:g} % (changed by {who}). "
        "`resume` writes our weight again, `rollback` goes home."
    )
    return hold(r, seen.now, "drift", text)


def hold(r: Rollout, now: datetime, code: str, text: str) -> Rollout:
    """Pause by itself, with a page."""
    r = gates.close_gate(r, f"Closed: {text}")
    entry = Entry("held", "sluice", text, code=code, event="rollout.paused", tell="broadcast")
    return replace(r, phase=Phase.PAUSED, code=code, progress=stopped(r.progress, now)).tell(entry)


def stopped(progress: Progress, now: datetime) -> Progress:
    """Return the progress with its clock stopped."""
    return replace(progress, observed=progress.seconds(now), since=None)


def _soak(r: Rollout, seen: Seen, step: Soak) -> Rollout:
    if r.progress.since is None:
        return replace(r, progress=replace(r.progress, since=seen.now))
    judged, judgement = look_at(r, seen)
    if judgement is None or judged.phase is Phase.ROLLING_BACK:
        return judged
    if judgement.asks:
        return _ask(judged, seen, judgement)
    if judged.progress.seconds(seen.now) < step.duration + judged.progress.extended:
        return judged
    # The deciding look is always kept: it is what the gate shows and the journal cites.
    judged = replace(judged, look=seen.look, judgement=judgement)
    if judgement.verdict is Verdict.PASS:
        text = f"{r.weight:g} % looked well for {_span(judged, seen.now)}: {judgement.sentence}."
        return judged.to_next(seen.now).tell(Entry("soaked", "sluice", text))
    if judged.progress.extended < 2 * step.duration:
        return _extend(judged, judgement, step)
    return _ask(judged, seen, judgement)


def _span(r: Rollout, now: datetime) -> str:
    seconds = int(r.progress.seconds(now))
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"


def _extend(r: Rollout, judgement: Judgement, step: Soak) -> Rollout:
    longer = replace(r.progress, extended=r.progress.extended + max(1, step.duration // 2))
    extended = replace(r, progress=longer)
    if r.progress.extended:
        return extended
    text = f"Watching {r.weight:g} % longer: {judgement.sentence}."
    return extended.tell(Entry("extended", "sluice", text, code="inconclusive"))


def _ask(r: Rollout, seen: Seen, judgement: Judgement) -> Rollout:
    kept = replace(r, look=seen.look, judgement=judgement, progress=stopped(r.progress, seen.now))
    return gates.open_gate(kept, seen.now, "ask")


def _retire(r: Rollout, seen: Seen, step: Retire) -> Rollout:
    if r.progress.since is None:
        text = f"{r.from_version} stays ready for instant rollback for {step.after} s."
        return replace(r, progress=replace(r.progress, since=seen.now)).tell(
            Entry("retiring", "sluice", text)
        )
    return r.to_next(seen.now) if r.progress.seconds(seen.now) >= step.after else r


def _promote(r: Rollout, seen: Seen) -> Rollout:
    """Stable gets the version and is ready; then traffic goes home; then the canary is scaled to 0."""
    if seen.lanes is None or seen.split is None or r.armed is None:
        return r
    stable, canary = seen.lanes[Lane.STABLE], seen.lanes[Lane.CANARY]
    if not r.stable_touched:
        image = pinned(r.image, canary.digest)
        intent = PutLane(
            Lane.STABLE, image, max(stable.replicas, r.armed.stable.replicas), seen.now
        )
        text = f"Promoting: stable gets {r.version} while the canary carries the traffic."
        return replace(r, intent=intent, stable_touched=True).tell(
            Entry("promoting", "sluice", text)
        )
    match r.intent:
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
    if applied and stable.problem:
        return _give_up(r, seen.now, "promote_failed", stable.detail or stable.problem)
    if seen.now - r.intent.at > timedelta(seconds=STARTING):
        sentence = f"stable was not ready with {r.version} after {STARTING} s"
        return _give_up(r, seen.now, "promote_failed", sentence)
    return r


def _home(r: Rollout, seen: Seen) -> Rollout:
    state = intent_state(r, seen)
    if state == "drift":
        return drifted(r, seen)
    if state == "pending":
        return r
    return replace(r, intent=None, weight=0.0, weight_at=seen.now)


def _scale_down(r: Rollout, seen: Seen, canary: LaneState) -> Rollout:
    if r.weight_at is not None and seen.now - r.weight_at < DRAIN:
        return r
    return replace(r, intent=PutLane(Lane.CANARY, canary.image, 0, seen.now))


def _succeed(r: Rollout, now: datetime) -> Rollout:
    took = int((now - r.created).total_seconds() // 60)
    verb = "rolled back to" if r.rollback_of else "live:"
    text = f"{r.service} {verb} {r.version} in {r.environment}, after {took} min."
    entry = Entry("succeeded", "sluice", text, event="rollout.succeeded")
    return replace(r, phase=Phase.SUCCEEDED, ended=now, code="", trouble=None).tell(entry)
