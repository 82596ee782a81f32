"""Canary: the new version gets traffic a notch at a time, each notch is watched, and a person opens the next."""

from collections.abc import Iterator

from strategies import cautions
from strategies.plan import Batch, Plan, SetWeight, Step
from strategies.request import PlanError, Request

_Stage = tuple[float, int | None]
"""Percent and seconds of watching; None where the stage before was the one to look at."""


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `Prepare [Match] (SetWeight Soak [Approve])… Promote Retire`, as design §4 orders it.

    In one place each notch is a batch of the instances that are still missing. Raises `PlanError` when a baseline is
    kept that does not fit the steps.
    """
    notches = _walk(request, _with_baseline(request))
    return request.plan(request.opening(), notches, request.ending(), warnings=_warnings(request))


def _with_baseline(request: Request) -> list[_Stage]:
    stages: list[_Stage] = list(zip(request.steps, request.soak, strict=True))
    keep = request.keep_baseline
    if keep <= 0:
        return stages
    last, soak = stages[-1]
    kept = round(last - keep, 2)
    if len(stages) > 1 and stages[-2][0] >= kept:
        raise PlanError(
            f"keep-baseline={keep:g} would watch {kept:g} % after {stages[-2][0]:g} %; "
            f"keep less than {100 - stages[-2][0]:g} % or drop that step.",
            code="bad_value",
            key="keep-baseline",
        )
    return [*stages[:-1], (kept, soak), (last, None)]


def _walk(request: Request, stages: list[_Stage]) -> Iterator[Step]:
    before = 0.0
    for percent, soak in stages:
        yield _notch(request, before, percent)
        before = percent
        if soak:
            yield request.watch(soak)
        if soak is not None and request.gated:
            yield request.approve()


def _notch(request: Request, before: float, percent: float) -> SetWeight | Batch:
    if request.lanes == "one":
        more = f"{percent - before:.6f}".rstrip("0").rstrip(".")
        return request.take(f"{more}%")
    return SetWeight(percent)


def _warnings(request: Request) -> Iterator[str]:
    yield from cautions.jumps(request)
    yield from cautions.watching(request, request.soak, "at one of the steps")
