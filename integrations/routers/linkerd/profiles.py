"""ServiceProfiles: where there is one for a Service, Linkerd's proxies follow it and ignore every HTTPRoute.

Read-only. One in another namespace counts for the clients there; only the Service's own namespace is looked at.
"""

from integrations.base import Finding, GoneError
from integrations.kube import Cluster, path_to


async def profiles_that_win(cluster: Cluster, namespace: str, services: list[str]) -> list[Finding]:
    """Return a fatal finding for each of the Services that has a ServiceProfile."""
    try:
        listed = await cluster.get(path_to("linkerd.io/v1alpha2", "serviceprofiles", namespace))
    except GoneError:  # the cluster has no such kind
        return []
    names = [str(item["metadata"]["name"]) for item in listed.get("items") or []]
    return [
        Finding(
            "service_profile_wins",
            f"ServiceProfile {name} takes precedence over every route of Service {service}, so no split would have an "
            "effect. Delete it, or split by a TrafficSplit.",
        )
        for service in services
        for name in names
        # Behind it comes the domain of the cluster, which only its administrator knows.
        if name.startswith(f"{service}.{namespace}.svc.")
    ]
