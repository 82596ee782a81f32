"""May this actor do this, now? Pure: members and flags come in as values, an answer with its reason goes out.

Every door asks here and nowhere else. What cannot be established is refused for whatever goes forward and allowed for
rollback and pause: going back must never wait for a look-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from bot.rollout.values import Gate, Rollout
from bot.settings.scalars import WeekTime
from bot.settings.values import FreezeWindow

Verb = Literal[
    "keep", "deploy", "promote", "pause", "resume", "adopt", "extend", "rollback", "resolve", "read"
]


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


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is in which group, as looked up now. `known` is False when it could not be looked up."""

    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    person: Person | None = None
    known: bool = True


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
_ALWAYS: frozenset[Verb] = frozenset({"rollback", "keep", "pause", "read"})


def allow(
    actor: Actor, verb: Verb, rollout: Rollout | None = None, membership: Membership | None = None
) -> Decision:
    """Decide. `membership` matters for promote only; without it nobody may promote."""
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
    if verb != "promote":
        return YES
    if rollout is None or rollout.gate is None:
        return Decision(False, "no_open_gate", "There is no open gate to promote.")
    return _may_promote(actor, rollout, rollout.gate, membership or Membership(known=False))


def unplaced(actor: Actor, verb: Verb) -> Decision | None:
    """Return the refusal of somebody whose team cannot be told; None where that does not matter."""
    if actor.team_known or verb in _ALWAYS:
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


def _may_promote(actor: Actor, r: Rollout, gate: Gate, membership: Membership) -> Decision:
    voted = {vote.actor for vote in gate.votes}
    if voted & actor.ids:
        return Decision(
            False, "already_counted", "Your approval has already been counted on this gate."
        )
    if not gate.groups and r.rules.approvals == 0:
        return YES
    # A token never votes for what it or its owner requested, whatever is configured.
    machine = actor.door == "rest"
    if (machine or not r.rules.self_approval) and r.requester in actor.ids:
        return Decision(
            False,
            "self_approval",
            f"You requested this rollout, so somebody else has to approve it: {_names(gate)}.",
        )
    if not gate.groups:
        return Decision(
            False,
            "no_approvers",
            f"{r.environment} lists no approvers, so nobody may promote. Add approvers to it.",
        )
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


def _listed(actor: Actor, gate: Gate, membership: Membership) -> bool:
    if actor.door == "rest":
        # A token stands for a machine: it counts only where it is named itself, never through its owner's groups.
        return actor.id in gate.groups
    groups = (membership.members.get(group, frozenset()) for group in gate.groups)
    return actor.id in gate.groups or any(actor.id in members for members in groups)


def _names(gate: Gate) -> str:
    return ", ".join(gate.groups) or "the approvers"
