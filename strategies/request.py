"""What a strategy compiles: one request with every default already filled in.

Pure. The door, the configuration and the dialects are behind it; a strategy sees only these values.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from strategies.evidence import Policy
from strategies.plan import (
    Approve,
    Batch,
    Check,
    Follow,
    Match,
    Plan,
    Prepare,
    Promote,
    Retire,
    Rule,
    Score,
    SmokeTest,
    Soak,
    Step,
    Yardstick,
)


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
    strategy: str
    """One of `direct recreate canary blue-green rolling ab-test`, or the name of an installed strategy."""
    steps: tuple[float, ...]
    """Percent, rising, the last one 100."""
    soak: tuple[int, ...]
    """Seconds, one per step; strategies with one stage (direct, recreate, blue-green) watch for the last of them."""
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
    lanes: Literal["fixed", "swap", "one", "led"] = "fixed"
    """Two places with fixed roles, two that swap roles (colours, revisions), one place whose instances move, or what
    another controller moves."""
    has_instances: bool = True
    """False for targets without instances (functions): there a batch is a weight."""
    instances: int | None = None
    """How many there are, where the configuration says so (`about.instances`)."""
    weights: Literal["any", "switch"] = "any"
    """`switch`: the router knows 0 and 100 only."""
    match: tuple[Rule, ...] = ()
    batch: int | str = "25%"
    """Instances at a time: a number of them, or percent."""
    batch_delay: int = 60
    """Seconds of watching behind each batch."""
    max_concurrent: int = 5
    batch_timeout: int = 300
    batch_rollback: Literal["all", "failed-batch", "none"] = "all"
    smoke: tuple[SmokeTest, ...] = ()
    smoke_for: int = 0
    """Seconds that the dark lane must stay ready."""
    switch_timeout: int | None = None
    split: float = 50
    """Percent for variant B, the new one."""
    compare: tuple[Yardstick, ...] = ()
    test_duration: int = 3600
    winner: Literal["auto", "manual"] = "manual"
    score: Score = "weighted"
    users: str | None = None
    conversions: str | None = None
    requests_per_user: float | None = None
    evidence: Policy | None = None
    """How the counts of both versions decide; None: as usual."""

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

    def follow(self, *, full: bool = False) -> Follow:
        """Return the step with which another controller is followed; `full` lets it go to the end at once."""
        return Follow(
            duration=max((one for one in self.soak if one > 0), default=60),
            min_requests=self.min_requests,
            checks=self.checks,
            quorum=max(1, self.approvals),
            groups=self.approvers,
            expires=self.gate_expires,
            on_expiry=self.on_expiry,
            full=full,
        )

    def watch(self, duration: int) -> Soak:
        """Return a soak of `duration` seconds with the checks of this request."""
        return Soak(
            duration=duration,
            min_requests=self.min_requests,
            checks=self.checks,
            evidence=self.evidence,
        )

    def watch_last(self) -> tuple[Soak, ...]:
        """Return the one soak of a strategy with one stage, where it has any time."""
        return tuple(self.watch(seconds) for seconds in self.soak[-1:] if seconds > 0)

    def gate(self) -> tuple[Approve, ...]:
        """Return the one gate of a strategy that asks once: where gates are due, or something was weakened."""
        due = self.gated or (self.approvals > 0 and bool(self.weakened))
        return (self.approve(weakened=True),) if due else ()

    def take(
        self, instances: int | str, *, rollback: Literal["all", "failed-batch", "none"] = "all"
    ) -> Batch:
        """Return a batch of so many instances, or percent of them, with the limits of this request."""
        return Batch(
            instances=instances,
            max_concurrent=self.max_concurrent,
            timeout=self.batch_timeout,
            total=self.instances if isinstance(instances, int) else None,
            rollback=rollback,
        )

    def plan(self, *parts: Iterable[Step], warnings: Iterable[str] = ()) -> Plan:
        """Return the plan of this request with the steps of all parts in a row."""
        return Plan(
            service=self.service,
            environment=self.environment,
            version=self.version,
            strategy=self.strategy,
            steps=tuple(chain(*parts)),
            warnings=tuple(warnings),
        )

    def ending(self) -> tuple[Promote | Retire, ...]:
        """Return the last steps: on fixed lanes the old version is kept before Promote, on swapping lanes after it.

        One place has no end of its own: with its last instance the new version is all there is.
        """
        if self.lanes in {"one", "led"}:
            return ()
        kept = (Retire(after=self.retention),) if self.retention > 0 else ()
        return (*kept, Promote()) if self.lanes == "fixed" else (Promote(), *kept)

    def opening(self) -> tuple[Prepare | Approve | Match, ...]:
        """Return the first steps of a gradual strategy, before its first weight or batch.

        Where there are two lanes the new version runs dark first; then a gate where something was weakened; then its
        audience.
        """
        dark = () if self.lanes in {"one", "led"} else (Prepare(),)
        gate = (self.approve(weakened=True),) if self.weakened and self.approvals > 0 else ()
        audience = (Match(self.match),) if self.match else ()
        return (*dark, *gate, *audience)
