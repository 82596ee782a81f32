"""The `Router` of an HTTPRoute whose parent is a Service: the one of the Gateway API, as Linkerd's proxies follow it.

The clients' proxies do the splitting, so requests from clients without one are not split. Linkerd ignores a route with
fields newer than it knows: only weights are written, and names of rules only where the cluster knows such names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import Finding
from integrations.kube import Cluster
from integrations.routers.gateway_api import HTTP_ROUTE, GatewayApiRouter, Served
from integrations.routers.linkerd.profiles import profiles_that_win

_OWN = Served("policy.linkerd.io", "httproutes", ("v1beta3", "v1beta2", "v1beta1", "v1alpha1"))


class LinkerdRouteRouter(GatewayApiRouter):
    """Splits the requests that meshed clients send to one Service."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        http_route: str,
        stable: str,
        canary: str,
        rule: str | None = None,
    ) -> None:
        """See `GatewayApiRouter`; the route may also be one of Linkerd's own older group."""
        super().__init__(
            cluster,
            namespace=namespace,
            route=http_route,
            stable=stable,
            canary=canary,
            rule=rule,
            served=(HTTP_ROUTE, _OWN),
        )

    async def _remarks(self, body: Mapping[str, Any]) -> Sequence[Finding]:
        services = _parent_services(body, self._namespace)
        if services:
            return await profiles_that_win(self._cluster, self._namespace, services)
        return [
            Finding(
                "route_without_service",
                f"HTTPRoute {self._name} has no Service of namespace {self._namespace} as its parent, so Linkerd "
                "splits nothing by it. Name the Service that clients call as its parentRef.",
            )
        ]


def _parent_services(body: Mapping[str, Any], namespace: str) -> list[str]:
    references = (body.get("spec") or {}).get("parentRefs") or []
    return [
        str(reference.get("name", ""))
        for reference in references
        if reference.get("kind") == "Service" and reference.get("namespace", namespace) == namespace
    ]
