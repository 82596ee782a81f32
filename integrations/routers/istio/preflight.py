"""What would make a split of a VirtualService fail or fight with somebody, before it is tried.

Read-only. Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import Finding, Lane, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.reading import is_ready
from integrations.routers.istio.lanes import (
    destination_rules,
    networking_version,
    selector_of,
    service_of,
    subset_labels,
)
from integrations.routers.istio.routes import Destination, Fork, full_host

_WEIGHTS = ".spec.http[].route[].weight"


class Preflight:
    """The checks around one VirtualService, as it was just read."""

    def __init__(
        self, cluster: Cluster, namespace: str, body: Mapping[str, Any], fork: Fork
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._body = body
        self._fork = fork

    async def findings(self, *, canary_pods: bool) -> list[Finding]:
        """Return everything noticed, fatal or not; without `canary_pods` only stable needs ready pods."""
        stable, canary = self._fork.lane(Lane.STABLE), self._fork.lane(Lane.CANARY)
        rules, twins, before_stable, before_canary = await asyncio.gather(
            destination_rules(self._cluster, self._namespace),
            self._twins(),
            service_of(self._cluster, stable),
            service_of(self._cluster, canary),
        )
        lanes = await asyncio.gather(
            self._lane(stable, rules, before_stable),
            self._lane(canary, rules, before_canary if canary_pods else None),
        )
        # Argo Rollouts leaves its name on the Services that it switches, not on the VirtualService.
        objects = (self._body, before_stable or {}, before_canary or {})
        return [
            *dict.fromkeys(finding for body in objects for finding in owned_by_another(body)),
            *twins,
            *(finding for lane in lanes for finding in lane),
            *applied_from_elsewhere(self._body, "weights", _WEIGHTS),
        ]

    async def _twins(self) -> list[Finding]:
        version = await networking_version(self._cluster)
        listed = await self._cluster.get(path_to(version, "virtualservices", self._namespace))
        return list(second_virtual_services(self._body, listed.get("items") or []))

    async def _lane(
        self,
        destination: Destination,
        rules: Sequence[Mapping[str, Any]],
        service: Mapping[str, Any] | None,
    ) -> list[Finding]:
        """Check the subset; and its pods where `service` is given and selects any."""
        labels = subset_labels(rules, destination, self._namespace) if destination.subset else {}
        if labels is None:
            return [_subset_missing(destination)]
        selector = selector_of(service)
        try:
            if not selector or await self._ready(destination, {**selector, **labels}):
                return []
        except RefusedError as error:
            # Not being allowed to list pods is no proof that there are none; the Deployment's own status still counts.
            return [_not_checked(destination, error)]
        return [_no_pods(destination)]

    async def _ready(self, destination: Destination, labels: Mapping[str, str]) -> bool:
        namespace = destination.service[1] if destination.service else self._namespace
        query = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        listed = await self._cluster.get(path_to("v1", "pods", namespace), labelSelector=query)
        return any(is_ready(pod) for pod in listed.get("items") or [])


def second_virtual_services(
    body: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Yield the VirtualServices that claim a host of this one on the same gateway.

    Sidecars do not merge them and gateways merge them in no defined order: weights may then have no effect.
    """
    name = body["metadata"]["name"]
    claims = _claims(body)
    for other in others:
        rival = other["metadata"]["name"]
        shared = claims & _claims(other)
        if rival != name and shared:
            host = min(shared)[0]
            yield Finding(
                "second_virtual_service",
                f"VirtualService {rival} also claims {host}. Which of the two wins is undefined; merge them into one.",
            )


def _claims(body: Mapping[str, Any]) -> set[tuple[str, str]]:
    spec = body.get("spec") or {}
    namespace = str(body["metadata"].get("namespace", ""))
    return {
        (full_host(str(host), namespace), str(gateway))
        for host in spec.get("hosts") or []
        for gateway in spec.get("gateways") or ["mesh"]
    }


def _subset_missing(destination: Destination) -> Finding:
    return Finding(
        "subset_missing",
        f"No DestinationRule defines subset {destination.subset} of {destination.host}; "
        "traffic sent there fails. Define it.",
    )


def _not_checked(destination: Destination, error: RefusedError) -> Finding:
    return Finding(
        "pods_not_checked",
        f"Whether pods stand behind {destination.host} could not be checked: {error}",
        fatal=False,
    )


def _no_pods(destination: Destination) -> Finding:
    which = f"subset {destination.subset} of " if destination.subset else ""
    return Finding(
        "subset_without_pods",
        f"No ready pod stands behind {which}{destination.host}; "
        "traffic sent there fails. Start its pods, or correct the labels.",
    )
