"""What the evidence says at one look: worse for certain, safe enough for the next stage, or neither.

"Neither" is an answer of its own: it never promotes and never rolls back. Once proven, harm stays proven.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from strategies.evidence.assurance import affordable, assurance, needed, ruled_out
from strategies.evidence.certainty import Case, certain, shared, strongest, whole
from strategies.evidence.memory import Memory, Trial, harm, weigh
from strategies.evidence.policy import Policy, Question
from strategies.evidence.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Ahead:
    """What comes after this stage; a last stage has nothing ahead."""

    share: float
    """Of the traffic that the canary would get, as a fraction."""
    requests: float
    """That it would get during that stage's soak, at the rate of now."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a look says."""

    verdict: Verdict
    evidence: float
    """Of harm, now; a rollback from 1 / alpha on."""
    chance: float
    """In how many rollouts within tolerance evidence this strong would ever appear, at most (a p-value at any time)."""
    worst: str = ""
    """The question that most of the evidence comes from; `""` where there is none."""
    unproven: tuple[str, ...] = ()
    """Questions for which the next stage is not proven to be safe."""
    missing: int = 0
    """About how many more requests of the canary that takes."""
    own: int | None = None
    """Requests of the canary in this stage, where those are too few whatever earlier ones have shown."""
    ruled_out: float | None = None
    """The smallest additional share of errors that is ruled out."""
    cases: tuple[Case, ...] = ()
    """What was counted, by question: of the worst one since its evidence began, of the others in all."""
    shared: Case | None = None
    """A limit that both versions break in this stage."""
    wait: int = 0
    """Seconds until the missing requests have come, at the rate of now; 0: not known."""
    queries: str = ""
    """Which queries were counted with, as `template digest`."""

    def case(self, name: str) -> Case | None:
        """Return what was counted for one question; None where nothing was."""
        return next((one for one in self.cases if one.name == name), None)


def rule(
    memory: Memory,
    questions: Iterable[Question],
    policy: Policy,
    stages: int,
    ahead: Ahead | None,
) -> Ruling:
    """Return what the windows so far say; PASS needs proof for every question that compares with stable."""
    asked = tuple(questions)
    evidence = harm(memory, asked, stages)
    compared = [one for one in asked if one.ratio > 0]
    short = {
        one.name: _missing(memory.trials.get(one.name), one, policy, ahead) for one in compared
    }
    lacking = {name: count for name, count in short.items() if count > 0}
    if memory.most >= 1 / policy.alpha:
        verdict = Verdict.FAIL
    elif evidence < policy.calm and compared and not lacking:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.INCONCLUSIVE
    errors = memory.trials.get("errors", Trial())
    worst = _worst(memory, asked, stages)
    return Ruling(
        verdict=verdict,
        evidence=evidence,
        chance=min(1.0, 1 / max(memory.most, 1.0)),
        worst=worst,
        unproven=tuple(lacking),
        missing=max(lacking.values(), default=0),
        ruled_out=ruled_out(errors.proof, policy),
        cases=_cases(memory, asked, policy, stages, worst, _part(evidence, policy)),
        shared=_shared(memory, asked),
    )


def _part(evidence: float, policy: Policy) -> float | None:
    """Return which part of the evidence is enough for a rollback; None where all of it is not, or no longer."""
    enough = 1 / policy.alpha
    return (enough - 1) / (evidence - 1) if evidence >= enough else None


def _cases(
    memory: Memory,
    asked: tuple[Question, ...],
    policy: Policy,
    stages: int,
    worst: str,
    part: float | None,
) -> tuple[Case, ...]:
    """Return what was counted; of the worst question with the factor that is certain, where any is."""
    cases = []
    for one in asked:
        trial = memory.trials.get(one.name)
        if trial is None or trial.burst.seen <= 0:
            continue
        if one.name != worst:
            cases.append(whole(one, trial))
        elif part is None:
            cases.append(strongest(one, trial, stages))
        else:
            wanted = 1 + part * (weigh(trial, stages) - 1)
            cases.append(certain(one, trial, policy, stages, wanted))
    return tuple(cases)


def _shared(memory: Memory, asked: tuple[Question, ...]) -> Case | None:
    found = (shared(one, memory.trials[one.name]) for one in asked if one.name in memory.trials)
    return next((case for case in found if case is not None), None)


def _missing(trial: Trial | None, question: Question, policy: Policy, ahead: Ahead | None) -> int:
    """Return about how many more requests are needed; 0 where the next stage is proven to be safe."""
    seen = trial.burst.seen if trial is not None else 0.0
    if trial is None or seen <= 0:
        return 1
    if ahead is None:
        return 0
    slow = question.warms
    margin = affordable(policy, next_share=ahead.share, next_requests=ahead.requests, slow=slow)
    if assurance(trial.proof, margin) >= 1 / policy.beta:
        return 0
    wanted = needed(policy, margin=margin, rate=trial.burst.rate, share=trial.burst.share)
    return max(1, round(wanted - seen))


def _worst(memory: Memory, questions: tuple[Question, ...], stages: int) -> str:
    worth = {
        one.name: one.share * (weigh(memory.trials.get(one.name), stages) - 1) for one in questions
    }
    name = max(worth, key=lambda one: worth[one], default="")
    return name if name and worth[name] > 0 else ""
