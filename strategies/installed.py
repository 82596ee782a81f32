"""Strategies of other packages, found by their entry point. Finding reads metadata; only using one imports it.

A package can add a name, never change what one of our own names means.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from strategies.own import COMPILERS, OTHER_NAMES
from strategies.plan import Plan
from strategies.request import PlanError, Request

GROUP = "sluice.strategies"

_NAME = re.compile("[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


@cache
def found() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return the entry points of each installed strategy, by name; `found.cache_clear()` after an installation.

    Names have the form of our own and are none of them, also when typed without dashes.
    """
    taken = {*map(squashed, COMPILERS), *OTHER_NAMES}
    every: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        if _NAME.fullmatch(point.name) and squashed(point.name) not in taken:
            every.setdefault(point.name, []).append(point)
    return {name: tuple(points) for name, points in sorted(every.items())}


def squashed(name: str) -> str:
    """Return a name as it is compared: without regard to case, `-`, `_` and blanks."""
    return re.sub("[-_ ]", "", name.casefold())


def known_strategies() -> tuple[str, ...]:
    """Return the names of all strategies: our own, then those of installed packages."""
    return (*COMPILERS, *found())


def compile_installed(request: Request) -> Plan:
    """Return what an installed strategy makes of a request. Raises its `PlanError`, or `strategy_broken`."""
    compiler = _load(request.strategy)
    try:
        plan = compiler(request)
    except PlanError:
        raise
    except (Exception, SystemExit) as error:
        raise broken(request.strategy, f"it failed with {type(error).__name__}") from error
    if not isinstance(plan, Plan):
        raise broken(request.strategy, f"it returned {type(plan).__name__} and no plan")
    return plan


def _load(name: str) -> Callable[[Request], Plan]:
    points = found()[name]
    if len(points) > 1:
        raise broken(name, f"{len(points)} packages offer it")
    try:
        compiler = points[0].load()
    except (Exception, SystemExit) as error:
        raise broken(name, f"it cannot be imported ({type(error).__name__})") from error
    if not callable(compiler):
        raise broken(name, "its entry point names nothing that can be called")
    return compiler  # type: ignore[no-any-return]


def broken(name: str, why: str) -> PlanError:
    """Return the refusal of a strategy that does not work."""
    return PlanError(
        f"The installed strategy {name} does not work: {why}. Take another one, and tell who maintains it.",
        code="strategy_broken",
        key="strategy",
    )
