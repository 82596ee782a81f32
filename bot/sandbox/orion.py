"""Services of the ORION platform as Kubernetes objects, one function for each way in which its guides run them.

A stable/canary pair behind an Istio VirtualService (told apart by the label `track`), behind a route of the Gateway API
or a TrafficSplit (each lane by a Service of its own), a blue/green pair behind a Service (by `version`), and a single
Deployment.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Body = dict[str, Any]


class Shelf(Protocol):
    """Where objects are put, as far as these functions care."""

    def put(self, obj: Mapping[str, Any], /) -> None:
        """Create an object, or replace it."""
        ...


_ISTIO = "networking.istio.io/v1"
_GATEWAY = "gateway.networking.k8s.io/v1"
_PROBE = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}


def orion_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return namespace, Deployments, Service, DestinationRule and VirtualService (route `primary`, 100/0)."""
    return [
        _namespace(namespace),
        _lane(service, namespace, {"track": "stable"}, image, replicas),
        _lane(service, namespace, {"track": "canary"}, image, 0),
        _object("v1", "Service", service, namespace, _service_spec({"app": service})),
        *_mesh(service, namespace, "track", ("stable", "canary")),
    ]


def gateway_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return a pair, a Service for each lane, and an HTTPRoute of a Gateway that splits between them (100/0)."""
    parent = {"name": "public"}
    return [
        *_pair(service, namespace, image, replicas),
        _route("HTTPRoute", service, namespace, parent),
    ]


def grpc_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return the same with a GRPCRoute."""
    parent = {"name": "public"}
    return [
        *_pair(service, namespace, image, replicas),
        _route("GRPCRoute", service, namespace, parent),
    ]


def linkerd_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return the same with an HTTPRoute whose parent is the Service that clients call."""
    parent = {"group": "core", "kind": "Service", "name": service, "port": 80}
    return [
        *_pair(service, namespace, image, replicas),
        _route("HTTPRoute", service, namespace, parent),
    ]


def traffic_split_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return the same with a TrafficSplit."""
    backends = [
        {"service": f"{service}-{lane}", "weight": weight}
        for lane, weight in (("stable", 100), ("canary", 0))
    ]
    spec = {"service": service, "backends": backends}
    return [
        *_pair(service, namespace, image, replicas),
        _object("split.smi-spec.io/v1alpha1", "TrafficSplit", service, namespace, spec),
    ]


def colours_objects(
    service: str, namespace: str, image: str, replicas: int, *, mesh: bool = False
) -> list[Body]:
    """Return namespace, Deployments `-blue` and `-green`, and what sends traffic to blue.

    That is the Service, which selects `version: blue`, and its preview, which selects `version: green`; with `mesh` the
    Service selects both, and a VirtualService splits at 100/0.
    """
    labels = {"app": service}
    live = labels if mesh else labels | {"version": "blue"}
    preview = _service_spec(labels | {"version": "green"})
    return [
        _namespace(namespace),
        _lane(service, namespace, {"version": "blue"}, image, replicas),
        _lane(service, namespace, {"version": "green"}, image, 0),
        _object("v1", "Service", service, namespace, _service_spec(live)),
        _object("v1", "Service", f"{service}-preview", namespace, preview),
        *(_mesh(service, namespace, "version", ("blue", "green")) if mesh else []),
    ]


def ratio_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return a stable/canary pair and the one Service that selects the pods of both; nothing else splits."""
    return [
        _namespace(namespace),
        _lane(service, namespace, {"track": "stable"}, image, replicas),
        _lane(service, namespace, {"track": "canary"}, image, 0),
        _object("v1", "Service", service, namespace, _service_spec({"app": service})),
    ]


def fleet_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return namespace, one Deployment of the service's own name, and its Service."""
    labels = {"app": service}
    return [
        _namespace(namespace),
        _deployment(service, service, namespace, labels, image, replicas),
        _object("v1", "Service", service, namespace, _service_spec(labels)),
    ]


def knative_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return namespace and a Knative Service whose traffic follows its latest revision; Knative scales it."""
    del replicas
    container = {"name": service, "image": image, "readinessProbe": _PROBE}
    template = {"spec": {"containers": [container]}}
    body = _object("serving.knative.dev/v1", "Service", service, namespace, {"template": template})
    return [_namespace(namespace), body]


def stateful_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return namespace, one StatefulSet of the service's own name, and its Service."""
    return _set_objects("StatefulSet", service, namespace, image, replicas)


