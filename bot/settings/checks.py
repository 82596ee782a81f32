"""The block `checks` of a target: limits on metrics and named sets of them, read into `strategies.plan.Check`.

Pure. A check that could never fail, or always does, is a mistake and is refused.
"""

from itertools import chain
from typing import Annotated, Any, Literal, Self

from pydantic import PlainValidator, TypeAdapter, model_validator

from bot.settings.block import Block, wrong_shape
from bot.settings.document import Scalar
from bot.settings.fields import choice, number, refuse_at, whole
from bot.settings.metrics import KNOWN_METRICS, PERCENT_METRICS, unknown_metric
from bot.settings.names import MetricName, RawText
from strategies.placeholders import tells_lanes_apart
from strategies.plan import Check

BOUNDS = ("above", "below", "above_baseline", "times_baseline", "margin")

_LARGEST = 1e15
_Limit = Annotated[float, number(-_LARGEST, _LARGEST)]

_Fault = tuple[str, str, str]

_ALL_LOOKS = "A check with a margin is decided by all looks together: remove {key}."


def _not_per_lane(metric: str) -> str:
    """Return the sentence about a margin whose query has one number for both versions, or that has none."""
    return (
        f"{metric} is compared with stable, so each version needs a number: give it a query that names the version by "
        '$workload or $lane, such as max(kafka_lag{workload="$workload"}).'
    )


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
    better: Annotated[Literal["lower", "higher"] | None, choice("lower", "higher")] = None
    margin: Annotated[float, number(0.1, 1_000)] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        faults = [*self._metric_faults(), *self._bound_faults(), *self._count_faults()]
        faults += self._margin_faults()
        if faults:
            raise refuse_at(*faults)
        return self

    def _metric_faults(self) -> list[_Fault]:
        if self.metric in KNOWN_METRICS or self.query is not None:
            return []
        return [("metric", "unknown_metric", unknown_metric(self.metric))]

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

    def _margin_faults(self) -> list[_Fault]:
        if self.margin is None:
            without = "better belongs to a margin: give one, such as margin: 10, or remove better."
            return [("better", "margin_and_better", without)] if self.better else []
        faults = []
        if self.better is None:
            sentence = "A margin has a direction: add better: lower or better: higher."
            faults.append(("margin", "margin_and_better", sentence))
        if self.better == "higher" and self.margin >= 100:
            sentence = "100 % below stable is nothing: take a margin below 100, or better: lower."
            faults.append(("margin", "out_of_range", sentence))
        if self.model_fields_set & {"failures", "of"}:
            key = "failures" if "failures" in self.model_fields_set else "of"
            faults.append((key, "bad_failures", _ALL_LOOKS.format(key=key)))
        if not tells_lanes_apart(self.query or ""):
            key = "query" if "query" in self.model_fields_set else "metric"
            sentence = _not_per_lane(self.metric)
            faults.append((key, "query_not_per_lane", sentence))
        return faults

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
        if bound == "margin":
            return 0.1, 1_000.0
        if self.metric in PERCENT_METRICS:
            return 0.0, 100.0
        return (0.0 if self.metric in KNOWN_METRICS else -_LARGEST), _LARGEST

    def _count_faults(self) -> list[_Fault]:
        if self.failures <= self.of:
            return []
        key = "failures" if "failures" in self.model_fields_set else "of"
        sentence = f"{self.failures} failures out of {self.of} looks cannot happen: raise `of` (default 1)."
        return [(key, "bad_failures", sentence)]


SETS: dict[str, tuple[Check, ...]] = {
    "conservative": (
        Check("error_rate", above=1),
        Check("latency_p99", above=500),
        Check("success_rate", below=99),
    ),
    "moderate": (
        Check("error_rate", above=5),
        Check("latency_p99", above=1000),
        Check("success_rate", below=95),
    ),
    "mesh": (
        Check("error_rate", above_baseline=5),
        Check("latency_p95", times_baseline=1.5),
        Check("connection_failures", above=10),
        Check("circuit_breaker_trips", above=100),
    ),
    "functions": (
        Check("error_rate", above=5),
        Check("latency_p99", above=1000),
        Check("success_rate", below=95),
        Check("cold_start_rate", above=50, then="warn"),
    ),
    "orion": (
        Check("error_rate", above=5),
        Check("latency_p95", above=500, then="warn"),
        Check("latency_p99", above=1000),
        Check("success_rate", below=95),
        Check("cpu", above=80, then="warn"),
        Check("memory", above=80, then="warn"),
    ),
}
"""Sets of checks that can be had by name."""

_SET = choice(*SETS, code="unknown_preset")


class PresetBlock(Block):
    """A set of checks inside a list of checks, as written."""

    preset: Annotated[str, _SET]


_WORD: TypeAdapter[str] = TypeAdapter(Annotated[str, _SET])


def _read_item(value: Any) -> tuple[Check, ...]:
    if isinstance(value, Check):
        return (value,)
    if isinstance(value, dict) and "preset" in value:
        return SETS[PresetBlock.model_validate(value).preset]
    return (Check(**dict(CheckBlock.model_validate(value))),)


_ITEMS: TypeAdapter[tuple[tuple[Check, ...], ...]] = TypeAdapter(
    tuple[Annotated[tuple[Check, ...], PlainValidator(_read_item)], ...]
)


def _read_checks(value: Any) -> tuple[Check, ...]:
    match value:
        case list() | tuple():
            return tuple(chain.from_iterable(_ITEMS.validate_python(value)))
        case Scalar(kind="text"):
            return SETS[_WORD.validate_python(value)]
        case _:
            raise wrong_shape(value, "a list, or the name of a set of checks")


Checks = Annotated[tuple[Check, ...], PlainValidator(_read_checks)]
"""Checks with the type that strategies use; the blocks are only how they are written."""
