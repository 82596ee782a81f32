"""An open gate is brought to mind: in the thread, then in the channel, then by a call, then once a day. Pure.

How many rungs are behind a gate is in its row, so a restart repeats none; what a long absence missed is said once.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout.gates import CALL, expires_words, goal_of
from bot.rollout.question import Gate
from bot.rollout.seen import Seen
from bot.rollout.times import clock, lasting
from bot.rollout.values import Entry, Phase, Rollout

CHANNEL = 2
"""So many rungs are behind a gate once the channel was told; the first is the thread, the third (`CALL`) the pagers."""
_DAY = 86_400


def nudged(r: Rollout, seen: Seen) -> Rollout:
    """Take every rung that is due, and say the newest of them."""
    if r.gate is None or r.phase is not Phase.WAITING:
        return r
    behind = r.gate.reminders
    while (due := rung_at(r, behind)) is not None and due <= seen.now:
        behind += 1
    if behind == r.gate.reminders:
        return r
    gate = replace(r.gate, reminders=behind)
    return replace(r, gate=gate).tell(_entry(r, gate, seen.now, called=r.gate.reminders < CALL))


def next_rung(r: Rollout) -> datetime | None:
    """Return when the open gate is brought to mind next; None where it is not, or expires before."""
    return rung_at(r, r.gate.reminders) if r.gate is not None else None


def rung_at(r: Rollout, rung: int) -> datetime | None:
    """Return when a rung (from 0) is due; None where there is none before the gate expires."""
    ladder = r.rules.reminders
    if r.gate is None or not ladder:
        return None
    seconds = ladder[rung] if rung < len(ladder) else (rung - len(ladder) + 1) * _DAY
    due = r.gate.opened + timedelta(seconds=seconds)
    return due if due < r.gate.expires else None


def _entry(r: Rollout, gate: Gate, now: datetime, *, called: bool) -> Entry:
    waits = lasting((now - gate.opened).total_seconds())
    text = (
        f"Still waiting for a decision at {r.weight:g} % ({goal_of(r)}), {waits} by now. "
        f"It expires {clock(gate.expires)}; then it {expires_words(r)}."
    )
    calls = gate.reminders >= CALL and called
    return Entry(
        "still_waiting",
        "sluice",
        text,
        code="unanswered",
        event="rollout.unanswered" if calls else "",
        # The channel has a message of its own, which is edited when the gate closes.
        tell=""
        if gate.reminders == CHANNEL
        else "broadcast"
        if gate.reminders > CALL
        else "thread",
        data={"gate": gate.id, "rung": gate.reminders},
    )
