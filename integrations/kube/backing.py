"""What stands behind the Services that a split leads to: whether they are there, and whether pods of theirs are ready.

Read-only. Not being allowed to look is no proof that there is nothing: the Deployment's own status still counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import Finding, RefusedError
from integrations.kube.cluster import Cluster
from integrations.kube.lanes import selector_of, service_at
from integrations.kube.paths import path_to
from integrations.kube.reading import is_ready


@dataclass(frozen=True, slots=True)
class Backing:
    """One Service, and what was noticed about it."""

    service: Mapping[str, Any]
    """Empty where there is none."""
    findings: tuple[Finding, ...] = ()


async def backing(cluster: Cluster, namespace: str, name: str, *, pods: bool) -> Backing:
    """Return a Service and what would make the traffic that is sent to it fail; with `pods` it needs a ready one."""
    try:
        service = await service_at(cluster, name, namespace)
    except RefusedError as error:
        return Backing({}, (_not_checked(name, error),))
    if service is None:
        return Backing({}, (_missing(name),))
    selector = selector_of(service)
    if not (pods and selector):
        return Backing(service)
    query = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    try:
        listed = await cluster.get(path_to("v1", "pods", namespace), labelSelector=query)
    except RefusedError as error:
        return Backing(service, (_not_checked(name, error),))
    ready = any(is_ready(pod) for pod in listed.get("items") or [])
    return Backing(service, () if ready else (_no_pods(name),))


def _missing(name: str) -> Finding:
    return Finding(
        "service_missing",
        f"There is no Service {name}; traffic sent there fails. Create it, or correct the route.",
    )


def _not_checked(name: str, error: RefusedError) -> Finding:
    return Finding(
        "pods_not_checked",
        f"Whether pods stand behind Service {name} could not be checked: {error}",
        fatal=False,
    )


def _no_pods(name: str) -> Finding:
    return Finding(
        "subset_without_pods",
        f"No ready pod stands behind Service {name}; traffic sent there fails. "
        "Start its pods, or correct its selector.",
    )
