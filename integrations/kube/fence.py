"""The `sluice/*` annotations: the fence that every write carries, and the mark of an offline rollback.

Pure. A fence is `<counter of the target>.<revision>` and only ever grows on an object, so that a write which lands late
cannot undo a newer one.
"""

import re
from collections.abc import Mapping
from typing import Any

from integrations.base import RefusedError

_FENCE = "sluice/fence"
_MARK = "sluice/rollback"


def fence_of(body: Mapping[str, Any]) -> str:
    """Return the fence on an object, or `""`."""
    return str(_annotations(body).get(_FENCE, ""))


def mark_of(body: Mapping[str, Any]) -> str:
    """Return the mark that an offline rollback left on an object, or `""`."""
    return str(_annotations(body).get(_MARK, ""))


def refuse_newer(found: str, ours: str, what: str) -> None:
    """Raise `RefusedError` (`fenced`) when the object already carries a newer fence than ours.

    An equal fence is our own earlier attempt. A fence that somebody scribbled over counts as none: it must never be
    what keeps a rollback from going through.
    """
    mine = _parse(ours)
    if mine is None:
        raise ValueError(f"not a fence: {ours!r}")
    theirs = _parse(found)
    if theirs is not None and theirs > mine:
        raise RefusedError(
            f"A newer decision ({found}) is already on {what}; this one ({ours}) is dropped.",
            code="fenced",
        )


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


def _parse(fence: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d+)\.(\d+)", fence, flags=re.ASCII)
    return (int(found[1]), int(found[2])) if found else None
