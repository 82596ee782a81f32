"""Evidence of harm, look by look: what is remembered, and how much it is worth.

Each question has five bets on the size of the effect and one copy for the start of the rollout and of each later stage;
every average of such products is one itself. No window supplies more than a share of what is needed (the cap), so that
a hiccup alone never rolls back.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from strategies.evidence.assurance import Proof, proven
from strategies.evidence.bursts import Burst, discount, felt
from strategies.evidence.counts import Both, Window
from strategies.evidence.policy import Policy, Question

BETS = tuple(math.log(bet) for bet in (1.3, 1.8, 3.0, 8.0, 40.0))
_NEVER = (0.0,) * len(BETS)
_FIRST = 0.5
"""What the copy from the start of the rollout weighs; those of the later stages share the rest."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is remembered of one question."""

    logs: tuple[tuple[float, ...], ...] = ()
    """By the stage in which a copy began, by bet: the logarithm of what it has won."""
    burst: Burst = field(default_factory=Burst)
    proof: Proof = field(default_factory=Proof)


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
    later = (1 - _FIRST) / max(1, stages - 1)
    weights = [_FIRST if stages > 1 else 1.0, *[later] * (max(1, stages) - 1)]
    worth = 0.0
    for stage, weight in enumerate(weights):
        logs = trial.logs[stage] if stage < len(trial.logs) else _NEVER
        worth += weight * sum(math.exp(min(log, 700.0)) for log in logs) / len(logs)
    return worth


def _tried(trial: Trial, both: Both, window: Window, question: Question, policy: Policy) -> Trial:
    absolute = question.ratio == 0
    burst = felt(trial.burst, both, window.stage, absolute=absolute)
    phi = discount(burst, both, window.seconds, policy.noise, absolute=absolute)
    won = _winnings(both, question, phi, policy)
    begun = [*trial.logs, *[_NEVER] * (window.stage + 1 - len(trial.logs))]
    logs = tuple(tuple(a + b for a, b in zip(copy, won, strict=True)) for copy in begun)
    return Trial(logs, burst, proven(trial.proof, both, phi))


def _winnings(both: Both, question: Question, phi: float, policy: Policy) -> tuple[float, ...]:
    """Return by bet what one window adds to the logarithm."""
    canary, stable = both.canary, both.control
    if canary is None or not canary.of:
        return _NEVER
    if question.ratio > 0 and not stable.of:
        return _NEVER
    # What stable breaks too is not held against the canary.
    if question.ratio == 0 and stable.of and stable.rate > question.margin:
        return _NEVER
    most = cap(question, policy)
    return tuple(min(most, _log(both, question, bet) / phi) for bet in BETS)


def cap(question: Question, policy: Policy) -> float:
    """Return what one window can add at most to the logarithm of a bet."""
    needed = math.log(len(BETS) / (_FIRST * policy.alpha * question.share))
    return needed / policy.windows


def _log(both: Both, question: Question, bet: float) -> float:
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
