"""Why somebody stopped a rollout, said afterwards: stopping never waits for words. Pure.

A reason belongs to one decision; whoever made it gives it, within a day, once.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout.acts import WrongStateError
from bot.rollout.times import clock
from bot.rollout.values import Entry, Rollout

LONGEST = timedelta(hours=24)
MOST = 300
"""Characters of a reason."""


def unexplained(r: Rollout) -> int | None:
    """Return the newest decision that has no reason yet, by its number; None where there is none."""
    stopped = [n for n, one in enumerate(r.decided) if one.deed in {"pause", "rollback"}]
    return stopped[-1] if stopped and not r.decided[stopped[-1]].reason else None


def explain(r: Rollout, number: int, actor: str, reason: str, now: datetime) -> Rollout:
    """Note the reason of a decision. Raises `WrongStateError`; the caller has asked whose decision it was."""
    decided = r.decided[number]
    if decided.reason:
        raise WrongStateError(
            f"The reason of that is noted already: {decided.reason}. Say more in the thread.",
            code="already_said",
        )
    if now - decided.at > LONGEST:
        raise WrongStateError(
            f"That was decided {clock(decided.at)}, and a reason can be given within a day. Say it in the thread.",
            code="reason_too_late",
        )
    said = replace(decided, reason=reason)
    r = replace(r, decided=(*r.decided[:number], said, *r.decided[number + 1 :]))
    if decided.deed == "rollback" and r.back is not None and not r.back.reason:
        r = replace(r, back=replace(r.back, reason=reason))
    what = "rolled back" if decided.deed == "rollback" else "paused"
    text = f"{actor} says why it was {what}: {reason}"
    return r.tell(Entry("reason_given", actor, text, data={"decision": number}))
