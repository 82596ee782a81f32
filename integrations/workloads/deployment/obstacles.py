"""What would stop a rollout of a Deployment, undo it, or keep it from going back, before it is tried.

Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import Finding
from integrations.kube import Cluster, path_to
from integrations.kube.health import unprobed
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.rivals import rivals
from integrations.kube.way_back import Restore, way_back

_ALL_MOVES = (
    ".spec.template.spec.containers[].image, .spec.strategy, .spec.minReadySeconds and "
    ".spec.progressDeadlineSeconds"
)
"""What a movement in batches changes on the Deployment."""
_LANE = ".spec.template.spec.containers[].image and .spec.replicas"
"""What a rollout changes on one Deployment of a pair."""

Body = Mapping[str, Any]


async def pair_obstacles(
    cluster: Cluster, namespace: str, restores: Sequence[Restore], container: str
) -> list[Finding]:
    """Return everything noticed about the two Deployments of a pair, fatal or not."""
    halted = paused([restore.body for restore in restores])
    if halted:
        return halted
    found = await _around(cluster, namespace, restores, container)
    owned = [
        finding
        for restore in restores
        for finding in applied_from_elsewhere(restore.body, "image", _LANE)
    ]
    return [*found, *owned]


async def single_obstacles(
    cluster: Cluster, namespace: str, restore: Restore, container: str
) -> list[Finding]:
    """Return everything noticed about a Deployment whose pods move in batches, fatal or not."""
    halted = paused([restore.body])
    if halted:
        return halted
    found = await _around(cluster, namespace, [restore], container)
    return [*found, *applied_from_elsewhere(restore.body, "image", _ALL_MOVES)]


def paused(bodies: Sequence[Body]) -> list[Finding]:
    """Return a finding for each Deployment that somebody has paused."""
    return [
        Finding("deployment_paused", paused_sentence(body))
        for body in bodies
        if (body.get("spec") or {}).get("paused")
    ]


def paused_sentence(body: Body) -> str:
    """Return why a paused Deployment cannot be moved, and what to do."""
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
    return (
        f"Deployment {name} in namespace {namespace} is paused, so its controller moves no pods. "
        f"Resume it: kubectl rollout resume deployment/{name} -n {namespace}."
    )


async def _around(
    cluster: Cluster, namespace: str, restores: Sequence[Restore], container: str
) -> list[Finding]:
    names = [str(restore.body["metadata"]["name"]) for restore in restores]
    # What a rollback looks at to tell whether it is home.
    lists = [path_to("v1", "pods", namespace), path_to("apps/v1", "replicasets", namespace)]
    proven, others = await asyncio.gather(
        way_back(cluster, restores, lists), rivals(cluster, namespace, "Deployment", names)
    )
    bodies = [restore.body for restore in restores]
    return [
        *(finding for body in bodies for finding in owned_by_another(body)),
        *proven,
        *others,
        *unprobed(bodies, container),
    ]
