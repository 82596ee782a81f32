"""Which versions a target can go back to, and which it had better not: read from its finished rollouts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.rollout.past import ever_stable, stable_versions, taken_back
from bot.rollout.values import Phase, Rollout


@dataclass(frozen=True, slots=True)
class Choice:
    """One version that was on a target before."""

    version: str
    since: datetime | None = None
    """When it became live last; None: it came past this bot, or was never live."""
    until: datetime | None = None
    """When it was taken off."""
    by: str = ""
    """Who brought it."""
    bad: str = ""
    """Why it was taken back; `""`: it did well until another one replaced it."""


def choices(newest_first: Sequence[Rollout]) -> list[Choice]:
    """Return the versions before the live one, the newest first: those that did well and those that were taken back."""
    stack = stable_versions(newest_first)
    live = stack[-1] if stack else ""
    taken = taken_back(newest_first)
    found: dict[str, Choice] = {}
    replaced: datetime | None = None
    for r in newest_first:
        if taken.get(r.version) is r and r.phase is Phase.ROLLED_BACK:
            found.setdefault(r.version, _taken_back(r))
        if r.live_changed:
            if r.version not in found:
                found[r.version] = _was_live(r, taken.get(r.version), replaced)
            replaced = r.started or r.created
    for version in sorted(ever_stable(newest_first) - set(found)):
        found[version] = Choice(version)
    return [choice for choice in found.values() if choice.version != live]


def _taken_back(r: Rollout) -> Choice:
    why = r.back.reason if r.back is not None else ""
    return Choice(r.version, None, r.ended, r.requester, why or "rolled back")


def _was_live(r: Rollout, undo: Rollout | None, replaced: datetime | None) -> Choice:
    if undo is not None:
        why = undo.reason or f"rolled back by {undo.requester}"
        return Choice(r.version, r.ended, undo.created, r.requester, why)
    return Choice(r.version, r.ended, replaced, r.requester)
