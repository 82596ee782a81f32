"""The configuration of the seeds, in native words: one file per dialect, and after it nobody knows which one it was.

Pure. A mapping belongs to exactly one dialect, told by its keys; what a dialect cannot mean is refused with its key.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from strategies.dialects import flagger, function_json, orion, policy_json, uno
from strategies.dialects.block import Block
from strategies.wish import Wish, WishError

_Body = Mapping[Any, Any]

_OF_ANALYSIS = frozenset({"interval", "threshold", "maxWeight", "stepWeight", "stepWeights"})
_TELLS: Mapping[str, Callable[[_Body], bool]] = {
    "policyId": lambda body: "policyId" in body,
    "functionName": lambda body: "functionName" in body,
    "thresholds": lambda body: bool(body) and body.keys() <= {*function_json.THRESHOLDS},
    "analysis": lambda body: (
        "analysis" in body or body.get("kind") == "Canary" or not _OF_ANALYSIS.isdisjoint(body)
    ),
    "successCriteria": lambda body: "successCriteria" in body,
    "options": lambda body: not uno.TELLING.isdisjoint(body),
}
"""How a mapping tells its dialect."""

_WANTED = (
    "a JSON body with policyId or functionName, a block of rollbackOn… thresholds, a Flagger analysis or Canary, "
    "successCriteria, or options such as batch_size"
)


def known(body: Any) -> bool:
    """Tell whether a value looks like one of the dialects, or like several of them at once."""
    return bool(_candidates(body))


def read(body: Any, *, sinks: Collection[str] = (), metrics: Collection[str] | None = None) -> Wish:
    """Return what a block asks for. Raises `WishError`.

    `sinks` are the URLs of the configured alerts. `metrics` are the native names that can be measured; None: whoever
    uses the wish looks at its metrics.
    """
    found = _candidates(body)
    if len(found) != 1:
        raise _no_dialect(body, found)
    match found[0]:
        case "policyId":
            return policy_json.read(Block(body))
        case "functionName":
            return function_json.read(Block(body))
        case "thresholds":
            return function_json.read_thresholds(Block(body))
        case "analysis":
            return flagger.read(Block(body), sinks)
        case "successCriteria":
            return orion.read(Block(body))
        case _:
            return uno.read(Block(body), metrics)


def _candidates(body: Any) -> list[str]:
    if not isinstance(body, Mapping):
        return []
    return [name for name, tells in _TELLS.items() if tells(body)]


def _no_dialect(body: Any, found: list[str]) -> WishError:
    key = ""
    if found:
        why = f"This could be {' and '.join(found)} at once, and only one can be meant"
    elif isinstance(body, Mapping) and body:
        key = str(next(iter(body)))[:60]
        why = "None of its keys tells what this block is"
    else:
        why = "This is no block of keys"
    return WishError(
        f"{why}. Give {_WANTED}.", code="unknown_dialect", key=key, path=(key,) if key else ()
    )
