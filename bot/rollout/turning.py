"""How a way up ends before its end: it turns around, or it holds and asks. Pure.

What a failure undoes is said in the plan: everything, only the batch that failed, or nothing. The last two end PAUSED,
because a target with two versions on it is nobody's final state.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from bot.rollout.gates import close_gate
from bot.rollout.intents import ANYTHING
from bot.rollout.locks import quarantine_words
from bot.rollout.part import Part, Progress
from bot.rollout.proof import kept_evidence
from bot.rollout.values import Back, Entry, Phase, Rollout
from bot.rollout.wanted import PutLed, PutWeight
from strategies.plan import Batch
from strategies.verdict import Judgement

Undo = Literal["all", "failed-batch", "none"]


def start_back(r: Rollout, back: Back, more: Mapping[str, Any] | None = None) -> Rollout:
    """Record that a rollback begins, `more` beside it. Legal in every non-final phase; nothing is asked."""
    r = close_gate(r, _why_closed(back), back.at, (back.actor,))
    turned = replace(
        r,
        phase=Phase.ROLLING_BACK,
        back=back,
        code=back.code,
        intent=None if r.parts else _homeward(r, r, back),
        parts=tuple(_turned(r, part, back) for part in r.parts),
        gate=None,
        trouble=None,
        reminded=None,
    )
    said = f"{_who(back)}: {back.reason}." if back.reason else f"{_who(back)}."
    return turned.tell(
        Entry(
            "rollback_started",
            back.actor,
            f"{said} {quarantine_words(turned)}".rstrip(),
            code=back.code,
            event="" if back.lost else "rollout.rolling_back",
            data={"weight": back.weight, **kept_evidence(r, back.judgement), **(more or {})},
        )
    )


def _homeward(r: Rollout, own: Rollout | Part, back: Back) -> PutWeight | PutLed | None:
    """Return the intent that is saved in the very commit that turns around, so that the write follows at once.

    None where something has to happen before the traffic moves, or where the traffic has to be looked at first: a batch
    that goes back alone must not get what somebody took from it.
    """
    if r.lanes == "led":
        return PutLed("abort", back.at, r.revision + 1) if own.armed is not None else None
    if own.armed is None or own.stable_touched or (own.lanes or r.lanes) == "one":
        return None
    if back.partial:
        return None
    return PutWeight(own.armed.canary_weight, before=ANYTHING, since=r.revision + 1)


def _turned(r: Rollout, part: Part, back: Back) -> Part:
    """Return one of several targets as it goes back: all of them do, at once."""
    home = _homeward(r, part, back)
    return replace(part, intent=home, done=False, asks=False, home=None, trouble=None)


def _why_closed(back: Back) -> str:
    if back.lost:
        return f"Closed: A stays ({back.reason or back.actor})."
    if back.automatic:
        return f"Closed: rolling back ({back.reason})."
    return f"Rolled back by {back.actor}{f' ({back.reason})' if back.reason else ''}."


def _who(back: Back) -> str:
    if back.lost:
        return "Variant A stays"
    if back.partial:
        return "The failed batch goes back"
    return "Automatic rollback" if back.automatic else f"Rollback asked for by {back.actor}"


def turn(
    r: Rollout,
    now: datetime,
    code: str,
    reason: str,
    judgement: Judgement | None = None,
    *,
    actor: str = "sluice",
) -> Rollout:
    """Answer a failure by itself, as far as the plan allows to undo."""
    undo = undoing(r)
    if undo != "all" and r.phase is Phase.PAUSED:
        # It has been said already; what happens next is for a person.
        return r
    if undo == "none":
        text = _held(r, reason, "Nothing was undone, as the plan says.")
        return hold(r, now, code, text, actor=actor)
    partial = undo == "failed-batch" and r.batch_began > 0
    back = Back(
        code=code,
        reason=reason.rstrip("."),
        actor=actor,
        at=now,
        automatic=True,
        weight=r.weight,
        judgement=judgement,
        partial=partial,
    )
    return start_back(r, back)


def undoing(r: Rollout) -> Undo:
    """Return what a failure here undoes: the batch says so, from its start to the soak behind it."""
    for step in reversed(r.plan.steps[: r.cursor + 1]):
        if isinstance(step, Batch):
            return step.rollback
    return "all"


def _held(r: Rollout, reason: str, what: str) -> str:
    now_there = f"{r.weight:g} % run {r.version}"
    return f"{reason.rstrip('.')}. {what} {now_there}: `resume` goes on, `rollback` undoes all."


def back_to_batch(r: Rollout, now: datetime) -> Rollout:
    """End the undoing of one batch: hold with the rest of the new version in place."""
    assert r.back is not None
    reason = r.back.reason
    held = replace(r.to(_batch_index(r), now), back=None, intent=None)
    text = _held(held, reason, "Only the batch that failed was undone.")
    return hold(held, now, r.back.code, text)


def _batch_index(r: Rollout) -> int:
    return next(
        (i for i in range(r.cursor, -1, -1) if isinstance(r.plan.steps[i], Batch)), r.cursor
    )


def hold(r: Rollout, now: datetime, code: str, text: str, *, actor: str = "sluice") -> Rollout:
    """Pause by itself, with a page."""
    r = close_gate(r, f"Closed: {text}", now)
    entry = Entry("held", actor, text, code=code, event="rollout.paused", tell="broadcast")
    progress = stopped(r.progress, now)
    return replace(r, phase=Phase.PAUSED, code=code, progress=progress, reminded=now).tell(entry)


def stopped(progress: Progress, now: datetime) -> Progress:
    """Return the progress with its clock stopped."""
    return replace(progress, observed=progress.seconds(now), since=None)