def daemon_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return namespace, one DaemonSet of the service's own name, and its Service; the nodes say how many pods."""
    del replicas
    return _set_objects("DaemonSet", service, namespace, image, None)


def _set_objects(
    kind: str, service: str, namespace: str, image: str, replicas: int | None
) -> list[Body]:
    labels = {"app": service}
    like = _deployment(service, service, namespace, labels, image, replicas or 0)["spec"]
    if replicas is None:
        del like["replicas"]
    else:
        like["serviceName"] = service
    return [
        _namespace(namespace),
        _object("apps/v1", kind, service, namespace, like),
        _object("v1", "Service", service, namespace, _service_spec(labels)),
    ]


def colours(
    cluster: Shelf,
    service: str = "cart",
    namespace: str = "orion",
    version: str = "v1.0.0",
    replicas: int = 4,
    repository: str = "ghcr.io/orion/cart",
    *,
    mesh: bool = False,
) -> None:
    """Put a service with a blue and a green Deployment into a cluster; blue is live, green has no pods."""
    for obj in colours_objects(service, namespace, f"{repository}:{version}", replicas, mesh=mesh):
        cluster.put(obj)


def fleet(
    cluster: Shelf,
    service: str = "search",
    namespace: str = "orion",
    version: str = "v1.0.0",
    replicas: int = 10,
    repository: str = "ghcr.io/orion/search",
) -> None:
    """Put a service with a single Deployment into a cluster."""
    for obj in fleet_objects(service, namespace, f"{repository}:{version}", replicas):
        cluster.put(obj)


def _pair(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return what stands behind a split by Services: the pair, the Service of both, and one of each lane."""
    lanes = ("stable", "canary")
    selectors = {service: {"app": service}} | {
        f"{service}-{lane}": {"app": service, "track": lane} for lane in lanes
    }
    return [
        _namespace(namespace),
        _lane(service, namespace, {"track": "stable"}, image, replicas),
        _lane(service, namespace, {"track": "canary"}, image, 0),
        *(
            _object("v1", "Service", name, namespace, _service_spec(selector))
            for name, selector in selectors.items()
        ),
    ]


def _route(kind: str, service: str, namespace: str, parent: Body) -> Body:
    backends = [
        {"name": f"{service}-{lane}", "port": 80, "weight": weight}
        for lane, weight in (("stable", 100), ("canary", 0))
    ]
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": backends}]}
    return _object(_GATEWAY, kind, service, namespace, spec)


def _namespace(name: str) -> Body:
    metadata = {"name": name, "labels": {"istio-injection": "enabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _object(version: str, kind: str, name: str, namespace: str, spec: Body) -> Body:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _lane(service: str, namespace: str, lane: dict[str, str], image: str, replicas: int) -> Body:
    (suffix,) = lane.values()
    labels = {"app": service, **lane}
    return _deployment(f"{service}-{suffix}", service, namespace, labels, image, replicas)


def _deployment(
    name: str, service: str, namespace: str, labels: dict[str, str], image: str, replicas: int
) -> Body:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": service, "image": image, "readinessProbe": _PROBE}]},
        },
    }
    return _object("apps/v1", "Deployment", name, namespace, spec)


def _service_spec(selector: dict[str, str]) -> Body:
    return {"selector": selector, "ports": [{"name": "http", "port": 80}]}


def _mesh(service: str, namespace: str, key: str, lanes: Sequence[str]) -> list[Body]:
    """Return DestinationRule and VirtualService; the first lane has all of the traffic."""
    subsets = [{"name": lane, "labels": {key: lane}} for lane in lanes]
    route = [
        {"destination": {"host": service, "subset": lane}, "weight": weight}
        for lane, weight in zip(lanes, (100, 0), strict=True)
    ]
    rule = {"host": service, "subsets": subsets}
    virtual_service = {"hosts": [service], "http": [{"name": "primary", "route": route}]}
    return [
        _object(_ISTIO, "DestinationRule", service, namespace, rule),
        _object(_ISTIO, "VirtualService", service, namespace, virtual_service),
    ]
