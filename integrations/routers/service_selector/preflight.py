"""What would make a switch of a Service fail, before it is tried.

Read-only. Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from integrations.base import Finding, Lane, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.reading import is_ready
from integrations.routers.service_selector.lanes import LaneValues, selected_lane, selector_of

Body = Mapping[str, Any]


class Preflight:
    """The checks around one Service and its preview."""

    def __init__(self, cluster: Cluster, namespace: str, key: str, values: LaneValues) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._key = key
        self._values = values

    async def findings(
        self, live: Body, preview: Body | None, *, canary_pods: bool
    ) -> list[Finding]:
        """Return everything noticed; without `canary_pods` only stable needs ready pods."""
        lanes = [Lane.STABLE, Lane.CANARY] if canary_pods else [Lane.STABLE]
        found = await asyncio.gather(*(self._lane(lane, live) for lane in lanes))
        services = [live] if preview is None else [live, preview]
        return [
            *(finding for body in services for finding in owned_by_another(body)),
            *(self._preview(live, preview) if preview is not None else []),
            *(finding for findings in found for finding in findings),
            *(
                finding
                for body in services
                for finding in applied_from_elsewhere(body, "selector", ".spec.selector")
            ),
        ]

    def _preview(self, live: Body, preview: Body) -> list[Finding]:
        names = [str(service["metadata"]["name"]) for service in (live, preview)]
        if names[0] == names[1]:
            return [_one_service(names[0])]
        lanes = [selected_lane(body, self._key, self._values) for body in (live, preview)]
        return [_preview_live(*names)] if lanes[0] is lanes[1] else []

    async def _lane(self, lane: Lane, live: Body) -> list[Finding]:
        name, value = str(live["metadata"]["name"]), self._values.of(lane)
        selected = selected_lane(live, self._key, self._values) is lane
        try:
            ready = await (
                self._endpoints(name)
                if selected
                else self._pods({**selector_of(live), self._key: value})
            )
        except RefusedError as error:
            # Not being allowed to look is no proof that there are none; the Deployment's own status still counts.
            return [_not_checked(name, error)]
        return [] if ready else [_no_pods(name, f"{self._key}={value}")]

    async def _endpoints(self, service: str) -> bool:
        """Say whether the Service that is live has somewhere to send its traffic to."""
        listed = await self._list(
            "discovery.k8s.io/v1", "endpointslices", {"kubernetes.io/service-name": service}
        )
        return any(
            (endpoint.get("conditions") or {}).get("ready") is not False  # absent means ready
            for entry in listed
            for endpoint in entry.get("endpoints") or []
        )

    async def _pods(self, labels: Mapping[str, str]) -> bool:
        """Say whether the Service would have somewhere to send its traffic to; no EndpointSlice tells that yet."""
        return any(is_ready(pod) for pod in await self._list("v1", "pods", labels))

    async def _list(self, version: str, plural: str, labels: Mapping[str, str]) -> list[Body]:
        query = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        path = path_to(version, plural, self._namespace)
        return (await self._cluster.get(path, labelSelector=query)).get("items") or []


def _one_service(name: str) -> Finding:
    return Finding(
        "preview_is_live",
        f"Service {name} is both the live Service and its preview. Name another one as `traffic.preview`.",
    )


def _preview_live(live: str, preview: str) -> Finding:
    return Finding(
        "preview_is_live",
        f"The preview Service {preview} selects the same lane as {live}, so what is tested there is the version that "
        "is live already. Point it at the other lane.",
    )


def _not_checked(service: str, error: RefusedError) -> Finding:
    return Finding(
        "pods_not_checked",
        f"Whether pods stand behind Service {service} could not be checked: {error}",
        fatal=False,
    )


def _no_pods(service: str, label: str) -> Finding:
    return Finding(
        "subset_without_pods",
        f"No ready pod with {label} stands behind Service {service}; traffic sent there fails. "
        "Start its pods, or correct the labels.",
    )
