"""What comes back from a command: one answer or one refusal, the same for every door."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

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
    of: str = ""
    """The rollout that a way back was offered about, in flight or ended last, or the locks (`l-1,l-2`): a press counts
    for no other."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that others than the one who asked should hear."""

    to: str
    """A person (`U…`), to whom it is said directly, or a channel."""
    sentence: str
    people: Sequence[str] = ()
    """Whose ids in the sentence become mentions."""
    offers: Sequence[Offer] = ()
    aloud: str = ""
    """What is said in a channel instead, without buttons, where a person cannot be told; `""`: it is known there."""
    channel: str = ""
    """That channel; `""`: the usual one."""

    def as_body(self) -> dict[str, Any]:
        """Return it as it is kept until it was said."""
        body: dict[str, Any] = asdict(self)
        return body

    @classmethod
    def of_body(cls, body: Mapping[str, Any]) -> Self:
        """Return what was kept. Raises `TypeError` and `KeyError` for what another version kept."""
        return cls(**{**body, "offers": [Offer(**offer) for offer in body["offers"]]})


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
    own: Sequence[Lock] = ()
    """The locks of whoever looks, which do not keep them out."""
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
    judged: str = ""
    """What decides about its stages; with a plan that is shown."""
    expectation: str = ""
    """How often it would roll back a version as good as stable; with a plan that is shown."""
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
    replaced: Mapping[str, Rollout] = field(default_factory=dict)
    """Of rows that were live: what took their place, by their id (`bot.rollout.past.successors`)."""
    targets: Sequence[tuple[str, str]] = ()
    """With a status: every service and environment that it is about, also where nothing was ever deployed."""
    single: bool = False
    """With a status: one service was asked about, and is shown with all that is known of it."""
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
        self.now: Rollout | None = None
        """Where `rollout` has ended: what is live on its target, or moves there, at this moment."""


class Unheard(Refusal):
    """Slack was silent for the moment about who somebody is; `why` says so, as a sentence without its full stop."""

    def __init__(self, sentence: str, *, why: str) -> None:
        """Keep the reason by itself."""
        super().__init__(sentence, code="identity_unavailable", status=403)
        self.why = why
        self.waits = False
        """What was asked for is recorded, and tried again."""


class PlanChanged(Refusal):
    """What was shown is out of date; `answer` shows what it would be now."""

    def __init__(self, sentence: str, answer: Answer) -> None:
        """Keep the new preview."""
        super().__init__(sentence, code="plan_changed")
        self.answer = answer
