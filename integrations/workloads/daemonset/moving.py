"""How a DaemonSet is held back and let go, and which of its pods are deleted next.

Pure. The reasons are told in the package's docstring.
"""

import json
from collections.abc import Mapping
from typing import Any

from integrations.kube.pods import is_leaving
from integrations.kube.reading import is_ready
from integrations.kube.revisions import key_in, key_of, revision_for
from integrations.kube.sets import Sight

_NOTE = "sluice/strategy"
_NOTE_PATH = "/metadata/annotations/" + _NOTE.replace("/", "~1")
_STRATEGY = "/spec/updateStrategy"

Body = Mapping[str, Any]


def wanted_nodes(body: Body) -> int:
    """Return on how many nodes there shall be a pod."""
    return int((body.get("status") or {}).get("desiredNumberScheduled", 0))


def is_held(body: Body) -> bool:
    """Say whether the pods wait because of us: what was there before is noted."""
    return is_on_delete(body) and _NOTE in _annotations(body)


def is_on_delete(body: Body) -> bool:
    """Say whether pods only move when somebody deletes them."""
    return (body["spec"].get("updateStrategy") or {}).get("type") == "OnDelete"


def hold_ops(body: Body) -> list[dict[str, Any]]:
    """Return the operations that hold all pods, and note what is replaced; they need annotations on the object."""
    if is_held(body):
        return []
    found = body["spec"].get("updateStrategy") or {}
    text = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return [
        {"op": "add", "path": _STRATEGY, "value": {"type": "OnDelete"}},
        {"op": "add", "path": _NOTE_PATH, "value": text},
    ]


def release_ops(body: Body) -> list[dict[str, Any]]:
    """Return the operations that put back what was found; what somebody has put there since is left alone.

    A note that somebody scribbled over means the default of the API: it must never be what keeps a rollback from going
    through.
    """
    if _NOTE not in _annotations(body):
        return []
    drop = {"op": "remove", "path": _NOTE_PATH}
    if not is_on_delete(body):
        return [drop]
    return [{"op": "add", "path": _STRATEGY, "value": _noted(body)}, drop]


def next_to_go(sight: Sight, template: Body, count: int) -> list[Body]:
    """Return the pods whose places `template` takes next, so that `count` nodes run it."""
    wanted = key_of(revision_for(sight.body, template, sight.revisions))
    staying = [pod for pod in sight.pods if not is_leaving(pod)]
    others = [pod for pod in staying if key_in(pod) != wanted]
    # Whoever is leaving, or is not back yet, comes back from the template.
    coming = max(0, wanted_nodes(sight.body) - len(staying))
    missing = count - coming - (len(staying) - len(others))
    others.sort(key=lambda pod: (is_ready(pod), pod["metadata"]["name"]))
    return others[: max(0, missing)]


def _noted(body: Body) -> dict[str, Any]:
    try:
        found = json.loads(_annotations(body).get(_NOTE, ""))
    except ValueError:
        found = None
    sound = isinstance(found, dict) and found.get("type") == "RollingUpdate"
    return found if sound else {"type": "RollingUpdate"}


def _annotations(body: Body) -> Mapping[str, str]:
    return body["metadata"].get("annotations") or {}
