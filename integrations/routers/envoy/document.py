"""The text of a route file and what it says: JSON in, the same JSON out.

Pure. A change goes through the parsed content, so whatever could be lost on the way is refused on the way in: YAML (its
comments), a key that is there twice, a number with more digits than can be kept. Order and indentation stay.
"""

import json
import math
import re
from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from integrations.base import RefusedError

Content = Mapping[str, Any]

_INDENT = re.compile(r"\n([ \t]+)\S")


def parse(data: bytes, what: str) -> dict[str, Any]:
    """Return the content of a file. Raises `RefusedError` `envoy_file_not_json`."""
    try:
        content = json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_exact,
        )
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise RefusedError(
            f"{what} is not JSON that can be written back as it was, so nothing in it is touched. Write it as one JSON "
            "object without comments and without a key twice; Envoy reads JSON in a .yaml file too.",
            code="envoy_file_not_json",
        )
    return content


def dump(content: Content, like: bytes) -> bytes:
    """Return the text of some content, laid out as the text that it came from."""
    text = like.decode()
    indent = _INDENT.search(text)
    colon = ": " if indent or '": ' in text else ":"
    told = json.dumps(
        content,
        ensure_ascii=text.isascii(),
        indent=indent[1] if indent else None,
        separators=("," if indent or '": ' not in text else ", ", colon),
        allow_nan=False,
    )
    return (told + "\n" * text.endswith("\n")).encode()


def key_of(body: Content, name: str) -> str:
    """Return how a field is spelt here: `weighted_clusters`, or `weightedClusters` as protocol buffers put it."""
    head, *rest = name.split("_")
    other = head + "".join(word.capitalize() for word in rest)
    return other if other in body and name not in body else name


def child(body: Any, name: str) -> Any:
    """Return a field of a message; None where there is none."""
    return body.get(key_of(body, name)) if isinstance(body, Mapping) else None


def listed(body: Any, name: str) -> list[Any]:
    """Return the messages in a repeated field."""
    return [one for one in repeated(body, name) if isinstance(one, dict)]


def repeated(body: Any, name: str) -> list[Any]:
    """Return what is in a repeated field; Envoy takes one message without brackets too."""
    found = child(body, name)
    return found if isinstance(found, list) else [found] if isinstance(found, dict) else []


def copied(body: Content) -> dict[str, Any]:
    """Return a copy that may be changed."""
    return deepcopy(dict(body))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key is there twice")
    return made


def _exact(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or Decimal(text) != Decimal(repr(number)):
        raise ValueError(text)
    return number


def _no_number(word: str) -> None:
    raise ValueError(word)
