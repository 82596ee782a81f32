"""The services that the sandbox knows, one for each way in which versions can run beside each other.

`checkout` is a stable/canary pair behind a mesh, `cart` has two colours behind a Service, `search` is one Deployment,
and `payments` is a pair in each of two regions.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.sandbox.cluster import SimulatedCluster, orion
from bot.sandbox.orion import colours, fleet
from integrations.base import Lane
from integrations.metrics.templates import Lanes


@dataclass(frozen=True, slots=True)
class Site:
    """One place where versions of a service run."""

    service: str
    lanes: Lanes
    put: Callable[..., None]


def _pair(service: str, namespace: str) -> Site:
    return Site(service, Lanes(namespace, f"{service}-stable", f"{service}-canary"), orion)


SITES = {
    "checkout": _pair("checkout", "shop"),
    "cart": Site("cart", Lanes("shop", "cart-blue", "cart-green"), colours),
    "search": Site("search", Lanes("shop", "", "search"), fleet),
    "payments us-east": _pair("payments", "us-east"),
    "payments eu-west": _pair("payments", "eu-west"),
}
"""By the name on the page."""


def put_services(cluster: SimulatedCluster) -> None:
    """Put all services into a cluster, with v1 live, and let their pods start."""
    for site in SITES.values():
        namespace, repository = site.lanes.namespace, f"registry.example/{site.service}"
        site.put(
            cluster, service=site.service, namespace=namespace, version="v1", repository=repository
        )
        for lane in Lane:
            cluster.object("deployments", namespace, site.lanes.workload(lane))
