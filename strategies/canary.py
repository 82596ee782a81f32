"""Canary: the new version gets traffic a notch at a time, each notch is watched, and a person opens the next."""

from collections.abc import Iterator

from strategies.plan import Plan, SetWeight, Step
from strategies.request import PlanError, Request


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `Prepare (SetWeight Soak [Approve])… Promote`, as design §4 orders it."""
    stages = _with_baseline(request)
    steps = (*request.opening(), *_walk(request, stages), *request.ending())
    return Plan(
        service=request.service,
        environment=request.environment,
        version=request.version,
        strategy="canary",
        steps=steps,
        warnings=tuple(_warnings(request)),
    )


def _with_baseline(request: Request) -> list[tuple[float, int]]:
    stages = list(zip(request.steps, request.soak, strict=True))
    keep = request.keep_baseline
    if keep <= 0:
        return stages
    last, soak = stages[-1]
    kept = last - keep
    if len(stages) > 1 and stages[-2][0] >= kept:
        raise PlanError(
            f"keep-baseline={keep:g} would watch {kept:g} % after {stages[-2][0]:g} %; "
            f"keep less than {100 - stages[-2][0]:g} % or drop that step.",
            code="bad_value",
            key="keep-baseline",
        )
    return [*stages[:-1], (kept, soak), (last, 0)]


def _walk(request: Request, stages: list[tuple[float, int]]) -> Iterator[Step]:
    for percent, soak in stages:
        yield SetWeight(percent)
        if soak == 0:
            continue
        yield request.watch(soak)
        if request.gated:
            yield request.approve()


def _warnings(request: Request) -> Iterator[str]:
    first, *rest = request.steps
    if first < 100 and rest and rest[0] == 100 and first <= 10:
        yield f"{first:g} % straight to 100 % is a large jump; a step between would limit the damage."
    if request.environment == "production" and min(request.soak) < 300:
        yield f"A soak of {min(request.soak)} s is short for production; metrics need about 5 minutes to settle."
    if not request.checks:
        yield "No checks are configured: only time and people decide."
