"""How much worse is certain, and the counts that show it.

The one rule: what is shown to people is what decides. The counts are those of the copy that the evidence comes from,
and the factor is the largest one that the same copies would still prove. Of older windows only the sums are kept, for
each stretch with one split; evidence falls there as the bet on the sums does, or slower where a window was capped, so
that the factor is rather too small.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from strategies.evidence.counts import NOTHING, Tally
from strategies.evidence.memory import BETS, Copy, Stretch, Trial, bet_on, copies, idle, winnings
from strategies.evidence.policy import Policy, Question

_FARTHEST = 1000.0
"""No larger factor is told: stable without one failure is no infinity."""
_STEPS = 16


@dataclass(frozen=True, slots=True)
class Case:
    """What is known about one question, for people."""

    name: str
    canary: Tally
    stable: Tally | None
    """At the same time; None: there was no control."""
    ratio: float
    margin: float
    """What is tolerated, as in the question."""
    at_least: float | None = None
    """The largest factor between both that is certain."""
    bound: float | None = None
    """Milliseconds from which a request is slow; None: it is about failed ones."""
    before: Tally | None = None
    """What stable did before, where there was no control."""

    @property
    def times(self) -> float | None:
        """How many times as often as stable; None without a control, or where that had no bad event."""
        if self.stable is None or not self.stable.bad:
            return None
        return self.canary.rate / self.stable.rate


def whole(question: Question, trial: Trial) -> Case:
    """Return what was counted for a question in the whole rollout."""
    return _case(question, trial.stretches)


def lately(question: Question, trial: Trial, stage: int) -> Case:
    """Return what was counted for it in one stage."""
    return _case(question, (one for one in trial.stretches if one.stage == stage))


def strongest(question: Question, trial: Trial, stages: int) -> Case:
    """Return what was counted for it since the copy began that most of its evidence comes from."""
    found = max(copies(trial, stages), key=lambda one: one.worth)
    own = [one for one in trial.stretches if found.covers(one)]
    if own and own[-1].both.stable is None:
        # Without a control now: what was beside it before does not belong to these numbers.
        return lately(question, trial, own[-1].stage)
    return _case(question, own)


def _case(question: Question, stretches: Iterable[Stretch]) -> Case:
    canary, stable = NOTHING, NOTHING
    control = False
    for one in stretches:
        canary += one.both.canary or NOTHING
        stable += one.both.control
        control = control or one.both.stable is not None
    return Case(question.name, canary, stable if control else None, question.ratio, question.margin)


def certain(question: Question, trial: Trial, policy: Policy, stages: int, wanted: float) -> Case:
    """Return the case of a question with the factor that `wanted` evidence makes certain.

    Where the split of the traffic moved together with the errors of both versions, the sums hide what each stretch
    shows; then there is no factor that the numbers beside it would bear out.
    """
    case = strongest(question, trial, stages)
    found = at_least(question, trial, policy, stages, wanted)
    if found is None or (case.times is not None and found > case.times):
        return case
    return replace(case, at_least=found)


def at_least(
    question: Question, trial: Trial, policy: Policy, stages: int, wanted: float
) -> float | None:
    """Return the largest ratio whose tolerance the copies of one question still refute with `wanted` evidence.

    None where that cannot be told: an absolute limit, or no control beside the newest windows.
    """
    if question.ratio == 0 or not trial.stretches or trial.stretches[-1].both.stable is None:
        return None
    scales = [_Scale(question, trial, policy, copy) for copy in copies(trial, stages)]
    low, high = math.log(question.ratio), math.log(_FARTHEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        tilted = replace(question, ratio=math.exp(middle))
        enough = sum(one.worth(tilted) for one in scales) >= wanted - idle(trial)
        low, high = (middle, high) if enough else (low, middle)
    return math.exp(low)


class _Scale:
    """One copy, and what it would have won with another ratio."""

    def __init__(self, question: Question, trial: Trial, policy: Policy, copy: Copy) -> None:
        own = [one for one in trial.stretches if copy.covers(one) and one.both.control.of]
        self._policy = policy
        self._copy = copy
        self._single = [one for one in own if one.discount]
        self._sums = [
            one.both for one in own if not one.discount and (one.both.canary or NOTHING).of
        ]
        single = self._singly(question)
        self._won = [log - one for log, one in zip(copy.logs, single, strict=True)]
        self._told = self._in_all(question)

    def _singly(self, question: Question) -> list[float]:
        """Return by bet what the newest windows win."""
        won = (winnings(one.both, question, one.discount, self._policy) for one in self._single)
        return [sum(bets) for bets in zip(*won, strict=True)] or [0.0] * len(BETS)

    def _in_all(self, question: Question) -> list[float]:
        """Return by bet what the sums of the older ones would win, without a cap and undivided."""
        return [sum(bet_on(both, question, bet) for both in self._sums) for bet in BETS]

    def worth(self, question: Question) -> float:
        """Return what the copy would be worth with another ratio."""
        older = map(_scaled, self._won, self._told, self._in_all(question))
        logs = [a + b for a, b in zip(older, self._singly(question), strict=True)]
        return self._copy.weight * sum(math.exp(min(log, 700.0)) for log in logs) / len(BETS)


def _scaled(won: float, told: float, other: float) -> float:
    """Return what a copy would have won, from what it won and what both ratios make of the sums."""
    if won > 0 and told > 0:
        return min(won, won * other / told)
    return min(won, won + other - told)


def shared(question: Question, trial: Trial) -> Case | None:
    """Return what was counted in the newest stage where both versions break an absolute limit in it; else None."""
    if question.ratio > 0 or not trial.stretches:
        return None
    case = lately(question, trial, trial.stretches[-1].stage)
    if case.stable is None or not case.stable.of or not case.canary.of:
        return None
    both = min(case.canary.rate, case.stable.rate) > question.margin
    return case if both else None
