"""Which http route of a VirtualService is split, and where in the object its two weights are.

Pure. Never guesses: a route counts only with exactly one stable and one canary destination, and only one route may
count unless it is named.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import Lane, RefusedError

# Such routes send no weighted traffic themselves, whatever else they carry.
_NOT_SPLIT = ("redirect", "delegate", "directResponse")

# The names of the routes that Sluice inserts itself; they are never what is split.
_MANAGED = re.compile(r"sluice-[1-9]\d{0,5}", re.ASCII)

_SERVICE_HOST = re.compile(r"(?P<service>[^.]+)\.(?P<namespace>[^.]+)\.svc(\..+)?")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a part of a route's traffic goes."""

    host: str
    """The full host name."""
    subset: str

    @property
    def service(self) -> tuple[str, str] | None:
        """The Service behind the host as (name, namespace); None for a host outside the cluster."""
        found = _SERVICE_HOST.fullmatch(self.host)
        return (found["service"], found["namespace"]) if found else None


@dataclass(frozen=True, slots=True)
class Arm:
    """One entry of a route's list of destinations."""

    destination: Destination
    raw: Mapping[str, Any]
    weight: int
    weighted: bool
    """It names its weight; without one it counts as 0."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The route that is split: its place in `spec.http` and the places of its two lanes."""

    index: int
    name: str
    arms: tuple[Arm, ...]
    stable: int
    canary: int
    route: Mapping[str, Any]
    """All of it, as it was read."""

    @property
    def weights(self) -> tuple[int, int]:
        """The weights of stable and canary."""
        return self.arms[self.stable].weight, self.arms[self.canary].weight

    @property
    def others(self) -> int:
        """The sum of all weights that are not ours."""
        return sum(arm.weight for arm in self.arms) - sum(self.weights)

    def lane(self, lane: Lane) -> Destination:
        """Return the destination of a lane."""
        at = self.stable if lane is Lane.STABLE else self.canary
        return self.arms[at].destination


def full_host(host: str, namespace: str) -> str:
    """Return a host as Istio reads it: only a name without dots is short, and for the object's own namespace."""
    return (
        host if not host or "." in host or "*" in host else f"{host}.{namespace}.svc.cluster.local"
    )


def is_managed(route: Mapping[str, Any]) -> bool:
    """Say whether a route bears the name of one that Sluice inserts for an audience."""
    return _MANAGED.fullmatch(str(route.get("name", ""))) is not None


def weighted_destinations(spec: Mapping[str, Any], namespace: str) -> list[Destination]:
    """Return the destinations of all routes that could be split."""
    return [
        destination_of(entry, namespace)
        for route in spec.get("http") or []
        if _can_split(route)
        for entry in route["route"]
    ]


def find_fork(
    spec: Mapping[str, Any],
    namespace: str,
    wanted: str | None,
    lane_of: Callable[[Destination], Lane | None],
) -> Fork:
    """Return the route to split: the one named `wanted`, or the only one that can be.

    Raises `RefusedError`: `route_missing`, `ambiguous_routes`, `bad_weights`.
    """
    routes = [(at, r) for at, r in enumerate(spec.get("http") or []) if not is_managed(r)]
    named = [(at, route) for at, route in routes if wanted is None or route.get("name") == wanted]
    if not named:
        raise _no_such_route(wanted, [route for _, route in routes])
    forks = [fork for at, route in named if (fork := _fork(at, route, namespace, lane_of))]
    if len(forks) > 1:
        raise _ambiguous(forks)
    if not forks:
        raise _nothing_to_split(wanted)
    return forks[0]


def destination_of(entry: Mapping[str, Any], namespace: str) -> Destination:
    """Return where one entry of a route sends its traffic."""
    destination = entry.get("destination") or {}
    host = full_host(str(destination.get("host", "")), namespace)
    return Destination(host, str(destination.get("subset", "")))


def _can_split(route: Mapping[str, Any]) -> bool:
    return len(route.get("route") or []) >= 2 and all(route.get(key) is None for key in _NOT_SPLIT)


def _fork(
    index: int,
    route: Mapping[str, Any],
    namespace: str,
    lane_of: Callable[[Destination], Lane | None],
) -> Fork | None:
    if not _can_split(route):
        return None
    lanes = [lane_of(destination_of(entry, namespace)) for entry in route["route"]]
    if lanes.count(Lane.STABLE) != 1 or lanes.count(Lane.CANARY) != 1:
        return None
    name = str(route.get("name", ""))
    arms = tuple(_arm(entry, namespace, name or f"number {index}") for entry in route["route"])
    return Fork(index, name, arms, lanes.index(Lane.STABLE), lanes.index(Lane.CANARY), route)


def _arm(entry: Mapping[str, Any], namespace: str, route: str) -> Arm:
    weight = entry.get("weight") or 0
    # The API server accepts negative weights; only Istio's own webhook, where there is one, does not.
    if not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
        raise RefusedError(
            f"Route {route} has a weight that is no whole number from 0: correct the VirtualService.",
            code="bad_weights",
        )
    return Arm(
        destination_of(entry, namespace), entry.get("destination") or {}, weight, "weight" in entry
    )


def _no_such_route(wanted: str | None, routes: Sequence[Mapping[str, Any]]) -> RefusedError:
    names = ", ".join(str(route["name"]) for route in routes if route.get("name")) or "none"
    return RefusedError(
        f"The VirtualService has no http route {wanted or ''}".rstrip()
        + f" (named routes: {names}). Correct `traffic.route` in sluice.yaml.",
        code="route_missing",
    )


def _nothing_to_split(wanted: str | None) -> RefusedError:
    which = f"Route {wanted}" if wanted else "No http route of the VirtualService"
    has = "does not have" if wanted else "has"
    return RefusedError(
        f"{which} {has} exactly one stable and one canary destination. Give it both, by subset or by host.",
        code="route_missing",
    )


def _ambiguous(forks: Sequence[Fork]) -> RefusedError:
    shown = ", ".join(fork.name or f"number {fork.index} (no name)" for fork in forks)
    return RefusedError(
        f"Several routes could be split: {shown}. "
        "Give one of them a name of its own and set it as `traffic.route` in sluice.yaml.",
        code="ambiguous_routes",
    )
