"""Which strategy the two decision trees would take, and what is to be said about the one that was chosen. Pure.

The first tree is the one for mesh policies (seed 000), the second the one for functions (seed 001). They ask different
questions, so they may disagree; then both are shown, and why one was taken.
"""

from dataclasses import dataclass
from typing import Literal

from strategies.fitting import Lanes, Weights, misfit, nearest

Confidence = Literal["high", "normal", "low"]

LARGE_FLEET = 100
"""Instances from which the mesh tree takes rolling. The function tree says "many" and means the same here."""
SMALL_FLEET = 10
"""Instances below which seed 000 takes canary instead of rolling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the trees ask about."""

    production: bool
    critical: bool = False
    instances: int | None = None
    confidence: Confidence = "normal"
    comparing: bool = False
    """The request is about which of two versions is better."""
    lanes: Lanes = "fixed"
    weights: Weights = "any"
    counted: bool = True
    """Whether there are instances that could be counted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one tree takes, and the question that decided."""

    strategy: str
    because: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What the trees take for one case."""

    strategy: str
    """As far as the target can do it."""
    because: str
    mesh: Answer
    functions: Answer
    sentences: tuple[str, ...]
    """For people: how the chosen strategy compares, where the trees disagree, what else is worth knowing."""

    @property
    def text(self) -> str:
        """All sentences in a row."""
        return " ".join(self.sentences)


def advise(case: Case, chosen: str) -> Advice:
    """Return what the trees take for this case, and how the chosen strategy compares."""
    mesh, functions = _mesh_tree(case), _function_tree(case)
    taken = _between(mesh, functions, case)
    strategy = nearest(taken.strategy, case.lanes, case.weights)
    sentences = (
        _compared(chosen, Answer(strategy, taken.because)),
        *_disagreement(mesh, functions, taken),
        *_not_possible(taken.strategy, strategy, case),
        *_notes(chosen, case),
    )
    return Advice(strategy, taken.because, mesh, functions, sentences)


def _mesh_tree(case: Case) -> Answer:
    if not case.production:
        return Answer("direct", because="this is not production")
    if _large(case):
        return Answer("rolling", because=f"{case.instances} instances are a large fleet")
    if case.comparing:
        return Answer("ab-test", because="two variants are compared")
    if case.confidence == "high":
        return Answer("blue-green", because="the confidence in this change is high")
    return Answer("canary", because="this is a standard change in production")


def _function_tree(case: Case) -> Answer:
    if case.comparing:
        return Answer("ab-test", because="two variants are compared")
    if not case.production:
        return Answer("direct", because="this is not production")
    if case.critical:
        return Answer("blue-green", because="the service is critical and instant rollback matters")
    if _large(case):
        return Answer("rolling", because=f"{case.instances} instances are a large fleet")
    return Answer("canary", because="a gradual rollout goes back by itself")


def _large(case: Case) -> bool:
    return case.instances is not None and case.instances >= LARGE_FLEET


def _between(mesh: Answer, functions: Answer, case: Case) -> Answer:
    """Choose where the trees disagree: the tree that knows something which the other did not ask."""
    if mesh.strategy == functions.strategy or case.comparing:
        return functions
    if case.critical and case.confidence == "low":
        return Answer(mesh.strategy, because="an uncertain change should reach few people at first")
    return functions if case.critical else mesh


def _compared(chosen: str, taken: Answer) -> str:
    if chosen == taken.strategy:
        return f"The plan is {chosen}, and the guide to strategies would take it too, because {taken.because}."
    return f"The plan is {chosen}; the guide to strategies would take {taken.strategy} because {taken.because}."


def _disagreement(mesh: Answer, functions: Answer, taken: Answer) -> tuple[str, ...]:
    if mesh.strategy == functions.strategy:
        return ()
    sentence = (
        f"The guide has two answers: for meshes it says {mesh.strategy} ({mesh.because}), for functions "
        f"{functions.strategy} ({functions.because}). {taken.strategy} was taken because {taken.because}."
    )
    return (sentence,)


def _not_possible(wanted: str, strategy: str, case: Case) -> tuple[str, ...]:
    match misfit(wanted, case.lanes, case.weights):
        case "needs_two_lanes":
            why = "this target has one place whose instances move"
        case "weights_unreachable":
            why = "the router of this target knows all or nothing only"
        case _:
            return ()
    return (f"{wanted} itself is not possible: {why}. {strategy} is the closest.",)


def _notes(chosen: str, case: Case) -> tuple[str, ...]:
    notes = []
    if case.production and case.instances is None and case.counted:
        notes.append("about.instances is not configured, so the fleet counts as an ordinary one.")
    if chosen == "rolling" and case.instances is not None and case.instances < SMALL_FLEET:
        notes.append(
            f"With fewer than {SMALL_FLEET} instances a batch is a large part of them: canary is finer."
        )
    if chosen in {"direct", "recreate"} and case.production:
        notes.append(f"{chosen} is meant for development and urgent fixes, not for production.")
    return tuple(notes)
