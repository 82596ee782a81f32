"""Which routes of a VirtualService are split, and where in the object their weights are.

Pure. Never guesses: a route counts only with exactly one stable and one canary destination, and only one may count for
each thing that is wanted: the http route of a name, the tls or tcp route of a port or a server name. Where nothing is
wanted, one alone in the whole object.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from integrations.base import Lane, RefusedError
from integrations.splitting.managed import is_managed

Family = Literal["http", "tls", "tcp"]

Spec: TypeAlias = Mapping[str, Any]
LaneOf: TypeAlias = Callable[["Destination"], Lane | None]

FAMILIES: tuple[Family, ...] = ("http", "tls", "tcp")
"""The three lists of routes in a VirtualService. Only http routes have names; all have weights."""

# Such routes send no weighted traffic themselves, whatever else they carry.
_NOT_SPLIT = ("redirect", "delegate", "directResponse")

_SERVICE_HOST = re.compile(r"(?P<service>[^.]+)\.(?P<namespace>[^.]+)\.svc(\..+)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which routes are to be split, as the configuration says it; nothing at all: the only one that can be."""

    route: str | None = None
    """The name of an http route."""
    port: int | None = None
    """Of a tls or tcp route; with `sni` both have to match."""
    sni: str | None = None
    """A server name of a tls route."""


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

    @property
    def word(self) -> str:
        """What people call it: its subset, else its Service."""
        return self.subset or (self.service[0] if self.service else "")


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
    """A route that is split: its place in the object and the places of its two lanes."""

    family: Family
    index: int
    name: str
    arms: tuple[Arm, ...]
    stable: int
    canary: int
    route: Mapping[str, Any]
    """All of it, as it was read."""

    @property
    def path(self) -> str:
        """Where it is, as a JSON pointer."""
        return f"/spec/{self.family}/{self.index}"

    @property
    def title(self) -> str:
        """What people call it."""
        return title_of(self.family, self.index, self.route)

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


def all_routes(spec: Spec) -> list[tuple[Family, int, Mapping[str, Any]]]:
    """Return every route of an object with its place."""
    return [
        (family, at, route)
        for family in FAMILIES
        for at, route in enumerate(spec.get(family) or [])
    ]


def find_forks(spec: Spec, namespace: str, wanted: Wanted, lane_of: LaneOf) -> tuple[Fork, ...]:
    """Return the routes to split: each one that is wanted, or the only one that can be.

    Raises `RefusedError`: `route_missing`, `ambiguous_routes`, `bad_weights`.
    """
    routes = [
        (family, at, route) for family, at, route in all_routes(spec) if not is_managed(route)
    ]
    if wanted == Wanted():
        return (_the_one(routes, namespace, lane_of, "No route of the VirtualService has"),)
    found = []
    if wanted.route is not None:
        http = [entry for entry in routes if entry[0] == "http"]
        named = [entry for entry in http if entry[2].get("name") == wanted.route]
        if not named:
            raise _no_such_name(wanted.route, [route for _, _, route in http])
        title = f"Route {wanted.route} does not have"
        found.append(_the_one(named, namespace, lane_of, title))
    if wanted.port is not None or wanted.sni is not None:
        plain = [entry for entry in routes if entry[0] != "http"]
        matching = [entry for entry in plain if _carries(entry[2], wanted)]
        if not matching:
            raise _no_such_match(wanted, plain)
        title = f"The route for {_asked(wanted)} does not have"
        found.append(_the_one(matching, namespace, lane_of, title))
    return tuple(found)


def destination_of(entry: Mapping[str, Any], namespace: str) -> Destination:
    """Return where one entry of a route sends its traffic."""
    destination = entry.get("destination") or {}
    host = full_host(str(destination.get("host", "")), namespace)
    return Destination(host, str(destination.get("subset", "")))


