"""What leads to the canary besides the split: other routes of the object, and mirrors of any route.

Pure. Nothing of it is ever written: it is somebody's own. But it is told, and the canary's pods stay while it is there.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from integrations.base import Lane
from integrations.routers.istio.cut_off import canary_share
from integrations.routers.istio.routes import (
    LaneOf,
    Spec,
    all_routes,
    destination_of,
    mirrors,
    title_of,
)


def routes_elsewhere(
    spec: Spec, namespace: str, lane_of: LaneOf, but: Collection[str] = ()
) -> list[str]:
    """Return what the routes are called that lead to the canary; those at the places `but` (JSON pointers) are ours."""
    return [
        title_of(family, at, route)
        for family, at, route in all_routes(spec)
        if f"/spec/{family}/{at}" not in but and canary_share(route, namespace, lane_of)
    ]


def mirrors_elsewhere(
    spec: Spec, namespace: str, lane_of: LaneOf, but: Collection[str] = ()
) -> list[str]:
    """Return what the routes are called that send a copy of their requests to the canary."""
    return [
        title_of(family, at, route)
        for family, at, route in all_routes(spec)
        if f"/spec/{family}/{at}" not in but and _mirrored(mirrors(route), namespace, lane_of)
    ]


def _mirrored(entries: Iterable[Mapping[str, Any]], namespace: str, lane_of: LaneOf) -> bool:
    return any(lane_of(destination_of(entry, namespace)) is Lane.CANARY for entry in entries)
