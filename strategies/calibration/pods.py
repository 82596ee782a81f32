"""What single pods tell: one that is worse than its like, and how long a new one takes to be as fast as the others."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from strategies.calibration.table import Table, Totals
from strategies.evidence import SlowRule, Tally
from strategies.evidence.policy import slow

_OFTEN = 2.0
"""How many times as often as the others a pod is bad that is to be looked at."""
_SURE = 5.0
"""Standard deviations."""
_MOSTLY = 0.75
"""Of the hours in which it has to be worse, by half of the others': some bad minutes are no bad pod."""
_WORSE = 1.5
_FEWEST = 200
"""Requests from which on the pods beside a new one say what is usual."""
_HOUR = 3600

LEAST = 120
"""Seconds: what is forgiven anyway."""
_LONGEST = 1800
_STARTS = 3
"""How many starts have to be seen."""
_SPREAD = 2.0


@dataclass(frozen=True, slots=True)
class Outlier:
    """A pod that is worse than the others."""

    name: str
    what: Literal["fails", "is slow"]
    times: float
    """How many times as often as the others; infinite where those never are."""


def outliers(table: Table, rule: SlowRule | None) -> tuple[Outlier, ...]:
    """Return the pods that fail, or are slow, much more often than the others most of the time; the worst first."""
    found = [
        Outlier(name, what, times)
        for name in table.names
        for what, bound in _kinds(rule)
        if (times := _worse(table, name, bound)) is not None
    ]
    return tuple(sorted(found, key=lambda one: -one.times))


def _kinds(rule: SlowRule | None) -> Iterable[tuple[Literal["fails", "is slow"], float | None]]:
    yield "fails", None
    if rule is not None:
        yield "is slow", rule.boundary


def _worse(table: Table, name: str, bound: float | None) -> float | None:
    """Return how many times as often as the others a pod is bad; None where that is not much, or not sure."""
    others = [one for one in table.names if one != name]
    own, rest = (_tally(table.between(names, 0, table.steps), bound) for names in ([name], others))
    expected = own.of * rest.rate
    if own.bad - expected <= _SURE * math.sqrt(expected + 1) or own.rate < _OFTEN * rest.rate:
        return None
    hour = max(1, _HOUR // table.seconds)
    hours = [
        [
            _tally(table.between(names, at, min(table.steps, at + hour)), bound)
            for names in ([name], others)
        ]
        for at in range(0, table.steps, hour)
    ]
    told = [mine.rate > _WORSE * theirs.rate for mine, theirs in hours if mine.of and theirs.of]
    if not told or sum(told) < _MOSTLY * len(told):
        return None
    return own.rate / rest.rate if rest.bad else math.inf


def _tally(totals: Totals, bound: float | None) -> Tally:
    found = totals.failed if bound is None else totals.slower(bound)
    return found or Tally(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How long new pods are slower than the others."""

    starts: int
    """How many were seen."""
    seconds: int | None
    """At least `LEAST`; None where too few starts were seen to tell."""
    over: bool = True
    """Whether they were as fast as the others in the end."""

    @property
    def longest(self) -> int:
        """Seconds after which a pod that started is like the others for certain."""
        return _LONGEST if self.seconds is None else self.seconds


def warm_up(table: Table, rule: SlowRule | None) -> WarmUp:
    """Return after how long the share of slow requests of pods that started is as tolerated beside the others.

    By minutes of age, all starts together; two minutes in a row tell that it is over.
    """
    starts = [(name, at) for name in table.names for at in table.starts.get(name, ())]
    if rule is None or len(starts) < _STARTS:
        return WarmUp(len(starts), None)
    ages = _LONGEST // table.seconds
    cold = [_is_cold(table, rule, starts, age, ages) for age in range(ages)]
    for age in range(ages - 1):
        if not cold[age] and not cold[age + 1]:
            return WarmUp(len(starts), max(LEAST, age * table.seconds))
    return WarmUp(len(starts), _LONGEST, over=False)


def _is_cold(
    table: Table, rule: SlowRule, starts: list[tuple[str, int]], age: int, ages: int
) -> bool:
    """Whether new pods of an age had more slow requests than is tolerated, beyond chance."""
    question = slow(rule.ratio)
    bad = tolerated = 0.0
    for name, start in starts:
        if start + age >= table.steps:
            continue
        young = _tally(table.between([name], start + age, start + age + 1), rule.boundary)
        usual = _beside(table, rule, start, ages)
        bad += young.bad
        tolerated += young.of * min(1.0, question.ratio * usual + question.margin)
    return bad > tolerated + _SPREAD * math.sqrt(tolerated + 1)


def _beside(table: Table, rule: SlowRule, start: int, ages: int) -> float:
    """Return the share of slow requests of pods that were there long before a start; of all, where those are few."""
    last = min(table.steps, start + ages)
    old = [
        one
        for one in table.alive(start, last)
        if not any(start - ages < begun < last for begun in table.starts.get(one, ()))
    ]
    found = _tally(table.between(old, start, last), rule.boundary)
    if found.of < _FEWEST:
        found = _tally(table.between(table.names, 0, table.steps), rule.boundary)
    return found.rate
