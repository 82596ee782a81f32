"""What would stop a Rollout from moving, or from going back: rights, another Rollout, a hand on it, a GitOps tool."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import Finding, RefusedError
from integrations.controllers.argo.status import Sight
from integrations.kube import Cluster, path_to
from integrations.kube.fence import lock_op
from integrations.kube.ownership import applied_from_elsewhere
from integrations.kube.rights import Right, missing_rights
from integrations.kube.way_back import Restore, way_back

_IMAGE = "the image of its container, .spec.template.spec.containers[].image"


async def obstacles(
    cluster: Cluster, namespace: str, sight: Sight, paths: Sequence[str]
) -> list[Finding]:
    """Return what stands in the way. `paths`: the Rollout, and what carries its template where that is another."""
    sets = path_to("apps/v1", "replicasets", namespace)
    rights = [Right(verb, path) for path in paths for verb in ("get", "patch")]
    rights += [Right("patch", paths[0], "status"), Right("list", sets)]
    found = await missing_rights(cluster, rights)
    if not any(finding.fatal for finding in found):
        # The abort itself, tried without storing anything: admission policies have their say.
        tried = Restore(f"{paths[0]}/status", sight.body, _abort)
        found += await way_back(cluster, [tried])
    return [*dict.fromkeys([*found, *await _others(cluster, namespace, sight), *_remarks(sight)])]


def _abort(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    token = str(body["metadata"].get("resourceVersion", ""))
    ops: list[dict[str, Any]] = [lock_op(token)]
    if "status" not in body:
        ops.append({"op": "add", "path": "/status", "value": {}})
    return [*ops, {"op": "add", "path": "/status/abort", "value": True}]


async def _others(cluster: Cluster, namespace: str, sight: Sight) -> list[Finding]:
    """Return which other Rollouts lead the same pods."""
    path = path_to("argoproj.io/v1alpha1", "rollouts", namespace)
    try:
        listed = await cluster.get(path)
    except RefusedError as error:
        text = f"Whether another Rollout leads the same pods could not be checked: {error}"
        return [Finding("rivals_not_checked", text, fatal=False)]
    mine = sight.body["metadata"]["name"]
    return [
        Finding(
            "owned_by_another",
            f"Rollout {one['metadata']['name']} leads the same pods as {mine}. "
            "Two writers of one field never agree; let one of them go.",
        )
        for one in listed.get("items") or []
        if one["metadata"]["name"] != mine and _same_pods(one.get("spec") or {}, sight.spec)
    ]


def _same_pods(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    same = (one.get(key) and one.get(key) == other.get(key) for key in ("workloadRef", "selector"))
    return any(same)


def _remarks(sight: Sight) -> Iterator[Finding]:
    yield from applied_from_elsewhere(sight.carrier, "image", _IMAGE)
    if sight.held:
        yield Finding(
            "held_by_hand",
            "The Rollout is paused by hand (spec.paused); people are asked before it goes on.",
            fatal=False,
        )
