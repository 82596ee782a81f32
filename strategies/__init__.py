"""Request in, plan out. Pure: nothing here does I/O, reads a clock or knows a mesh."""

from strategies.follow import compile_led
from strategies.installed import compile_installed, known_strategies
from strategies.own import COMPILERS
from strategies.plan import Plan
from strategies.request import PlanError, Request
from strategies.scalars import shown
from strategies.soundness import check_plan, check_request

__all__ = ["COMPILERS", "compile_plan", "known_strategies"]


def compile_plan(request: Request) -> Plan:
    """Return the plan of a request, held against the rules that every plan obeys, whoever made it.

    Raises `PlanError`: the strategy is unknown or broken, the request cannot be, or the plan is not sound.
    """
    _refuse_unknown(request.strategy)
    check_request(request)
    compiler = COMPILERS.get(request.strategy, compile_installed)
    if request.lanes == "led":
        compiler = compile_led
    plan = compiler(request)
    check_plan(plan, request)
    return plan


def _refuse_unknown(strategy: str) -> None:
    known = known_strategies()
    if strategy not in known:
        raise PlanError(
            f"There is no strategy {shown(strategy)}. Take one of {', '.join(known)}.",
            code="unknown_strategy",
            key="strategy",
        )
