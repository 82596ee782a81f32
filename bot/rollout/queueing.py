"""A rollout that waits for its target: whom it waits for, and whether what comes to pass is what it waited for. Pure.

Silence never starts anything that nobody expects any more: when the one before it did not end well, or that took too
long, people are asked.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout.times import lasting
from bot.rollout.values import Phase, Rollout

FORGOTTEN = timedelta(hours=8)
"""After so long in a queue nobody has the start in mind any more."""
PATIENT = timedelta(minutes=1)
"""Between two looks while another rollout is before it; its end rings at once."""
_UNBEGUN = frozenset({"called_off", "schedule_expired"})
"""How something scheduled ends that never began."""


def in_line(rows: Iterable[Rollout]) -> list[Rollout]:
    """Return those that wait for a target, in their order; what asks people keeps its place."""
    found = [r for r in rows if r.phase is Phase.SCHEDULED and r.after]
    return sorted(found, key=lambda r: (r.created, r.id))


def ended_well(before: Rollout) -> bool:
    """Whether a rollout ended so that the next one in line may start: it succeeded, or it never began."""
    return before.phase is Phase.SUCCEEDED or unbegun(before)


def unbegun(before: Rollout) -> bool:
    """Whether a rollout left the line before it began."""
    return before.phase is Phase.CANCELLED and before.code in _UNBEGUN


def behind(r: Rollout, ahead: str) -> Rollout:
    """Return the row that waits for this rollout."""
    return r if r.after == ahead else replace(r, after=ahead)


def against(r: Rollout, undone: str, now: datetime) -> tuple[str, str] | None:
    """Return why a rollout whose turn it is does not start by itself, as a code and a sentence."""
    if undone:
        return "ahead_undone", f"{r.service} {r.version} waited in the queue, and {undone}."
    if now - r.created > FORGOTTEN:
        ago = lasting((now - r.created).total_seconds())
        return (
            "queued_long",
            f"{r.service} {r.version} was queued {ago} ago; so late it does not start by itself.",
        )
    return None
