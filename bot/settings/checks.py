"""The block `checks` of a target: limits on metrics, read into `strategies.plan.Check`.

Pure. A check that could never fail, or always does, is a mistake and is refused.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import PlainValidator, model_validator

from bot.settings.block import Block
from bot.settings.fields import choice, number, refuse_at, whole
from bot.settings.names import MetricName, RawText
from bot.settings.scalars import did_you_mean, shown
from strategies.plan import Check

KNOWN_METRICS = (
    "error_rate",
    "success_rate",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "rps",
    "cpu",
    "memory",
    "requests",
)
"""The metrics that every source knows; another name needs a `query`."""

PERCENT_METRICS = frozenset({"error_rate", "success_rate", "cpu", "memory"})
BOUNDS = ("above", "below", "above_baseline", "times_baseline")

_LARGEST = 1e15
_Limit = Annotated[float, number(-_LARGEST, _LARGEST)]

_Fault = tuple[str, str, str]


class CheckBlock(Block):
    """One limit on one metric, as written."""

    metric: MetricName
    above: _Limit | None = None
    below: _Limit | None = None
    above_baseline: _Limit | None = None
    times_baseline: _Limit | None = None
    then: Annotated[Literal["rollback", "warn", "ask"], choice("rollback", "warn", "ask")] = (
        "rollback"
    )
    failures: Annotated[int, whole(1, 100)] = 1
    of: Annotated[int, whole(1, 100)] = 1
    query: RawText | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        faults = [*self._metric_faults(), *self._bound_faults(), *self._count_faults()]
        if faults:
            raise refuse_at(*faults)
        return self

    def _metric_faults(self) -> list[_Fault]:
        if self.metric in KNOWN_METRICS or self.query is not None:
            return []
        hint = did_you_mean(self.metric, KNOWN_METRICS)
        sentence = (
            f"{shown(self.metric)} is no built-in metric{hint}: give it a query, "
            f"or take one of {', '.join(KNOWN_METRICS)}."
        )
        return [("metric", "unknown_metric", sentence)]

    def _bound_faults(self) -> list[_Fault]:
        given = [name for name in BOUNDS if getattr(self, name) is not None]
        if not given:
            return [("", "one_bound", f"The check has no limit: give one of {', '.join(BOUNDS)}.")]
        faults = [
            (
                name,
                "one_bound",
                f"The check already has the limit {given[0]}: make a second check of this one.",
            )
            for name in given[1:]
        ]
        return faults + [fault for name in given if (fault := self._range_fault(name))]

    def _range_fault(self, bound: str) -> _Fault | None:
        low, high = self._range(bound)
        value = getattr(self, bound)
        if low <= value <= high:
            return None
        sentence = (
            f"{value:g} is out of range: {bound} of {self.metric} is from {low:g} to {high:g}."
        )
        return (bound, "out_of_range", sentence)

    def _range(self, bound: str) -> tuple[float, float]:
        if bound == "times_baseline":
            return 0.01, 1_000.0
        if self.metric in PERCENT_METRICS:
            return 0.0, 100.0
        return (0.0 if self.metric in KNOWN_METRICS else -_LARGEST), _LARGEST

    def _count_faults(self) -> list[_Fault]:
        if self.failures <= self.of:
            return []
        key = "failures" if "failures" in self.model_fields_set else "of"
        sentence = f"{self.failures} failures out of {self.of} looks cannot happen: raise `of` (default 1)."
        return [(key, "bad_failures", sentence)]


def _read_check(value: Any) -> Check:
    if isinstance(value, Check):
        return value
    return Check(**dict(CheckBlock.model_validate(value)))


CheckField = Annotated[Check, PlainValidator(_read_check)]
"""A check with the type that strategies use; `CheckBlock` is only how it is written."""
