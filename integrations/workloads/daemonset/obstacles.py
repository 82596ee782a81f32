"""What would stop the movement of a DaemonSet's pods, or undo it, before it is tried.

Pure. Everything here is a `Finding`.
"""

from collections.abc import Mapping
from typing import Any

from integrations.base import Finding
from integrations.kube.ownership import applied_from_elsewhere
from integrations.workloads.daemonset.moving import is_held, is_on_delete

_WRITTEN = ".spec.template.spec.containers[].image and .spec.updateStrategy"

Body = Mapping[str, Any]


def obstacles(body: Body) -> list[Finding]:
    """Return what a DaemonSet itself says against a movement, fatal or not."""
    waits = is_on_delete(body) and not is_held(body)
    return [
        *([Finding("on_delete", on_delete_sentence(body))] if waits else []),
        *applied_from_elsewhere(body, "image", _WRITTEN),
    ]


def on_delete_sentence(body: Body) -> str:
    """Return why a set whose pods wait to be deleted cannot be moved, and what to do."""
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
    return (
        f"DaemonSet {name} in namespace {namespace} moves no pods by itself: .spec.updateStrategy.type is OnDelete. "
        "Make it RollingUpdate."
    )
