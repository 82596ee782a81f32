"""Whose yes counts: who changed what runs, whose earlier vote has fallen, who voted through broken glass. Pure.

`bot.policy` says who may; here is what that does to the row.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from bot.rollout.values import Entry, Rollout


def edited(r: Rollout, who: str) -> Rollout:
    """Return the row with one more person who changed what runs; the requester counts as such anyway."""
    if who == r.requester or who in r.editors:
        return r
    return replace(r, editors=(*r.editors, who))


def without(r: Rollout, fallen: Collection[str]) -> Rollout:
    """Return the row without the votes of those who may not approve any more, and say so in the thread."""
    if r.gate is None or not fallen:
        return r
    votes = tuple(vote for vote in r.gate.votes if vote.actor not in fallen)
    who = ", ".join(fallen)
    text = f"The earlier approval of {who} no longer counts: who gave it may not approve any more."
    gate = replace(r.gate, votes=votes)
    entry = Entry("votes_fallen", "sluice", text, code="vote_fallen", data={"gate": gate.id})
    return replace(r, gate=gate).tell(entry)


def through_glass(r: Rollout, actor: str) -> Rollout:
    """Return the row with this person's vote, if the gate is still open, marked as one of no approver."""
    if r.gate is None:
        return r
    votes = tuple(
        replace(vote, broke_glass=True) if vote.actor == actor else vote for vote in r.gate.votes
    )
    return replace(r, gate=replace(r.gate, votes=votes))


def broken(r: Rollout, actor: str, rule: str, passed: str, reason: str, now: datetime) -> Rollout:
    """Return the row with the announcement that somebody broke the glass: which rule, what it said, and why."""
    text = f"{actor} broke the glass ({rule}): {reason}. What it passed: {passed}"
    entry = Entry(
        "glass_broken",
        actor,
        text,
        code=rule,
        event="rollout.glass_broken",
        tell="broadcast",
        data={"rule": rule, "reason": reason, "at": now.isoformat()},
    )
    return r.tell(entry)
