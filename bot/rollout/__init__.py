"""The state machine: a row and what was seen go in, the next row comes out. Pure.

`advance` may run at any time and any number of times: the same row with the same sight gives the same answer, and an
unchanged row means that there is nothing to do.
"""

from bot.rollout import aborting, following, scheduling, several
from bot.rollout.back import roll_back
from bot.rollout.drift import foreign_edit, landed_while_paused, offline, offline_mark, reapplied
from bot.rollout.forward import walk
from bot.rollout.judging import look_at
from bot.rollout.ledger_text import closed
from bot.rollout.outages import PATIENCE, answers_again, troubled
from bot.rollout.resting import recheck, reminded, still_stuck, waiting
from bot.rollout.retiring import retire
from bot.rollout.seen import Seen
from bot.rollout.shown import renewed
from bot.rollout.sickness import SICKNESS, sick
from bot.rollout.starting import arm
from bot.rollout.values import Phase, Rollout
from strategies.plan import Watch

__all__ = ["PATIENCE", "SICKNESS", "advance"]


def advance(r: Rollout, seen: Seen) -> Rollout:
    """Return the row as it should be next."""
    after = several.advance(r, seen) if r.parts else _advance(r, seen)
    return after if r.phase.final else closed(after)


def _advance(r: Rollout, seen: Seen) -> Rollout:
    match r.phase:
        case Phase.CANCELLED:
            return r
        case Phase.SCHEDULED:
            return scheduling.start(r, seen)
        case Phase.SUCCEEDED:
            return retire(r, seen)
        case Phase.NEEDS_ATTENTION:
            return reminded(r, seen)
        case Phase.ROLLED_BACK:
            return retire(recheck(r, seen), seen)
        case Phase.ROLLING_BACK:
            led = r.lanes == "led" and r.armed is not None
            after = aborting.go_home(r, seen) if led else roll_back(r, seen)
            return still_stuck(after, seen)
        case Phase.RUNNING | Phase.WAITING | Phase.PAUSED:
            return following.forward(r, seen) if r.lanes == "led" else _forward(r, seen)


def _forward(r: Rollout, seen: Seen) -> Rollout:
    mark = offline_mark(r, seen.fleet if r.lanes == "one" else seen.split)
    if mark:
        return offline(r, seen, mark)
    judged, judgement = look_at(r, seen)
    if judged.phase is Phase.ROLLING_BACK:
        return judged
    if seen.trouble is not None:
        return troubled(r, seen, seen.trouble)
    if r.armed is None:
        return arm(r, seen) if r.phase is Phase.RUNNING else answers_again(r, seen)
    judged = renewed(judged, seen.look, judgement, seen.now)
    # A running soak judges the look itself: how often a check failed must not be counted twice.
    watching = r.phase is Phase.RUNNING and isinstance(r.step, Watch)
    return _armed(answers_again(r if watching else judged, seen), seen)


def _armed(r: Rollout, seen: Seen) -> Rollout:
    foreign = foreign_edit(r, seen)
    if foreign is not None:
        return foreign
    r = sick(r, seen)
    match r.phase:
        case Phase.RUNNING:
            return reapplied(r, seen) or walk(r, seen)
        case Phase.WAITING:
            return waiting(r, seen)
        case Phase.PAUSED:
            return reminded(landed_while_paused(r, seen), seen)
        case _:
            return r
