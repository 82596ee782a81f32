"""Lets the product's engine decide about drawn counts, look by look.

What a rollout's windows are for the engine, and nothing else: every number that decides comes from `strategies`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from strategies.evidence import (
    RECENT,
    Both,
    Memory,
    Policy,
    Question,
    SlowRule,
    Tally,
    Window,
    alone,
    harm,
    remember,
    slow_rule,
)  # fmt: skip
from strategies.evidence.policy import ERROR_LIMIT, ERRORS, SLOW_LIMIT, slow
from tests.bench.verdicts.counts import HISTORY, Counts, Lane
from tests.bench.verdicts.limits import NEVER
from tests.bench.verdicts.weather import LOOK

_SECOND = 1.0

Rows = list[tuple[Both, Both, Both]]
"""By window: errors, slow requests, requests slower than a second."""


@dataclass(frozen=True, slots=True)
class Story:
    """One rollout as the engine sees it."""

    windows: tuple[Window, ...]
    questions: tuple[tuple[Question, ...], ...]
    """By window: without a control the same names ask for something else."""
    stages: int


def story(counts: Counts, rollout: int) -> Story:
    """Return one rollout of many."""
    rule = _rule(counts, rollout)
    rows = _rows(counts, rollout, rule.boundary)
    asked = (ERRORS, slow(rule.ratio), ERROR_LIMIT, SLOW_LIMIT)
    stages = counts.scene.stages
    windows, questions = [], []
    for look, (stage, (errors, slows, seconds)) in enumerate(
        zip(counts.stage[HISTORY:].tolist(), rows[HISTORY:], strict=True)
    ):
        tallies = {"errors": errors, "slow": slows, "error_limit": errors, "slow_limit": seconds}
        weight = 100 * stages[stage].share
        windows.append(Window(LOOK, stage, weight, (look + 1) * LOOK, tallies))
        if weight >= 100 and stages[-1].share == 1 and (not questions or questions[-1] is asked):
            asked = (*_alone(asked[:2], rows[: HISTORY + look]), *asked[2:])
        questions.append(asked)
    return Story(tuple(windows), tuple(questions), len(stages))


def harms(story: Story, policy: Policy) -> Iterator[tuple[Memory, float]]:
    """Yield what is remembered, and the evidence of harm, after each look."""
    memory = Memory()
    for window, questions in zip(story.windows, story.questions, strict=True):
        memory = remember(memory, window, questions, policy, story.stages)
        yield memory, harm(memory, questions, story.stages)


def fails_at(story: Story, policy: Policy) -> int:
    """Return after how many looks the engine says FAIL, or `NEVER`."""
    for look, (_, evidence) in enumerate(harms(story, policy), start=1):
        if evidence >= 1 / policy.alpha:
            return look
    return NEVER


def _rule(counts: Counts, rollout: int) -> SlowRule:
    bounds = (*counts.scene.buckets, math.inf)
    sums = np.cumsum(counts.stable.buckets[rollout, :HISTORY].sum(axis=0)).tolist()
    rule = slow_rule(dict(zip(bounds, sums, strict=True)))
    assert rule is not None, "half an hour of stable has some slow requests"
    return rule


def _rows(counts: Counts, rollout: int, boundary: float) -> Rows:
    canary, stable = (
        _tallies(counts, lane, rollout, boundary) for lane in (counts.canary, counts.stable)
    )
    return [tuple(map(Both, c, s)) for c, s in zip(canary, stable, strict=True)]  # type: ignore[misc]


def _tallies(counts: Counts, lane: Lane, rollout: int, boundary: float) -> list[list[Tally | None]]:
    bounds = counts.scene.buckets
    requests = lane.requests[rollout].tolist()
    above = [lane.above(bounds, b)[rollout].tolist() for b in (boundary, _SECOND)]
    bad = zip(lane.errors[rollout].tolist(), *above, strict=True)
    return [
        [Tally(x, of) if of else None for x in xs] for of, xs in zip(requests, bad, strict=True)
    ]


def _alone(questions: tuple[Question, ...], before: Rows) -> Iterator[Question]:
    """Yield what is asked once stable has no traffic."""
    for place, question in enumerate(questions):
        past = [row[place].stable for row in before if row[place].stable is not None]
        yield alone(question, _sum(past), _sum(past[-RECENT:]))


def _sum(tallies: list[Tally | None]) -> Tally:
    return sum((tally for tally in tallies if tally is not None), Tally(0.0, 0.0))
