"""The clocks of a row, and how it ended: what statistics are made of. Pure.

The row carries its own clock, so every saved row can be passed through `accounted` without knowing the one before it:
whichever door changed the phase, none can forget to stop the watch.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from bot.rollout.observed import Score
from bot.rollout.recording import recorded
from bot.rollout.scoring import scored
from bot.rollout.values import Phase, Rollout

End = Literal["succeeded", "rolled_back", "resolved", "cancelled", "undo"]
"""`resolved`: a person ended it by hand. `cancelled`: it never began. `undo`: it undid an earlier success."""
Rollback = Literal["", "automatic", "by_hand", "after_success"]
"""How a version was taken back, `""` when it was not."""

_FOR_PEOPLE = {Phase.WAITING, Phase.PAUSED, Phase.NEEDS_ATTENTION}
"""Only a person ends these phases: time in them is not the machine's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one rollout ended, as statistics count it."""

    rollout: str
    service: str
    environment: str
    strategy: str
    """Of an undo: the strategy of what it undid, where that is known."""
    end: End
    ended: datetime
    rollback: Rollback = ""
    code: str = ""
    """Why it ended so (`check_failed` …)."""
    winner: str = ""
    """`A` or `B`, of an A/B test."""
    machine_s: float | None = None
    """Seconds that it worked; None when nobody measured."""
    waited_s: float | None = None
    """Seconds that it waited for people; None when nobody measured."""
    warnings: int = 0
    """Checks that warned."""
    observed: Score = ""
    """What the counts would have done where they only observed."""
    undid: str = ""
    """Of an undo: the rollout that it undid."""

    @property
    def degraded(self) -> bool:
        """Whether the metrics got so bad that it went back by itself."""
        return self.rollback == "automatic" and self.code == "check_failed"


def accounted(r: Rollout, now: datetime) -> Rollout:
    """Return the row with its clocks, its trail and its score as they stand at `now`."""
    r = scored(recorded(r, now))
    live = not r.phase.final and r.phase is not Phase.SCHEDULED
    if live and r.started is None:
        r = replace(r, started=now)
    if r.phase in _FOR_PEOPLE:
        return r if r.waiting_since is not None else replace(r, waiting_since=now)
    if r.waiting_since is None:
        return r
    return replace(r, waited=r.waited + _seconds(r.waiting_since, now), waiting_since=None)


def outcome_of(r: Rollout) -> Outcome | None:
    """Return how a rollout ended; None while it has not, and for an undoing that came to nothing."""
    kind = _kind(r)
    if kind is None or r.ended is None:
        return None
    end, rollback = kind
    measured = None if r.started is None else _seconds(r.started, r.ended)
    return Outcome(
        rollout=r.id,
        service=r.service,
        environment=r.environment,
        strategy=r.plan.strategy,
        end=end,
        ended=r.ended,
        rollback=rollback,
        code=r.back.code if r.back is not None else r.code,
        winner=r.winner,
        machine_s=None if measured is None else max(0.0, measured - r.waited),
        waited_s=None if measured is None else r.waited,
        observed=r.observed.score,
        undid=r.rollback_of,
    )


def _kind(r: Rollout) -> tuple[End, Rollback] | None:
    match r.phase:
        case Phase.SUCCEEDED:
            return ("undo", "after_success") if r.rollback_of else ("succeeded", "")
        case _ if r.rollback_of:
            return None
        case Phase.ROLLED_BACK:
            automatic = r.back is not None and r.back.automatic
            return "rolled_back", "automatic" if automatic else "by_hand"
        case Phase.CANCELLED:
            return "cancelled" if r.armed is None else "resolved", ""
        case _:
            return None


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())
