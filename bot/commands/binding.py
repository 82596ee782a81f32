"""What a yes is bound to: the open gate, the plan, and the numbers that were shown. What differs is said as it is now.

Words and REST name a gate at most; a button carries the whole picture that it stood under.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.commands.answers import Refusal
from bot.rollout.question import ClosedGate
from bot.rollout.times import clock
from bot.rollout.values import Rollout

FRESH = timedelta(seconds=5)
"""A gate younger than this may not be the one that the person had in mind."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What somebody saw when they pressed: the plan by its digest, and the snapshot by its number."""

    plan: str
    shown: int


def gate_meant(r: Rollout, gate: str | None, now: datetime, picture: Picture | None = None) -> str:
    """Return the id of the open gate, if a yes given `now` on this picture is about it. Raises `Refusal`."""
    if r.gate is None or r.gate.kind == "start":
        raise Refusal(_closed(r, gate), code="gate_closed" if gate else "no_open_gate", rollout=r)
    if gate is None and now - r.gate.opened < FRESH:
        raise Refusal(
            f"A new gate of {r.service} opened just now, at {r.weight:g} %. Look at its numbers, then say it again.",
            code="gate_changed",
            rollout=r,
        )
    if gate is not None and gate != r.gate.id:
        raise Refusal(_closed(r, gate), code="gate_closed", rollout=r)
    if r.gate.over(now):
        raise Refusal(
            f"Nothing was changed: that gate expired {clock(r.gate.expires)}, and nobody had decided. {_now(r)}",
            code="gate_closed",
            rollout=r,
        )
    if picture is not None:
        _same_picture(r, picture)
    return r.gate.id


def _same_picture(r: Rollout, picture: Picture) -> None:
    assert r.gate is not None
    if picture.plan != r.plan.digest:
        raise Refusal(
            f"Nothing was counted: the plan of {r.service} is not the one that you saw (now {r.plan.digest}). "
            "Look at the card, then press again.",
            code="plan_changed",
            rollout=r,
        )
    if picture.shown != r.gate.shown:
        what = r.gate.moved or "the question shows newer ones than those that you saw"
        raise Refusal(
            f"Nothing was counted, because the numbers moved: {what}. Look at them; if it is still a yes, press again.",
            code="numbers_changed",
            rollout=r,
        )


def still_open(r: Rollout, gate: str | None) -> None:
    """Refuse what the button of a gate asks once that gate is closed. Raises `Refusal`; None binds to none."""
    if gate is not None and (r.gate is None or r.gate.id != gate):
        raise Refusal(_closed(r, gate), code="gate_closed", rollout=r)


def _closed(r: Rollout, gate: str | None) -> str:
    for closed in r.closed:
        if closed.id == gate:
            return f"Nothing was changed: that gate {_when(closed)}. {_dotted(closed.sentence)} {_now(r)}"
    if r.gate is not None and r.gate.kind != "start":
        return (
            f"Nothing was changed: {gate} is not the open gate of {r.service} in {r.environment}; that is {r.gate.id}, "
            f"at {r.weight:g} %. Look at its numbers, then name it."
        )
    return (
        f"Nothing was changed: {r.service} in {r.environment} has no open gate; it is {_state(r)}. "
        "Promote works when the card asks for a decision."
    )


def _when(closed: ClosedGate) -> str:
    return f"closed {clock(closed.at)}" if closed.at is not None else "is closed"


def _dotted(sentence: str) -> str:
    return f"{sentence.rstrip('.')}."


def _now(r: Rollout) -> str:
    return f"Now: {_state(r)}."


def _state(r: Rollout) -> str:
    return f"{r.phase.value.lower().replace('_', ' ')} at {r.weight:g} %"
