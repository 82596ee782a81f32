"""Which destination is stable and which is canary.

Names tell where they can (no request at all); otherwise labels do: whose pods a destination selects. What was looked
up is remembered, so that reading a split stays one request.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import GoneError, Lane
from integrations.kube import Cluster, path_to
from integrations.routers.istio.routes import Destination, full_host


@dataclass(frozen=True, slots=True)
class LaneNames:
    """The names of the pair's two Deployments (and, by custom, of the Services before them)."""

    stable: str
    canary: str

    def tell(self, destination: Destination) -> Lane | None:
        """Return the lane that a subset's or a Service's name tells; None when it does not."""
        host = destination.service
        name = destination.subset or (host[0] if host else "")
        if name in {"stable", self.stable}:
            return Lane.STABLE
        if name in {"canary", self.canary}:
            return Lane.CANARY
        return None


class LaneBook:
    """Tells the lane of a destination, and remembers what it had to look up."""

    def __init__(self, cluster: Cluster, namespace: str, names: LaneNames) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._names = names
        self._looked_up: dict[Destination, Lane | None] = {}

    def lane_of(self, destination: Destination) -> Lane | None:
        """Return the lane by name, else by what `look_up` found."""
        return self._names.tell(destination) or self._looked_up.get(destination)

    def forget(self) -> None:
        """Look everything up again next time: subsets may have been edited."""
        self._looked_up.clear()

    async def look_up(self, destinations: Iterable[Destination]) -> None:
        """Find out by labels what names do not tell. Does nothing for destinations it knows."""
        unknown = {d for d in destinations if not self._names.tell(d) and d not in self._looked_up}
        if not unknown:
            return
        stable, canary, rules = await asyncio.gather(
            self._pod_labels(self._names.stable),
            self._pod_labels(self._names.canary),
            destination_rules(self._cluster, self._namespace),
        )
        for destination in unknown:
            wanted = await self._labels_of(destination, rules)
            self._looked_up[destination] = _lane_by_labels(wanted, stable, canary)

    async def _pod_labels(self, deployment: str) -> Mapping[str, str]:
        path = path_to("apps/v1", "deployments", self._namespace, deployment)
        template = ((await self._cluster.get(path)).get("spec") or {}).get("template") or {}
        return (template.get("metadata") or {}).get("labels") or {}

    async def _labels_of(
        self, destination: Destination, rules: list[dict[str, Any]]
    ) -> Mapping[str, str]:
        if destination.subset:
            return subset_labels(rules, destination, self._namespace) or {}
        return selector_of(await service_of(self._cluster, destination)) or {}


async def destination_rules(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """Return the DestinationRules of a namespace."""
    version = await networking_version(cluster)
    return (await cluster.get(path_to(version, "destinationrules", namespace))).get("items") or []


async def networking_version(cluster: Cluster) -> str:
    """Return the newest Istio networking version that the cluster serves; all three hold the same objects."""
    return await cluster.version_of("networking.istio.io", ("v1", "v1beta1", "v1alpha3"))


async def service_of(cluster: Cluster, destination: Destination) -> Mapping[str, Any] | None:
    """Return the Service behind a destination; None when there is none."""
    if destination.service is None:
        return None
    name, namespace = destination.service
    try:
        return await cluster.get(path_to("v1", "services", namespace, name))
    except GoneError:
        return None


def selector_of(service: Mapping[str, Any] | None) -> Mapping[str, str] | None:
    """Return the labels that a Service selects pods by; None when it selects none."""
    return ((service or {}).get("spec") or {}).get("selector") or None


def subset_labels(
    rules: Iterable[Mapping[str, Any]], destination: Destination, namespace: str
) -> Mapping[str, str] | None:
    """Return the labels of a destination's subset; None when no rule has it. The first of two equal names wins."""
    for rule in rules:
        spec = rule.get("spec") or {}
        if full_host(str(spec.get("host", "")), namespace) != destination.host:
            continue
        for subset in spec.get("subsets") or []:
            if subset.get("name") == destination.subset:
                return subset.get("labels") or {}
    return None


def _lane_by_labels(
    wanted: Mapping[str, str], stable: Mapping[str, str], canary: Mapping[str, str]
) -> Lane | None:
    """Return the lane whose pods carry the labels, if the other's do not."""
    selects_stable = bool(wanted) and wanted.items() <= stable.items()
    selects_canary = bool(wanted) and wanted.items() <= canary.items()
    if selects_stable == selects_canary:
        return None
    return Lane.STABLE if selects_stable else Lane.CANARY
