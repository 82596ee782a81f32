"""How a Deployment is made to exchange so many pods and no more, and how it is put back.

Pure. The Deployment controller never leaves fewer than `replicas - maxUnavailable` pods available, and with `maxSurge`
0 it starts a new pod only where an old one has left. So with `maxUnavailable` at the count and a `minReadySeconds` that
no pod reaches, new pods get ready and serve, but never count as available: after exactly `count` of them the room is
used up and the controller stops by itself, broken ones included. Each batch raises the count; nothing has to be paused
in time. While the pods of a batch start, as many are missing as the batch has: the price of not needing more room.

What was found is kept in the annotation `sluice/strategy` by the very patch that replaces it, so a crash loses nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

HELD = 10 * 365 * 86400
"""`minReadySeconds` of a Deployment that is held back: ten years."""

# The API wants more than minReadySeconds here; the largest number means that there is no deadline at all.
_NO_DEADLINE = 2**31 - 1

_NOTE = "sluice/strategy"
_NOTE_PATH = "/metadata/annotations/" + _NOTE.replace("/", "~1")
_NUMBERS = ("minReadySeconds", "progressDeadlineSeconds")
_TYPES = {"RollingUpdate", "Recreate"}

Body = Mapping[str, Any]


def is_held(owner: Body) -> bool:
    """Say whether a Deployment or a ReplicaSet has pods that never become available."""
    return bool((owner.get("spec") or {}).get("minReadySeconds") == HELD)


def room_for(count: int, newest: Body | None) -> int:
    """Return the `maxUnavailable` with which `count` pods run a template.

    `newest` is the ReplicaSet that the template has already. Where its pods are still available (on the way back to a
    version that was never held), the controller gives them the new `minReadySeconds` and decides in the same pass, with
    the availability of before: then they use up no room yet, and only what is missing may leave.
    """
    if newest is None or is_held(newest):
        return count
    available = int((newest.get("status") or {}).get("availableReplicas", 0))
    return max(1, count - available)


def hold_ops(room: int) -> list[dict[str, Any]]:
    """Return the operations that let `room` pods be exchanged, whatever the Deployment's own strategy is."""
    rolling = {"maxSurge": 0, "maxUnavailable": room}
    return [
        _put("strategy", {"type": "RollingUpdate", "rollingUpdate": rolling}),
        _put("minReadySeconds", HELD),
        _put("progressDeadlineSeconds", _NO_DEADLINE),
    ]


def release_ops(body: Body) -> list[dict[str, Any]]:
    """Return the operations that put back what was found; nothing where somebody has replaced what we wrote.

    A note that somebody scribbled over counts as none, which means the defaults of the API: it must never be what keeps
    a rollback from going through.
    """
    if not is_held(body):
        return []
    found, spec = _noted(body) or {}, body["spec"]
    return [
        _put(key, found[key])
        if found.get(key) is not None
        else {"op": "remove", "path": f"/spec/{key}"}
        for key in ("strategy", *_NUMBERS)
        if key in spec
    ]


def keep_note_ops(body: Body) -> list[dict[str, Any]]:
    """Return the operations that note what is about to be replaced; they need annotations on the object."""
    held = is_held(body)
    if held and _noted(body) is not None:
        return []
    spec = body["spec"]
    found = {} if held else {key: spec[key] for key in ("strategy", *_NUMBERS) if key in spec}
    text = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return [{"op": "add", "path": _NOTE_PATH, "value": text}]


def drop_note_ops(body: Body) -> list[dict[str, Any]]:
    """Return the operations that take the note away, where there is one."""
    return [{"op": "remove", "path": _NOTE_PATH}] if _NOTE in _annotations(body) else []


def _noted(body: Body) -> dict[str, Any] | None:
    try:
        found = json.loads(_annotations(body).get(_NOTE, ""))
    except ValueError:
        return None
    return found if isinstance(found, dict) and _is_sound(found) else None


def _is_sound(found: dict[str, Any]) -> bool:
    strategy = found.get("strategy", {"type": "Recreate"})
    named = isinstance(strategy, dict) and strategy.get("type") in _TYPES
    return named and all(type(found.get(key, 0)) is int for key in _NUMBERS)


def _annotations(body: Body) -> Mapping[str, str]:
    return body["metadata"].get("annotations") or {}


def _put(key: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": f"/spec/{key}", "value": value}
