"""Who asks, what is known about people and groups, and what the answer is. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.rollout.question import Gate

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
class Silence:
    """Why Slack did not say who somebody is, or who is in a group."""

    code: str
    passing: bool = True
    """It may well say so in a moment; else somebody has to put something right first."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Who is in which group, as looked up now.

    `known` is False when not all of it could be looked up; that rest then is what was last heard, within a day.
    """

    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    person: Person | None = None
    known: bool = True
    people: Mapping[str, Person] = field(default_factory=dict)
    """Those who have voted already, by id."""
    silent: Mapping[str, Silence] = field(default_factory=dict)
    """The groups and people that Slack did not say anything about, by id; where nothing is `known`, maybe nobody."""

    def says(self, who: str) -> bool:
        """Whether this is an answer of now about a group or a person."""
        return self.known or (bool(self.silent) and who not in self.silent)


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes, or no with a code and a sentence."""

    allowed: bool
    code: str = ""
    sentence: str = ""
    again: bool = False
    """Slack was silent for the moment: whoever can wait asks once more."""
    why: str = ""
    """Then: what Slack did not say."""


YES = Decision(allowed=True)


def among(who: str, listed: Sequence[str], membership: Membership, *, now: bool = False) -> bool:
    """Whether somebody is listed, or in a listed group; `now`: by what was said now, not by what was last heard.

    A token stands for a machine: it counts only where it is named itself, never through its owner's groups.
    """
    asked = [group for group in listed if not now or membership.says(group)]
    groups = (membership.members.get(group, frozenset()) for group in asked)
    return who in listed or any(who in members for members in groups)


def unanswered(gate: Gate, membership: Membership) -> list[str]:
    """Return the groups of approvers that Slack did not say anything about now."""
    return [one for one in gate.groups if one.startswith("S") and not membership.says(one)]
