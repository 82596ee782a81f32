"""Copies of what the cluster keeps: nobody may change an object by changing what he was shown.

JSON only, and that is why it is a fraction of what `copy.deepcopy` costs: there are no cycles and nothing is shared.
"""

from typing import Any, TypeVar, cast

_T = TypeVar("_T")


def copied(value: _T) -> _T:
    """Return a copy of a JSON value that shares no list and no object with it."""
    return cast("_T", _copied(value))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(part) for part in value]
    return value
