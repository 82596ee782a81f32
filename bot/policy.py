"""May this actor do this, now? Pure: members and flags come in as values, an answer with its reason goes out.

Every door asks here and nowhere else. What cannot be established is refused for whatever goes forward and allowed for
rollback and pause: going back must never wait for a look-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from bot.rollout.question import Gate, Vote
from bot.rollout.values import Rollout
from bot.settings.scalars import WeekTime
from bot.settings.values import FreezeWindow

Verb = Literal[
    "deploy", "promote", "keep", "pause", "resume", "adopt", "extend", "rollback", "resolve", "acknowledge",
    "lock", "unlock", "read",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, as the door established it."""

    id: str
    """A Slack user id, `token:NAME`, or `sluice` itself."""
    door: Literal["slack", "rest", "sluice", "alertmanager"]
    team_ok: bool = True
    """The user's own team is ours (not the channel's, not the app's)."""
    owner: str = ""
    """The Slack user behind a token."""
    team_known: bool = True
    """Whether `team_ok` is an answer: not while Slack has not told our team, or theirs."""

    @property
    def ids(self) -> frozenset[str]:
        """All names under which this actor counts as one person."""
        return frozenset(i for i in (self.id, self.owner) if i)


@dataclass(frozen=True, slots=True)
class Person:
    """What Slack says about a user at the moment of the click."""

    id: str
    name: str = ""
    deleted: bool = False
    bot: bool = False
    guest: bool = False
    stranger: bool = False
    """Of another workspace."""

    @property
    def member(self) -> bool:
        """Whether this is a full member of ours, and a human being."""
        return not (self.deleted or self.bot or self.guest or self.stranger)


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is in which group, as looked up now.

    `known` is False when it could not be looked up; the rest then is what was last heard, within a day.
    """

    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    person: Person | None = None
    known: bool = True
    people: Mapping[str, Person] = field(default_factory=dict)
    """Those who have voted already, by id."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes, or no with a code and a sentence."""

    allowed: bool
    code: str = ""
    sentence: str = ""


YES = Decision(allowed=True)

_CONTROLLER = "controller:"
"""What the ids of controllers begin with that start a movement by themselves."""

_ALARMS: frozenset[Verb] = frozenset({"rollback", "pause", "read"})
"""What an alert may do: it is nobody, so nothing goes forward because of it."""
ALWAYS: frozenset[Verb] = frozenset({"rollback", "keep", "pause", "read"})
"""What never waits for a look-up."""
_LOOKED_UP: frozenset[Verb] = frozenset({"unlock"})
"""What is refused besides a promote where Slack does not say who somebody is."""


def allow(
    actor: Actor,
    verb: Verb,
    rollout: Rollout | None = None,
    membership: Membership | None = None,
    *,
    glass: bool = False,
) -> Decision:
    """Decide. A promote without `membership` is refused; `glass`: somebody breaks the glass to do it all the same."""
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
    if verb in _LOOKED_UP and _not_looked_up(actor, membership):
        return Decision(
            False,
            "identity_unavailable",
            "Slack did not say who you are, so this is refused; rollback and pause still work. Try again.",
        )
    if verb == "deploy" and glass:
        return _may_break(actor, rollout, membership)
    if verb != "promote":
        return YES
    if rollout is None or rollout.gate is None:
        return Decision(False, "no_open_gate", "There is no open gate to promote.")
    looked_up = membership or Membership(known=False)
    return _may_promote(actor, rollout, rollout.gate, looked_up, glass=glass)


def fallen(r: Rollout, gate: Gate, membership: Membership) -> tuple[str, ...]:
    """Return whose earlier votes on a gate no longer count, because they may not approve any more."""
    if not gate.groups:
        return ()
    return tuple(
        vote.actor
        for vote in gate.votes
        if _own_change(r, vote) or (membership.known and not _stands(gate, vote, membership))
    )


def _own_change(r: Rollout, vote: Vote) -> bool:
    """Whether somebody voted for what they have changed since; nobody has to be asked to know that."""
    return bool(vote.ids & set(r.editors)) and not r.rules.self_approval


def _stands(gate: Gate, vote: Vote, membership: Membership) -> bool:
    person = membership.people.get(vote.actor)
    if person is not None and not person.member:
        return False
    return vote.broke_glass or _among(vote.actor, gate.groups, membership)


def unplaced(actor: Actor, verb: Verb) -> Decision | None:
    """Return the refusal of somebody whose team cannot be told; None where that does not matter."""
    if actor.team_known or verb in ALWAYS:
        return None
    return Decision(
        False,
        "identity_unavailable",
        "Slack did not say which workspace you belong to, so only rollback and pause work now. Try again in a minute.",
    )


def frozen(windows: Sequence[FreezeWindow], now: datetime) -> str:
    """Return the freeze window that `now` lies in, in words; `""` when none does."""
    for window in windows:
        local = now.astimezone(ZoneInfo(window.timezone))
        here = (local.weekday(), local.hour, local.minute)
        start = (window.from_.weekday, window.from_.hour, window.from_.minute)
        end = (window.to.weekday, window.to.hour, window.to.minute)
        inside = start <= here < end if start < end else here >= start or here < end
        if inside:
            return f"from {_clock(window.from_)} to {_clock(window.to)} ({window.timezone})"
    return ""


def _clock(at: WeekTime) -> str:
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.weekday]
    return f"{day} {at.hour:02}:{at.minute:02}"


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
    return actor.door == "slack" and (membership is None or not membership.known)


def _may_promote(
    actor: Actor, r: Rollout, gate: Gate, membership: Membership, *, glass: bool
) -> Decision:
    voted = {one for vote in gate.votes for one in vote.ids}
    if voted & actor.ids:
        return Decision(
            False, "already_counted", "Your approval has already been counted on this gate."
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
    if not membership.known:
        return Decision(
            False,
            "identity_unavailable",
            "Slack did not say who is in the approver group, so this promotion is refused; "
            "rollback and pause still work. Try again.",
        )
    if _listed(actor, gate, membership):
        return YES
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
    if _among(actor.id, who, membership or Membership(known=False)):
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


def _listed(actor: Actor, gate: Gate, membership: Membership) -> bool:
    # A token stands for a machine: it counts only where it is named itself, never through its owner's groups.
    return _among(actor.id, gate.groups, membership)


def _among(who: str, listed: Sequence[str], membership: Membership) -> bool:
    groups = (membership.members.get(group, frozenset()) for group in listed)
    return who in listed or any(who in members for members in groups)


def _names(gate: Gate) -> str:
    return ", ".join(gate.groups) or "the approvers"
