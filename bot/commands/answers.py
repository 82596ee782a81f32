"""What comes back from a command: one answer or one refusal, the same for every door."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.rollout.values import Rollout
from strategies.plan import Plan

Press = Literal["promote", "pause", "resume", "rollback", "extend", "resolve"]


@dataclass(frozen=True, slots=True)
class Offer:
    """A button that goes on from an answer: its label and the command that it stands for."""

    label: str
    line: str
    """The command as text, read by the same grammar (`rollback checkout production now`)."""
    danger: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What was done or found."""

    sentence: str
    code: str = "ok"
    rollout: Rollout | None = None
    plan: Plan | None = None
    rows: Sequence[Rollout] = ()
    kind: Literal["done", "recorded", "plan", "status", "history", "help"] = "done"
    created: bool = False


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
