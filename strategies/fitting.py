"""Which strategy a target can carry out at all. Pure: one table, for refusals, defaults and advice alike."""

from typing import Literal

from strategies.request import PlanError

Lanes = Literal["fixed", "swap", "one", "led"]
Weights = Literal["any", "switch"]

_TWO_LANES = frozenset({"blue-green", "ab-test"})
"""Strategies that run both versions side by side, each as a whole."""
_GRADUAL = frozenset({"canary", "rolling", "ab-test"})
"""Strategies that share the traffic between the versions for a while."""
_LED = frozenset({"canary", "blue-green", "direct"})
"""Strategies that another controller may carry out by its own plan."""
NO_BASELINE = (
    "The router of this target knows all or nothing only, so no part of the traffic can stay on the old version: keep "
    "none, or configure a router with weights."
)
_INSTEAD_ON_ONE = {"blue-green": "rolling", "ab-test": "canary"}


def is_weight(percent: float) -> bool:
    """Whether a router with weights can carry this: hundredths of a percent are the finest that all of them have."""
    return round(percent, 2) == percent


def misfit(strategy: str, lanes: Lanes, weights: Weights) -> str:
    """Return the code of why a target cannot do a strategy; empty when it can."""
    if lanes == "led":
        return "" if strategy in _LED else "controller_leads"
    if lanes == "one" and strategy in _TWO_LANES:
        return "needs_two_lanes"
    return "weights_unreachable" if weights == "switch" and strategy in _GRADUAL else ""


def nearest(strategy: str, lanes: Lanes, weights: Weights) -> str:
    """Return the strategy itself, or the one closest to it that the target can do."""
    match misfit(strategy, lanes, weights):
        case "controller_leads":
            return "canary"
        case "needs_two_lanes":
            return "direct" if weights == "switch" else _INSTEAD_ON_ONE[strategy]
        case "weights_unreachable":
            return "direct" if lanes == "one" else "blue-green"
        case _:
            return strategy


def refuse_misfit(strategy: str, lanes: Lanes, weights: Weights) -> None:
    """Refuse a strategy that the target cannot do: `PlanError` `needs_two_lanes` or `weights_unreachable`."""
    instead = nearest(strategy, lanes, weights)
    match misfit(strategy, lanes, weights):
        case "controller_leads":
            raise PlanError(
                f"{strategy} cannot be done here: another controller moves the traffic of this target by its own "
                "plan. Take canary, blue-green or direct.",
                code="controller_leads",
                key="strategy",
            )
        case "needs_two_lanes":
            raise PlanError(
                f"{strategy} needs two places to run in, and this target has one whose instances move. "
                f"Take {' or '.join(dict.fromkeys((instead, 'direct')))}, or configure a pair of Deployments.",
                code="needs_two_lanes",
                key="strategy",
            )
        case "weights_unreachable" if lanes == "one":
            raise PlanError(
                f"{strategy} moves a few instances at a time, and what is rolled out here holds for all of them at "
                f"once. Take {instead}.",
                code="weights_unreachable",
                key="strategy",
            )
        case "weights_unreachable":
            raise PlanError(
                f"{strategy} shares the traffic between two versions, and the router of this target knows all or "
                f"nothing only. Take {instead} or direct, or configure a router with weights.",
                code="weights_unreachable",
                key="strategy",
            )
        case _:
            return
