"""The inputs of a form as Slack takes them: a list to choose from while it is short enough, else a line. Pure."""

from collections.abc import Sequence
from typing import Any

from bot.slack.blocks import Block, clip, plain

MOST = 100
"""Options that Slack takes in one list."""
_LABEL, _VALUE = 75, 150


def field(
    name: str, label: str, element: dict[str, Any], *, hint: str = "", optional: bool = False
) -> Block:
    """Return an input; its block and its element are both called `name`."""
    return {
        "type": "input",
        "block_id": name,
        "label": _words(label),
        "element": element,
        **({"hint": _words(hint)} if hint else {}),
        **({"optional": True} if optional else {}),
    }


def select(name: str, pairs: Sequence[tuple[str, str]], chosen: str) -> dict[str, Any] | None:
    """Return a list of labels and values; None where Slack takes none such: too many, too long, or none at all."""
    if not 1 <= len(pairs) <= MOST or any(len(value) > _VALUE for _, value in pairs):
        return None
    options = [{"text": _words(label, _LABEL), "value": value} for label, value in pairs]
    initial = next((option for option in options if option["value"] == chosen), None)
    return {
        "type": "static_select",
        "action_id": name,
        "placeholder": _words(f"Choose {'an' if name[0] in 'aeiou' else 'a'} {name}"),
        "options": options,
        **({"initial_option": initial} if initial else {}),
    }


def typed(name: str, filled: str, example: str, *, most: int = 200) -> dict[str, Any]:
    """Return a line to type."""
    return {
        "type": "plain_text_input",
        "action_id": name,
        "max_length": most,
        "placeholder": _words(example),
        **({"initial_value": clip(filled, most)} if filled else {}),
    }


def _words(text: str, most: int = 2000) -> dict[str, Any]:
    return {"type": "plain_text", "text": clip(plain(text), most)}
