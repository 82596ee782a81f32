"""The services that the sandbox knows, one for each way in which versions can run beside each other.

`checkout` is a stable/canary pair behind a mesh, `cart` has two colours behind a Service, `search` is one Deployment.
"""

from bot.sandbox.cluster import SimulatedCluster, orion
from bot.sandbox.orion import colours, fleet
from integrations.base import Lane
from integrations.metrics.templates import Lanes

NAMESPACE = "shop"
SERVICES = {
    "checkout": Lanes(NAMESPACE, "checkout-stable", "checkout-canary"),
    "cart": Lanes(NAMESPACE, "cart-blue", "cart-green"),
    "search": Lanes(NAMESPACE, "", "search"),
}
"""By name: where their versions run."""
_PUT = {"checkout": orion, "cart": colours, "search": fleet}


def put_services(cluster: SimulatedCluster) -> None:
    """Put all services into a cluster, with v1 live, and let their pods start."""
    for name, put in _PUT.items():
        repository = f"registry.example/{name}"
        put(cluster, service=name, namespace=NAMESPACE, version="v1", repository=repository)
    for lanes in SERVICES.values():
        for lane in Lane:
            cluster.object("deployments", NAMESPACE, lanes.workload(lane))
