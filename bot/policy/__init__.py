"""May this actor do this, now? Pure: members and flags come in as values, an answer with its reason goes out.

Every door asks here and nowhere else. What cannot be established is refused for whatever goes forward and allowed for
rollback and pause: going back must never wait for a look-up.
"""

from bot.policy.freezing import frozen
from bot.policy.people import (
    YES,
    Actor,
    Decision,
    Membership,
    Person,
    Silence,
    Verb,
    among,
    unanswered,
)
from bot.policy.silence import unsaid
from bot.policy.votes import doubted, fallen
from bot.rollout.question import Gate
from bot.rollout.times import clock
from bot.rollout.values import Rollout

__all__ = [
    "ALWAYS",
    "LOOKED_UP",
    "YES",
    "Actor",
    "Decision",
    "Membership",
    "Person",
    "Silence",
    "Verb",
    "allow",
    "doubted",
    "fallen",
    "frozen",
    "unplaced",
]

_CONTROLLER = "controller:"
"""What the ids of controllers begin with that start a movement by themselves."""

_ALARMS: frozenset[Verb] = frozenset({"rollback", "pause", "read"})
"""What an alert may do: it is nobody, so nothing goes forward because of it."""
ALWAYS: frozenset[Verb] = frozenset({"rollback", "keep", "pause", "read"})
"""What never waits for a look-up."""
LOOKED_UP: frozenset[Verb] = frozenset(
    {"deploy", "resume", "adopt", "extend", "resolve", "acknowledge", "lock", "unlock"}
)
"""What only somebody may who is known to be a full member, now or as last heard. A promote asks for more."""


def allow(
    actor: Actor,
    verb: Verb,
    rollout: Rollout | None = None,
    membership: Membership | None = None,
    *,
    glass: bool = False,
) -> Decision:
    """Decide. What goes forward is refused without `membership`; `glass`: somebody breaks it to do it all the same."""
    if actor.id.startswith(_CONTROLLER) and verb not in {"deploy", "read"}:
        return Decision(
            False,
            "not_a_person",
            "A controller may begin a rollout that it leads, and nothing else.",
        )
    outsider = _outsider(actor, membership) or unplaced(actor, verb)
    if outsider is not None:
        return outsider
    if actor.door == "alertmanager" and verb not in _ALARMS:
        return Decision(
            False, "not_for_alerts", "An alert may pause or roll back, and nothing else. Ask as a person."
        )  # fmt: skip
    if verb == "deploy" and glass:
        return _may_break(actor, rollout, membership)
    if verb in LOOKED_UP and _not_looked_up(actor, membership):
        return unsaid(actor.id, [actor.id], membership, "this is refused")
    if verb != "promote":
        return YES
    if rollout is None or rollout.gate is None:
        return Decision(False, "no_open_gate", "There is no open gate to promote.")
    looked_up = membership or Membership(known=False)
    return _may_promote(actor, rollout, rollout.gate, looked_up, glass=glass)


def unplaced(actor: Actor, verb: Verb) -> Decision | None:
    """Return the refusal of somebody whose team cannot be told; None where that does not matter."""
    if actor.team_known or verb in ALWAYS:
        return None
    return Decision(
        False,
        "identity_unavailable",
        "Slack did not say which workspace you belong to, so only rollback and pause work now. Try again in a minute.",
    )


def _outsider(actor: Actor, membership: Membership | None) -> Decision | None:
    if not actor.id:
        return Decision(
            False, "not_a_person", "It is not known who asks, so nothing was done. Ask as a person."
        )
    if not actor.team_ok:
        return Decision(
            False, "external_user", "People of another workspace cannot use this bot. Ask a colleague here."
        )  # fmt: skip
    person = membership.person if membership else None
    if person is None:
        return None
    if person.deleted or person.bot:
        return Decision(False, "not_a_person", "Deactivated users and bots cannot use this bot.")
    if person.guest or person.stranger:
        return Decision(False, "guest", "Guests cannot use this bot. Ask a full member.")
    return None


