"""The pod template of a workload, and the JSON Patch operations on what a rollout changes of it.

Pure. Nothing on the template but the image of one container: whatever else changed there would restart pods.
"""

from collections.abc import Mapping
from typing import Any

from integrations.base import RefusedError

Body = Mapping[str, Any]


def container_at(body: Mapping[str, Any], container: str) -> tuple[int, Mapping[str, Any]]:
    """Return index and entry of a container in the pod template. Raises `RefusedError` (`container_missing`)."""
    template = (body.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or []
    for index, entry in enumerate(containers):
        if entry.get("name") == container:
            return index, entry
    names = ", ".join(str(entry.get("name")) for entry in containers) or "none"
    raise RefusedError(
        f"{body.get('kind', 'The object')} {body['metadata']['name']} has no container {container} (it has: {names}). "
        "Correct `workload.container` in sluice.yaml.",
        code="container_missing",
    )


def template_with(template: Body, index: int, image: str) -> dict[str, Any]:
    """Return a pod template in which the container at `index` runs an image."""
    containers = [dict(entry) for entry in template["spec"]["containers"]]
    containers[index]["image"] = image
    return {**template, "spec": {**template["spec"], "containers": containers}}


def image_ops(index: int, container: str, image: str | None) -> list[dict[str, Any]]:
    """Return the operations that give the container at `index` an image; none for None."""
    if image is None:
        return []
    root = f"/spec/template/spec/containers/{index}"
    return [
        {"op": "test", "path": f"{root}/name", "value": container},
        {"op": "replace", "path": f"{root}/image", "value": image},
    ]


def replica_ops(replicas: int | None) -> list[dict[str, Any]]:
    """Return the operations that ask for so many pods; none for None."""
    if replicas is None:
        return []
    if replicas < 0:
        raise ValueError(f"not a number of pods: {replicas}")
    return [{"op": "add", "path": "/spec/replicas", "value": replicas}]
