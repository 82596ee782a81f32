"""What the containers of the simulated cluster wrote, as far as it explains what they suffer from.

Pure. The lines hold secrets on purpose, as real ones do.
"""

from collections.abc import Mapping
from typing import Any

_BEGIN = (
    "INFO  starting, reading configuration from /etc/app",
    "INFO  DATABASE_PASSWORD=correct-horse-battery-staple (from the environment)",
)
_RUNNING = (*_BEGIN, "INFO  listening on http://0.0.0.0:8080")
_ENDS = {
    "Error": (
        *_BEGIN,
        "ERROR cannot connect to postgres://auth:correct-horse-battery-staple@db.orion:5432/auth",
        "ERROR   connection refused, giving up",
    ),
    "OOMKilled": (*_BEGIN, "INFO  loading 48,000,000 rows into the cache"),
}


def tail(pod: Mapping[str, Any], query: Mapping[str, str]) -> str:
    """Return the lines that a request asks for. Raises `ValueError`, see `written`."""
    lines = written(pod, query["container"], previous=query.get("previous") == "true")
    lines = lines[-int(query.get("tailLines", len(lines))) :]
    return "".join(f"{line}\n" for line in lines)


def written(pod: Mapping[str, Any], container: str, *, previous: bool) -> list[str]:
    """Return what a container wrote, in this life or the one before. Raises `ValueError` as the kubelet words it."""
    status: Mapping[str, Any] = next(
        (
            entry
            for entry in pod["status"].get("containerStatuses") or []
            if entry["name"] == container
        ),
        {},
    )
    name, state = pod["metadata"]["name"], status.get("state") or {}
    ended = (status.get("lastState") or {}).get("terminated")
    if ended and (previous or "waiting" in state):
        return list(_ENDS[ended["reason"]])
    if previous:
        raise ValueError(f'previous terminated container "{container}" in pod "{name}" not found')
    if "running" not in state:
        reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
        raise ValueError(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
    return list(_RUNNING)
