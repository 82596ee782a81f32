"""Which pods of a Deployment are the newest: those whose failures matter to a rollout.

Pure. Only pods of the newest ReplicaSet count; old ones may be failing for reasons of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integrations.kube.pods import controlled_by

Body = Mapping[str, Any]

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


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
    return controlled_by(deployment, replica_sets)


def newest_of(replica_sets: Iterable[Body]) -> Body | None:
    """Return the ReplicaSet with the highest revision; None of none."""
    return max(replica_sets, key=_revision, default=None)


def hash_of(item: Body) -> str:
    """Return the hash that a ReplicaSet and its pods bear; `""` when there is none."""
    return str((item["metadata"].get("labels") or {}).get(_HASH, ""))


def _revision(item: Body) -> tuple[int, str]:
    text = str((item["metadata"].get("annotations") or {}).get(_REVISION, ""))
    return (int(text) if text.isascii() and text.isdigit() else 0, _created(item))


def _created(item: Body) -> str:
    return str(item["metadata"].get("creationTimestamp", ""))
