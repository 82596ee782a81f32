"""Plays the whole policy: a stage is extended until the next one is proven affordable, or a person is asked.

The stages of the scene are as long as a soak may become at most; a rollout that passes leaves the rest of it out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from strategies.evidence import Ahead, Memory, Policy, remember, rule
from strategies.verdict import Verdict
from tests.bench.verdicts.counts import HISTORY, STAGES, Counts, Stage
from tests.bench.verdicts.deciding import story
from tests.bench.verdicts.limits import literal
from tests.bench.verdicts.weather import LOOK

SOAK = 20
"""Looks of a soak that needs no extension."""
_LONGEST = round(SOAK * Policy().max_extension)
LONG = (*(Stage(s.share, _LONGEST) for s in STAGES[:-1]), STAGES[-1])

How = Literal["completes", "asks", "rolls back"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rollout ended."""

    how: How
    looks: int
    failed: int
    """Requests that the canary answered with errors until then."""


def play(counts: Counts, rollout: int, policy: Policy) -> Ending:
    """Return how a rollout ends, decided by the evidence or the repaired limits, whichever is first."""
    how, seen = _walk(counts, rollout, policy)
    went = counts.of(rollout, np.concatenate([np.arange(HISTORY), HISTORY + np.array(seen)]))
    looks, limit = len(seen), int(literal(went)[0])
    if limit <= looks:
        how, looks = "rolls back", limit
    return Ending(how, looks, int(went.canary.errors[0, : HISTORY + looks].sum()))


def _walk(counts: Counts, rollout: int, policy: Policy) -> tuple[How, list[int]]:
    """Return how the evidence alone ends it, and which looks it took."""
    whole, stages, memory = story(counts, rollout), counts.scene.stages, Memory()
    seen: list[int] = []
    for stage, first in enumerate(np.cumsum([0, *(s.looks for s in stages[:-1])]).tolist()):
        if stage == len(stages) - 1:
            return _end(counts, rollout, policy, memory, [*seen, *range(first, counts.looks)])
        for look in range(first, first + stages[stage].looks):
            memory = remember(
                memory, whole.windows[look], whole.questions[look], policy, whole.stages
            )
            seen.append(look)
            ahead = _ahead(counts, stage + 1)
            ruling = rule(memory, whole.questions[look], policy, whole.stages, ahead)
            if ruling.verdict is Verdict.FAIL:
                return "rolls back", seen
            if ruling.verdict is Verdict.PASS and look - first + 1 >= SOAK:
                break
        else:
            return "asks", seen
    raise AssertionError("a rollout has stages")


def _end(
    counts: Counts, rollout: int, policy: Policy, memory: Memory, seen: list[int]
) -> tuple[How, list[int]]:
    """Play the last stage: nothing comes after it that had to be proven affordable."""
    went = counts.of(rollout, np.concatenate([np.arange(HISTORY), HISTORY + np.array(seen)]))
    rest = story(went, 0)
    for look in range(len(seen) - counts.scene.stages[-1].looks, len(seen)):
        questions = rest.questions[look]
        memory = remember(memory, rest.windows[look], questions, policy, rest.stages)
        ruling = rule(memory, questions, policy, rest.stages, None)
        if ruling.verdict is Verdict.FAIL:
            return "rolls back", seen[: look + 1]
    return "completes", seen


def _ahead(counts: Counts, stage: int) -> Ahead:
    share = counts.scene.stages[stage].share
    return Ahead(share, counts.scene.rps * share * SOAK * LOOK)