def mirrors(route: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return where copies of a route's requests go, as entries like those of its traffic; not those of 0 percent."""
    listed = [
        (entry.get("destination"), entry.get("percentage")) for entry in route.get("mirrors") or []
    ]
    if route.get("mirror"):
        share = route.get("mirrorPercentage")
        listed.append((route["mirror"], share or {"value": route.get("mirrorPercent", 100)}))
    return [
        {"destination": destination or {}}
        for destination, share in listed
        if (share or {"value": 100}).get("value")
    ]


def title_of(family: Family, index: int, route: Mapping[str, Any]) -> str:
    """Return what people call a route: its name, else what it matches, else its place."""
    if family == "http":
        return str(route.get("name") or f"number {index} (no name)")
    blocks = route.get("match") or []
    told = [str(name) for block in blocks for name in block.get("sniHosts") or []]
    told += [f"port {block['port']}" for block in blocks if block.get("port")]
    return f"{family} {', '.join(dict.fromkeys(told)) or f'number {index}'}"


def _carries(route: Mapping[str, Any], wanted: Wanted) -> bool:
    """Say whether one of its match blocks is for the port and the server name that are wanted."""
    return any(
        (wanted.port is None or block.get("port") == wanted.port)
        and (wanted.sni is None or wanted.sni.lower() in _server_names(block))
        for block in route.get("match") or []
    )


def _server_names(block: Mapping[str, Any]) -> set[str]:
    return {str(name).lower() for name in block.get("sniHosts") or []}


def _can_split(route: Mapping[str, Any]) -> bool:
    return len(route.get("route") or []) >= 2 and all(route.get(key) is None for key in _NOT_SPLIT)


def _the_one(
    routes: Iterable[tuple[Family, int, Mapping[str, Any]]],
    namespace: str,
    lane_of: LaneOf,
    lacking: str,
) -> Fork:
    forks = [
        fork
        for family, at, route in routes
        if (fork := _fork(family, at, route, namespace, lane_of))
    ]
    if len(forks) > 1:
        raise _ambiguous(forks)
    if not forks:
        raise RefusedError(
            f"{lacking} exactly one stable and one canary destination. Give it both, by subset or by host.",
            code="route_missing",
        )
    return forks[0]


def _fork(
    family: Family, index: int, route: Mapping[str, Any], namespace: str, lane_of: LaneOf
) -> Fork | None:
    if not _can_split(route):
        return None
    lanes = [lane_of(destination_of(entry, namespace)) for entry in route["route"]]
    if lanes.count(Lane.STABLE) != 1 or lanes.count(Lane.CANARY) != 1:
        return None
    title = title_of(family, index, route)
    arms = tuple(_arm(entry, namespace, title) for entry in route["route"])
    name = str(route.get("name", "")) if family == "http" else ""
    return Fork(
        family, index, name, arms, lanes.index(Lane.STABLE), lanes.index(Lane.CANARY), route
    )


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


def _no_such_name(wanted: str, routes: Sequence[Mapping[str, Any]]) -> RefusedError:
    names = ", ".join(str(route["name"]) for route in routes if route.get("name")) or "none"
    return RefusedError(
        f"The VirtualService has no http route {wanted} (named routes: {names}). "
        "Correct `traffic.route` in sluice.yaml.",
        code="route_missing",
    )


def _no_such_match(
    wanted: Wanted, routes: Sequence[tuple[Family, int, Mapping[str, Any]]]
) -> RefusedError:
    there = ", ".join(title_of(*entry) for entry in routes) or "none"
    kind = "tls" if wanted.sni is not None else "tls or tcp"
    return RefusedError(
        f"The VirtualService has no {kind} route for {_asked(wanted)} (there are: {there}). "
        "Correct `traffic.port` and `traffic.sni` in sluice.yaml.",
        code="route_missing",
    )


def _asked(wanted: Wanted) -> str:
    port = f"port {wanted.port}" if wanted.port is not None else ""
    return " on ".join(part for part in (wanted.sni, port) if part)


def _ambiguous(forks: Sequence[Fork]) -> RefusedError:
    shown = ", ".join(fork.title for fork in forks)
    return RefusedError(
        f"Several routes could be split: {shown}. Say which one in sluice.yaml: an http route by `traffic.route` "
        "(give it a name of its own), another one by `traffic.port` or `traffic.sni`.",
        code="ambiguous_routes",
    )
