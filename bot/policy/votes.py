"""Whose earlier vote still counts: by what Slack says now, and by what was last heard where it says nothing. Pure."""

from dataclasses import replace

from bot.policy.people import Actor, Decision, Membership, among, unanswered
from bot.policy.silence import unsaid
from bot.rollout.question import Gate, Vote
from bot.rollout.values import Rollout


def fallen(r: Rollout, gate: Gate, membership: Membership) -> tuple[str, ...]:
    """Return whose earlier votes on a gate no longer count, because they may not approve any more."""
    if not gate.groups:
        return ()
    return tuple(
        vote.actor
        for vote in gate.votes
        if _own_change(r, vote) or _stands(gate, vote, membership) is False
    )


def doubted(r: Rollout, actor: Actor, membership: Membership) -> Decision | None:
    """Return the refusal of a vote that would decide with earlier ones which nobody can confirm now; None: it may.

    What was last heard confirms them, unless an event has said since that it has changed.
    """
    gate = r.gate
    if gate is None or not gate.groups:
        return None
    unsure = [
        v
        for v in gate.votes
        if _stands(gate, v, membership) is None and not _heard(gate, v, membership)
    ]
    mine = Vote(actor.id, gate.opened, actor.owner)
    sure = replace(gate, votes=(*(v for v in gate.votes if v not in unsure), mine))
    if not unsure or replace(gate, votes=(*gate.votes, mine)).missing > 0 or sure.missing <= 0:
        return None
    asked = [*(v.actor for v in unsure), *unanswered(gate, membership)]
    asked.sort(key=lambda one: one not in membership.silent)
    who = ", ".join(v.actor for v in unsure)
    so = f"it is not known whether the earlier approval of {who} still counts, and yours was not counted"
    return unsaid(actor.id, asked, membership, so)


def _own_change(r: Rollout, vote: Vote) -> bool:
    """Whether somebody voted for what they have changed since; nobody has to be asked to know that."""
    return bool(vote.ids & set(r.editors)) and not r.rules.self_approval


def _stands(gate: Gate, vote: Vote, membership: Membership) -> bool | None:
    """Whether an earlier vote still counts; None where Slack does not say."""
    who = vote.actor
    token = who.startswith("token:")
    person = membership.people.get(who)
    if token or membership.says(who):
        if person is not None and not person.member:
            return False
        if vote.broke_glass or among(who, gate.groups, membership, now=True):
            return True
        return None if not token and unanswered(gate, membership) else False
    return None


def _heard(gate: Gate, vote: Vote, membership: Membership) -> bool:
    """Whether what was last heard, within a day, says that somebody may approve."""
    person = membership.people.get(vote.actor)
    # Nobody is named where this app was never allowed to ask for people.
    known = person.member if person is not None else membership.says(vote.actor)
    return known and (vote.broke_glass or among(vote.actor, gate.groups, membership))
