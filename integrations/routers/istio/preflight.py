"""What would make a split of a VirtualService fail or fight with somebody, before it is tried.

Read-only. Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import Finding, Lane, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.health import is_ambient, without_sidecar
from integrations.kube.lanes import selector_of
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.reading import is_ready
from integrations.routers.istio.lanes import (
    LaneBook,
    networking_version,
    service_of,
    subset_labels,
)
from integrations.routers.istio.routes import Destination, full_host, title_of
from integrations.routers.istio.sight import Sight
from integrations.routers.istio.subsets import mistaken

_WEIGHTS = ".spec.{family}[].route[].weight"

_EVERY: tuple[Mapping[str, Any], ...] = ({}, {"uri": {"prefix": "/"}})
"""Conditions of a route that every request fulfils."""


class Preflight:
    """The checks around one VirtualService, as it was just read."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        root: Mapping[str, Any],
        sight: Sight,
        lanes: LaneBook,
    ) -> None:
        """`root` is the VirtualService that claims the hosts: the one of `sight`, or the one that delegates to it."""
        self._cluster = cluster
        self._namespace = namespace
        self._root = root
        self._sight = sight
        self._lanes = lanes

    async def findings(self, *, canary_pods: bool) -> list[Finding]:
        """Return everything noticed, fatal or not; without `canary_pods` only stable needs ready pods."""
        body, forks = self._sight.body, self._sight.forks
        ends = dict.fromkeys((fork.lane(lane), lane) for lane in Lane for fork in forks)
        facts, twins, *services = await asyncio.gather(
            self._lanes.facts(destination for destination, _ in ends),
            self._twins(),
            *(service_of(self._cluster, destination) for destination, _ in ends),
        )
        if facts.rules is None and facts.lacking is not None:
            raise facts.lacking
        lanes = await asyncio.gather(
            *(
                self._lane(destination, facts.rules or (), None if dark else service)
                for (destination, lane), service in zip(ends, services, strict=True)
                for dark in [lane is Lane.CANARY and not canary_pods]
            )
        )
        # Argo Rollouts leaves its name on the Services that it switches, not on the VirtualService.
        objects = (body, *(service or {} for service in services))
        weights = ", ".join(dict.fromkeys(_WEIGHTS.format(family=fork.family) for fork in forks))
        return [
            *dict.fromkeys(finding for body in objects for finding in owned_by_another(body)),
            *twins,
            *shadowed(self._sight),
            *self._delegation(),
            *mistaken(facts, ends),
            *(finding for lane in lanes for finding in lane),
            *applied_from_elsewhere(body, "weights", weights),
        ]

    def _delegation(self) -> list[Finding]:
        """Notice a delegate with hosts of its own: Istio then ignores that the root delegates to it."""
        name = self._sight.name
        if name == self._root["metadata"]["name"] or not (self._sight.body["spec"].get("hosts")):
            return []
        return [
            Finding(
                "delegate_has_hosts",
                f"VirtualService {name} has hosts of its own, so nothing can be delegated to it. "
                "Remove its `spec.hosts`.",
            )
        ]

    async def _twins(self) -> list[Finding]:
        version = await networking_version(self._cluster)
        listed = await self._cluster.get(path_to(version, "virtualservices", self._namespace))
        return list(second_virtual_services(self._root, listed.get("items") or []))

    async def _lane(
        self,
        destination: Destination,
        rules: Sequence[Mapping[str, Any]],
        service: Mapping[str, Any] | None,
    ) -> list[Finding]:
        """Check the subset; and its pods where `service` is given and selects any."""
        labels = subset_labels(rules, destination, self._namespace) if destination.subset else {}
        if labels is None:
            return []
        selector = selector_of(service)
        if not selector:
            return []
        try:
            ready = await self._ready(destination, {**selector, **labels})
        except RefusedError as error:
            # Not being allowed to list pods is no proof that there are none; the Deployment's own status still counts.
            return [_not_checked(destination, error)]
        if not ready:
            return [_no_pods(destination)]
        bare = without_sidecar(ready, "istio-proxy")
        return [_no_sidecar(bare)] if bare and await self._sidecars_count() else []

    async def _ready(
        self, destination: Destination, labels: Mapping[str, str]
    ) -> list[Mapping[str, Any]]:
        namespace = destination.service[1] if destination.service else self._namespace
        query = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        listed = await self._cluster.get(path_to("v1", "pods", namespace), labelSelector=query)
        return [pod for pod in listed.get("items") or [] if is_ready(pod)]

    async def _sidecars_count(self) -> bool:
        """Say whether pods should have one: not behind a gateway alone, not in the ambient mode."""
        if "mesh" not in ((self._root.get("spec") or {}).get("gateways") or ["mesh"]):
            return False
        try:
            return not is_ambient(await self._cluster.get(f"/api/v1/namespaces/{self._namespace}"))
        except RefusedError:
            # A Role need not have it: pods of the ambient mode say so themselves, mostly.
            return True


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


def shadowed(sight: Sight) -> Iterator[Finding]:
    """Yield the http route before the split one that takes every request: Istio takes the first that matches."""
    http = (sight.body.get("spec") or {}).get("http") or []
    for fork in sight.forks:
        for at, route in enumerate(http[: fork.index] if fork.family == "http" else ()):
            if f"/spec/http/{at}" not in sight.ours and _takes_all(route):
                yield Finding(
                    "split_shadowed",
                    f"Route {title_of('http', at, route)} stands before the split one and takes every request, so no "
                    "weight has any effect. Put it last, or give it a condition.",
                )


def _takes_all(route: Mapping[str, Any]) -> bool:
    blocks = route.get("match") or [{}]
    return any(block in _EVERY for block in blocks)


def _claims(body: Mapping[str, Any]) -> set[tuple[str, str]]:
    spec = body.get("spec") or {}
    namespace = str(body["metadata"].get("namespace", ""))
    return {
        (full_host(str(host), namespace), str(gateway))
        for host in spec.get("hosts") or []
        for gateway in spec.get("gateways") or ["mesh"]
    }


def _not_checked(destination: Destination, error: RefusedError) -> Finding:
    return Finding(
        "pods_not_checked",
        f"Whether pods stand behind {destination.host} could not be checked: {error}",
        fatal=False,
    )


def _no_sidecar(pods: Sequence[str]) -> Finding:
    return Finding(
        "no_sidecar",
        f"Pod {pods[0]} runs without the sidecar istio-proxy ({len(pods)} of this version do), so the mesh neither "
        "counts its requests nor protects it. Label its namespace istio-injection=enabled and restart it.",
        fatal=False,
    )


def _no_pods(destination: Destination) -> Finding:
    which = f"subset {destination.subset} of " if destination.subset else ""
    return Finding(
        "subset_without_pods",
        f"No ready pod stands behind {which}{destination.host}; "
        "traffic sent there fails. Start its pods, or correct the labels.",
    )
