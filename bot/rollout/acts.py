"""What people do to a row: pause, resume, extend, go back, resolve. Pure; `bot.commands` has asked who may.

Each raises `WrongStateError` with a sentence where the row cannot take the act.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout import gates
from bot.rollout.holding import stopped
from bot.rollout.intents import ANYTHING
from bot.rollout.judging import start_back
from bot.rollout.values import Back, Entry, Intent, Phase, PutLane, PutWeight, Rollout
from strategies.plan import SetWeight, Soak, Switch


class WrongStateError(Exception):
    """The row is not in a state for this act. `str()` is the sentence for people."""

    def __init__(self, sentence: str, *, code: str) -> None:
        """Keep the sentence and its code."""
        super().__init__(sentence)
        self.code = code


def pause(r: Rollout, actor: str, reason: str, now: datetime) -> Rollout:
    """Hold here. Checks go on, soak time does not run, an open gate closes."""
    if r.phase is Phase.PAUSED:
        raise WrongStateError(f"{r.target} is already paused.", code="already_paused")
    if r.phase not in {Phase.RUNNING, Phase.WAITING}:
        raise WrongStateError(
            f"{r.target} is {r.phase.value.lower().replace('_', ' ')}; there is nothing to pause.",
            code="not_pausable",
        )
    why = f" ({reason})" if reason else ""
    text = f"Paused at {r.weight:g} % by {actor}{why}."
    r = gates.close_gate(r, text, (actor,))
    progress = stopped(r.progress, now)
    return replace(r, phase=Phase.PAUSED, code="paused", progress=progress, reminded=None).tell(
        Entry("paused", actor, text, event="rollout.paused")
    )


def resume(r: Rollout, actor: str, now: datetime) -> Rollout:
    """Go on. A gate that was closed by the pause opens afresh, a foreign weight is written over."""
    if r.phase not in {Phase.PAUSED, Phase.NEEDS_ATTENTION}:
        raise WrongStateError(f"{r.target} is not paused.", code="not_paused")
    entry = Entry("resumed", actor, f"Resumed at {r.weight:g} % by {actor}.")
    if r.back is not None:
        return replace(
            r,
            phase=Phase.ROLLING_BACK,
            code=r.back.code,
            trouble=None,
            resume_to=None,
            reminded=None,
        ).tell(entry)
    running = isinstance(r.step, Soak)
    progress = replace(r.progress, since=now if running else r.progress.since, began=now)
    return replace(
        r,
        phase=Phase.RUNNING,
        code="",
        intent=_again(r, now),
        progress=progress,
        trouble=None,
        reminded=None,
    ).tell(entry)


def _again(r: Rollout, now: datetime) -> Intent | None:
    """Return the intent to go on with: pods get their whole time anew, a foreign weight is written over."""
    if r.code == "drift":
        percent = r.intent.percent if isinstance(r.intent, PutWeight) else r.weight
        return PutWeight(percent, before=ANYTHING, since=r.revision + 1)
    return replace(r.intent, at=now) if isinstance(r.intent, PutLane) else r.intent


def extend(r: Rollout, actor: str, seconds: int, now: datetime) -> Rollout:
    """Move the open gate's deadline, else the end of the soak."""
    minutes = f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
    if r.gate is not None:
        gate = replace(r.gate, expires=max(r.gate.expires, now) + timedelta(seconds=seconds))
        text = f"{actor} gave the decision {minutes} more."
        return replace(r, gate=gate).tell(Entry("extended", actor, text))
    if isinstance(r.step, Soak) and r.phase in {Phase.RUNNING, Phase.PAUSED}:
        longer = replace(r.progress, extended=r.progress.extended + seconds)
        text = f"{actor} extended the soak at {r.weight:g} % by {minutes}."
        return replace(r, progress=longer).tell(Entry("extended", actor, text))
    raise WrongStateError(
        f"{r.target} has neither an open gate nor a running soak to extend.", code="no_open_gate"
    )


def go_back(
    r: Rollout, actor: str, reason: str, now: datetime, *, code: str = "asked", force: bool = False
) -> Rollout:
    """Begin the rollback, from any phase that is not final.

    `force` (`now`) counts only as a second word, once the rollback is held: nobody overrides what they were not told.
    """
    if r.phase.final:
        raise WrongStateError(f"{r.target} has already ended.", code="already_ended")
    if r.phase is Phase.ROLLING_BACK and r.back is not None:
        if not force or r.back.force:
            raise WrongStateError(
                f"{r.target} is already rolling back.", code="already_rolling_back"
            )
        forced = replace(r, back=replace(r.back, force=True), trouble=None)
        return forced.tell(Entry("forced", actor, f"{actor} moves the traffic home regardless."))
    back = Back(
        code=code,
        reason=reason,
        actor=actor,
        at=now,
        automatic=False,
        weight=carried(r),
        judgement=r.judgement,
    )
    return start_back(r, back)


def carried(r: Rollout) -> float:
    """Return the weight the canary has, or may be about to have when a write is still on its way."""
    if isinstance(r.intent, PutWeight) and isinstance(r.step, SetWeight | Switch):
        return max(r.weight, r.intent.percent)
    return r.weight


def resolve(r: Rollout, actor: str, reason: str, now: datetime) -> Rollout:
    """End by hand what needs attention; nothing is written to the target."""
    if r.phase is not Phase.NEEDS_ATTENTION:
        raise WrongStateError(
            f"{r.target} does not need attention; `rollback` ends it.", code="nothing_to_resolve"
        )
    text = f"Resolved by hand by {actor}: {reason}."
    return replace(r, phase=Phase.CANCELLED, code="resolved", ended=now, trouble=None).tell(
        Entry("resolved", actor, text, code="resolved")
    )
