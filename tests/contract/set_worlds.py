"""What the controllers of StatefulSets and DaemonSets would have made of a set, for an API server that runs none."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.contract.kubernetes_worlds import World

_MERGE = "application/merge-patch+json"
NODES = 6
"""Nodes that a DaemonSet is said to have."""


async def play_controller(world: "World", plural: str, name: str) -> None:
    """Give a set its revision, its pods, all of them ready, and the status that goes with that."""
    owner = await world.object(plural, name)
    kind, template = owner["kind"], owner["spec"]["template"]
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
    revision = f"{name}-{digest}"
    known = await world.items("controllerrevisions")
    if not any(item["metadata"]["name"] == revision for item in known):
        await world.apply("controllerrevisions", _revision(owner, digest, len(known) + 1))
    for pod in await world.items("pods"):
        await world.delete("pods", pod["metadata"]["name"])
    wanted = owner["spec"].get("replicas", NODES)
    key = digest if kind == "DaemonSet" else revision
    for number in range(wanted):
        await _run_pod(world, owner, f"{name}-{number}", key)
    status = _status(kind, owner["metadata"]["generation"], wanted, revision)
    await world._send("PATCH", world.path(plural, name) + "/status", {"status": status}, _MERGE)


def _owned_by(owner: dict[str, Any]) -> dict[str, Any]:
    metadata = owner["metadata"]
    reference = {"apiVersion": "apps/v1", "kind": owner["kind"], "controller": True}
    return reference | {"name": metadata["name"], "uid": metadata["uid"]}


def _revision(owner: dict[str, Any], digest: str, number: int) -> dict[str, Any]:
    template = owner["spec"]["template"]
    labels = dict(template["metadata"]["labels"])
    if owner["kind"] == "DaemonSet":
        labels["controller-revision-hash"] = digest
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{owner['metadata']['name']}-{digest}",
            "labels": labels,
            "ownerReferences": [_owned_by(owner)],
        },
        "data": {"spec": {"template": {"$patch": "replace", **template}}},
        "revision": number,
    }


async def _run_pod(world: "World", owner: dict[str, Any], name: str, key: str) -> None:
    # Here, because that room knows this one.
    from tests.contract.kubernetes_worlds import pod_status  # noqa: PLC0415

    template = owner["spec"]["template"]
    (container,) = template["spec"]["containers"]
    labels = template["metadata"]["labels"] | {"controller-revision-hash": key}
    spec = {
        "containers": [{k: container[k] for k in ("name", "image")}],
        "automountServiceAccountToken": False,
    }
    metadata = {"name": name, "labels": labels, "ownerReferences": [_owned_by(owner)]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    await world.apply("pods", pod)
    status = pod_status(container["name"], container["image"], "")
    await world._send("PATCH", world.path("pods", name) + "/status", {"status": status}, _MERGE)


def _status(kind: str, generation: int, pods: int, revision: str) -> dict[str, Any]:
    if kind == "DaemonSet":
        counts = ("desired", "current", "updated")
        return {
            "observedGeneration": generation,
            **{f"{what}NumberScheduled": pods for what in counts},
            "numberReady": pods,
            "numberAvailable": pods,
            "numberMisscheduled": 0,
        }
    counts = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas")
    return {
        "observedGeneration": generation,
        **dict.fromkeys((*counts, "updatedReplicas"), pods),
        "currentRevision": revision,
        "updateRevision": revision,
    }
