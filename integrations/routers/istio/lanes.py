"""Which destination is stable and which is canary.

Names tell where they can (no request at all); otherwise labels do: whose pods a destination selects. What was looked
up is remembered, so that reading a split stays one request.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import Lane, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.lanes import (
    lane_by_labels,
    lane_by_name,
    pod_labels,
    selector_of,
    service_at,
)
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
        return lane_by_name(name, self.stable, self.canary)


class LaneBook:
    """Tells the lane of a destination, and remembers what it had to look up."""

    def __init__(self, cluster: Cluster, namespace: str, names: LaneNames) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._names = names
        self._looked_up: dict[Destination, Lane | None] = {}
        self._foreign: dict[str, bool] = {}

    def lane_of(self, destination: Destination) -> Lane | None:
        """Return the lane by name, else by what `look_up` found."""
        return self._names.tell(destination) or self._looked_up.get(destination)

    def forget(self) -> None:
        """Look everything up again next time: subsets may have been edited."""
        self._looked_up.clear()
        self._foreign.clear()

    def lane_for_sure(self, destination: Destination) -> Lane | None:
        """Return the lane unless `look_round` found that the host is somebody else's."""
        return None if self._foreign.get(destination.host) else self.lane_of(destination)

    async def look_up(self, destinations: Iterable[Destination]) -> None:
        """Find out by labels what names do not tell. Does nothing for destinations it knows."""
        unknown = {d for d in destinations if not self._names.tell(d) and d not in self._looked_up}
        # A Service selects pods of its own namespace only.
        far = {d for d in unknown if d.service is not None and d.service[1] != self._namespace}
        self._looked_up |= dict.fromkeys(far)
        unknown -= far
        if not unknown:
            return
        stable, canary, rules = await asyncio.gather(
            pod_labels(self._cluster, self._namespace, self._names.stable),
            pod_labels(self._cluster, self._namespace, self._names.canary),
            destination_rules(self._cluster, self._namespace),
        )
        for destination in unknown:
            wanted = await self._labels_of(destination, rules)
            self._looked_up[destination] = lane_by_labels(wanted, stable, canary)

    async def look_round(self, destinations: Iterable[Destination]) -> None:
        """Find out which hosts send nothing to our pods: any service may call its subsets `stable` and `canary`.

        What cannot be looked up counts as ours: whoever needs to know is cutting the canary off.
        """
        hosts = {d.host: d for d in destinations if d.host not in self._foreign and self.lane_of(d)}
        if not hosts:
            return
        try:
            lanes = await asyncio.gather(
                pod_labels(self._cluster, self._namespace, self._names.stable),
                pod_labels(self._cluster, self._namespace, self._names.canary),
            )
            for host, one in hosts.items():
                far = one.service is not None and one.service[1] != self._namespace
                selector = {} if far else selector_of(await service_of(self._cluster, one)) or {}
                ours = any(selector.items() <= labels.items() for labels in lanes)
                self._foreign[host] = far or not ours
        except RefusedError:
            return

    async def stable_beside(self, canary: Destination) -> Mapping[str, Any] | None:
        """Return a destination of stable to take the place of one of the canary; None where none can be told.

        Another subset of the same host, else the Service that bears the name of the stable Deployment.
        """
        if canary.subset:
            rules = await destination_rules(self._cluster, self._namespace)
            found = [
                Destination(canary.host, name)
                for name in subset_names(rules, canary, self._namespace)
            ]
            await self.look_up(found)
            stable = next((d for d in found if self.lane_of(d) is Lane.STABLE), None)
            return {"host": stable.host, "subset": stable.subset} if stable else None
        service = await service_at(self._cluster, self._names.stable, self._namespace)
        return {"host": full_host(self._names.stable, self._namespace)} if service else None

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
    return await service_at(cluster, *destination.service) if destination.service else None


def subset_names(
    rules: Iterable[Mapping[str, Any]], destination: Destination, namespace: str
) -> list[str]:
    """Return the subsets that a host has, each once."""
    return list(
        dict.fromkeys(
            str(subset.get("name", ""))
            for rule in rules
            if full_host(str((rule.get("spec") or {}).get("host", "")), namespace)
            == destination.host
            for subset in rule["spec"].get("subsets") or []
        )
    )


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
