"""Direct: the new version runs beside the old, then gets all traffic in one write."""

from strategies.plan import Approve, Plan, Soak, Switch
from strategies.request import Request


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `Prepare [Approve] Switch [Soak [Approve]] Promote`, as design §4 orders it."""
    opening = request.opening()
    if request.gated and not any(isinstance(step, Approve) for step in opening):
        opening = (*opening, request.approve())
    soak: tuple[Soak, ...] = (request.watch(request.soak[-1]),) if request.soak else ()
    return Plan(
        service=request.service,
        environment=request.environment,
        version=request.version,
        strategy="direct",
        steps=(*opening, Switch(), *soak, *request.ending()),
        warnings=("All traffic moves at once: a bad version reaches everybody.",),
    )
