"""What would stop the movement of a StatefulSet's pods, or undo it, before it is tried.

Pure. Everything here is a `Finding`, but for `stuck`, which is said while pods move.
"""

from collections.abc import Mapping
from typing import Any

from integrations.base import Finding, version_of
from integrations.kube.ownership import applied_from_elsewhere
from integrations.kube.pods import problem_of
from integrations.workloads.statefulset.moving import Blockade, is_on_delete, partition_of

_WRITTEN = ".spec.template.spec.containers[].image and .spec.updateStrategy.rollingUpdate.partition"

Body = Mapping[str, Any]


def obstacles(body: Body) -> list[Finding]:
    """Return what a StatefulSet itself says against a movement, fatal or not."""
    return [
        *([Finding("on_delete", on_delete_sentence(body))] if is_on_delete(body) else []),
        *([_partition_found(body)] if partition_of(body) else []),
        *applied_from_elsewhere(body, "image", _WRITTEN),
    ]


def on_delete_sentence(body: Body) -> str:
    """Return why a set whose pods wait to be deleted cannot be moved, and what to do."""
    return (
        f"StatefulSet {_name(body)} moves no pods by itself: .spec.updateStrategy.type is OnDelete. "
        "Make it RollingUpdate."
    )


def _partition_found(body: Body) -> Finding:
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
    patch = '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}'
    return Finding(
        "partition_found",
        f"StatefulSet {_name(body)} has partition {partition_of(body)}: somebody holds its first pods back, and a "
        f"rollout that is to move all of them would undo that. Set it to 0: kubectl patch statefulset {name} "
        f"-n {namespace} -p '{patch}'.",
    )


def stuck(body: Body, found: Blockade, container: str) -> str:
    """Return what a person does about the pod that the others wait for."""
    pod, namespace = found.pod["metadata"]["name"], body["metadata"].get("namespace", "")
    images = {c.get("name"): str(c.get("image", "")) for c in found.pod["spec"]["containers"]}
    why = problem_of([found.pod])[1] or f"Pod {pod} is not ready."
    return (
        f"{why} It runs {version_of(images.get(container, ''))}, and StatefulSet {body['metadata']['name']} replaces "
        f"no pod before it is ready. If it does not get well: kubectl delete pod {pod} -n {namespace}."
    )


def _name(body: Body) -> str:
    return f"{body['metadata']['name']} in namespace {body['metadata'].get('namespace', '')}"
