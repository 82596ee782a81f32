"""What a request says about one rollout, in native words and units. `None` means: as configured.

Pure. Chat, REST, the command line and the seeds' dialects all end here; after it nobody knows which words were typed.
Durations are whole seconds, rates percent, latencies milliseconds.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from strategies.plan import Check, Rule, Score, SmokeTest

Confidence = Literal["high", "normal", "low"]


class WishError(ValueError):
    """What somebody wrote cannot be meant. `str()` is a sentence; `key` is the key as it was typed."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        key: str = "",
        suggestion: str = "",
        path: tuple[str | int, ...] = (),
    ) -> None:
        """Keep the sentence (what, why, what to do), its code, the key at fault, and the way to it from outside."""
        super().__init__(sentence)
        self.code = code
        self.key = key
        self.suggestion = suggestion
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One request, before any default is filled in."""

    service: str | None = None
    environment: str | None = None
    version: str | None = None
    strategy: str | None = None
    live: str | None = None
    """The version that the request believes to be live (`versionA`, `policyAId`)."""
    cluster: str | None = None
    namespace: str | None = None
    mesh: str | None = None
    """The last three must be those of the target."""

    steps: tuple[float, ...] | None = None
    """Percent, rising; the last is always 100."""
    soak: tuple[int, ...] | None = None
    """Seconds; one for all steps, or one per step. Strategies with one stage watch for the last of them."""
    min_soak: int | None = None
    """No stage is watched for less than this."""
    min_requests: int | None = None
    checks: tuple[Check, ...] | None = None
    """Each replaces the configured checks of its metric and kind of bound; the others stay."""
    auto_promote: bool | None = None
    keep_baseline: float | None = None
    approvals: int | None = None
    match: tuple[Rule, ...] | None = None

    batch: int | str | None = None
    batch_delay: int | None = None
    max_concurrent: int | None = None
    batch_timeout: int | None = None
    batch_rollback: Literal["all", "failed-batch", "none"] | None = None

    smoke: tuple[SmokeTest, ...] | None = None
    """Besides the configured tests."""
    smoke_enabled: bool | None = None
    smoke_for: int | None = None
    switch_timeout: int | None = None
    retention: int | None = None

    split: float | None = None
    """Percent for variant B, the new one."""
    compare: tuple[str, ...] | None = None
    """Names of metrics."""
    test_duration: int | None = None
    winner: Literal["auto", "manual"] | None = None
    score: Score | None = None

    confidence: Confidence | None = None
    """How sure the requester is; advice on strategies listens to it."""
    at: str | None = None
    cron: str | None = None
    warnings: tuple[str, ...] = ()
    """What the requester should know about how the request was understood."""
    typed: tuple[tuple[str, str], ...] = ()
    """Fields whose key is another word in what was written, and that key."""

    def key(self, field: str, usual: str) -> str:
        """Return the key of a field as it was written, for a refusal."""
        return dict(self.typed).get(field, usual)

    def over(self, other: "Wish") -> "Wish":
        """Return this wish, and where it says nothing what `other` says; checks, tests and rules of both count."""
        kept = {name: value for name, value in self._said() if name not in _OF_BOTH}
        mine = {(check.metric, check.bound[0]) for check in self.checks or ()}
        others = tuple(c for c in other.checks or () if (c.metric, c.bound[0]) not in mine)
        return replace(
            other,
            **kept,
            checks=(*others, *(self.checks or ())) or None,
            smoke=(*(other.smoke or ()), *(self.smoke or ())) or None,
            match=(*(other.match or ()), *(self.match or ())) or None,
            warnings=(*other.warnings, *self.warnings),
            typed=(*other.typed, *self.typed),
        )

    def _said(self) -> list[tuple[str, Any]]:
        every = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, value) for name, value in every if value is not None]


_OF_BOTH = frozenset({"checks", "smoke", "match", "warnings", "typed"})
