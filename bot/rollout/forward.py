"""The way up: one function per step. Pure.

Each returns the row as it should be next; the same row means: nothing to do until the world has moved.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import assert_never

from bot.rollout import gates
from bot.rollout.holding import PASSING, drifted, give_up, stopped
from bot.rollout.intents import intent_state
from bot.rollout.judging import look_at
from bot.rollout.pace import STARTING
from bot.rollout.promoting import promote
from bot.rollout.seen import Seen
from bot.rollout.starting import forbidding
from bot.rollout.values import (
    Entry,
    Phase,
    PutLane,
    PutWeight,
    Rollout,
    Trouble,
)
from integrations.base import Lane, LaneState
from strategies.plan import Approve, Prepare, Promote, Retire, SetWeight, Soak, Switch
from strategies.verdict import Judgement, Verdict

Lanes = Mapping[Lane, LaneState]


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
            return promote(r, seen)
        case Retire() as step:
            return _retire(r, seen, step)
        case _ as unknown:
            assert_never(unknown)


def pods_for(r: Rollout, percent: float) -> int:
    """Return the ready pods that a weight needs: its share of what stable had ready, at least one."""
    if r.armed is None:
        return 1
    # The version that a rollback leaves may be broken: what it was meant to have counts, not what is ready of it.
    stable = r.armed.stable
    pods = max(stable.ready, stable.replicas) if r.rollback_of else stable.ready
    return max(1, ceil(pods * percent / 100))


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
    if canary.problem and canary.problem not in PASSING:
        return give_up(r, seen.now, canary.problem, canary.detail or canary.problem)
    if seen.now - r.intent.at > timedelta(seconds=timeout):
        sentence = (
            f"{r.version} had {canary.ready} of {r.intent.replicas} pods ready after {timeout} s. {canary.detail}"
        ).rstrip()
        return give_up(r, seen.now, "not_ready_in_time", sentence)
    return None


def _weigh(r: Rollout, seen: Seen, percent: float) -> Rollout:
    if seen.lanes is None or seen.split is None:
        return r
    if isinstance(r.intent, PutWeight):
        return _weight_landed(r, seen)
    if seen.findings is None:
        return r
    canary = seen.lanes[Lane.CANARY]
    pods = pods_for(r, percent)
    if isinstance(r.intent, PutLane) and canary.ready < pods:
        failure = _not_ready(r, seen, canary, STARTING)
        if failure:
            return failure
    if canary.replicas < pods:
        return _more_pods(r, seen, canary, pods, percent)
    if canary.ready < pods:
        wanted = PutLane(Lane.CANARY, canary.image, canary.replicas, seen.now)
        return r if isinstance(r.intent, PutLane) else replace(r, intent=wanted)
    fatal = forbidding(r, seen.findings)
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
        return give_up(r, seen.now, code, sentence)
    if r.trouble is not None and r.trouble.code == code:
        return r
    return replace(r, trouble=Trouble(code, sentence, seen.now, tries=0)).tell(
        Entry("blocked", "sluice", f"Not opening yet: {sentence}", code=code)
    )


def _weight_landed(r: Rollout, seen: Seen) -> Rollout:
    state = intent_state(r, seen)
    if state == "drift":
        return drifted(r, seen)
    return landed(r, seen) if state == "applied" else r


def landed(r: Rollout, seen: Seen) -> Rollout:
    """Take the weight of the intent as read back and move on."""
    assert isinstance(r.intent, PutWeight)
    percent = r.intent.percent
    text = f"{percent:g} % of the traffic on {r.version}, read back."
    moved = replace(r, intent=None, weight=percent, weight_at=seen.now, look=None, judgement=None)
    return moved.to_next(seen.now).tell(Entry("weight", "sluice", text, data={"percent": percent}))


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


def _succeed(r: Rollout, now: datetime) -> Rollout:
    took = int((now - r.created).total_seconds() // 60)
    verb = "rolled back to" if r.rollback_of else "live:"
    text = f"{r.service} {verb} {r.version} in {r.environment}, after {took} min."
    entry = Entry("succeeded", "sluice", text, event="rollout.succeeded")
    return replace(r, phase=Phase.SUCCEEDED, ended=now, code="", trouble=None).tell(entry)
