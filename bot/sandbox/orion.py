"""One service of the ORION platform as Kubernetes objects: a stable/canary pair behind an Istio VirtualService.

Pure. The two lanes are told apart by the label `track`, as in the platform's own canary guide.
"""

from typing import Any

Body = dict[str, Any]

_ISTIO = "networking.istio.io/v1"


def orion_objects(service: str, namespace: str, image: str, replicas: int) -> list[Body]:
    """Return namespace, Deployments, Service, DestinationRule and VirtualService (route `primary`, 100/0)."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        _deployment(service, namespace, "stable", image, replicas),
        _deployment(service, namespace, "canary", image, 0),
        _object("v1", "Service", service, namespace, _service_spec(service)),
        _object(_ISTIO, "DestinationRule", service, namespace, _rule_spec(service)),
        _object(_ISTIO, "VirtualService", service, namespace, _virtual_service_spec(service)),
    ]


def _object(version: str, kind: str, name: str, namespace: str, spec: Body) -> Body:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _deployment(service: str, namespace: str, track: str, image: str, replicas: int) -> Body:
    labels = {"app": service, "track": track}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": service, "image": image}]},
        },
    }
    return _object("apps/v1", "Deployment", f"{service}-{track}", namespace, spec)


def _service_spec(service: str) -> Body:
    return {"selector": {"app": service}, "ports": [{"name": "http", "port": 80}]}


def _rule_spec(service: str) -> Body:
    subsets = [{"name": track, "labels": {"track": track}} for track in ("stable", "canary")]
    return {"host": service, "subsets": subsets}


def _virtual_service_spec(service: str) -> Body:
    route = [
        {"destination": {"host": service, "subset": track}, "weight": weight}
        for track, weight in (("stable", 100), ("canary", 0))
    ]
    return {"hosts": [service], "http": [{"name": "primary", "route": route}]}
