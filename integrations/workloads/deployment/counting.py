"""Who runs what among the pods of one Deployment.

Pure. A pod belongs to the version of its ReplicaSet, told by the hash that both bear; which ReplicaSet is that of the
template is found as the Deployment controller finds it, so that it is right also before the controller has looked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.kube.pods import Census, is_alive
from integrations.workloads.deployment.pods import hash_of, newest_of, owned_sets

Body = Mapping[str, Any]


def census_of(
    deployment: Body, sets: Sequence[Body], pods: Sequence[Body], *, observed: bool
) -> Census:
    """Count the pods of a Deployment; `observed`: its controller has seen the last change."""
    owned = owned_sets(deployment, sets)
    newest = set_of(deployment["spec"]["template"], owned)
    if newest is None and observed:
        newest = newest_of(owned)
    ours = {hash_of(item) for item in owned}
    alive = [pod for pod in pods if hash_of(pod) in ours and is_alive(pod)]
    wanted = hash_of(newest) if newest else None
    return Census(
        new=tuple(
            pod
            for pod in alive
            if hash_of(pod) == wanted and "deletionTimestamp" not in pod["metadata"]
        ),
        old=tuple(pod for pod in alive if hash_of(pod) != wanted),
    )


def set_of(template: Body, owned: Sequence[Body]) -> Body | None:
    """Return the ReplicaSet of a template: the oldest whose own is equal but for the hash; None when there is none."""
    plain = _plain(template)
    equal = [item for item in owned if _plain((item.get("spec") or {}).get("template")) == plain]
    return min(
        equal, key=lambda item: str(item["metadata"].get("creationTimestamp", "")), default=None
    )


def _plain(template: Body | None) -> dict[str, Any]:
    """Return a template without the hash label, and without maps that are empty: absent means the same."""
    metadata = dict((template or {}).get("metadata") or {})
    metadata["labels"] = {
        key: value
        for key, value in (metadata.get("labels") or {}).items()
        if key != "pod-template-hash"
    }
    return {
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": (template or {}).get("spec"),
    }
