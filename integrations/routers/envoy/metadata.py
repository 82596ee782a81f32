"""The fence and the mark of an offline rollback, kept in the metadata of the route that is split.

Pure. Envoy carries `metadata.filter_metadata.sluice` along and does nothing with it, and shows it in its dump of the
configuration: so the fence that a proxy shows is that of the routes it serves.
"""

from collections.abc import Mapping
from typing import Any

from integrations.routers.envoy.document import child, key_of

_OURS = "sluice"


def note_of(route: Mapping[str, Any], key: str) -> str:
    """Return the `fence` or the `rollback` mark of a route, or `""`."""
    found = child(child(child(route, "metadata"), "filter_metadata"), _OURS)
    return str(found.get(key, "")) if isinstance(found, Mapping) else ""


def put_fence(route: dict[str, Any], fence: str) -> None:
    """Write the fence on a route; whatever else stands in its metadata stays."""
    kept = _inside(_inside(route, "metadata"), "filter_metadata")
    _inside(kept, _OURS)["fence"] = fence


def without_ours(route: dict[str, Any]) -> dict[str, Any]:
    """Return a route without our notes, nor the empty fields that they leave."""
    metadata = child(route, "metadata")
    filters = child(metadata, "filter_metadata")
    if isinstance(filters, dict):
        filters.pop(_OURS, None)
        if not filters:
            metadata.pop(key_of(metadata, "filter_metadata"))
    if metadata == {}:
        route.pop(key_of(route, "metadata"))
    return route


def _inside(body: dict[str, Any], name: str) -> dict[str, Any]:
    key = name if name == _OURS else key_of(body, name)
    if not isinstance(body.get(key), dict):
        body[key] = {}
    found: dict[str, Any] = body[key]
    return found
