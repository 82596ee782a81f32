"""Which route of a route file is split, and where in it the two clusters are.

Pure. Never guesses: a route counts only if each of the two clusters is exactly once among its weighted ones, and only
one route may count unless it is named.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import Lane, RefusedError
from integrations.routers.envoy.document import child, key_of, listed, repeated
from integrations.routers.envoy.weights import weight_of
from integrations.splitting.managed import is_managed

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for: the names of the two clusters, and of the virtual host and the route where they are given."""

    stable: str
    canary: str
    virtual_host: str | None = None
    route: str | None = None

    def lane(self, entry: Any) -> Lane | None:
        """Return the lane of a weighted cluster."""
        name = child(entry, "name")
        return {self.stable: Lane.STABLE, self.canary: Lane.CANARY}.get(str(name))

    def leads_to_canary(self, route: Body) -> bool:
        """Say whether a route sends requests to the canary, by weight or whole."""
        action = child(route, "route")
        entries = listed(child(action, "weighted_clusters"), "clusters")
        whole = child(action, "cluster") == self.canary
        return whole or any(self.lane(entry) is Lane.CANARY for entry in entries)


@dataclass(frozen=True, slots=True)
class Host:
    """One virtual host, by its place in the file."""

    resource: int
    index: int
    config: str
    """The name of its RouteConfiguration."""
    name: str
    routes: tuple[Body, ...]

    def list_in(self, content: Any) -> list[Any]:
        """Return its list of routes in (a copy of) the content that it was found in."""
        resource = child(content, "resources")[self.resource]
        host = child(resource, "virtual_hosts")[self.index]
        found: list[Any] = child(host, "routes")
        return found


@dataclass(frozen=True, slots=True)
class Fork:
    """The route that is split, and the places of its two lanes among the weighted clusters."""

    host: Host
    index: int
    name: str
    weights: tuple[int, int]
    """Of stable and canary."""
    others: int
    """The sum of all weights that are not ours, or 1 where their sum is fixed."""
    stable: int
    canary: int

    @property
    def route(self) -> Body:
        """All of it, as it was read."""
        return self.host.routes[self.index]


def entries_of(route: Body) -> list[Any]:
    """Return the weighted clusters of a route."""
    return repeated(child(child(route, "route"), "weighted_clusters"), "clusters")


def hosts_in(content: Body, virtual_host: str | None) -> Iterator[Host]:
    """Yield the virtual hosts of a file, or those of one name."""
    resources = child(content, "resources")
    for at, resource in enumerate(resources if isinstance(resources, list) else []):
        hosts = child(resource, "virtual_hosts")
        for index, host in enumerate(hosts if isinstance(hosts, list) else []):
            routes = child(host, "routes")
            name = str(child(host, "name") or "")
            sound = isinstance(routes, list) and all(isinstance(one, dict) for one in routes)
            if sound and virtual_host in {None, name}:
                config = str(child(resource, "name") or "")
                yield Host(at, index, config, name, tuple(routes))


def find_fork(content: Body, wanted: Wanted, what: str) -> Fork:
    """Return the route to split: the one of that name, or the only one that can be.

    Raises `RefusedError`: `route_missing`, `ambiguous_routes`, `bad_weights`.
    """
    named = [
        (host, at)
        for host in hosts_in(content, wanted.virtual_host)
        for at, route in enumerate(host.routes)
        if not is_managed(route) and wanted.route in {None, str(route.get("name", ""))}
    ]
    forks = [fork for host, at in named if (fork := _fork(host, at, wanted, what))]
    if len(forks) > 1:
        raise _ambiguous(forks, what)
    if not forks:
        raise _nothing_to_split(wanted, what)
    return forks[0]


def _fork(host: Host, index: int, wanted: Wanted, what: str) -> Fork | None:
    entries = entries_of(host.routes[index])
    lanes = [wanted.lane(entry) for entry in entries]
    if lanes.count(Lane.STABLE) != 1 or lanes.count(Lane.CANARY) != 1:
        return None
    weights = [_weight(entry, what) for entry in entries]
    stable, canary = lanes.index(Lane.STABLE), lanes.index(Lane.CANARY)
    ours = (weights[stable], weights[canary])
    split = child(child(host.routes[index], "route"), "weighted_clusters")
    fixed = int(key_of(split, "total_weight") in split)
    others = sum(weights) - sum(ours) or fixed
    name = str(host.routes[index].get("name", ""))
    return Fork(host, index, name, ours, others, stable, canary)


def _weight(entry: Any, what: str) -> int:
    weight = weight_of(entry)
    if weight is None:
        raise RefusedError(
            f"{what} has a weight that is no whole number from 0: correct it.", code="bad_weights"
        )
    return weight


def _nothing_to_split(wanted: Wanted, what: str) -> RefusedError:
    route = f"route {wanted.route}" if wanted.route else "route"
    place = f" in virtual host {wanted.virtual_host}" if wanted.virtual_host else ""
    return RefusedError(
        f"{what} has no {route}{place} whose weighted clusters are {wanted.stable} and {wanted.canary}, each once. "
        "Give it one, or correct `traffic` in sluice.yaml.",
        code="route_missing",
    )


def _ambiguous(forks: Sequence[Fork], what: str) -> RefusedError:
    shown = ", ".join(
        f"{fork.name or f'number {fork.index} (no name)'} in virtual host {fork.host.name}"
        for fork in forks
    )
    return RefusedError(
        f"{what} has several routes that could be split: {shown}. "
        "Set `traffic.virtual_host` or `traffic.route` in sluice.yaml.",
        code="ambiguous_routes",
    )
