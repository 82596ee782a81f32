"""Rolling: a few instances at a time get the new version, each batch healthy and watched before the next.

A target without instances rolls by weight: a batch is a share of the traffic there.
"""

from collections.abc import Iterator
from math import ceil

from strategies import cautions
from strategies.plan import Plan, Prepare, SetWeight, Step
from strategies.request import PlanError, Request

_SMALLEST_SHARE = 1.0
"""Percent of the traffic that one batch moves at least: a plan stays short enough to be read."""


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `[Approve] Batch Soak`, repeated until no instance is old.

    Without instances `Prepare [Approve] SetWeight Soak … Promote Retire`. Raises `PlanError` for a batch that cannot be
    a share of the traffic.
    """
    warnings = tuple(_warnings(request))
    delay = (request.watch(request.batch_delay),) if request.batch_delay > 0 else ()
    if request.has_instances:
        batch = request.take(request.batch, rollback=request.batch_rollback)
        return request.plan(request.gate(), (batch,), delay, warnings=warnings)
    shares: list[Step] = []
    for weight in _weights(_share(request)):
        shares += (SetWeight(weight), *delay)
    return request.plan([Prepare()], request.gate(), shares, request.ending(), warnings=warnings)


def _weights(share: float) -> Iterator[float]:
    batches = ceil(round(100 / share, 9))
    yield from (round(share * number, 2) for number in range(1, batches))
    yield 100.0


def _share(request: Request) -> float:
    """Return the percent of one batch where there are no instances to count."""
    if isinstance(request.batch, str):
        share = float(request.batch.rstrip("%"))
    elif request.instances:
        share = min(100.0, 100 * request.batch / request.instances)
    else:
        raise PlanError(
            f"A batch of {request.batch} instances means nothing here: {request.service} has no instances to count. "
            "Give percent, such as batch-size=25%.",
            code="bad_value",
            key="batch-size",
        )
    if share < _SMALLEST_SHARE:
        raise PlanError(
            f"A batch of {share:g} % of the traffic would take {100 / share:.0f} steps. Give 1 % or more.",
            code="bad_value",
            key="batch-size",
        )
    return share


def _warnings(request: Request) -> Iterator[str]:
    fleet = request.instances
    if isinstance(request.batch, int) and fleet is not None and request.batch >= fleet:
        yield f"A batch of {request.batch} is as much as the {fleet} instances there are: all move in one batch."
    if isinstance(request.batch, str) and float(request.batch.rstrip("%")) >= 100:
        yield "A batch of 100 % is everything: all instances move in one batch."
    yield from _after_a_failure(request)
    yield from cautions.watching(request, (request.batch_delay,), "between the batches")
    yield from cautions.unused_audience(request)


def _after_a_failure(request: Request) -> Iterator[str]:
    if request.batch_rollback == "all":
        return
    if request.has_instances:
        undone = "only itself" if request.batch_rollback == "failed-batch" else "nothing"
        yield f"A failed batch undoes {undone}: both versions stay until a person goes on or rolls back."
    else:
        yield "Without instances a failed batch undoes everything: all traffic returns to the old version."
