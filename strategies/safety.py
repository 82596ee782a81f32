"""Why a plan must not run: the rules of design §4, each as one question to the whole plan. Pure.

A rule yields the end of a sentence per fault; a plan without any is safe to start, and safe to end.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from types import UnionType
from typing import get_args

from strategies.fitting import is_weight
from strategies.plan import (
    Approve,
    Batch,
    Compare,
    Follow,
    Match,
    Plan,
    Prepare,
    Promote,
    Replace,
    Retire,
    SetWeight,
    Smoke,
    Soak,
    Step,
    Switch,
    Watch,
    plan_from_json,
    plan_to_json,
)
from strategies.request import Request

MONTH = 30 * 86_400
"""Nothing is watched, kept or waited for longer than this, in seconds."""

_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,9})?%")
_STEPS: tuple[type, ...] = get_args(get_args(Step)[0])
_BY_WEIGHT = SetWeight | Switch
_MOVES = SetWeight | Switch | Batch | Replace | Follow
_ON_TWO_LANES = Prepare | Match | Smoke | SetWeight | Switch | Compare | Promote | Retire
_CLOSE = 1e-4
"""Percent that batches of parts may miss 100 by, from rounding."""


def faults(plan: Plan, request: Request) -> Iterator[str]:
    """Yield why this plan must not run for this request."""
    for rule in _RULES:
        yield from rule(plan, request)


def _is_stored_as_it_is(plan: Plan, _: Request) -> Iterator[str]:
    strangers = [type(step).__name__ for step in plan.steps if not isinstance(step, _STEPS)]
    if strangers:
        yield f"{strangers[0]} is no step"
    elif not _comes_back(plan):
        yield "it would not come back from storage as it is"


def _comes_back(plan: Plan) -> bool:
    try:
        with warnings.catch_warnings():
            # A value of another type than its field is only a warning to the library that writes it.
            warnings.simplefilter("error")
            return plan_from_json(plan_to_json(plan)) == plan
    except Exception:  # noqa: BLE001 - whatever a foreign value does when it is written, it is no plan
        return False


def _is_what_was_asked_for(plan: Plan, request: Request) -> Iterator[str]:
    for name in ("service", "environment", "version", "strategy"):
        if getattr(plan, name) != getattr(request, name):
            yield f"it is about another {name}"


def _fits_the_lanes(plan: Plan, request: Request) -> Iterator[str]:
    for step in plan.steps:
        name = type(step).__name__
        if request.lanes == "one" and isinstance(step, _ON_TWO_LANES):
            yield f"{name} needs two places, and this target has one"
        if isinstance(step, Batch) and request.lanes != "one" and request.strategy != "rolling":
            yield "Batch is for targets with one place"
        led = request.lanes == "led" and not isinstance(step, Approve)
        if isinstance(step, Follow) != led:
            yield f"{name} is not for a target that is moved in this way"
        if isinstance(step, Batch) and not request.has_instances:
            yield "Batch needs instances, and this target has none"
        if isinstance(step, SetWeight) and not _can_send(request, step.percent):
            yield f"the router of this target cannot send {step.percent:.9g} %"


def _can_send(request: Request, percent: float) -> bool:
    if request.weights == "switch":
        return percent == 100
    # What is no percentage at all is another rule's fault.
    return is_weight(percent) or not 0 < percent <= 100


def _moves_in_one_way(plan: Plan, _: Request) -> Iterator[str]:
    ways = [kind for kind in (_BY_WEIGHT, Batch, Replace, Follow) if _any(plan, kind)]
    if not ways:
        yield "it moves no traffic"
    if len(ways) > 1 or sum(isinstance(s, Replace | Follow) for s in plan.steps) > 1:
        yield "it moves the traffic in two ways at once"


def _batches_can_be(plan: Plan, _: Request) -> Iterator[str]:
    batches = [step for step in plan.steps if isinstance(step, Batch)]
    for batch in batches:
        if not is_batch(batch.instances) or batch.max_concurrent < 1 or batch.timeout < 1:
            yield f"a batch of {batch.instances} cannot be"
        elif len(batches) > 1 and not isinstance(batch.instances, str):
            yield "several batches have to be in percent"


def is_batch(batch: int | str) -> bool:
    """Whether this is a number of instances from 1, or percent in (0, 100]."""
    if isinstance(batch, str):
        return _PERCENT.fullmatch(batch) is not None and 0 < float(batch[:-1]) <= 100
    return batch >= 1


def _rises_to_the_end(plan: Plan, _: Request) -> Iterator[str]:
    shares = [share for _, share in shares_of(plan)]
    if any(not before < share <= 100 + _CLOSE for before, share in pairwise((0.0, *shares))):
        yield "its traffic does not rise from step to step within 100 %"
    if shares and abs(shares[-1] - 100) > _CLOSE:
        yield f"it ends at {shares[-1]:g} %, where both versions would stay"


def shares_of(plan: Plan) -> Iterator[tuple[int, float]]:
    """Yield index and percent of the traffic on the new version after each step that moves traffic."""
    moved = 0.0
    for index, step in enumerate(plan.steps):
        match step:
            case SetWeight(percent=percent):
                yield index, percent
            case Switch() | Replace():
                yield index, 100.0
            case Batch(instances=str(percent)) if index != plan.repeated:
                moved += float(percent.rstrip("%"))
                yield index, moved
            case Batch():
                yield index, 100.0
            case _:
                continue


def _starts_dark(plan: Plan, _: Request) -> Iterator[str]:
    first = _first_move(plan)
    prepared = [i for i, step in enumerate(plan.steps) if isinstance(step, Prepare)]
    if prepared != ([0] if _any(plan, _BY_WEIGHT) else []):
        yield "Prepare comes first, once, and only where traffic moves by weight"
    dark = [step for step in plan.steps[first:] if isinstance(step, Smoke | Match)]
    if dark or (_any(plan, Smoke | Match) and not prepared):
        yield "Smoke and Match belong between Prepare and the first traffic"


def _ends_as_the_lanes_do(plan: Plan, request: Request) -> Iterator[str]:
    ending = request.ending() if _any(plan, _BY_WEIGHT) else ()
    body = plan.steps[: len(plan.steps) - len(ending)]
    if plan.steps[len(body) :] != ending:
        yield f"it has to end with {' '.join(type(step).__name__ for step in ending)}"
    if any(isinstance(step, Promote | Retire) for step in body):
        yield "Promote and Retire belong to its end, where traffic moved by weight"


def _watches_what_was_asked_for(plan: Plan, request: Request) -> Iterator[str]:
    first = _first_move(plan)
    for index, step in enumerate(plan.steps):
        if not isinstance(step, Watch):
            continue
        name = type(step).__name__
        if (step.checks, step.min_requests) != (request.checks, request.min_requests):
            yield f"a {name} does not carry the checks of the request"
        if isinstance(step, Soak | Compare) and step.evidence != request.evidence:
            yield f"the counts of a {name} do not decide as the request says"
        if index < first:
            yield f"a {name} before the first traffic has nothing to watch"


def _compares_two(plan: Plan, _: Request) -> Iterator[str]:
    share = 0.0
    shares = dict(shares_of(plan))
    for index, step in enumerate(plan.steps):
        share = shares.get(index, share)
        if isinstance(step, Compare) and (share != step.split or share == 100 or not step.metrics):
            yield "a Compare needs metrics, and the traffic divided as it says"


def _takes_its_time(plan: Plan, _: Request) -> Iterator[str]:
    for step in plan.steps:
        for name, least in (("duration", 0), ("timeout", 1), ("after", 1), ("expires", 1)):
            seconds = getattr(step, name, None)
            if seconds is not None and not least <= seconds <= MONTH:
                yield f"{type(step).__name__} has {name} {seconds} s"
        if isinstance(step, Watch) and step.duration == 0:
            yield f"{type(step).__name__} watches for no time"


def _asks_people(plan: Plan, request: Request) -> Iterator[str]:
    gates = [(i, step) for i, step in enumerate(plan.steps) if isinstance(step, Approve)]
    if gates and request.approvals < 1:
        yield "it has a gate, and this environment asks for no approvals"
        return
    if any(replace(gate, weakened=()) != request.approve() for _, gate in gates):
        yield "a gate asks other people, or fewer, or for another time than the environment does"
    due = request.gated or (request.approvals > 0 and bool(request.weakened))
    end = next((i for i, s in enumerate(plan.steps) if isinstance(s, Promote)), len(plan.steps))
    if any(isinstance(s, Follow) and s != request.follow(full=s.full) for s in plan.steps):
        yield "Follow asks other people, or fewer, or for another time than the environment does"
    asks = any(isinstance(s, Follow) and not s.full for s in plan.steps)
    if due and not asks and not any(index < end for index, _ in gates):
        yield "it has no gate, and this environment asks for approvals"


def _says_what_was_weakened(plan: Plan, request: Request) -> Iterator[str]:
    if not request.weakened or request.approvals < 1:
        return
    first = next((i for i, s in enumerate(plan.steps) if isinstance(s, _MOVES | Match)), 0)
    if not any(
        isinstance(s, Approve) and s.weakened == request.weakened for s in plan.steps[:first]
    ):
        yield "the request weakens what is configured, and no gate before the first traffic says so"


def _keeps_the_baseline(plan: Plan, request: Request) -> Iterator[str]:
    keep = request.keep_baseline
    if not keep:
        return
    shares = [share for _, share in shares_of(plan)]
    if len(shares) < 2 or abs(shares[-2] - (100 - keep)) > _CLOSE:
        yield f"its last step before 100 % is not {100 - keep:g} %, as keep-baseline={keep:g} asks"


def _any(plan: Plan, kind: type | UnionType) -> bool:
    return any(isinstance(step, kind) for step in plan.steps)


def _first_move(plan: Plan) -> int:
    moves = (i for i, step in enumerate(plan.steps) if isinstance(step, _MOVES))
    return next(moves, len(plan.steps))


_RULES: tuple[Callable[[Plan, Request], Iterator[str]], ...] = (
    _is_stored_as_it_is,
    _is_what_was_asked_for,
    _fits_the_lanes,
    _moves_in_one_way,
    _batches_can_be,
    _rises_to_the_end,
    _starts_dark,
    _ends_as_the_lanes_do,
    _watches_what_was_asked_for,
    _compares_two,
    _takes_its_time,
    _asks_people,
    _says_what_was_weakened,
    _keeps_the_baseline,
)
"""In this order: the first ones make sure that the others can read the plan at all; the first fault is said."""
