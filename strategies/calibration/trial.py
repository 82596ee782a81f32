"""One rollout of a version against itself: some pods of stable play the canary, and the judge of rollouts decides."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from strategies.calibration.stages import Stage
from strategies.calibration.table import Table, Totals
from strategies.deciding import decided
from strategies.evidence import (
    RECENT,
    Ahead,
    Both,
    Memory,
    Question,
    Ruling,
    SlowRule,
    Tally,
    Window,
    alone,
    remember,
    rule,
)
from strategies.limits import judge
from strategies.questions import Asked, questions
from strategies.steps import Check
from strategies.verdict import Fails, Judgement, Look, Sample, Verdict

_NEVER_SHOWN = datetime(1970, 1, 1, tzinfo=UTC)
_PERCENTILES = {"latency_p50": 50.0, "latency_p95": 95.0, "latency_p99": 99.0}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout of a version against itself went."""

    evidence: bool = False
    """It was rolled back by the counts, stable beside it."""
    alone: bool = False
    """It was rolled back by the counts once nothing was left to compare with."""
    limits: tuple[Check, ...] = ()
    """The checks whose limits rolled it back."""
    asked: tuple[int, ...] = ()
    """The stages that ended in a question, by their number."""

    @property
    def back(self) -> bool:
        """Whether it was rolled back."""
        return self.evidence or self.alone or bool(self.limits)


@dataclass(frozen=True, slots=True)
class Split:
    """Which pods play the canary: the first of `order`, as many as a stage gets."""

    start: int
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """The stages of a plan, to be replayed on one table."""

    table: Table
    stages: tuple[Stage, ...]
    weights: int
    """How many the plan has."""
    slow: SlowRule | None
    """What slow means for the service."""

    def run(self, split: Split, noise: float) -> Outcome:
        """Return how a rollout went that began at the start of `split`."""
        at, memory, outcome = split.start, Memory(), Outcome()
        for place, stage in enumerate(self.stages):
            policy = replace(stage.policy, noise=noise)
            walk = _Walk(self, replace(stage, policy=policy), place, split, at, memory)
            outcome = walk.through(outcome)
            at, memory = walk.at, walk.memory
            if outcome.back:
                break
        return outcome

    def instead(self, checks: Mapping[Check, Check | None]) -> "Trial":
        """Return the trial with other checks in the place of some; None: without it."""
        return replace(
            self,
            stages=tuple(
                replace(stage, checks=tuple(_put_instead(stage.checks, checks)))
                for stage in self.stages
            ),
        )

    def asked(self, stage: Stage) -> tuple[Asked, ...]:
        """Return the questions of a stage that the histogram can answer."""
        every = questions(stage.checks, stage.policy, self.slow)
        return tuple(one for one in every if one.bound is None or one.bound in self.table.bounds)

    def ahead(self, place: int, rate: float) -> Ahead | None:
        """Return what comes behind a stage, at so many requests a second; None behind the last one."""
        if place + 1 >= len(self.stages):
            return None
        after = self.stages[place + 1]
        share = after.weight / 100
        return Ahead(share, rate * share * after.duration)


