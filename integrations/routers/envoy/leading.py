"""How much of a route goes to the canary, and which routes lead there besides the one that is split.

Pure. Where a weight cannot be read all of its route counts as the canary's: what is not known is never home.
"""

from collections.abc import Collection, Iterator
from typing import Any

from integrations.base import Lane
from integrations.routers.envoy.document import child, listed
from integrations.routers.envoy.routes import Body, Host, Wanted, entries_of, hosts_in
from integrations.routers.envoy.weights import weight_of
from integrations.splitting.elsewhere import phrase
from integrations.splitting.managed import is_managed

Place = tuple[int, int, int]
"""Of a route: its resource, its virtual host and its number there."""


def share_of(route: Body, wanted: Wanted) -> float:
    """Return the part of a route's traffic, 0 to 1, that goes to the canary."""
    if child(child(route, "route"), "cluster") == wanted.canary:
        return 1.0
    entries = entries_of(route)
    at = [n for n, entry in enumerate(entries) if wanted.lane(entry) is Lane.CANARY]
    weights = [weight_of(entry) for entry in entries]
    if not at or None in weights:
        return float(bool(at))
    # Where all weigh nothing Envoy refuses the route and goes on with what it had, which may be anything.
    read = [weight or 0 for weight in weights] if any(weights) else [1] * len(entries)
    return sum(read[n] for n in at) / sum(read)


def elsewhere(content: Body, wanted: Wanted, ours: Collection[Place] | None) -> str:
    """Return the routes but `ours`, and the mirrors, that lead to the canary; None: no route counts."""
    routes, mirrors = [], []
    for place, title, route in _all_routes(content):
        if ours is not None and place not in ours and share_of(route, wanted):
            routes.append(title)
        if not is_managed(route) and _mirrors(child(route, "route"), wanted):
            mirrors.append(title)
    return ", ".join(
        filter(None, [phrase("route", routes, mirrors), *_wide_mirrors(content, wanted)])
    )


def place_of(host: Host, index: int) -> Place:
    """Return where a route of a virtual host is."""
    return host.resource, host.index, index


def _all_routes(content: Body) -> Iterator[tuple[Place, str, Body]]:
    for host in hosts_in(content, None):
        for at, route in enumerate(host.routes):
            yield place_of(host, at), str(route.get("name") or f"number {at}"), route


def _wide_mirrors(content: Body, wanted: Wanted) -> Iterator[str]:
    """Yield what mirrors all routes of a virtual host, or of a whole configuration."""
    for config in listed(content, "resources"):
        if _mirrors(config, wanted):
            yield phrase("configuration", (), [str(child(config, "name") or "")])
        hosts = [host for host in listed(config, "virtual_hosts") if _mirrors(host, wanted)]
        yield phrase("virtual host", (), [str(child(host, "name") or "") for host in hosts])


def _mirrors(body: Any, wanted: Wanted) -> bool:
    policies = listed(body, "request_mirror_policies")
    return any(child(policy, "cluster") == wanted.canary for policy in policies)
