"""Whose yes counts: who changed what runs, whose earlier vote has fallen, who voted through broken glass. Pure.

`bot.policy` says who may; here is what that does to the row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.rollout.values import Entry, Rollout, Rules

NEVER = "This cannot be approved"
"""What the sentence begins with that so many approvals can never come together."""


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


def unreachable(
    listed: Sequence[str],
    members: Mapping[str, Collection[str]],
    out: Collection[str],
    quorum: int,
    environment: str,
) -> str:
    """Return that so many approvals can never come together, and what to do; `""` where they may, or nobody knows.

    `members` are those of the groups, as far as they are known; `out` may not approve what they had a hand in.
    """
    if not listed or any(one.startswith("S") and one not in members for one in listed):
        return ""
    people = [one for one in listed if not one.startswith("S")]
    everybody = list(
        dict.fromkeys(
            [*people, *(who for group in listed for who in sorted(members.get(group, ())))]
        )
    )
    left = [one for one in everybody if one not in out]
    if len(left) >= quorum:
        return ""
    asked = ", ".join(one for one in everybody if one in out)
    if left or not asked:
        who = f"only {', '.join(left)}" if left else "nobody"
        why = f"{quorum} have to approve, and {who} may" + (
            f": {asked} asked for it" if asked else ""
        )
    else:
        why = f"nobody but {asked} is listed, and {asked} asked for it"
    return (
        f"{NEVER}: {why}. Add approvers of {environment} in sluice.yaml and restart Sluice, or let "
        "somebody else ask for it."
    )


def renewed(r: Rollout, today: Rules) -> Rollout:
    """Return the row with the approvers of today's configuration, and say so where that changes something.

    Who may is what is configured now; how many have to, never fewer than when it was asked for.
    """
    now = replace(
        r.rules,
        approvers=today.approvers,
        approvals=max(r.rules.approvals, today.approvals),
        break_glass=today.break_glass,
        self_approval=r.rules.self_approval and today.self_approval,
    )
    if (now.approvers, now.approvals) == (r.rules.approvers, r.rules.approvals):
        return r if now == r.rules else replace(r, rules=now)
    now = replace(now, renewed=True, unreachable="")
    gate = r.gate
    if gate is not None and gate.kind != "start":
        gate = replace(gate, groups=now.approvers, quorum=max(gate.quorum, now.approvals))
    who = ", ".join(now.approvers) or "nobody"
    text = (
        f"The approvers of {r.environment} were changed in the configuration: from now on {who} may approve, "
        f"{max(now.approvals, 1)} for each decision."
    )
    return replace(r, rules=now, gate=gate).tell(
        Entry("approvers_changed", "sluice", text, code="approvers_changed")
    )


def through_glass(r: Rollout, actor: str) -> Rollout:
    """Return the row with this person's vote, if the gate is still open, marked as one of no approver."""
    if r.gate is None:
        return r
    votes = tuple(
        replace(vote, broke_glass=True) if vote.actor == actor else vote for vote in r.gate.votes
    )
    return replace(r, gate=replace(r.gate, votes=votes))


def broken(
    r: Rollout,
    actor: str,
    rule: str,
    passed: str,
    reason: str,
    now: datetime,
    people: tuple[str, ...] = (),
) -> Rollout:
    """Return the row with the announcement that somebody broke the glass: which rule, what it said, and why.

    `people` are named in what it said.
    """
    text = f"{actor} broke the glass ({rule}): {reason}. What it passed: {passed}"
    before = [v.actor for v in r.gate.votes if v.broke_glass] if r.gate is not None else []
    if before:
        votes = "both votes" if len(before) == 1 else f"{len(before) + 1} votes"
        text += f" On this question {votes} are by broken glass: {', '.join(before)} did so before."
    entry = Entry(
        "glass_broken",
        actor,
        text,
        code=rule,
        event="rollout.glass_broken",
        tell="broadcast",
        data={
            "rule": rule,
            "reason": reason,
            "at": now.isoformat(),
            "people": [*dict.fromkeys((actor, *people, *before))],
        },
    )
    return r.tell(entry)
