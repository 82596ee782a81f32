"""Whether "ready" means anything for a workload, and whether the mesh is there at all.

Pure. Remarks only: a service may well run without a probe or a sidecar, but who promotes it should know.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from integrations.base import Finding

Body = Mapping[str, Any]

_AMBIENT = ("istio.io/dataplane-mode", "ambient")
_REDIRECTED = ("ambient.istio.io/redirection", "enabled")
"""What the node agent of the ambient mode leaves on a pod that it serves."""


def unprobed(workloads: Iterable[Body], container: str) -> list[Finding]:
    """Return a remark that names the workloads whose container has no readiness probe."""
    names = [
        f"{body.get('kind', 'Deployment')} {body['metadata']['name']}"
        for body in workloads
        if not _probed(body, container)
    ]
    if not names:
        return []
    return [
        Finding(
            "no_readiness_probe",
            f"Container {container} of {' and '.join(names)} has no readiness probe, so a pod counts as ready as soon "
            "as it runs. Give it one: Sluice and Kubernetes send traffic to what is ready.",
            fatal=False,
        )
    ]


def without_sidecar(pods: Iterable[Body], proxy: str) -> list[str]:
    """Return the names of the pods that have no container `proxy` (`istio-proxy`, `linkerd-proxy`).

    A sidecar may be an init container that keeps running. Pods of Istio's ambient mode need none.
    """
    return [
        str(pod["metadata"]["name"])
        for pod in pods
        if proxy not in _containers(pod) and not is_ambient(pod)
    ]


def is_ambient(body: Body) -> bool:
    """Say whether a namespace or a pod takes part in Istio's ambient mode."""
    metadata = body.get("metadata") or {}
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return labels.get(_AMBIENT[0]) == _AMBIENT[1] or notes.get(_REDIRECTED[0]) == _REDIRECTED[1]


def _containers(pod: Body) -> set[str]:
    spec = pod.get("spec") or {}
    return {
        str(entry.get("name"))
        for key in ("containers", "initContainers")
        for entry in spec.get(key) or []
    }


def _probed(body: Body, container: str) -> bool:
    template = (body.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or []
    # A container that is not there is a finding of its own.
    found = [entry for entry in containers if entry.get("name") == container]
    return not found or "readinessProbe" in found[0]