def _not_looked_up(actor: Actor, membership: Membership | None) -> bool:
    """Whether nothing says that somebody is a member: no answer now, and none within the last day."""
    if actor.door != "slack" or (membership is not None and membership.known):
        return False
    # Outsiders were sent away before: whoever was last heard of here is a member.
    return membership is None or membership.person is None


def _counted(actor: Actor, gate: Gate) -> str:
    """Return when somebody's yes was counted, and what the gate waits for now."""
    at = next(vote.at for vote in gate.votes if vote.ids & actor.ids)
    more = (
        f"it waits for {gate.missing} more, by somebody else"
        if gate.missing
        else "nobody else is needed"
    )
    return f"Your approval was already counted on this gate, at {clock(at)}; {more}."


def _may_promote(
    actor: Actor, r: Rollout, gate: Gate, membership: Membership, *, glass: bool
) -> Decision:
    voted = {one for vote in gate.votes for one in vote.ids}
    if voted & actor.ids:
        return Decision(
            allowed=False,
            code="already_counted",
            sentence=_counted(actor, gate),
        )
    if not gate.groups and r.rules.approvals == 0:
        return YES
    # A token never votes for what it or its owner requested, whatever is configured; nor does a broken glass help.
    strict = actor.door == "rest" or glass or not r.rules.self_approval
    own = _own(actor, r, gate) if strict else None
    if own is not None:
        return own
    if not gate.groups:
        return Decision(
            False,
            "no_approvers",
            f"{r.environment} lists no approvers, so nobody may promote. Add approvers to it.",
        )
    if glass:
        return _may_break(actor, r, membership)
    if actor.door == "rest" and actor.id in gate.groups:
        # Named itself: nothing about a token has to be asked of Slack, which may be away for hours.
        return YES
    if actor.door == "slack" and not membership.says(actor.id):
        return unsaid(actor.id, [actor.id], membership, "this promotion is refused")
    if among(actor.id, gate.groups, membership, now=True):
        return YES
    silent = unanswered(gate, membership) if actor.door == "slack" else []
    if silent:
        return unsaid(actor.id, silent, membership, "this promotion is refused")
    return Decision(
        False,
        "not_approver",
        f"You are not an approver of {r.environment}. Ask one of {_names(gate)}.",
    )


def _own(actor: Actor, r: Rollout, gate: Gate) -> Decision | None:
    """Return the refusal of somebody who would approve what they asked for, or what they changed since."""
    if r.requester in actor.ids:
        did = "You requested this rollout"
    elif actor.ids & set(r.editors):
        did = "You changed what runs after this rollout was requested"
    else:
        return None
    return Decision(
        False, "self_approval", f"{did}, so somebody else has to approve it: {_names(gate)}."
    )


def _may_break(actor: Actor, r: Rollout | None, membership: Membership | None) -> Decision:
    """Decide who may break the glass: people by name or by group, as looked up now or as last heard."""
    if actor.door != "slack":
        return Decision(
            False,
            "glass_needs_a_person",
            "Only a person breaks the glass, in Slack: neither a token nor an alert. Ask whoever is on call.",
        )
    who = r.rules.break_glass if r is not None else ()
    if among(actor.id, who, membership or Membership(known=False)):
        return YES
    if membership is None or not membership.known:
        return Decision(
            False,
            "identity_unavailable",
            "Slack does not say who you are, and you are not among those that it last named for breaking the glass: "
            f"{', '.join(who) or 'nobody'}. Rollback and pause still work.",
        )
    return Decision(
        False,
        "may_not_break_glass",
        f"Breaking the glass is for {', '.join(who) or 'nobody'}. Ask one of them; rollback and pause work for you.",
    )


def _names(gate: Gate) -> str:
    return ", ".join(gate.groups) or "the approvers"
