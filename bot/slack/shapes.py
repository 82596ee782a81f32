"""What each block, element and view of Slack may hold: the table behind `bot.slack.limits`.

Pure data. Only what this bot sends is listed; anything else is refused, because new block types are rolled out in
phases and a workspace without them drops the whole message. Source: the Block Kit reference, and measured refusals.
"""

from collections.abc import Mapping

from bot.slack.rules import (
    Choice,
    FileRef,
    Flag,
    Many,
    Number,
    Object,
    OneOf,
    Rule,
    Shape,
    String,
    Text,
    Url,
)

_ID = String(255)
_CONFIRM = Shape(
    {
        "title": Text(100, plain=True),
        "text": Text(300),
        "confirm": Text(30, plain=True),
        "deny": Text(30, plain=True),
        "style": Choice(("primary", "danger")),
    },
    needs=("title", "text", "confirm", "deny"),
)
_OPTION = Shape(
    {"text": Text(75), "value": String(150), "description": Text(75), "url": Url()},
    needs=("text", "value"),
)
_PLAIN_OPTION = Shape(
    {**_OPTION.fields, "text": Text(75, plain=True), "description": Text(75, plain=True)},
    needs=_OPTION.needs,
)
_PLACEHOLDER = Text(150, plain=True)
_ACTS: Mapping[str, Rule] = {"action_id": _ID, "confirm": _CONFIRM}
_PICKS: Mapping[str, Rule] = {**_ACTS, "placeholder": _PLACEHOLDER, "focus_on_load": Flag()}
_OPTION_GROUP = Shape(
    {"label": Text(75, plain=True), "options": Many(_PLAIN_OPTION, 1, 100)},
    needs=("label", "options"),
)

_BUTTON = Shape(
    {
        **_ACTS,
        "text": Text(75, plain=True),
        "value": String(2000),
        "url": Url(),
        "style": Choice(("primary", "danger")),
        "accessibility_label": String(75),
    },
    needs=("text", "action_id"),
)
_OVERFLOW = Shape({**_ACTS, "options": Many(_PLAIN_OPTION, 1, 5)}, needs=("action_id", "options"))
_SELECT = Shape(
    {
        **_PICKS,
        "options": Many(_PLAIN_OPTION, 1, 100),
        "option_groups": Many(_OPTION_GROUP, 1, 100),
        "initial_option": _PLAIN_OPTION,
    },
    needs=("action_id",),
    any_of=("options", "option_groups"),
)
_MULTI_SELECT = Shape(
    {
        **_PICKS,
        "options": Many(_PLAIN_OPTION, 1, 100),
        "initial_options": Many(_PLAIN_OPTION, 1, 100),
        "max_selected_items": Number(1, 100),
    },
    needs=("action_id", "options"),
)
_USERS = Shape({**_PICKS, "initial_user": String(255)}, needs=("action_id",))
_CHANNELS = Shape({**_PICKS, "initial_channel": String(255)}, needs=("action_id",))
_RADIO = Shape(
    {
        **_ACTS,
        "options": Many(_OPTION, 1, 10),
        "initial_option": _OPTION,
        "focus_on_load": Flag(),
    },
    needs=("action_id", "options"),
)
_CHECKBOXES = Shape(
    {
        **_ACTS,
        "options": Many(_OPTION, 1, 10),
        "initial_options": Many(_OPTION, 1, 10),
        "focus_on_load": Flag(),
    },
    needs=("action_id", "options"),
)
_DATE = Shape({**_PICKS, "initial_date": String(10)}, needs=("action_id",))
_TIME = Shape({**_PICKS, "initial_time": String(5), "timezone": String(100)}, needs=("action_id",))
_INPUT_TEXT = Shape(
    {
        "action_id": _ID,
        "placeholder": _PLACEHOLDER,
        "focus_on_load": Flag(),
        "initial_value": String(3000),
        "multiline": Flag(),
        "min_length": Number(0, 3000),
        "max_length": Number(1, 3000),
    },
    needs=("action_id",),
)
_IMAGE_ELEMENT = Shape(
    {"image_url": Url(), "slack_file": FileRef(), "alt_text": String(2000)},
    needs=("alt_text",),
    any_of=("image_url", "slack_file"),
)

_PRESSED = {
    "button": _BUTTON,
    "overflow": _OVERFLOW,
    "static_select": _SELECT,
    "multi_static_select": _MULTI_SELECT,
    "users_select": _USERS,
    "channels_select": _CHANNELS,
    "radio_buttons": _RADIO,
    "checkboxes": _CHECKBOXES,
    "datepicker": _DATE,
    "timepicker": _TIME,
}
_TYPED = {k: v for k, v in _PRESSED.items() if k not in {"button", "overflow"}}
_CONTEXT_ITEM = OneOf(
    {
        "mrkdwn": Shape({"text": String(3000), "verbatim": Flag()}, needs=("text",)),
        "plain_text": Shape({"text": String(3000), "emoji": Flag()}, needs=("text",)),
        "image": _IMAGE_ELEMENT,
    }
)


def _block(
    fields: Mapping[str, Rule], needs: tuple[str, ...] = (), any_of: tuple[str, ...] = ()
) -> Shape:
    return Shape({**fields, "block_id": _ID}, needs=needs, any_of=any_of)


_BLOCKS: Mapping[str, Shape] = {
    "section": _block(
        {
            "text": Text(3000),
            "fields": Many(Text(2000), 1, 10),
            "accessory": OneOf({**_PRESSED, "image": _IMAGE_ELEMENT}),
            "expand": Flag(),
        },
        any_of=("text", "fields"),
    ),
    "header": _block({"text": Text(150, plain=True)}, needs=("text",)),
    "context": _block({"elements": Many(_CONTEXT_ITEM, 1, 10)}, needs=("elements",)),
    "actions": _block({"elements": Many(OneOf(_PRESSED), 1, 25)}, needs=("elements",)),
    "divider": _block({}),
    "image": _block(
        {**_IMAGE_ELEMENT.fields, "title": Text(2000, plain=True)},
        needs=_IMAGE_ELEMENT.needs,
        any_of=_IMAGE_ELEMENT.any_of,
    ),
    "input": _block(
        {
            "label": Text(2000, plain=True),
            "hint": Text(2000, plain=True),
            "element": OneOf({**_TYPED, "plain_text_input": _INPUT_TEXT}),
            "optional": Flag(),
            "dispatch_action": Flag(),
        },
        needs=("label", "element"),
    ),
}

MESSAGE_BLOCKS = OneOf({**_BLOCKS, "markdown": _block({"text": String(12_000)}, needs=("text",))})

_VIEW: Mapping[str, Rule] = {
    "blocks": Many(OneOf(_BLOCKS), 1, 100),
    "private_metadata": String(3000, blank=True),
    "callback_id": _ID,
    "external_id": _ID,
}
MODAL = Shape(
    {
        **_VIEW,
        "title": Text(24, plain=True),
        "submit": Text(24, plain=True),
        "close": Text(24, plain=True),
        "clear_on_close": Flag(),
        "notify_on_close": Flag(),
        "submit_disabled": Flag(),
    },
    needs=("title", "blocks"),
)
HOME = Shape(_VIEW, needs=("blocks",))
METADATA = Shape(
    {"event_type": _ID, "event_payload": Object()}, needs=("event_type", "event_payload")
)
