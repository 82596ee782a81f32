"""Who has said yes to a question, who may still, and what silence means: the line below the numbers. Pure."""

from bot.rollout.gates import expires_words
from bot.rollout.question import Gate, Vote
from bot.rollout.values import Rollout
from bot.rollout.voting import unreachable
from bot.slack.blocks import date, escape, hour, mention
from bot.slack.wording import names, with_people


def standing(r: Rollout, gate: Gate) -> str:
    """Return how many have said yes of how many, who they are, and who may still."""
    missing = gate.missing
    count = f"{len(gate.counted)} of {gate.quorum} approvals"
    if not gate.votes:
        return f"{count} · any of {approvers(gate)}{_except(r)}"
    voted = ", ".join(
        f"{mention(vote.actor)} ✓ {hour(vote.at)}{_aside(gate, vote)}" for vote in gate.votes
    )
    more = "one" if missing == 1 else str(missing)
    left = _left(r, gate)
    if not left:
        return f"{count} – {voted}, waiting for {more} more, but nobody else is listed who may"
    return f"{count} – {voted}, waiting for {more} more of {left}"


def _aside(gate: Gate, vote: Vote) -> str:
    if vote not in gate.counted:
        return " (names no owner, so it does not count beside people)"
    return " (broke the glass)" if vote.broke_glass else ""


def doubts(r: Rollout, gate: Gate) -> list[str]:
    """Return what whoever decides should know about who decides."""
    found = []
    if r.requester.startswith("token:") and gate.groups:
        who = escape(r.requester)
        found.append(
            f"requested by {who}, which names no owner: make sure that who approves is another person"
        )
    never = unreachable(gate.groups, {}, _out(r), gate.quorum, r.environment)
    never = never or (r.rules.unreachable if not r.rules.renewed else "")
    if never:
        found.append(with_people(never, (*gate.groups, *_out(r))))
    return found


def silence(r: Rollout, gate: Gate) -> str:
    """Return what happens when nobody answers."""
    return f"if nobody answers by {date(gate.expires)}: {escape(expires_words(r))}"


def approvers(gate: Gate) -> str:
    """Return who is asked, as mentions."""
    return names(gate.groups) if gate.groups else "anybody here"


def _out(r: Rollout) -> tuple[str, ...]:
    return () if r.rules.self_approval else (r.requester, *r.editors)


def _except(r: Rollout) -> str:
    out = dict.fromkeys(_out(r))
    return f" except {names(list(out))}" if out else ""


def _left(r: Rollout, gate: Gate) -> str:
    """Return who may still approve: single people by name, groups as they are. Who is in a group only Slack knows."""
    if not gate.groups:
        return "anybody here"
    gone = {*_out(r), *(vote.actor for vote in gate.votes)}
    left = [one for one in gate.groups if one not in gone]
    groups = any(one.startswith("S") for one in left)
    return names(left) + (_except(r) if groups else "") if left else ""