class _Walk:
    """One stage, step by step."""

    def __init__(
        self, trial: Trial, stage: Stage, place: int, split: Split, at: int, memory: Memory
    ) -> None:
        self._trial, self._stage, self._place = trial, stage, place
        self._table = trial.table
        self.at, self.memory = at, memory
        self._begun, self._start = at, split.start
        pods = stage.canaries(len(split.order))
        self._canary = split.order[:pods]
        chosen = set(self._canary)
        self._others = tuple(name for name in self._table.names if name not in chosen)
        if stage.weight >= 100:
            # Nothing is left to compare with: who starts later is the new version too.
            self._canary, self._others = self._table.names, ()
        self._asked = trial.asked(stage)
        self._put = tuple(self._question(one) for one in self._asked)
        self._fails: Fails = ()

    def _question(self, one: Asked) -> Question:
        """Return a question as it can be put: without a control against what stable did before."""
        if self._others:
            return one.question
        whole, recent = (self._past(one, first) for first in (0, max(0, self.at - RECENT)))
        return alone(one.question, whole, recent if recent.of else whole)

    def _past(self, one: Asked, first: int) -> Tally:
        return tally(self._table.between(self._table.names, first, self.at), one) or Tally(0.0, 0.0)

    def through(self, outcome: Outcome) -> Outcome:
        """Return the outcome behind this stage; the record may end before it."""
        soak = self._stage.duration
        longest = soak * max(1.0, self._stage.policy.max_extension)
        while self.at < self._table.steps:
            literal = self._look()
            elapsed = (self.at - self._begun) * self._table.seconds
            if literal.verdict is Verdict.FAIL:
                outcome = replace(outcome, limits=self._broken(outcome, literal))
            if self._asked and self.memory.most >= 1 / self._stage.policy.alpha:
                beside = bool(self._others)
                outcome = replace(outcome, evidence=beside, alone=not beside)
            if elapsed < soak:
                continue
            if outcome.back or self._passes(literal):
                return outcome
            if elapsed >= longest:
                return replace(outcome, asked=(*outcome.asked, self._stage.number))
        return outcome

    def _broken(self, outcome: Outcome, literal: Judgement) -> tuple[Check, ...]:
        told = zip(self._stage.checks, literal.results, strict=True)
        failed = (check for check, one in told if one.verdict is Verdict.FAIL)
        now = [check for check in failed if check.then == "rollback"]
        return tuple(dict.fromkeys([*outcome.limits, *now]))

    def _look(self) -> Judgement:
        """Take one more window, and hold the fixed limits against the last ones."""
        table, stage = self._table, self._stage
        self.at += 1
        canary, stable = (
            table.between(names, self.at - 1, self.at) for names in (self._canary, self._others)
        )
        tallies = {
            one.question.name: Both(
                tally(canary, one), tally(stable, one) if self._others else None
            )
            for one in self._asked
        }
        age = float((self.at - self._begun) * table.seconds)
        window = Window(float(table.seconds), stage.number, stage.weight, age, tallies)
        self.memory = remember(self.memory, window, self._put, stage.policy, self._trial.weights)
        literal, self._fails = judge(
            self._numbers(),
            stage.checks,
            min_requests=stage.min_requests,
            fails=self._fails,
            weight=stage.weight,
        )
        return literal

    def _numbers(self) -> Look:
        """Return what the fixed limits see: the time since the weight changed, at most one soak."""
        first = max(self._begun, self.at - max(1, self._stage.duration // self._table.seconds))
        canary, stable = (
            self._table.between(names, first, self.at) for names in (self._canary, self._others)
        )
        metrics = dict.fromkeys(["requests", *(one.metric for one in self._stage.checks)])
        samples = tuple(Sample(m, value(stable, m), value(canary, m)) for m in metrics)
        return Look(_NEVER_SHOWN, (self.at - first) * self._table.seconds, samples)

    def _passes(self, literal: Judgement) -> bool:
        policy = self._stage.policy
        judgement = decided(literal, self._ruling(), policy, rate=0.0)
        return judgement.verdict is Verdict.PASS

    def _ruling(self) -> Ruling | None:
        if not self._asked:
            return None
        rollout = (self.at - self._start) * self._table.seconds
        rate = self._table.between(self._table.names, self._start, self.at).requests / rollout
        own = [one.question for one in self._asked]
        ahead = self._trial.ahead(self._place, rate)
        return rule(self.memory, own, self._stage.policy, self._trial.weights, ahead)


def _put_instead(own: Iterable[Check], checks: Mapping[Check, Check | None]) -> Iterator[Check]:
    for one in own:
        other = checks.get(one, one)
        if other is not None:
            yield other


def tally(totals: Totals, one: Asked) -> Tally | None:
    """Return what was counted for a question; None where that is not known."""
    return totals.failed if one.bound is None else totals.slower(one.bound)


def value(totals: Totals, metric: str) -> float | None:
    """Return a metric in its own unit; None where there is no number."""
    if metric == "requests":
        return totals.requests
    if not totals.requests:
        return None
    if metric in _PERCENTILES:
        return totals.percentile(_PERCENTILES[metric])
    failed = 100 * totals.failed.rate
    found = 100 - failed if metric == "success_rate" else failed
    return found if math.isfinite(found) else None


def share(outcomes: Iterable[bool]) -> float:
    """Return the part of these that is true."""
    told = list(outcomes)
    return sum(told) / len(told) if told else 0.0
