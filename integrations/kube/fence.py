"""The `sluice/*` annotations: the fence that every write carries, and the mark of an offline rollback.

Pure. What a fence is, and which one is newer, is in `integrations.fencing`.
"""

from collections.abc import Mapping
from typing import Any

from integrations.fencing import fence_after, refuse_newer

__all__ = ["fence_after", "fence_of", "fence_ops", "lock_op", "mark_of", "refuse_newer"]

_FENCE = "sluice/fence"
_MARK = "sluice/rollback"


def fence_of(body: Mapping[str, Any]) -> str:
    """Return the fence on an object, or `""`."""
    return str(_annotations(body).get(_FENCE, ""))


def mark_of(body: Mapping[str, Any]) -> str:
    """Return the mark that an offline rollback left on an object, or `""`."""
    return str(_annotations(body).get(_MARK, ""))


def fence_ops(*, annotated: bool, fence: str) -> list[dict[str, Any]]:
    """Return the JSON Patch operations that put the fence on an object; `annotated`: it has annotations already."""
    if not annotated:
        return [{"op": "add", "path": "/metadata/annotations", "value": {_FENCE: fence}}]
    path = "/metadata/annotations/" + _FENCE.replace("/", "~1")
    return [{"op": "add", "path": path, "value": fence}]


def lock_op(token: str) -> dict[str, Any]:
    """Return the operation that makes a stale patch fail.

    `replace`, not `test`: the server answers a stale `replace` with 409, a failed `test` with a 422 that says nothing.
    """
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": token}


def _annotations(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("metadata") or {}).get("annotations") or {}
