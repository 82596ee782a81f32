"""The state machine: a row and what was seen go in, the next row comes out. Pure.

`advance` may run at any time and any number of times: the same row with the same sight gives the same answer, and an
unchanged row means that there is nothing to do.
"""

from dataclasses import replace
from datetime import timedelta

from bot.rollout import gates, scheduling
from bot.rollout.back import roll_back
from bot.rollout.drift import foreign_edit, offline_mark, reapplied
from bot.rollout.forward import walk
from bot.rollout.intents import intent_state
from bot.rollout.judging import look_at, recovered
from bot.rollout.outages import PATIENCE, answers_again, troubled
from bot.rollout.pace import reminder_at
from bot.rollout.part import Trouble
from bot.rollout.retiring import retire
from bot.rollout.seen import Seen
from bot.rollout.starting import arm
from bot.rollout.turning import start_back, turn
from bot.rollout.values import Back, Entry, Phase, Rollout
from bot.rollout.wanted import PutFleet, PutWeight
from bot.rollout.weighing import landed
from integrations.base import FleetState, Lane, LaneState
from strategies.plan import Watch

__all__ = ["PATIENCE", "SICKNESS", "advance"]

SICKNESS = timedelta(seconds=60)
"""How long a canary with traffic may be without a single ready pod before the rollout goes back."""

_CRASHING = {"crash_loop", "image_pull", "container_config"}


def advance(r: Rollout, seen: Seen) -> Rollout:
    """Return the row as it should be next."""
    match r.phase:
        case Phase.CANCELLED:
            return r
        case Phase.SCHEDULED:
            return scheduling.start(r, seen)
        case Phase.SUCCEEDED:
            return retire(r, seen)
        case Phase.NEEDS_ATTENTION:
            return _reminded(r, seen)
        case Phase.ROLLED_BACK:
            return retire(_recheck(r, seen), seen)
        case Phase.ROLLING_BACK:
            return roll_back(r, seen)
        case Phase.RUNNING | Phase.WAITING | Phase.PAUSED:
            return _forward(r, seen)


def _forward(r: Rollout, seen: Seen) -> Rollout:
    mark = offline_mark(r, seen.fleet if r.lanes == "one" else seen.split)
    if mark:
        return _offline(r, seen, mark)
    judged, _ = look_at(r, seen)
    if judged.phase is Phase.ROLLING_BACK:
        return judged
    if seen.trouble is not None:
        return troubled(r, seen, seen.trouble)
    if r.armed is None:
        return arm(r, seen) if r.phase is Phase.RUNNING else answers_again(r, seen)
    # A running soak judges the look itself: how often a check failed must not be counted twice.
    watching = r.phase is Phase.RUNNING and isinstance(r.step, Watch)
    return _armed(answers_again(r if watching else judged, seen), seen)


def _armed(r: Rollout, seen: Seen) -> Rollout:
    foreign = foreign_edit(r, seen)
    if foreign is not None:
        return foreign
    r = _sick(r, seen)
    match r.phase:
        case Phase.RUNNING:
            return reapplied(r, seen) or walk(r, seen)
        case Phase.WAITING if r.gate is not None and seen.now >= r.gate.expires:
            return _expired(r, seen)
        case Phase.PAUSED:
            return _reminded(_landed_while_paused(r, seen), seen)
        case _:
            return r


def _landed_while_paused(r: Rollout, seen: Seen) -> Rollout:
    """Take note of a weight that was on its way when somebody paused: the card must not name another."""
    on_its_way = isinstance(r.intent, PutWeight) and not r.stable_touched
    if on_its_way and r.code != "drift" and intent_state(r, seen) == "applied":
        return landed(r, seen)
    return r


def _offline(r: Rollout, seen: Seen, mark: str) -> Rollout:
    reason = f"the target carries an offline mark ({mark})"
    back = Back("offline", reason, "offline", seen.now, automatic=False, weight=r.weight)
    return start_back(r, back)


def _sick(r: Rollout, seen: Seen) -> Rollout:
    """Roll back when the canary's pods crash, or stay unready, while they carry traffic."""
    canary = _serving(r, seen)
    if canary is None or r.weight <= 0:
        return r
    if canary.problem in _CRASHING:
        return _ill(r, seen, canary.problem, (canary.detail or canary.problem).rstrip("."))
    known = r.trouble is not None and r.trouble.code == "canary_not_ready"
    ready = canary.moved if isinstance(canary, FleetState) else canary.ready
    if ready > 0:
        return replace(r, trouble=None) if known else r
    if not known:
        text = f"The canary has no ready pod while it gets {r.weight:g} % of the traffic."
        trouble = Trouble("canary_not_ready", text, seen.now, tries=0)
        return replace(r, trouble=trouble).tell(Entry("sick", "sluice", text, code=trouble.code))
    if r.trouble is not None and seen.now - r.trouble.since >= SICKNESS:
        span = int(SICKNESS.total_seconds())
        return _ill(r, seen, "canary_not_ready", f"the canary had no ready pod for {span} s")
    return r


def _serving(r: Rollout, seen: Seen) -> LaneState | FleetState | None:
    """Return where the new version serves people; None while that is not to be judged, or was not looked at."""
    if r.lanes == "one":
        resting = not isinstance(r.intent, PutFleet)
        return seen.fleet if resting else None
    if seen.lanes is None or (r.stable_touched and not r.in_place):
        return None
    return seen.lanes[Lane.STABLE if r.in_place else Lane.CANARY]


def _ill(r: Rollout, seen: Seen, code: str, reason: str) -> Rollout:
    return turn(r, seen.now, code, reason, r.judgement)


def _expired(r: Rollout, seen: Seen) -> Rollout:
    if gates.on_expiry(r) == "hold":
        return gates.expire(r, seen.now)
    return _ill(r, seen, "gate_expired", "nobody decided in time")


def _reminded(r: Rollout, seen: Seen) -> Rollout:
    """Say once a day that a rollout which holds by itself still needs somebody."""
    due = reminder_at(r)
    if due is None or seen.now < due:
        return r
    text = (
        f"{r.service} {r.version} still holds at {r.weight:g} % ({r.code.replace('_', ' ')}) and needs a person: "
        "`resume` or `rollback`."
    )
    event = "rollout.paused" if r.phase is Phase.PAUSED else "rollout.needs_attention"
    entry = Entry("reminded", "sluice", text, code=r.code, event=event, tell="broadcast")
    return replace(r, reminded=seen.now).tell(entry)


def _recheck(r: Rollout, seen: Seen) -> Rollout:
    if r.recheck_at is None or seen.now < r.recheck_at:
        return r
    if seen.trouble is not None:
        text = f"Whether the numbers recovered could not be looked up: {seen.trouble.sentence}"
    elif seen.look is not None:
        text = recovered(r, seen.look)
    else:
        return r
    return replace(r, recheck_at=None).tell(Entry("rechecked", "sluice", text))
