"""What the newest pods of a Deployment say: why they cannot become ready, and which image they run.

Pure. Only pods of the newest ReplicaSet count; old ones may be failing for reasons of their own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from integrations.workloads.deployment.images import digest_of

Body = Mapping[str, Any]

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"

# Waiting reason -> problem. Backing off and failing take turns, so both count.
_REASONS = {
    "CrashLoopBackOff": "crash_loop",
    "ImagePullBackOff": "image_pull",
    "ErrImagePull": "image_pull",
    "ErrImageNeverPull": "image_pull",
    "InvalidImageName": "image_pull",
    "CreateContainerConfigError": "container_config",
    "CreateContainerError": "container_config",
    "RunContainerError": "container_config",
}
_CRASHES = 3  # restarts after which a container between two crashes no longer counts as running


def selector_query(body: Body) -> str:
    """Return a Deployment's selector in the form of the `labelSelector` parameter."""
    selector = (body.get("spec") or {}).get("selector") or {}
    equal = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    return ",".join(equal + [_expression(e) for e in selector.get("matchExpressions") or []])


def newest_pods(deployment: Body, replica_sets: Sequence[Body], pods: Sequence[Body]) -> list[Body]:
    """Return the living pods of the newest ReplicaSet that the Deployment owns.

    Where no ReplicaSet is listed (it may be forbidden or gone) the newest pod tells.
    """
    newest = newest_of(owned_sets(deployment, replica_sets)) or max(
        pods, key=_created, default=None
    )
    wanted = hash_of(newest) if newest else None
    return [
        pod for pod in pods if hash_of(pod) == wanted and "deletionTimestamp" not in pod["metadata"]
    ]


def owned_sets(deployment: Body, replica_sets: Iterable[Body]) -> list[Body]:
    """Return the ReplicaSets that the Deployment controls."""
    uid = deployment["metadata"].get("uid")
    return [item for item in replica_sets if _owned_by(item, uid)]


def newest_of(replica_sets: Iterable[Body]) -> Body | None:
    """Return the ReplicaSet with the highest revision; None of none."""
    return max(replica_sets, key=_revision, default=None)


def hash_of(item: Body) -> str:
    """Return the hash that a ReplicaSet and its pods bear; `""` when there is none."""
    return str((item["metadata"].get("labels") or {}).get(_HASH, ""))


def problem_of(pods: Iterable[Body]) -> tuple[str, str]:
    """Return the code and the sentence of the first thing that keeps a pod from becoming ready; `("", "")` for none."""
    return next((found for pod in pods for found in _problems(pod)), ("", ""))


def common_digest(pods: Iterable[Body], container: str) -> str:
    """Return the digest that all pods report for a container; `""` when they differ or one does not know."""
    digests = {
        digest_of(str(status.get("imageID", "")))
        for pod in pods
        for status in (pod.get("status") or {}).get("containerStatuses") or []
        if status.get("name") == container
    }
    return digests.pop() if len(digests) == 1 else ""


def _problems(pod: Body) -> Iterator[tuple[str, str]]:
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or []:
            problem = _container_problem(container)
            if problem:
                reason = ((container.get("state") or {}).get("waiting") or {}).get("reason")
                yield problem, _sentence(name, str(container.get("name")), reason, container)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield "unschedulable", f"Pod {name} finds no node to run on."


def _container_problem(container: Body) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    named = _REASONS.get(str(waiting.get("reason", "")), "")
    crashing = container.get("restartCount", 0) >= _CRASHES and not container.get("ready")
    return named or ("crash_loop" if crashing else "")


def _sentence(pod: str, container: str, reason: str | None, status: Body) -> str:
    restarts = status.get("restartCount", 0)
    again = f", restarted {restarts} times" if restarts else ""
    return (
        f"Container {container} of pod {pod} does not run: {reason or 'it keeps failing'}{again}."
    )


def _owned_by(item: Body, uid: str | None) -> bool:
    owners = item["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


def _revision(item: Body) -> tuple[int, str]:
    text = str((item["metadata"].get("annotations") or {}).get(_REVISION, ""))
    return (int(text) if text.isascii() and text.isdigit() else 0, _created(item))


def _created(item: Body) -> str:
    return str(item["metadata"].get("creationTimestamp", ""))


def _expression(entry: Body) -> str:
    key, values = entry["key"], ",".join(entry.get("values") or [])
    forms: dict[str, str] = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }
    return forms[str(entry["operator"])]
