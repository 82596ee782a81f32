"""The JSON Patch operations on a Deployment that every way of running versions needs.

Pure. Nothing on the pod template but the image: whatever else changed there would restart pods.
"""

from typing import Any


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
