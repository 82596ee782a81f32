"""What a movement has to remember: kept in `sluice/strategy` on the stable Deployment.

Pure. It is written by the first patch of every write and taken away by the last, so a crash in between loses nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from integrations.workloads.replica_ratio.moving import Told

_NOTE = "sluice/strategy"
_PATH = "/metadata/annotations/" + _NOTE.replace("/", "~1")

Body = Mapping[str, Any]


def noted(stable: Body) -> Told | None:
    """Return what the stable Deployment says it was told; None where nothing is on its way.

    A note that somebody scribbled over counts as none: it must never be what keeps a rollback from going through.
    """
    try:
        found = json.loads(_annotations(stable).get(_NOTE, ""))
        return Told(
            image=_text(found["image"]),
            count=None if found["count"] is None else _number(found["count"]),
            total=_number(found["total"]),
            canary=_text(found["canary"]),
            known=tuple(_text(one) for one in found["known"]) or _nothing(),
            alone=found["alone"] is True,
        )
    except (ValueError, KeyError, TypeError):
        return None


def keep_ops(told: Told) -> list[dict[str, Any]]:
    """Return the operation that notes what is told; it needs annotations on the object."""
    note = {
        "image": told.image,
        "count": told.count,
        "total": told.total,
        "canary": told.canary,
        "known": list(told.known),
        "alone": told.alone,
    }
    text = json.dumps(note, sort_keys=True, separators=(",", ":"))
    return [{"op": "add", "path": _PATH, "value": text}]


def drop_ops(stable: Body) -> list[dict[str, Any]]:
    """Return the operations that take the note away, where there is one."""
    return [{"op": "remove", "path": _PATH}] if _NOTE in _annotations(stable) else []


def _annotations(body: Body) -> Mapping[str, str]:
    return body["metadata"].get("annotations") or {}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return value


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value


def _nothing() -> tuple[str, ...]:
    raise ValueError("no image is known")
