"""What comes back from a command: one answer or one refusal, the same for every door."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.rollout.values import Rollout
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
    kind: Literal["done", "recorded", "plan", "status", "history", "schedule", "stats", "help"] = (
        "done"
    )
    created: bool = False
    due: datetime | None = None
    """When it starts, where that is not now."""


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
    ) -> None:
        """Keep everything that a door needs to show."""
        super().__init__(sentence)
        self.code = code
        self.status = status
        self.key = key
        self.suggestion = suggestion
        self.offers = tuple(offers)
        self.rollout = rollout
