"""Who else changes a workload while it is rolled out: autoscalers, and controllers that roll it out themselves.

Looked up by what they point at, because the workload itself often bears no trace of them. What may not be listed is
said and passed over: nothing here is needed to go back.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import Finding, GoneError, RefusedError
from integrations.kube.cluster import Cluster
from integrations.kube.paths import path_to

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of object that points at a workload."""

    version: str
    plural: str
    kind: str
    field: str
    """Where in its spec it points."""
    fights: bool = False
    """Writes what a rollout writes; else it only changes how many instances there are."""


_SCALERS = (
    _Kind("keda.sh/v1alpha1", "scaledobjects", "ScaledObject", "scaleTargetRef"),
    _Kind(
        "autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "scaleTargetRef"
    ),
)
_DRIVERS = (
    _Kind("flagger.app/v1beta1", "canaries", "Flagger's Canary", "targetRef", fights=True),
    _Kind("argoproj.io/v1alpha1", "rollouts", "Argo's Rollout", "workloadRef", fights=True),
)
_KINDS = (*_DRIVERS, *_SCALERS)


async def rivals(
    cluster: Cluster, namespace: str, kind: str, names: Collection[str]
) -> list[Finding]:
    """Return who else changes one of these workloads (of `kind`), fatal where they would fight over a rollout."""
    served = await _served(cluster)
    here = [one for one in _KINDS if one.version in served]
    found = await asyncio.gather(*(_pointing(cluster, namespace, one, kind, names) for one in here))
    return list(dict.fromkeys(finding for findings in found for finding in findings))


async def _served(cluster: Cluster) -> set[str]:
    """Return every `group/version` that the cluster serves; discovery is open to every account."""
    try:
        groups = (await cluster.get("/apis")).get("groups") or []
    except RefusedError:
        return {one.version for one in _KINDS}
    return {str(v.get("groupVersion")) for group in groups for v in group.get("versions") or []}


async def _pointing(
    cluster: Cluster, namespace: str, one: _Kind, kind: str, names: Collection[str]
) -> Sequence[Finding]:
    try:
        listed = await cluster.get(path_to(one.version, one.plural, namespace))
    except GoneError:
        # A group may be served without this kind: Argo CD has the one of Argo Rollouts.
        return []
    except RefusedError as error:
        return [
            Finding(
                "rivals_not_checked",
                f"Whether a {one.kind} changes {', '.join(names)} could not be checked: {error}",
                fatal=False,
            )
        ]
    return list(_findings(one, listed.get("items") or [], kind, names))


def _findings(
    one: _Kind, items: Sequence[Body], kind: str, names: Collection[str]
) -> Iterator[Finding]:
    for item in items:
        name = item["metadata"]["name"]
        target = (item.get("spec") or {}).get(one.field) or {}
        # KEDA leaves the kind out where it means a Deployment.
        if target.get("kind", "Deployment") != kind or target.get("name") not in names:
            continue
        if one.kind == "HorizontalPodAutoscaler" and _made_by_keda(item):
            continue
        yield _finding(one, name, kind, str(target["name"]))


def _made_by_keda(item: Body) -> bool:
    owners = item["metadata"].get("ownerReferences") or []
    return any(owner.get("kind") == "ScaledObject" for owner in owners)


def _finding(one: _Kind, name: str, kind: str, target: str) -> Finding:
    if one.fights:
        return Finding(
            "owned_by_another",
            f"{one.kind} {name} rolls {kind} {target} out as well. "
            "Two writers of one field never agree; let one of them go.",
        )
    return Finding(
        "autoscaled",
        f"{one.kind} {name} may change how many instances {target} has while a rollout moves it. "
        "Watch the counts on the card.",
        fatal=False,
    )
