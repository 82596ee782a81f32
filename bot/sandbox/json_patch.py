"""JSON Patch (the part of RFC 6902 that is used on Kubernetes) and JSON Merge Patch (RFC 7386).

Pure: returns a changed copy, never touches what it is given.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.sandbox.copying import copied


class PatchError(Exception):
    """An operation does not apply: a failed `test`, or a path that is not there."""


class MalformedPatchError(Exception):
    """The patch itself is not a patch."""


def apply_json_patch(body: Mapping[str, Any], ops: Any) -> dict[str, Any]:
    """Return `body` after `add`, `replace`, `remove` and `test` operations, all or nothing."""
    if not isinstance(ops, list):
        raise MalformedPatchError("a JSON Patch is a list of operations")
    result = copied(dict(body))
    for op in ops:
        if not isinstance(op, dict) or not str(op.get("path", "")).startswith("/"):
            raise MalformedPatchError("an operation needs op and path")
        _apply(result, op)
    return result


def apply_merge_patch(body: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """Return `body` with objects merged, lists replaced and nulls removed."""
    if not isinstance(patch, dict):
        raise MalformedPatchError("a merge patch is an object")
    result = copied(dict(body))
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inner = result.get(key)
            result[key] = apply_merge_patch(inner if isinstance(inner, dict) else {}, value)
        else:
            result[key] = copied(value)
    return result


def _apply(root: dict[str, Any], op: Mapping[str, Any]) -> None:
    *parents, last = [_unescape(part) for part in str(op["path"])[1:].split("/")]
    holder = _walk(root, parents)
    match op.get("op"):
        case "test":
            if _child(holder, last) != op.get("value"):
                raise PatchError(f"testing path {op['path']} value failed")
        case "replace":
            _child(holder, last)
            _put(holder, last, copied(op.get("value")), insert=False)
        case "add":
            _put(holder, last, copied(op.get("value")), insert=True)
        case "remove":
            _child(holder, last)
            del holder[int(last) if isinstance(holder, list) else last]
        case other:
            raise MalformedPatchError(f"unexpected operation {other}")


def _walk(node: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        node = _child(node, part)
    return node


def _child(node: Any, key: str) -> Any:
    if isinstance(node, dict) and key in node:
        return node[key]
    if isinstance(node, list) and key.isdigit() and int(key) < len(node):
        return node[int(key)]
    raise PatchError(f"{key} is not there")


def _put(node: Any, key: str, value: Any, *, insert: bool) -> None:
    if isinstance(node, dict):
        node[key] = value
    elif isinstance(node, list) and insert and (key == "-" or key.isdigit()):
        node.insert(len(node) if key == "-" else int(key), value)
    elif isinstance(node, list):
        node[int(key)] = value
    else:
        raise PatchError(f"nothing can be put at {key}")


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
