"""Give a weight to the canary: its pods first, then the router, then read back. Pure.

Nothing here writes: each function returns the row with the intent that is to be saved before it is written.
"""

from dataclasses import replace
from datetime import timedelta
from math import ceil

from bot.rollout.holding import PASSING, arriving, drifted
from bot.rollout.intents import intent_state
from bot.rollout.pace import STARTING
from bot.rollout.part import Trouble
from bot.rollout.seen import Seen
from bot.rollout.starting import forbidding
from bot.rollout.turning import hold, turn
from bot.rollout.values import Entry, Rollout
from bot.rollout.wanted import PutLane, PutWeight
from integrations.base import Lane, LaneState
from strategies.plan import Batch, Compare, Match, Rule


def pods_for(r: Rollout, percent: float) -> int:
    """Return the ready pods that a weight needs: its share of what stable had ready, at least one."""
    if r.armed is None or not r.armed.stable.counted:
        return 1
    # The version that a rollback leaves may be broken: what it was meant to have counts, not what is ready of it.
    stable = r.armed.stable
    pods = max(stable.ready, stable.replicas) if r.rollback_of else stable.ready
    if percent < 100 and any(isinstance(step, Compare) for step in r.plan.steps):
        # Variants are compared with as much work for each pod of both, as far as that takes no more pods than A has.
        return max(1, min(pods, ceil(pods * percent / (100 - percent))))
    return max(1, ceil(pods * percent / 100))


def counted(r: Rollout) -> bool:
    """Whether what runs there has pods that can be counted."""
    return r.armed is None or r.armed.stable.counted


def plural(pods: int) -> str:
    """Return the word behind a number of pods."""
    return "pod" if pods == 1 else "pods"


def audience(r: Rollout) -> tuple[Rule, ...]:
    """Return the rules that every weight is written with: those of the `Match` step, once it has been reached."""
    for step in r.plan.steps[: r.cursor + 1]:
        if isinstance(step, Match):
            return step.rules
    return ()


def let_in(r: Rollout, seen: Seen) -> Rollout:
    """Open the canary to the audience of the current step, whatever the weight."""
    if seen.split is None:
        return r
    if isinstance(r.intent, PutWeight):
        return weight_landed(r, seen)
    before = seen.split.canary
    intent = PutWeight(r.weight, before=before, since=r.revision + 1, rules=audience(r))
    return replace(r, intent=intent)


def weigh(r: Rollout, seen: Seen, percent: float, timeout: int | None = None) -> Rollout:
    """Bring the canary to `percent`; with a `timeout` (seconds) the write must have been read back by then."""
    if seen.lanes is None or seen.split is None:
        return r
    if isinstance(r.intent, PutWeight):
        return _late(r, seen, timeout) or weight_landed(r, seen)
    if seen.findings is None:
        return r
    canary = seen.lanes[Lane.CANARY]
    pods = pods_for(r, percent)
    if isinstance(r.intent, PutLane) and canary.ready < pods:
        failure = not_ready(r, seen, canary, STARTING)
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
    intent = PutWeight(
        percent, before=seen.split.canary, since=r.revision + 1, rules=audience(r), at=seen.now
    )
    text = f"Opening to {percent:g} %."
    return replace(r, intent=intent, trouble=None).tell(
        Entry("weighing", "sluice", text, tell="", data={"percent": percent})
    )


def _late(r: Rollout, seen: Seen, timeout: int | None) -> Rollout | None:
    assert isinstance(r.intent, PutWeight)
    if timeout is None or r.intent.at is None or intent_state(r, seen) != "pending":
        return None
    if seen.now - r.intent.at <= timedelta(seconds=timeout):
        return None
    return turn(r, seen.now, "switch_timeout", f"the traffic had not moved after {timeout} s")


def not_ready(r: Rollout, seen: Seen, canary: LaneState, timeout: int) -> Rollout | None:
    """Return the end of a way up whose pods cannot start; None while there is hope."""
    if not isinstance(r.intent, PutLane):
        return None
    there = intent_state(r, seen) == "applied"
    if there and canary.problem and canary.problem not in PASSING:
        return turn(r, seen.now, canary.problem, canary.detail or canary.problem)
    if seen.now - r.intent.at > timedelta(seconds=timeout):
        had = f"had {canary.ready} of {r.intent.replicas} pods" if canary.counted else "was not"
        sentence = f"{r.version} {had} ready after {timeout} s. {canary.detail}".rstrip()
        return turn(r, seen.now, "not_ready_in_time", sentence)
    return None


def _more_pods(r: Rollout, seen: Seen, canary: LaneState, pods: int, percent: float) -> Rollout:
    if isinstance(r.intent, PutLane) and r.intent.replicas >= pods:
        return r
    intent = PutLane(Lane.CANARY, canary.image, pods, seen.now)
    text = f"Scaling the canary to {pods} {plural(pods)} for {percent:g} %."
    return replace(r, intent=intent).tell(Entry("scaling", "sluice", text))


def _blocked(r: Rollout, seen: Seen, code: str, sentence: str) -> Rollout:
    """Hold before a weight that would hurt; give up when the pods' deadline passes."""
    if r.armed is not None and r.armed.stable.standing:
        # Nothing of a flag becomes ready with time.
        text = f"Not opening: {sentence} `resume` tries again, `rollback` goes home."
        return hold(r, seen.now, code, text)
    began = r.progress.began or seen.now
    if seen.now - began > timedelta(seconds=STARTING):
        return turn(r, seen.now, code, sentence)
    if r.trouble is not None and r.trouble.code == code:
        return r
    return replace(r, trouble=Trouble(code, sentence, seen.now, tries=0)).tell(
        Entry("blocked", "sluice", f"Not opening yet: {sentence}", code=code)
    )


def weight_landed(r: Rollout, seen: Seen) -> Rollout:
    """Go on once the weight of the intent reads back; hold where somebody else wrote another."""
    state = intent_state(r, seen)
    if state == "drift":
        return drifted(r, seen)
    if state == "arriving":
        return arriving(r, seen)
    return landed(r, seen) if state == "applied" else r


def landed(r: Rollout, seen: Seen) -> Rollout:
    """Take the weight of the intent as read back and move on."""
    assert isinstance(r.intent, PutWeight)
    percent, rules = r.intent.percent, r.intent.rules
    matched = isinstance(r.step, Match)
    text = (
        f"Requests that match go to {r.version} now, read back."
        if matched
        else f"{percent:g} % of the traffic on {r.version}, read back."
    )
    if r.armed is not None and r.armed.stable.standing:
        text = f"The flag is {r.version} for {percent:g} %, read back."
    moved = replace(
        r,
        intent=None,
        weight=percent,
        audience=rules,
        weight_at=seen.now,
        batches=r.batches + isinstance(r.step, Batch),
        look=None,
        judgement=None,
    )
    return moved.to_next(seen.now).tell(Entry("weight", "sluice", text, data={"percent": percent}))
