"""Shares of two versions, as percent and as the routing of an alias. Pure.

The primary version gets what the additional one leaves. A weight is a fraction; hundredths of a percent are written, so
that what is read back equals what a person approved.
"""

from collections.abc import Mapping
from typing import Any

from integrations.base import RefusedError


def shares_of(alias: Mapping[str, Any]) -> dict[str, float]:
    """Return the percent of each version that has any, the primary one first."""
    routing = alias.get("RoutingConfig") or {}
    weights = routing.get("AdditionalVersionWeights") or {}
    others = {str(name): round(100 * float(weight), 6) for name, weight in weights.items()}
    primary = {str(alias["FunctionVersion"]): round(100 - sum(others.values()), 6)}
    return {name: share for name, share in {**primary, **others}.items() if share > 0}


def routing_of(shares: Mapping[str, float], found: Mapping[str, float]) -> dict[str, Any]:
    """Return what `UpdateAlias` takes for shares, the first of which becomes the primary version.

    `found` are those that are there: what stays as it is may be as odd as somebody else wrote it. Raises
    `RefusedError`: `inexact_weight`, `three_versions`.
    """
    (primary, _), *others = shares.items()
    if len(others) > 1:
        raise RefusedError(
            f"An alias divides its requests between two versions, not between {', '.join(shares)}.",
            code="three_versions",
        )
    weights = {
        name: (share if found.get(name) == share else exact(share)) / 100 for name, share in others
    }
    return {
        "FunctionVersion": primary,
        # Left out, the split that is there would stay.
        "RoutingConfig": {"AdditionalVersionWeights": {n: round(w, 8) for n, w in weights.items()}},
    }


def exact(percent: float) -> float:
    """Return a percentage that can be written. Raises `RefusedError` (`bad_weight`, `inexact_weight`)."""
    if not 0 <= percent <= 100:
        raise RefusedError(
            f"{percent} is no percentage. Ask for 0 to 100 percent.", code="bad_weight"
        )
    if round(percent, 2) != percent:
        raise RefusedError(
            f"{percent:g} % cannot be written exactly. Ask for a percentage with at most two decimals.",
            code="inexact_weight",
        )
    return percent
