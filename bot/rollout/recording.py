"""Keep the trail of a row. Pure, and called with every save, so that no door and no step can forget it.

Like the clocks of a row (`accounting`) it is worked out from the row that is saved, without the one before it.
"""

from dataclasses import replace
from datetime import datetime

from bot.rollout.gates import next_weight
from bot.rollout.trail import How, Stage, Trail, Yes
from bot.rollout.values import Phase, Rollout
from strategies.plan import Approve, Follow, Prepare, Promote, Retire, SetWeight, Soak, Switch
from strategies.verdict import Judgement, Look, Verdict

_WITHIN = Prepare | Soak | Approve | Follow | Promote | Retire
"""Steps that open no stage of their own."""
_HOME = {Phase.ROLLING_BACK, Phase.ROLLED_BACK}


def recorded(r: Rollout, now: datetime) -> Rollout:
    """Return the row with its trail as it stands at `now`."""
    before = r.trail
    paused = r.phase is Phase.PAUSED
    trail = replace(
        before,
        stages=_stages(r, before.stages, now),
        approvals=(*before.approvals, *_said_yes(r)),
        pauses=before.pauses + (paused and not before.paused),
        paused=paused,
        worst=_worst(r, before.worst),
        blind_since=_blind(r.look, before, now),
    )
    return r if trail == before else replace(r, trail=trail)


def stage_indices(r: Rollout) -> list[int]:
    """Return the steps that open a stage."""
    return [i for i, step in enumerate(r.plan.steps) if not isinstance(step, _WITHIN)]


def begun(r: Rollout, index: int) -> bool:
    """Whether a stage has begun: a weight once it was read back, everything else while it is being done."""
    instant = isinstance(r.plan.steps[index], SetWeight | Switch)
    return index < r.cursor or (index == r.cursor and not instant)


def _stages(r: Rollout, known: tuple[Stage, ...], now: datetime) -> tuple[Stage, ...]:
    if r.armed is None or r.phase is Phase.SCHEDULED:
        return known
    reached = [index for index in stage_indices(r) if begun(r, index)]
    if not reached:
        return known
    gone, over = r.phase in _HOME or r.back is not None, r.phase.final
    stages = {stage.index: stage for stage in known}
    for stage in known:
        if stage.ended is None and (stage.index != reached[-1] or gone or over):
            how = _how(r, stage.how) if stage.index == reached[-1] else stage.how
            stages[stage.index] = replace(stage, ended=now, how=how, left=gone)
    if gone or over:
        return tuple(stages.values())
    for index in reached:
        if index not in stages:
            # Several may have been passed within one turn; only the last of them is still open.
            stages[index] = Stage(index, now, None if index == reached[-1] else now)
    current = stages[reached[-1]]
    stages[current.index] = replace(current, ended=None, how=_how(r, current.how), left=False)
    return tuple(stages.values())


def _how(r: Rollout, before: How) -> How:
    if r.look is not None and r.look.problem:
        return "no data"
    return before if r.judgement is None else _word(r.judgement)


def _word(judgement: Judgement) -> How:
    match judgement.verdict:
        case Verdict.PASS:
            return "unclear" if judgement.asks else "healthy"
        case Verdict.FAIL:
            return "failed"
        case Verdict.INCONCLUSIVE:
            blank = any(one.counts and one.canary is None for one in judgement.results)
            return "no data" if blank else "unclear"


def _said_yes(r: Rollout) -> list[Yes]:
    return [
        Yes(tuple(entry.data.get("people") or (entry.actor,)), next_weight(r))
        for entry in r.news
        if entry.verb == "promoted"
    ]


def _worst(r: Rollout, before: float | None) -> float | None:
    if r.look is None or r.look.problem or (r.one_place and not r.look.beside):
        return before
    if r.phase in _HOME and (r.back is None or r.look.at > r.back.at):
        # What is measured on the way home is nobody's fault; the look that turned it around counts.
        return before
    found = r.look.get("error_rate").canary
    return before if found is None else max(found, before or 0.0)


def _blind(look: Look | None, before: Trail, now: datetime) -> datetime | None:
    if look is None:
        return before.blind_since
    return (before.blind_since or now) if look.problem else None
