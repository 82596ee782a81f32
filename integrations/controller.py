"""Another controller that moves the traffic by itself: what can be seen of it, and the few orders that it takes.

Sluice looks on, asks people where it stops, and tells it to go on or to go back. The rule that keeps this safe: every
stop has an identity, and the order to go on names the one that people were asked about. At any other it does nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from integrations.base import Finding, version_of

LedPhase = Literal["progressing", "paused", "healthy", "degraded"]


@dataclass(frozen=True, slots=True)
class Start:
    """Let this image be rolled out, or one whose movement ended without it once more."""

    image: str
    full: bool = False
    """At once: without the controller's steps, pauses and analyses."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on from this stop, and from no other."""

    stop: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Give all traffic back to the version that is stable. Where nothing moves, only the fence is written."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Begin the movement anew that was aborted."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay where it is, until it is released."""


@dataclass(frozen=True, slots=True)
class Release:
    """End a hold."""


Order = Start | Resume | Abort | Retry | Hold | Release


@dataclass(frozen=True, slots=True)
class Question:
    """What people are asked at a gate where a controller stands."""

    asks: str
    """See `LedState.asks`."""
    goal: str
    """See `LedState.goal`."""


@dataclass(frozen=True, slots=True)
class LedState:
    """How a controller and what it moves stand."""

    image: str
    """The image that is asked for: that of the newest template."""
    stable: str
    """The image that all traffic goes back to; `""` when it cannot be told."""
    phase: LedPhase
    weight: float
    """Percent of the traffic that `image` gets; 100 once it is the stable one."""
    movement: str
    """The identity of what is being moved; `""` while the controller has not seen the newest template yet."""
    base: str = ""
    """The identity of what is stable, as `movement` would name it; `""` where only its image tells."""
    here: str = ""
    """The identity of the place where it stands; it differs after every step."""
    stop: str = ""
    """The identity of the pause that waits; `""` where it waits for nobody. No two pauses have the same."""
    passes: bool = False
    """That pause ends by itself after a while."""
    asks: str = ""
    """What it waits for, as a clause: `step 2 of 8 pauses until somebody promotes`."""
    progress: str = ""
    """How far it has come, as a short phrase: `step 3 of 8`."""
    goal: str = ""
    """Where going on leads: `to 50 %`; Promote stands before it."""
    aborted: bool = False
    by_hand: bool = False
    """It was told to abort, and did not by itself."""
    held: bool = False
    """Somebody holds it (Argo Rollouts: `spec.paused`)."""
    full: bool = False
    """It has been told to go to the end at once."""
    detail: str = ""
    """What the controller says about its state."""
    fetches: bool = False
    """It asks for its orders to go on and to go back by itself: they are not written, only kept until it comes."""
    parked: bool = False
    """It has not begun, and does not without a yes: nothing of the new version runs, nothing has traffic."""
    edited: bool = False
    """The template is another one than our start asked for, although its image may be the same."""
    run: str = ""
    """The identity of this attempt at the movement, while it moves; `""` where the controller says nothing of it."""
    questions: Mapping[str, Question] = field(default_factory=dict)
    """Where it fetches its orders: what each of its gates would ask here."""
    unread: Finding | None = None
    """Why `image` or `stable` is empty; the rest suffices to go back. Not fatal: it may pass by itself."""
    token: str = ""
    fence: str = ""
    mark: str = ""
    """See `Split`."""
    changed_by: str = ""

    @property
    def version(self) -> str:
        """See `version_of`."""
        return version_of(self.image)

    @property
    def moving(self) -> bool:
        """Whether another template than the stable one is on its way."""
        arrived = bool(self.base) and self.movement == self.base
        return self.phase in {"progressing", "paused"} and not self.aborted and not arrived


class Controller(Protocol):
    """What leads one target."""

    async def read(self) -> LedState:
        """Return how it stands. Raises `GoneError`, `RefusedError`, `TryAgainError`."""
        ...

    async def order(self, order: Order, *, token: str, fence: str) -> None:
        """Give an order, only if `token` still holds, and (`Resume`) only at the stop that it names.

        Raises `ConflictError` when the precondition does not hold, `TryAgainError` when the outcome is unknown.
        """
        ...

    async def inspect(self, image: str = "") -> Sequence[Finding]:
        """Say what would stop a movement or going back from it. Raises `TryAgainError`; a refusal is a finding."""
        ...

    def image_for(self, version: str) -> str:
        """Return the image reference for a version as a person typed it (a tag, a digest, or the whole image)."""
        ...
