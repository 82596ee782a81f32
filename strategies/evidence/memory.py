"""Evidence of harm, look by look: what is remembered, and how much it is worth.

Each question has five bets on the size of the effect, and one copy for the start of the rollout, of each later stage
and of every fifth minute: what goes wrong while people sleep over a gate must not first win back what a calm night
lost. Every average of such products is one itself. No window supplies more than a share of what is needed (the cap),
so that a hiccup alone never rolls back.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from strategies.evidence.assurance import Proof, proven
from strategies.evidence.bursts import Burst, discount, felt
from strategies.evidence.counts import NOTHING, Both, Window
from strategies.evidence.policy import Policy, Question

BETS = tuple(math.log(bet) for bet in (1.3, 1.8, 3.0, 8.0, 40.0))
_NEVER = (0.0,) * len(BETS)
_FIRST = 0.45
"""What the copy from the start of the rollout weighs; those of the later stages share as much."""
_LATE = 0.1
"""What all copies weigh that begin later within a stage: the n-th has `1 / (n * (n + 1))` of it."""
_EVERY = 20
"""Windows between the beginnings of two of those: five minutes of looks."""
_SINGLE = 8
"""Windows that are kept one by one: what turns a version around is mostly among them."""
_MOST = 12
"""So many of them are kept at most: to forget one only lowers the evidence."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was counted from where one copy began to where the next one did, at one split of the traffic."""

    stage: int
    number: int
    """Of the newest copy that began within a stage; 0: there is none yet."""
    both: Both
    discount: float = 0.0
    """What the evidence of a single window was divided by; 0: these are the sums of several."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is remembered of one question."""

    logs: tuple[tuple[float, ...], ...] = ()
    """By the stage in which a copy began, by bet: the logarithm of what it has won."""
    late: tuple[tuple[int, tuple[float, ...]], ...] = ()
    """The same for the copies that began later within a stage, each with its number."""
    windows: int = 0
    burst: Burst = field(default_factory=Burst)
    proof: Proof = field(default_factory=Proof)
    stretches: tuple[Stretch, ...] = ()
    """In order: the numbers behind the evidence, for people. The newest windows are there one by one."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What one copy contributes to the evidence."""

    weight: float
    logs: tuple[float, ...]
    stage: int = 0
    number: int = 0
    """Of a copy that began within a stage, whatever that was."""

    @property
    def worth(self) -> float:
        """Its part of the evidence."""
        return self.weight * _mean(self.logs)

    def covers(self, stretch: Stretch) -> bool:
        """Whether it has begun by then."""
        return stretch.stage >= self.stage and stretch.number >= self.number


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is kept between two looks; it is stored with the rollout."""

    trials: Mapping[str, Trial] = field(default_factory=dict)
    """By the name of the question."""
    most: float = 1.0
    """The largest evidence so far: 1 divided by it is a p-value at any time."""


def remember(
    memory: Memory, window: Window, questions: Iterable[Question], policy: Policy, stages: int
) -> Memory:
    """Return the memory after one more window of a rollout with so many stages."""
    questions = tuple(questions)
    trials = dict(memory.trials)
    for question in questions:
        both = window.tallies.get(question.name)
        if both is None or (question.warms and window.age <= policy.warmup):
            continue
        trials[question.name] = _tried(
            trials.get(question.name, Trial()), both, window, question, policy
        )
    after = replace(memory, trials=trials)
    return replace(after, most=max(memory.most, harm(after, questions, stages)))


def harm(memory: Memory, questions: Iterable[Question], stages: int) -> float:
    """Return the evidence that the canary is worse than tolerated; a rollback from `1 / alpha` on."""
    asked = tuple(questions)
    idle = 1.0 - sum(question.share for question in asked)
    return idle + sum(one.share * weigh(memory.trials.get(one.name), stages) for one in asked)


def weigh(trial: Trial | None, stages: int) -> float:
    """Return what the evidence of one question is worth, of a rollout with so many stages; 1 is none."""
    if trial is None:
        return 1.0
    return idle(trial) + sum(copy.worth for copy in copies(trial, stages))


def idle(trial: Trial) -> float:
    """Return what the copies are worth that have not begun: together 1 / (n + 1) of what all late ones weigh.

    What was forgotten is nothing.
    """
    return _LATE / (trial.late[-1][0] + 1 if trial.late else 1)


def copies(trial: Trial, stages: int) -> Iterator[Copy]:
    """Yield the copies of one question."""
    single = stages <= 1
    later = 0.0 if single else (1 - _LATE - _FIRST) / (stages - 1)
    weights = [1 - _LATE if single else _FIRST, *[later] * (max(1, stages) - 1)]
    for stage, weight in enumerate(weights):
        yield Copy(weight, trial.logs[stage] if stage < len(trial.logs) else _NEVER, stage)
    for number, logs in trial.late:
        yield Copy(_LATE / (number * (number + 1)), logs, number=number)


def _mean(logs: tuple[float, ...]) -> float:
    return sum(math.exp(min(log, 700.0)) for log in logs) / len(logs)


def _tried(trial: Trial, both: Both, window: Window, question: Question, policy: Policy) -> Trial:
    absolute = question.ratio == 0
    burst = felt(trial.burst, both, window.stage, absolute=absolute)
    phi = discount(burst, both, window.seconds, policy.noise, absolute=absolute)
    won = winnings(both, question, phi, policy)
    begun = [*trial.logs, *[_NEVER] * (window.stage + 1 - len(trial.logs))]
    late = _late(trial)
    return Trial(
        logs=tuple(_added(copy, won) for copy in begun),
        late=tuple((number, _added(copy, won)) for number, copy in late),
        windows=trial.windows + 1,
        burst=burst,
        proof=proven(trial.proof, both, phi),
        stretches=_longer(trial.stretches, both, window.stage, phi, [number for number, _ in late]),
    )


def _longer(
    before: tuple[Stretch, ...], both: Both, stage: int, phi: float, numbers: list[int]
) -> tuple[Stretch, ...]:
    """Return the stretches with one more window; where a copy began that is forgotten, two become one."""
    oldest, newest = (numbers[0], numbers[-1]) if numbers else (0, 0)
    every = (*before, Stretch(stage, newest, both, phi))
    sums: list[Stretch] = []
    for one in every[:-_SINGLE]:
        last = sums[-1] if sums else None
        same = last is not None and last.stage == one.stage
        if last is not None and same and (last.number == one.number or one.number < oldest):
            sums[-1] = Stretch(one.stage, one.number, _sum(last.both, one.both))
        else:
            sums.append(replace(one, discount=0.0))
    return (*sums, *every[-_SINGLE:])


def _sum(one: Both, other: Both) -> Both:
    """Return both together; stable stays unknown where neither knows it."""
    canary = (one.canary or NOTHING) + (other.canary or NOTHING)
    known = one.stable is not None or other.stable is not None
    return Both(canary, one.control + other.control if known else None)


def _late(trial: Trial) -> tuple[tuple[int, tuple[float, ...]], ...]:
    """Return the copies that began within a stage, with one more whenever it is time for it."""
    number, rest = divmod(trial.windows, _EVERY)
    if not number or rest:
        return trial.late
    late = (*trial.late, (number, _NEVER))
    # Of the older half every second one goes: the further back, the wider apart.
    return late if len(late) <= _MOST else (*late[: _MOST // 2][::2], *late[_MOST // 2 :])


def _added(copy: tuple[float, ...], won: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(copy, won, strict=True))


def winnings(both: Both, question: Question, phi: float, policy: Policy) -> tuple[float, ...]:
    """Return by bet what one window adds to the logarithm."""
    canary, stable = both.canary, both.control
    if canary is None or not canary.of:
        return _NEVER
    if question.ratio > 0 and not stable.of:
        return _NEVER
    most = cap(question, policy)
    won = (min(most, bet_on(both, question, bet) / phi) for bet in BETS)
    if question.ratio > 0 or not stable.of:
        return tuple(won)
    # What stable breaks as well is no fault of this version: it has to be beyond the limit and worse than stable. The
    # smaller of two bets wins nothing on average while either is wrong.
    beside = replace(question, ratio=1.0, margin=0.0)
    return tuple(
        min(one, bet_on(both, beside, bet) / phi) for one, bet in zip(won, BETS, strict=True)
    )


def cap(question: Question, policy: Policy) -> float:
    """Return what one window can add at most to the logarithm of a bet."""
    needed = math.log(len(BETS) / (_FIRST * policy.alpha * question.share))
    return needed / policy.windows


def bet_on(both: Both, question: Question, bet: float) -> float:
    """Return the logarithm of one bet on one window: `1 + y <= e**y` makes its expectation at most 1."""
    canary, stable = both.canary, both.control
    assert canary is not None
    tilt = math.exp(bet)
    if question.ratio == 0:
        return bet * canary.bad - question.margin * canary.of * (tilt - 1)
    scaled = question.ratio * canary.of
    swell = (tilt * scaled + stable.of) / (scaled + stable.of)
    bad = canary.bad + stable.bad
    return (
        bet * canary.bad - bad * math.log(swell) - question.margin * canary.of * (tilt / swell - 1)
    )
