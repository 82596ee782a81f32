"""The `sluice/*` annotations: the fence that every write carries, and the mark of an offline rollback.

Pure. What a fence is, and which one is newer, is in `integrations.fencing`. Two services may be split in one object,
and each counts for itself: so an adapter of such objects says `whose` fence is meant (the canary Deployment's name),
and writes it under a key of its own beside the plain one.
"""

from collections.abc import Mapping
from typing import Any

from integrations.fencing import fence_after, refuse_newer

__all__ = ["fence_after", "fence_of", "fence_ops", "lock_op", "mark_of", "refuse_newer"]

_FENCE = "sluice/fence"
_MARK = "sluice/rollback"


def fence_of(body: Mapping[str, Any], whose: str = "") -> str:
    """Return the fence on an object, or `""`.

    With `whose` it is that service's own; the plain one only where no service has one of its own yet.
    """
    notes = _annotations(body)
    if not whose or not any(str(key).startswith(f"{_FENCE}.") for key in notes):
        return str(notes.get(_FENCE, ""))
    return str(notes.get(_own(whose), ""))


def mark_of(body: Mapping[str, Any]) -> str:
    """Return the mark that an offline rollback left on an object, or `""`."""
    return str(_annotations(body).get(_MARK, ""))


def fence_ops(*, annotated: bool, fence: str, whose: str = "") -> list[dict[str, Any]]:
    """Return the JSON Patch operations that put the fence on an object; `annotated`: it has annotations already."""
    notes = {_FENCE: fence} | ({_own(whose): fence} if whose else {})
    if not annotated:
        return [{"op": "add", "path": "/metadata/annotations", "value": notes}]
    return [
        {"op": "add", "path": "/metadata/annotations/" + key.replace("/", "~1"), "value": fence}
        for key in notes
    ]


def lock_op(token: str) -> dict[str, Any]:
    """Return the operation that makes a stale patch fail.

    `replace`, not `test`: the server answers a stale `replace` with 409, a failed `test` with a 422 that says nothing.
    """
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": token}


def _own(whose: str) -> str:
    """Return the key of one service: the part of it behind the slash has at most 63 characters, the last a letter."""
    return f"{_FENCE}.{whose[:50].rstrip('-.')}"


def _annotations(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("metadata") or {}).get("annotations") or {}
