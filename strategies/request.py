"""What a strategy compiles: one request with every default already filled in.

Pure. The door, the configuration and the dialects are behind it; a strategy sees only these values.
"""

from dataclasses import dataclass
from typing import Literal

from strategies.plan import Approve, Check, Prepare, Promote, Retire, Soak


class PlanError(ValueError):
    """The request cannot become a plan. `str()` is a sentence, `key` the option at fault as people type it."""

    def __init__(self, sentence: str, *, code: str, key: str = "") -> None:
        """Keep the sentence, its code and the option's name."""
        super().__init__(sentence)
        self.code = code
        self.key = key


@dataclass(frozen=True, slots=True)
class Request:
    """One version for one target, with how to get it there."""

    service: str
    environment: str
    version: str
    strategy: Literal["direct", "recreate", "canary", "blue-green", "rolling", "ab-test"]
    steps: tuple[float, ...]
    """Percent, rising, the last one 100."""
    soak: tuple[int, ...]
    """Seconds, one per step."""
    checks: tuple[Check, ...] = ()
    min_requests: int = 1000
    approvals: int = 0
    """People needed at each gate; 0 means no gates."""
    approvers: tuple[str, ...] = ()
    gate_expires: int = 86400
    on_expiry: Literal["hold", "rollback"] = "hold"
    auto_promote: bool = False
    """No gate after a soak that passed."""
    weakened: tuple[str, ...] = ()
    """What the request weakens; then one gate stands before the first traffic."""
    keep_baseline: float = 0
    retention: int = 0
    lanes: Literal["fixed", "swap"] = "fixed"

    @property
    def gated(self) -> bool:
        """Whether a person is asked after each soak."""
        return self.approvals > 0 and not self.auto_promote

    def approve(self, *, weakened: bool = False) -> Approve:
        """Return the gate of this request; the first one lists what was weakened."""
        return Approve(
            quorum=self.approvals,
            groups=self.approvers,
            expires=self.gate_expires,
            on_expiry=self.on_expiry,
            weakened=self.weakened if weakened else (),
        )

    def watch(self, duration: int) -> Soak:
        """Return a soak of `duration` seconds with the checks of this request."""
        return Soak(duration=duration, min_requests=self.min_requests, checks=self.checks)

    def ending(self) -> tuple[Promote | Retire, ...]:
        """Return the last steps: on fixed lanes the old version is kept before Promote, on swapping lanes after it."""
        kept = (Retire(after=self.retention),) if self.retention > 0 else ()
        return (*kept, Promote()) if self.lanes == "fixed" else (Promote(), *kept)

    def opening(self) -> tuple[Prepare | Approve, ...]:
        """Return the first steps: the new version runs dark, then a gate where something was weakened."""
        gate = (self.approve(weakened=True),) if self.weakened and self.approvals > 0 else ()
        return (Prepare(), *gate)
