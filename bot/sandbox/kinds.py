"""Which kinds the simulated cluster serves, and what a path of its API points at.

Pure. Discovery is answered from the same table that serves the objects, so the two cannot disagree.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from bot.sandbox.daemons import fill_daemon_set
from bot.sandbox.knative import KNATIVE_REVISION, KNATIVE_SERVICE
from bot.sandbox.objects import Kind
from bot.sandbox.revisions import REVISIONS
from bot.sandbox.routes import fill_http_route, fill_route
from bot.sandbox.stateful import fill_stateful_set

Target = tuple[Kind, str, str, str, str]
"""Kind, version, namespace, name, subresource; empty where the path has none."""


def served_kinds() -> list[Kind]:
    """Return the kinds that a cluster with Istio serves, as far as the bot asks for them."""
    istio = ("networking.istio.io", ("v1", "v1beta1", "v1alpha3"))
    return [
        Kind("", ("v1",), "namespaces", "Namespace", namespaced=False, status_apart=True),
        Kind("", ("v1",), "pods", "Pod", status_apart=True),
        Kind("", ("v1",), "services", "Service", status_apart=True),
        Kind("", ("v1",), "serviceaccounts", "ServiceAccount"),
        Kind("discovery.k8s.io", ("v1",), "endpointslices", "EndpointSlice"),
        Kind("autoscaling", ("v2",), "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
        Kind(
            "apps", ("v1",), "deployments", "Deployment", counts_generations=True, status_apart=True
        ),
        Kind(
            "apps", ("v1",), "replicasets", "ReplicaSet", counts_generations=True, status_apart=True
        ),
        Kind(
            *istio, "virtualservices", "VirtualService", counts_generations=True, status_apart=True
        ),
        Kind(
            *istio,
            "destinationrules",
            "DestinationRule",
            counts_generations=True,
            status_apart=True,
        ),
        *_sets(),
        *_policies(),
        *_other_meshes(),
        KNATIVE_SERVICE,
        KNATIVE_REVISION,
        Kind(
            "authorization.k8s.io",
            ("v1",),
            "selfsubjectaccessreviews",
            "SelfSubjectAccessReview",
            namespaced=False,
        ),
    ]


def _sets() -> list[Kind]:
    """Return what runs pods by ordinal and by node, and the templates that it had."""
    both: dict[str, Any] = {"counts_generations": True, "status_apart": True}
    return [
        Kind("apps", ("v1",), "statefulsets", "StatefulSet", **both, fill=fill_stateful_set),
        Kind("apps", ("v1",), "daemonsets", "DaemonSet", **both, fill=fill_daemon_set),
        REVISIONS,
    ]


def _policies() -> list[Kind]:
    """Return Istio's policies besides the DestinationRule. The oldest of them have one version, and it is not v1."""
    security: tuple[str, tuple[str, ...]] = ("security.istio.io", ("v1", "v1beta1"))
    return [
        Kind(group, versions, plural, kind, counts_generations=True, status_apart=True)
        for (group, versions), plural, kind in (
            (("networking.istio.io", ("v1alpha3",)), "envoyfilters", "EnvoyFilter"),
            (security, "authorizationpolicies", "AuthorizationPolicy"),
            (security, "requestauthentications", "RequestAuthentication"),
            (security, "peerauthentications", "PeerAuthentication"),
            (("telemetry.istio.io", ("v1", "v1alpha1")), "telemetries", "Telemetry"),
            (("extensions.istio.io", ("v1alpha1",)), "wasmplugins", "WasmPlugin"),
        )
    ]


def _other_meshes() -> list[Kind]:
    """Return what the Gateway API, SMI and Linkerd add to a cluster."""
    gateway = "gateway.networking.k8s.io"
    both: dict[str, Any] = {"counts_generations": True, "status_apart": True}
    return [
        Kind(gateway, ("v1", "v1beta1"), "httproutes", "HTTPRoute", **both, fill=fill_http_route),
        Kind(gateway, ("v1",), "grpcroutes", "GRPCRoute", **both, fill=fill_route),
        Kind(
            "split.smi-spec.io",
            ("v1alpha1", "v1alpha2"),
            "trafficsplits",
            "TrafficSplit",
            counts_generations=True,
        ),
        Kind(
            "linkerd.io",
            ("v1alpha2",),
            "serviceprofiles",
            "ServiceProfile",
            counts_generations=True,
        ),
    ]


def target_of(kinds: Sequence[Kind], parts: Sequence[str]) -> Target | dict[str, Any] | None:
    """Return what a path points at: a resource, a discovery document, or None for nothing."""
    match parts:
        case ["version"]:
            return {"major": "1", "minor": "36", "gitVersion": "v1.36.0-sandbox"}
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            groups = dict.fromkeys(kind.group for kind in kinds if kind.group)
            return {"kind": "APIGroupList", "groups": [_group(kinds, name) for name in groups]}
        case ["apis", group]:
            return _group(kinds, group)
        case ["api", version, *rest]:
            return _resource(_in(kinds, "", version), version, rest)
        case ["apis", group, version, *rest]:
            return _resource(_in(kinds, group, version), version, rest)
        case _:
            return None


def _in(kinds: Iterable[Kind], group: str, version: str) -> list[Kind]:
    return [kind for kind in kinds if kind.group == group and version in kind.versions]


def _resource(
    kinds: Sequence[Kind], version: str, rest: Sequence[str]
) -> Target | dict[str, Any] | None:
    match rest:
        case []:
            names = [{"name": k.plural, "kind": k.kind, "namespaced": k.namespaced} for k in kinds]
            return {"kind": "APIResourceList", "resources": names} if kinds else None
        case ["namespaces", namespace, plural]:
            return _target(kinds, plural, version, namespace, "", "")
        case ["namespaces", namespace, plural, name]:
            return _target(kinds, plural, version, namespace, name, "")
        case ["namespaces", namespace, plural, name, "status"]:
            return _target(kinds, plural, version, namespace, name, "status")
        case ["namespaces", namespace, "pods", name, "log"]:
            return _target(kinds, "pods", version, namespace, name, "log")
        case [plural]:
            return _target(kinds, plural, version, "", "", "")
        case [plural, name]:
            return _target(kinds, plural, version, "", name, "")
        case _:
            return None


def _target(
    kinds: Iterable[Kind], plural: str, version: str, namespace: str, name: str, sub: str
) -> Target | None:
    kind = next((kind for kind in kinds if kind.plural == plural), None)
    # An object of a namespaced kind has no path without its namespace, and the other way round.
    if kind is None or (name and kind.namespaced != bool(namespace)):
        return None
    return kind, version, namespace, name, sub


def _group(kinds: Iterable[Kind], group: str) -> dict[str, Any] | None:
    versions = next((kind.versions for kind in kinds if kind.group == group), ())
    served = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"kind": "APIGroup", "name": group, "versions": served} if served else None
