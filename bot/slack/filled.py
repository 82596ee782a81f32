"""What was filled into a form, by the name of its field. Pure."""

from collections.abc import Mapping
from typing import Any


def values_of(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given in a form, by block id; an option counts by its value."""
    state = (view.get("state") or {}).get("values") or {}
    return {
        block: _given(next(iter(elements.values()), {}))
        for block, elements in state.items()
        if isinstance(elements, Mapping)
    }


def _given(element: Mapping[str, Any]) -> Any:
    if element.get("selected_option"):
        return element["selected_option"].get("value")
    if element.get("selected_options") is not None:
        return [option.get("value") for option in element["selected_options"]]
    for key in ("value", "selected_user", "selected_channel", "selected_date", "selected_time"):
        if element.get(key) is not None:
            return element[key]
    return None
