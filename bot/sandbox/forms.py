"""What a person filled in, as Slack reports it: `state.values` of a modal.

Pure. Every input of the view is reported, also the one that nobody touched, with its initial value or with nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_CHOSEN = {
    "plain_text_input": ("value", "initial_value"),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
}
_PRESSED = {"button", "overflow", "image", "mrkdwn", "plain_text"}
_ONE_OPTION = {"static_select", "radio_buttons"}


def state_values(view: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a view by block id and action id. `given` is by action id: text, or values of options.

    Raises `LookupError` for an input that the view does not have, or an option that it does not offer.
    """
    inputs = list(_inputs(view))
    unknown = set(given) - {element["action_id"] for _, element in inputs}
    if unknown:
        raise LookupError(f"the form has no input {', '.join(sorted(unknown))}")
    state: dict[str, Any] = {}
    for block_id, element in inputs:
        found = _state(element, given.get(element["action_id"]))
        state.setdefault(block_id, {})[element["action_id"]] = found
    return state


def _inputs(view: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for block in view["blocks"]:
        elements = [block.get("element"), block.get("accessory"), *block.get("elements", ())]
        for element in elements:
            if isinstance(element, dict) and element["type"] not in _PRESSED:
                yield block["block_id"], element


def _state(element: Mapping[str, Any], given: Any) -> dict[str, Any]:
    kind = element["type"]
    if kind in _CHOSEN:
        name, initial = _CHOSEN[kind]
        return {"type": kind, name: given if given is not None else element.get(initial)}
    if kind in _ONE_OPTION:
        chosen = element.get("initial_option") if given is None else _option(element, given)
        return {"type": kind, "selected_option": chosen}
    initial = element.get("initial_options", [])
    chosen = initial if given is None else [_option(element, value) for value in given]
    return {"type": kind, "selected_options": chosen}


def _option(element: Mapping[str, Any], value: str) -> Mapping[str, Any]:
    for option in element["options"]:
        if value in {option["value"], option["text"]["text"]}:
            return dict(option)
    raise LookupError(f"{element['action_id']} offers no option {value}")


def find_element(
    blocks: tuple[Mapping[str, Any], ...], wanted: str, block_id: str = ""
) -> tuple[str, Mapping[str, Any]]:
    """Return the block id and the element that a person means by its action id, its text, or an option's text.

    An edit gives every block a new id; as in Slack, a press on what was seen a moment before still arrives.
    Raises `LookupError`, naming what is there, when nothing or more than one thing fits.
    """
    pressable = [
        (block["block_id"], element)
        for block in blocks
        for element in [block.get("accessory"), *block.get("elements", ())]
        if isinstance(element, dict) and "action_id" in element
    ]
    fitting = [(block, element) for block, element in pressable if wanted in _names(element)]
    fitting = [one for one in fitting if one[0] == block_id] or fitting
    if len(fitting) != 1:
        there = [sorted(_names(element)) for _, element in pressable]
        raise LookupError(f"{len(fitting)} elements are called {wanted!r}; there are {there}")
    return fitting[0]


def _names(element: Mapping[str, Any]) -> set[str]:
    label = element.get("text", {}).get("text", "")
    options = {option["text"]["text"] for option in element.get("options", ())}
    return {element["action_id"], label, *options} - {""}
