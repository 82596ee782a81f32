"""Which lane of a simulated service gets how much of its requests, and whose pods answer there.

The one rule: only Kubernetes objects are looked at, as a mesh looks at them. A VirtualService splits, or a route of the
Gateway API, or a TrafficSplit; without any of them the Service's selector decides, and pods share what they are
selected for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from integrations.base import Lane, version_of
from integrations.metrics.templates import Lanes

_PAIR = ("stable", "canary")
_OWNERS = ("deployments", "statefulsets", "daemonsets")
_ROUTES = {
    "virtualservices": ("http", "tls", "tcp"),
    "httproutes": ("rules",),
    "grpcroutes": ("rules",),
    "trafficsplits": (),
}
"""What splits a service, and where its lists of routes are; a TrafficSplit is one route itself."""
_PARTS = ("route", "backendRefs", "backends")


class Objects(Protocol):
    """A cluster as far as traffic depends on it."""

    @property
    def revision(self) -> int:
        """A number that changes with every change of any object."""
        ...

    def object(self, plural: str, namespace: str, name: str, /) -> dict[str, Any] | None:
        """Return the object as it is now, `None` when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Crew:
    """Who answers in one lane."""

    version: str
    """Of the template: what the pods are, or are becoming."""
    ready: Mapping[str, int]
    """Ready pods by version."""


class Ways:
    """The ways to the lanes of one service."""

    def __init__(self, cluster: Objects, service: str, lanes: Lanes) -> None:
        self.audience = 0.0
        """The part of all requests that an audience matches."""
        self._cluster = cluster
        self._service = service
        self._lanes = lanes
        self._template: dict[Lane, str] = {}
        self._before: dict[Lane, str] = {}

    def shares(self) -> dict[Lane, float]:
        """Return the part of the requests, 0 to 1, that each lane gets."""
        if not self._lanes.stable:
            return {Lane.CANARY: 1.0}
        canary = self._canary_share()
        return {Lane.STABLE: 1 - canary, Lane.CANARY: canary}

    def _canary_share(self) -> float:
        routes = self._routes()
        if routes is None:
            return self._selected_share()
        share = routes_share(routes, self._places())
        if any(_is_ours(route) for route in routes):
            return self.audience + (1 - self.audience) * share
        return share

    def _routes(self) -> Sequence[Mapping[str, Any]] | None:
        """Return what splits the service, whichever mesh it is; None where nothing does."""
        for plural, places in _ROUTES.items():
            body = self._cluster.object(plural, self._lanes.namespace, self._service)
            if body is not None:
                spec = body.get("spec", {})
                listed = [route for place in places for route in spec.get(place) or []]
                return listed if places else [spec]
        return None

    def _places(self) -> tuple[str, str]:
        """Return what subsets and Services are called after: `canary` of `checkout-canary`."""
        stable, canary = (
            name.removeprefix(f"{self._service}-")
            for name in (self._lanes.stable, self._lanes.canary)
        )
        return stable, canary

    def _selected_share(self) -> float:
        service = self._cluster.object("services", self._lanes.namespace, self._service) or {}
        selector = service.get("spec", {}).get("selector") or {}
        ready = {
            lane: _ready(self._deployment(lane))
            for lane in Lane
            if selector and selector.items() <= _labels(self._deployment(lane)).items()
        }
        total = sum(ready.values())
        if not total:
            return 1.0 if list(ready) == [Lane.CANARY] else 0.0
        return ready.get(Lane.CANARY, 0) / total

    def crew(self, lane: Lane) -> Crew:
        """Return who answers in a lane. Pods that are not of the template run what the template was before."""
        deployment = self._deployment(lane)
        version = _version(deployment)
        if version != self._template.get(lane, version):
            self._before[lane] = self._template[lane]
        self._template[lane] = version
        status, ready = deployment.get("status", {}), _ready(deployment)
        total = int(status.get("replicas", status.get("currentNumberScheduled", ready)))
        updated = status.get("updatedReplicas", status.get("updatedNumberScheduled", total))
        old = total - int(updated)
        stayed = min(old, ready) if lane in self._before else 0
        crew = {version: ready - stayed}
        if stayed:
            crew[self._before[lane]] = stayed
        return Crew(version, crew)

    def _deployment(self, lane: Lane) -> Mapping[str, Any]:
        name = self._lanes.workload(lane)
        found = (self._cluster.object(plural, self._lanes.namespace, name) for plural in _OWNERS)
        return next((body for body in found if body is not None), {})


def canary_share(virtual_service: Mapping[str, Any], places: Sequence[str] = _PAIR) -> float:
    """Return the part of the traffic, 0 to 1, that the first split between both places gives to the second."""
    return routes_share(virtual_service.get("spec", {}).get("http", ()), places)


def routes_share(routes: Sequence[Mapping[str, Any]], places: Sequence[str] = _PAIR) -> float:
    """Return the same of a list of routes, whatever mesh they are of."""
    for route in routes:
        parts = next((route[key] for key in _PARTS if key in route), ())
        weights = {_place(part, places): float(part.get("weight") or 0) for part in parts}
        if set(places) <= weights.keys():
            total = sum(weights.values())
            return weights[places[1]] / total if total else 0.0
    return 0.0


def _is_ours(route: Mapping[str, Any]) -> bool:
    return str(route.get("name", "")).startswith("sluice-")


def _place(part: Mapping[str, Any], places: Sequence[str]) -> str | None:
    destination = part.get("destination", {})
    names = (
        destination.get("subset"),
        destination.get("host"),
        part.get("name"),
        part.get("service"),
    )
    name = str(next(filter(None, names), ""))
    return next((place for place in places if name == place or name.endswith(f"-{place}")), None)


def _ready(deployment: Mapping[str, Any]) -> int:
    status = deployment.get("status", {})
    return int(status.get("readyReplicas") or status.get("numberReady") or 0)


def _labels(deployment: Mapping[str, Any]) -> Mapping[str, str]:
    template = deployment.get("spec", {}).get("template", {})
    return template.get("metadata", {}).get("labels") or {}


def _version(deployment: Mapping[str, Any]) -> str:
    containers = (
        deployment.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
    )
    return version_of(containers[0].get("image", "")) if containers else ""
