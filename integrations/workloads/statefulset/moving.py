"""Which pods of a StatefulSet may move, which have to be helped, and which one stands in the way.

Pure. The reasons are told in the package's docstring; positions are counted from 0 whatever `ordinals.start` says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.kube.pods import is_leaving, problem_of
from integrations.kube.reading import is_ready
from integrations.kube.revisions import key_in, key_of, revision_for
from integrations.kube.sets import Sight

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """What one write asks for."""

    partition: int
    leaving: tuple[Body, ...] = ()
    """Pods that are deleted so that others take their place."""


def movement(sight: Sight, template: Body, *, count: int | None, total: int) -> Move:
    """Return how `count` of `total` pods come to run `template` (None: all of them)."""
    wanted = key_of(revision_for(sight.body, template, sight.revisions))
    current = _current(sight)
    if count is not None and wanted is not None and wanted == current and _is_mixed(sight):
        return Move(total, _going_back(sight, current, count, total))
    partition = 0 if count is None else max(0, total - count)
    return Move(partition, tuple(pod for pod in _to_go(sight, wanted, partition, total)))


def partition_of(body: Body) -> int:
    """Return the position from which on pods move."""
    return int((_rolling(body) or {}).get("partition") or 0)


def partition_ops(body: Body, partition: int) -> list[dict[str, Any]]:
    """Return the operations that let the pods from a position up move; nothing else of the strategy is touched."""
    root = "/spec/updateStrategy"
    if not body["spec"].get("updateStrategy"):
        value: Any = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
    elif _rolling(body) is None:
        root, value = f"{root}/rollingUpdate", {"partition": partition}
    else:
        root, value = f"{root}/rollingUpdate/partition", partition
    # Absent means 0; what is not there need not be written to be that.
    return [] if partition == partition_of(body) else [{"op": "add", "path": root, "value": value}]


def is_on_delete(body: Body) -> bool:
    """Say whether pods only move when somebody deletes them."""
    return (body["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"


def is_ordered(body: Body) -> bool:
    """Say whether its controller waits for every single pod."""
    return bool(body["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady")


def first_to_move(body: Body) -> str:
    """Return the name of the pod that moves first: the last one."""
    start = int((body["spec"].get("ordinals") or {}).get("start") or 0)
    return f"{body['metadata']['name']}-{start + max(1, int(body['spec'].get('replicas', 1))) - 1}"


@dataclass(frozen=True, slots=True)
class Blockade:
    """The pod that the others wait for."""

    pod: Body
    ours: bool
    """Whether a write of ours deletes it."""
    failing: bool
    """Whether it fails, and does not just take its time."""


def blockade(sight: Sight) -> Blockade | None:
    """Return the first pod of another version that is not ready, where the set waits for such pods."""
    body = sight.body
    total = int(body["spec"].get("replicas", 1))
    wanted = key_of(revision_for(body, body["spec"]["template"], sight.revisions))
    ours = [pod["metadata"]["name"] for pod in _to_go(sight, wanted, partition_of(body), total)]
    for pod in _unready(sight):
        if key_in(pod) == wanted:
            continue
        helped, failing = pod["metadata"]["name"] in ours, bool(problem_of([pod])[0])
        if helped or is_ordered(body):
            return Blockade(pod, helped, failing)
    return None


def _to_go(sight: Sight, wanted: str | None, partition: int, total: int) -> list[Body]:
    """Return the unready pods that are to be replaced or removed, and that the controller may wait for instead."""
    current = _current(sight)
    return [
        pod
        for pod in _unready(sight)
        if _position(sight, pod) >= total
        or (
            _position(sight, pod) >= partition
            and key_in(pod) != wanted
            and (key_in(pod) != current or problem_of([pod])[0])
        )
    ]


def _going_back(sight: Sight, current: str, count: int, total: int) -> tuple[Body, ...]:
    """Return who goes back next, so that `count` pods run the revision that the set started from."""
    there = [pod for pod in sight.pods if key_in(pod) == current or is_leaving(pod)]
    # One that is not there is about to be made, of that revision.
    missing = count - len(there) - max(0, total - len(sight.pods))
    others = [pod for pod in sight.pods if key_in(pod) != current and not is_leaving(pod)]
    others.sort(key=lambda pod: (is_ready(pod), _position(sight, pod)))
    broken = tuple(pod for pod in others if not is_ready(pod))
    if missing <= 0 or broken:
        return broken[: max(0, missing)]
    calm = len(sight.pods) == total and all(is_ready(pod) for pod in sight.pods)
    return tuple(others[:1]) if calm else ()


def _is_mixed(sight: Sight) -> bool:
    return len({key_in(pod) for pod in sight.pods}) > 1


def _unready(sight: Sight) -> list[Body]:
    pods = [pod for pod in sight.pods if not is_ready(pod) and not is_leaving(pod)]
    return sorted(pods, key=lambda pod: _position(sight, pod))


def _position(sight: Sight, pod: Body) -> int:
    found = re.search(r"-(\d+)$", pod["metadata"]["name"], flags=re.ASCII)
    start = int((sight.body["spec"].get("ordinals") or {}).get("start") or 0)
    return int(found[1]) - start if found else -1


def _current(sight: Sight) -> str:
    return str((sight.body.get("status") or {}).get("currentRevision", ""))


def _rolling(body: Body) -> Body | None:
    strategy = body["spec"].get("updateStrategy") or {}
    found: Body | None = strategy.get("rollingUpdate")
    return found
