"""Request in, plan out. Pure: nothing here does I/O, reads a clock or knows a mesh."""

from collections.abc import Callable, Mapping

from strategies import canary, direct
from strategies.plan import Plan
from strategies.request import PlanError, Request

COMPILERS: Mapping[str, Callable[[Request], Plan]] = {
    "canary": canary.compile,
    "direct": direct.compile,
}


def compile_plan(request: Request) -> Plan:
    """Return the plan of a request. Raises `PlanError` when the strategy is unknown or cannot do it."""
    compiler = COMPILERS.get(request.strategy)
    if compiler is None:
        known = ", ".join(sorted(COMPILERS))
        raise PlanError(
            f"The strategy {request.strategy} is not available yet; this version knows {known}.",
            code="strategy_not_available",
            key="strategy",
        )
    return compiler(request)
