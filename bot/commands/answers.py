"""What comes back from a command: one answer or one refusal, the same for every door."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.grammar.verbs import Deploy, History
from bot.rollout.changes import Changes
from bot.rollout.locks import Lock
from bot.rollout.values import Entry, Rollout
from bot.stats import Stats
from strategies.plan import Plan

Press = Literal["promote", "pause", "resume", "rollback", "extend", "resolve"]


@dataclass(frozen=True, slots=True)
class Offer:
    """A button that goes on from an answer: its label and the command that it stands for."""

    label: str
    line: str
    """The command as text, read by the same grammar (`rollback checkout production now`)."""
    danger: bool = False
    form: str = ""
    """The form that the button opens instead of saying the line; the line is then what the form is about."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that others than the one who asked should hear."""

    to: str
    """A person (`U…`), to whom it is said directly, or a channel."""
    sentence: str
    people: Sequence[str] = ()
    """Whose ids in the sentence become mentions."""
    offers: Sequence[Offer] = ()


@dataclass(frozen=True, slots=True)
class Live:
    """What has the traffic of a target now."""

    version: str
    since: datetime | None = None
    by: str = ""
    """Who brought it; `""`: it came past this bot, or before it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known about starting a plan now, and what makes its start the one that was seen."""

    deploy: Deploy
    by: str
    """Whom it is shown to."""
    nonce: str
    """Counts once."""
    live: Live | None = None
    changes: Changes | None = None
    next_freeze: datetime | None = None
    """When the next freeze of the calendar begins."""
    barred: "Refusal | None" = None
    """Why it would be refused now, with what can be done instead."""
    self_approval: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done or found."""

    sentence: str
    code: str = "ok"
    rollout: Rollout | None = None
    plan: Plan | None = None
    advice: str = ""
    """Which strategy would fit this case, and why; with a plan that is shown."""
    rows: Sequence[Rollout] = ()
    stats: Stats | None = None
    kind: Literal[
        "done", "recorded", "plan", "status", "history", "schedule", "stats", "help", "details"
    ] = "done"
    created: bool = False
    due: datetime | None = None
    """When it starts, where that is not now."""
    preview: Preview | None = None
    """With a plan: all that is known about starting it now."""
    offers: Sequence[Offer] = ()
    """What could come next."""
    people: Sequence[str] = ()
    """Whose ids in the sentence become mentions, besides those of the rollout."""
    locks: Sequence[Lock] = ()
    """What keeps new versions out of the places that a status is about, oldest first."""
    live: Mapping[str, Live] = field(default_factory=dict)
    """By target (`service/environment`): what is live there, as far as rollouts tell."""
    older: History | None = None
    """What shows the page behind this one; None: there is none."""
    story: Sequence[tuple[datetime, Entry]] = ()
    """The newest lines of a journal, oldest first."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a malfunction
    """Nothing was changed. `str()` says what, why and what to do; `status` is the HTTP status of design §7.3."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        status: int = 409,
        key: str = "",
        suggestion: str = "",
        offers: Sequence[Offer] = (),
        rollout: Rollout | None = None,
        people: Sequence[str] = (),
    ) -> None:
        """Keep everything that a door needs to show."""
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.key = key
        self.suggestion = suggestion
        self.offers = tuple(offers)
        self.rollout = rollout
        self.people = tuple(people)


class PlanChanged(Refusal):
    """What was shown is out of date; `answer` shows what it would be now."""

    def __init__(self, sentence: str, answer: Answer) -> None:
        """Keep the new preview."""
        super().__init__(sentence, code="plan_changed")
        self.answer = answer
