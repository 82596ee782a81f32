"""The JSON Patch on a Knative Service: traffic, notes and, for a new revision, image and name of the template.

Pure. One patch, under the resourceVersion of what was read; the container is tested by name before its image changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.kube.fence import fence_ops, lock_op
from integrations.ordered import MADE

Body = Mapping[str, Any]

_PREPARED = "sluice/revision"
"""The annotation that names the revision which was made last for a rollout."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a new revision is made of."""

    name: str
    image: str
    index: int
    """Of the container."""
    container: str


def prepared_in(body: Body) -> str:
    """Return the revision that was made last for a rollout, `""` when none is noted."""
    return str(_notes(body).get(_PREPARED, ""))


def patch_for(
    body: Body,
    traffic: Sequence[Body],
    *,
    fence: str,
    prepared: str,
    template: Template | None = None,
) -> list[dict[str, Any]]:
    """Return the operations of one write."""
    return [
        lock_op(str(body["metadata"].get("resourceVersion", ""))),
        *(_template_ops(body, template) if template else []),
        {"op": "add", "path": "/spec/traffic", "value": list(traffic)},
        *fence_ops(annotated="annotations" in body["metadata"], fence=fence),
        *_prepared_ops(body, prepared),
    ]


def _template_ops(body: Body, template: Template) -> list[dict[str, Any]]:
    root = f"/spec/template/spec/containers/{template.index}"
    named = [{"op": "test", "path": f"{root}/name", "value": template.container}]
    old = body["spec"]["template"].get("metadata") or {}
    notes = {**(old.get("annotations") or {}), MADE: f"{template.name}={template.image}"}
    metadata = {**old, "name": template.name, "annotations": notes}
    return [
        *(named if template.container else []),
        {"op": "replace", "path": f"{root}/image", "value": template.image},
        {"op": "add", "path": "/spec/template/metadata", "value": metadata},
    ]


def _prepared_ops(body: Body, prepared: str) -> list[dict[str, Any]]:
    path = "/metadata/annotations/" + _PREPARED.replace("/", "~1")
    if prepared:
        return [{"op": "add", "path": path, "value": prepared}]
    return [{"op": "remove", "path": path}] if _PREPARED in _notes(body) else []


def _notes(body: Body) -> Mapping[str, Any]:
    return (body.get("metadata") or {}).get("annotations") or {}
