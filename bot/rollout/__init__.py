"""The state machine: a row and what was seen go in, the next row comes out. Pure.

`advance` may run at any time and any number of times: the same row with the same sight gives the same answer, and an
unchanged row means that there is nothing to do.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout import gates
from bot.rollout.back import roll_back
from bot.rollout.forward import arm, cancel, drifted, hold, walk
from bot.rollout.intents import intent_state, same_weight
from bot.rollout.judging import look_at, recovered, start_back
from bot.rollout.seen import Seen
from bot.rollout.values import Back, Entry, Phase, PutWeight, Rollout, Trouble
from integrations.base import Lane, LaneState
from strategies.plan import Prepare, Soak

PATIENCE = timedelta(minutes=5)
"""How long a target may be out of reach on the way up before the rollout holds and pages."""


def advance(r: Rollout, seen: Seen) -> Rollout:
    """Return the row as it should be next."""
    match r.phase:
        case Phase.SUCCEEDED | Phase.CANCELLED | Phase.SCHEDULED | Phase.NEEDS_ATTENTION:
            return r
        case Phase.ROLLED_BACK:
            return _recheck(r, seen)
        case Phase.ROLLING_BACK:
            return roll_back(r, seen)
        case Phase.RUNNING | Phase.WAITING | Phase.PAUSED:
            return _forward(r, seen)


def _forward(r: Rollout, seen: Seen) -> Rollout:
    if seen.split is not None and seen.split.mark:
        return _offline(r, seen)
    if seen.trouble is not None:
        return _troubled(r, seen, seen.trouble)
    if r.trouble is not None and _sighted(seen):
        r = replace(r, trouble=None)
    if r.armed is None:
        return arm(r, seen) if r.phase is Phase.RUNNING else r
    foreign = _foreign_edit(r, seen)
    if foreign is not None:
        return foreign
    if r.phase is Phase.RUNNING:
        return _reapplied(r, seen) or _sick(r, seen) or _judged_walk(r, seen)
    judged, judgement = look_at(r, seen)
    if judgement is not None and judged.phase is Phase.ROLLING_BACK:
        return judged
    sick = _sick(judged, seen)
    if sick is not None:
        return sick
    if r.phase is Phase.WAITING and r.gate is not None and seen.now >= r.gate.expires:
        return _expired(judged, seen)
    return judged


def _judged_walk(r: Rollout, seen: Seen) -> Rollout:
    """Walk on; between two soaks (pods for the next weight are starting) the checks of the last one keep judging."""
    if isinstance(r.step, Soak):
        return walk(r, seen)
    judged, _ = look_at(r, seen)
    return judged if judged.phase is Phase.ROLLING_BACK else walk(judged, seen)


def _sighted(seen: Seen) -> bool:
    return seen.split is not None or seen.lanes is not None


def _offline(r: Rollout, seen: Seen) -> Rollout:
    mark = seen.split.mark if seen.split else ""
    reason = f"the target carries an offline mark ({mark})"
    back = Back("offline", reason, "offline", seen.now, automatic=False, weight=r.weight)
    return start_back(r, back)


def _troubled(r: Rollout, seen: Seen, trouble: Trouble) -> Rollout:
    known = r.trouble is not None and r.trouble.code == trouble.code
    since = r.trouble.since if known and r.trouble else trouble.since
    tries = r.trouble.tries + 1 if known and r.trouble else 1
    now = replace(trouble, since=since, tries=tries)
    waited_out = seen.now - since > PATIENCE
    if r.armed is None and (trouble.final or waited_out):
        return cancel(r, seen.now, trouble.code, trouble.sentence)
    if trouble.final and r.phase is not Phase.NEEDS_ATTENTION:
        return _needs_attention(r, now)
    if waited_out and r.phase is Phase.RUNNING:
        return hold(replace(r, trouble=now), seen.now, trouble.code, trouble.sentence)
    if known:
        return replace(r, trouble=now)
    entry = Entry("trouble", "sluice", trouble.sentence, code=trouble.code)
    return replace(r, trouble=now).tell(entry)


def _needs_attention(r: Rollout, trouble: Trouble) -> Rollout:
    text = f"{trouble.sentence} Nothing more is written until somebody decides."
    r = gates.close_gate(r, f"Closed: {trouble.sentence}")
    return replace(
        r, phase=Phase.NEEDS_ATTENTION, code=trouble.code, trouble=trouble, resume_to=r.phase
    ).tell(
        Entry(
            "needs_attention",
            "sluice",
            text,
            code=trouble.code,
            event="rollout.needs_attention",
            tell="broadcast",
        )
    )


def _foreign_edit(r: Rollout, seen: Seen) -> Rollout | None:
    """Notice an edit of what is ours. While a weight of ours is on its way its own step decides."""
    if r.code == "drift":
        return None
    if (
        seen.split is not None
        and not isinstance(r.intent, PutWeight)
        and not same_weight(seen.split.canary, r.weight)
    ):
        return drifted(r, seen)
    if seen.lanes is None or r.armed is None:
        return None
    return _foreign_image(r, seen, seen.lanes[Lane.STABLE], seen.lanes[Lane.CANARY])


def _foreign_image(r: Rollout, seen: Seen, stable: LaneState, canary: LaneState) -> Rollout | None:
    if r.armed is None:
        return None
    if not r.stable_touched and stable.image != r.armed.stable.image:
        return hold(
            r, seen.now, "drift",
            f"Stable now runs {stable.image} instead of {r.armed.stable.image}; this rollout did not do that. "
            "`rollback` or `resume`.",
        )  # fmt: skip
    started = not isinstance(r.step, Prepare)
    if started and r.intent is None and canary.image != r.image and not r.stable_touched:
        return hold(
            r, seen.now, "drift",
            f"The canary now runs {canary.image} instead of {r.image}; this rollout did not do that. "
            "`rollback` goes home.",
        )  # fmt: skip
    return None


def _reapplied(r: Rollout, seen: Seen) -> Rollout | None:
    """Settle the weight that a person asked to write again after a drift, outside its own step."""
    if not isinstance(r.intent, PutWeight) or r.intent.percent != r.weight or r.weight_at is None:
        return None
    if r.stable_touched or seen.split is None:
        return None
    if intent_state(r, seen) == "applied":
        return replace(r, intent=None)
    return None


def _sick(r: Rollout, seen: Seen) -> Rollout | None:
    """Roll back when the canary's pods crash while they carry traffic."""
    if seen.lanes is None or r.weight <= 0 or r.stable_touched:
        return None
    canary = seen.lanes[Lane.CANARY]
    if canary.problem not in {"crash_loop", "image_pull"}:
        return None
    back = Back(
        canary.problem, (canary.detail or canary.problem).rstrip("."), "sluice", seen.now,
        automatic=True, weight=r.weight, judgement=r.judgement,
    )  # fmt: skip
    return start_back(r, back)


def _expired(r: Rollout, seen: Seen) -> Rollout:
    if gates.on_expiry(r) == "hold":
        return gates.expire(r)
    back = Back(
        "gate_expired", "nobody decided in time", "sluice", seen.now,
        automatic=True, weight=r.weight, judgement=r.judgement,
    )  # fmt: skip
    return start_back(r, back)


def _recheck(r: Rollout, seen: Seen) -> Rollout:
    if r.recheck_at is None or seen.look is None or seen.now < r.recheck_at:
        return r
    text = recovered(r, seen.look)
    return replace(r, recheck_at=None).tell(Entry("rechecked", "sluice", text))
