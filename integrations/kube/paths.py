"""Where an object lives in the API, and whether an answer is the object that was asked for.

Pure. Every path is built here from checked and quoted parts, so that no name can climb into another namespace.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from integrations.base import RefusedError

# The kind behind each plural that the adapters read; an answer of another kind is refused.
_KINDS = {
    "canaries": "Canary",
    "controllerrevisions": "ControllerRevision",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "destinationrules": "DestinationRule",
    "grpcroutes": "GRPCRoute",
    "httproutes": "HTTPRoute",
    "namespaces": "Namespace",
    "pods": "Pod",
    "replicasets": "ReplicaSet",
    "rollouts": "Rollout",
    "revisions": "Revision",
    "services": "Service",
    "statefulsets": "StatefulSet",
    "trafficsplits": "TrafficSplit",
    "virtualservices": "VirtualService",
}

# RFC 1123, as the API server checks it: a label for namespaces, a subdomain for everything else.
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")

_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?:status|scale|log))?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a path points at; as text in the words of the API, which are those of rights."""

    plural: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        resource = f"{self.plural}.{self.group}" if self.group else self.plural
        name = f" {self.name}" if self.name else ""
        return f"{resource}{name}" + (f" in namespace {self.namespace}" if self.namespace else "")

    @property
    def named(self) -> str:
        """What people call it, for example `VirtualService checkout in namespace shop`."""
        kind = _KINDS.get(self.plural, self.plural) if self.name else self.plural
        name = f" {self.name}" if self.name else ""
        return f"{kind}{name}" + (f" in namespace {self.namespace}" if self.namespace else "")

    @property
    def missing(self) -> str:
        """The code for an object that is not there, for example `virtual_service_missing`."""
        kind = _KINDS.get(self.plural, "Object")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower() + "_missing"


def path_to(version: str, plural: str, namespace: str, name: str | None = None) -> str:
    """Return the path of an object or, without `name`, of the list of a namespace.

    `version` is `v1` or `group/version`. Raises `RefusedError` (`bad_name`) for what cannot be a Kubernetes name.
    """
    if len(namespace) > 63 or not _NAMESPACE.fullmatch(namespace):
        raise _bad_name("namespace", namespace)
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    path = f"{root}/namespaces/{quote(namespace, safe='')}/{plural}"
    if name is None:
        return path
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise _bad_name(plural, name)
    return f"{path}/{quote(name, safe='')}"


def place_of(path: str) -> Place | None:
    """Return what a path points at; None for discovery and other paths without a resource."""
    found = _PATH.fullmatch(path)
    return Place(**{k: v or "" for k, v in found.groupdict().items()}) if found else None


def refuse_another(place: Place, body: Mapping[str, Any]) -> None:
    """Raise `RefusedError` (`wrong_object`) unless the answer is the very object that was asked for."""
    metadata = body.get("metadata") or {}
    same = (
        body.get("kind") == _KINDS.get(place.plural, body.get("kind"))
        and metadata.get("name") == place.name
        and metadata.get("namespace", "") == place.namespace
    )
    if not same:
        raise RefusedError(
            f"The cluster answered with another object than {place.named}. "
            "Something between the bot and the API server rewrites paths; ask who runs that proxy.",
            code="wrong_object",
        )


def _bad_name(what: str, name: str) -> RefusedError:
    shown = re.sub(r"[^A-Za-z0-9._-]", "?", name[:40])
    return RefusedError(
        f"{shown!r} cannot be a Kubernetes name ({what}): lower-case letters, digits and dashes only. "
        "Correct it in sluice.yaml.",
        code="bad_name",
    )
