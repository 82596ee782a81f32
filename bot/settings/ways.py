"""How a target's strategies go about it: one block for each strategy, with its defaults.

Pure. A block says what its strategy does when a request says nothing; it does not choose the strategy.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from bot.settings.block import Block
from bot.settings.document import Scalar
from bot.settings.fields import (
    Flag,
    Seconds,
    SecondsOrZero,
    choice,
    number,
    read_text,
    refuse,
    refuse_at,
    whole,
)
from bot.settings.lists import Soaks, Steps
from bot.settings.metrics import YardstickField
from bot.settings.names import RawText
from bot.settings.scalars import PRESETS, ScalarError, complete_steps, parse_batch
from strategies.fitting import is_weight
from strategies.yardsticks import not_countable, uncountable


def _read_batch(value: Any) -> Any:
    match value:
        case Scalar(text=text, kind="text" | "number"):
            try:
                return parse_batch(text)
            except ScalarError as error:
                raise refuse(error.code, str(error)) from None
        case _:
            return read_text(value)


def _reachable(percent: float) -> float:
    if not is_weight(percent):
        raise refuse(
            "weights_unreachable",
            f"{percent:g} % cannot be reached: routers share traffic in hundredths of a percent. "
            "Give at most two decimals.",
        )
    return percent


Baseline = Annotated[float, number(0, 20), AfterValidator(_reachable)]
"""Percent that the last soak keeps on the old version (design 7.1): something to compare with to the end."""
Rollback = Annotated[Literal["all", "failed-batch", "none"], choice("all", "failed-batch", "none")]


def _per_variant(query: str | None) -> str | None:
    if query is not None and not _PER_LANE.search(query):
        raise refuse(
            "bad_value",
            'The query has the same answer for both variants. Name one of them in it, as workload="$workload" or '
            "with $lane.",
        )
    return query


_PER_LANE = re.compile(r"\$(?:lane|workload)\b|\$\{(?:lane|workload)\}", re.ASCII)
"""What differs between the lanes."""


class CanaryBlock(Block):
    """How a canary climbs."""

    steps: Steps = PRESETS["standard"]
    """Percent, rising; the last is always 100."""
    soak: Soaks = (300,)
    """Seconds: one value for all steps, or one per step (a last step of 100 that was added repeats the last one)."""
    auto_promote: Flag = False
    retention: SecondsOrZero | None = None
    """None: none on fixed lanes, an hour on lanes that swap. Also for direct and ab-test."""
    keep_baseline: Baseline = 0

    @field_validator("soak", mode="after")
    @classmethod
    def _one_soak_per_step(cls, soak: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        steps = info.data.get("steps")
        if steps is not None and len(soak) not in {1, len(steps)}:
            raise refuse(
                "soak_count",
                f"There are {len(soak)} soaks for {len(steps)} steps: give one for all, or one per step.",
            )
        return soak

    @model_validator(mode="after")
    def _ends_at_100(self) -> Self:
        if self.steps[-1] < 100:
            # Only here both lists are known as they were given; a frozen model can still complete itself.
            object.__setattr__(self, "steps", complete_steps(self.steps))
            if len(self.soak) > 1:
                object.__setattr__(self, "soak", (*self.soak, self.soak[-1]))
        return self

    @model_validator(mode="after")
    def _watches_more_than_before(self) -> Self:
        before = self.steps[-2] if len(self.steps) > 1 else 0.0
        nearly = 100 - self.keep_baseline
        if self.keep_baseline and before >= nearly:
            sentence = f"The last soak would be at {nearly:g} % after {before:g} %: keep less than {100 - before:g} %."
            raise refuse_at(("keep_baseline", "bad_steps", sentence))
        return self


class DirectBlock(Block):
    """How all traffic moves at once."""

    soak: Seconds | None = None
    """None: the last soak of `canary`."""


class RecreateBlock(Block):
    """How the old version makes room for the new one."""

    soak: Seconds | None = None
    """None: the last soak of `canary`."""


class BlueGreenBlock(Block):
    """How the dark lane is tried, switched to and kept."""

    smoke_for: SecondsOrZero = 120
    soak: Seconds | None = None
    """None: the last soak of `canary`."""
    retention: SecondsOrZero | None = None
    """None: none on fixed lanes, an hour on lanes that swap."""
    switch_timeout: Seconds | None = None
    keep_baseline: Baseline = 0
    """With it the switch is two weights: all but this, then all."""


class RollingBlock(Block):
    """How many instances move at a time."""

    batch: Annotated[int | str, BeforeValidator(_read_batch)] = "25%"
    """A number of instances, or percent of them."""
    delay: SecondsOrZero = 60
    max_concurrent: Annotated[int, whole(1, 1_000)] = 5
    timeout: Seconds = 300
    rollback: Rollback = "all"


class AbTestBlock(Block):
    """How two variants are held against each other."""

    split: Annotated[float, number(0.1, 99.9)] = 50
    """Percent for the new version, B."""
    duration: Seconds = 3600
    metrics: tuple[YardstickField, ...] = ()
    winner: Annotated[Literal["auto", "manual"], choice("auto", "manual")] = "manual"
    score: Annotated[
        Literal["weighted", "wins", "sequential"], choice("weighted", "wins", "sequential")
    ] = "weighted"
    users: Annotated[RawText | None, AfterValidator(_per_variant)] = None
    """A query: how many users each variant got so far."""
    conversions: Annotated[RawText | None, AfterValidator(_per_variant)] = None
    """A query: how many of them converted so far."""
    requests_per_user: Annotated[float, number(1, 1_000_000)] | None = None
    """Where requests stand for users: how many one user sends."""

    @model_validator(mode="after")
    def _is_sure(self) -> Self:
        found = not_countable(self.metrics) if self.score == "sequential" else ()
        if found:
            raise refuse_at(("metrics", "bad_value", uncountable(found)))
        return self
