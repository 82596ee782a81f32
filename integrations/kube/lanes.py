"""Whose pods a Service or a set of labels selects: those of the stable Deployment, or those of the canary.

Names tell where they can (no request at all); otherwise labels do. Never guesses: what selects the pods of both lanes
is neither.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from integrations.base import GoneError, Lane
from integrations.kube.cluster import Cluster
from integrations.kube.paths import path_to

Labels: TypeAlias = Mapping[str, str]


class ServiceLanes:
    """Tells the lane of a Service of one namespace, and remembers what it had to look up."""

    def __init__(self, cluster: Cluster, namespace: str, stable: str, canary: str) -> None:
        """`stable` and `canary` are the names of the two Deployments (and, by custom, of the Services before them)."""
        self._cluster = cluster
        self._namespace = namespace
        self._names = (stable, canary)
        self._looked_up: dict[str, Lane | None] = {}

    def lane_of(self, service: str) -> Lane | None:
        """Return the lane by name, else by what `look_up` found."""
        return lane_by_name(service, *self._names) or self._looked_up.get(service)

    def forget(self) -> None:
        """Look everything up again next time: selectors may have been edited."""
        self._looked_up.clear()

    async def look_up(self, services: Iterable[str]) -> None:
        """Find out by labels what names do not tell. Does nothing for Services it knows."""
        unknown = [
            name
            for name in dict.fromkeys(services)
            if lane_by_name(name, *self._names) is None and name not in self._looked_up
        ]
        if not unknown:
            return
        stable, canary, *found = await asyncio.gather(
            *(pod_labels(self._cluster, self._namespace, name) for name in self._names),
            *(self._selector(name) for name in unknown),
        )
        for name, wanted in zip(unknown, found, strict=True):
            self._looked_up[name] = lane_by_labels(wanted, stable, canary)

    async def _selector(self, name: str) -> Labels:
        return selector_of(await service_at(self._cluster, name, self._namespace)) or {}


def lane_by_name(name: str, stable: str, canary: str) -> Lane | None:
    """Return the lane that a name tells: it is the lane's, or that of its Deployment."""
    if name in {"stable", stable}:
        return Lane.STABLE
    return Lane.CANARY if name in {"canary", canary} else None


def lane_by_labels(wanted: Labels, stable: Labels, canary: Labels) -> Lane | None:
    """Return the lane whose pods carry the labels, if the other's do not."""
    selects_stable = bool(wanted) and wanted.items() <= stable.items()
    selects_canary = bool(wanted) and wanted.items() <= canary.items()
    if selects_stable == selects_canary:
        return None
    return Lane.STABLE if selects_stable else Lane.CANARY


async def pod_labels(cluster: Cluster, namespace: str, deployment: str) -> Labels:
    """Return the labels of a Deployment's pods. Raises `GoneError`."""
    path = path_to("apps/v1", "deployments", namespace, deployment)
    template = ((await cluster.get(path)).get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


async def service_at(cluster: Cluster, name: str, namespace: str) -> Mapping[str, Any] | None:
    """Return a Service; None when there is none."""
    try:
        return await cluster.get(path_to("v1", "services", namespace, name))
    except GoneError:
        return None


def selector_of(service: Mapping[str, Any] | None) -> Labels | None:
    """Return the labels that a Service selects pods by; None when it selects none."""
    return ((service or {}).get("spec") or {}).get("selector") or None
