"""The Deployment whose pods a lane's policy is for: how many there are, what they run, and why they do not start.

A policy restarts no pods, so every pod that is available is ready for it, whatever the policy says.
"""

from collections.abc import Sequence
from typing import Any

from integrations.base import LaneState
from integrations.kube import Cluster, path_to
from integrations.kube.fence import fence_of, fence_ops, lock_op
from integrations.kube.pods import is_alive, problem_of, selector_query
from integrations.kube.template import image_ops, replica_ops
from integrations.workloads.policy.slots import Body


def lane_state(deployment: Body, pods: Sequence[Body], image: str, token: str) -> LaneState:
    """Return a lane whose policy is `image`; `pods` are those that may have a problem."""
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    problem, detail = problem_of(pods)
    return LaneState(
        image=image,
        replicas=int(spec.get("replicas", 1)),
        ready=int(status.get("availableReplicas", 0)),
        settled=is_settled(deployment),
        token=token,
        fence=fence_of(deployment),
        problem=problem,
        detail=detail,
    )


def is_settled(deployment: Body) -> bool:
    """Whether there are as many pods as asked for, all of them available, and none is leaving."""
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    if deployment["metadata"].get("generation", 0) > status.get("observedGeneration", 0):
        return False
    counts = (status.get("availableReplicas", 0), status.get("replicas", 0))
    return counts == (spec.get("replicas", 1),) * 2


async def pods_of(cluster: Cluster, namespace: str, deployment: Body) -> list[Body]:
    """Return the pods that a Deployment selects and that have not ended."""
    query = {"labelSelector": selector_query(deployment)}
    listed = await cluster.get(path_to("v1", "pods", namespace), **query)
    return [pod for pod in listed.get("items") or [] if is_alive(pod)]


def pods_ops(
    deployment: Body, replicas: int | None, fence: str, like: Body | None = None
) -> list[dict[str, Any]]:
    """Return the JSON Patch that asks for so many pods and puts the fence on a Deployment.

    Pods that start where there are none run what those of `like` run: a policy is tried on the software that is live.
    """
    metadata = deployment["metadata"]
    starts = bool(replicas) and not deployment["spec"].get("replicas", 1)
    return [
        lock_op(str(metadata.get("resourceVersion", ""))),
        *(_same_software(deployment, like) if starts and like is not None else []),
        *replica_ops(replicas),
        *fence_ops(annotated=bool(metadata.get("annotations")), fence=fence),
    ]


def _same_software(deployment: Body, like: Body) -> list[dict[str, Any]]:
    wanted = {entry["name"]: entry.get("image") for entry in _containers(like)}
    return [
        op
        for index, entry in enumerate(_containers(deployment))
        if wanted.get(entry["name"], entry.get("image")) != entry.get("image")
        for op in image_ops(index, entry["name"], wanted[entry["name"]])
    ]


def _containers(deployment: Body) -> list[Body]:
    return list(deployment["spec"]["template"]["spec"].get("containers") or [])
