"""What Slack refuses, known before it is sent: one refused block and Slack drops the whole message.

Pure, and a table: `shapes.py` says what each block may hold, this module walks a payload along it. Used before every
send and by the stand-in workspace, so that a card which Slack would drop fails in a test.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bot.slack.rules import Many, fault
from bot.slack.shapes import HOME, MESSAGE_BLOCKS, METADATA, MODAL

MESSAGE_TEXT = 40_000
EDITED_TEXT = 4_000
_MARKDOWN = 12_000


def problems(payload: Mapping[str, Any]) -> list[str]:
    """Return why Slack would refuse this payload, empty when it would not.

    Takes the arguments of `chat.postMessage`, `chat.update` (known by its `ts`) and `chat.postEphemeral`, those of
    `views.*` (known by their `view`), and a bare view (known by its `type`).
    """
    if "view" in payload:
        return list(_view(payload["view"], "/view"))
    if payload.get("type") in {"modal", "home"}:
        return list(_view(payload, ""))
    return [*_message_text(payload), *_message_blocks(payload), *_metadata(payload)]


def _message_text(payload: Mapping[str, Any]) -> Iterator[str]:
    text = payload.get("text")
    limit = EDITED_TEXT if "ts" in payload else MESSAGE_TEXT
    if not isinstance(text, str) or not text.strip():
        yield fault(
            "/text", "a text is required, it is the notification and the screen reader line"
        )
    elif len(text) > limit:
        yield fault("/text", f"must be less than {limit + 1} characters")


def _message_blocks(payload: Mapping[str, Any]) -> Iterator[str]:
    blocks = payload.get("blocks")
    if blocks is None:
        return
    yield from Many(MESSAGE_BLOCKS, 0, 50).check(blocks, "/blocks")
    yield from _block_ids(blocks, "/blocks")
    if sum(len(str(b.get("text", ""))) for b in _dicts(blocks, "markdown")) > _MARKDOWN:
        yield fault(
            "/blocks", f"markdown blocks must be less than {_MARKDOWN + 1} characters in all"
        )


def _metadata(payload: Mapping[str, Any]) -> Iterator[str]:
    # An empty object is how `chat.update` is told to remove the metadata.
    if payload.get("metadata"):
        yield from METADATA.check(payload["metadata"], "/metadata")


def _view(view: Any, path: str) -> Iterator[str]:
    kind = view.get("type") if isinstance(view, dict) else None
    match kind:
        case "modal":
            yield from MODAL.check(view, path)
            if _dicts(view.get("blocks"), "input") and "submit" not in view:
                yield fault(path, "a modal with an input needs a submit button")
        case "home":
            yield from HOME.check(view, path)
        case _:
            yield fault(f"{path}/type", "a view is a modal or a home")
            return
    yield from _block_ids(view.get("blocks"), f"{path}/blocks")


def _dicts(blocks: Any, kind: str) -> list[dict[str, Any]]:
    if not isinstance(blocks, list):
        return []
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == kind]


def _block_ids(blocks: Any, path: str) -> Iterator[str]:
    if not isinstance(blocks, list):
        return
    named = [block for block in blocks if isinstance(block, dict)]
    yield from _twice([block.get("block_id") for block in named], path, "block_id")
    for index, block in enumerate(named):
        elements = block.get("elements")
        if isinstance(elements, list):
            ids = [e.get("action_id") for e in elements if isinstance(e, dict)]
            yield from _twice(ids, f"{path}/{index}/elements", "action_id")


def _twice(ids: list[Any], path: str, name: str) -> Iterator[str]:
    for found, count in Counter(i for i in ids if isinstance(i, str)).items():
        if count > 1:
            yield fault(path, f"{name} “{found}” is used {count} times")
