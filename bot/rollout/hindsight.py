"""Whether a version was good or bad, as far as hindsight can tell. Pure.

Good: it succeeded, and nobody undid it within a day. Bad: it was rolled back because a check failed or because a person
said so, or it was undone within a day. Everything else says nothing about the version: a question that nobody answered,
a start that failed, an A/B test that A won, what was ended or cancelled by hand.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from bot.rollout.accounting import Outcome

Worth = Literal["good", "bad", ""]
A_DAY = timedelta(days=1)
"""Undone later than that is a change of mind more often than a bad version."""


def undone(outcomes: Iterable[Outcome]) -> Mapping[str, datetime]:
    """Return when successes were undone, by their rollout: the end of the first undo."""
    found: dict[str, datetime] = {}
    for one in outcomes:
        if one.end == "undo" and one.undid:
            found[one.undid] = min(one.ended, found.get(one.undid, one.ended))
    return found


def worth(outcome: Outcome, undone_at: datetime | None = None) -> Worth:
    """Return what a version was worth; `""` where its end says nothing about that."""
    if outcome.end == "rolled_back":
        return "bad" if outcome.degraded or outcome.rollback == "by_hand" else ""
    if outcome.end != "succeeded" or outcome.winner == "A":
        return ""
    return "bad" if undone_at is not None and undone_at - outcome.ended <= A_DAY else "good"
