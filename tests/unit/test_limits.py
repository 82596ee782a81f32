"""Every limit of Slack that this bot can meet: the value that still passes, and the one that does not."""

import pytest

from bot.slack.limits import problems


def text(length=1, kind="plain_text"):
    return {"type": kind, "text": "x" * length}


def button(**changes):
    return {"type": "button", "text": text(), "action_id": "go", "value": "v", **changes}


def actions(*elements):
    return {"type": "actions", "elements": list(elements)}


def buttons(count):
    return actions(*(button(action_id=f"a{i}") for i in range(count)))


def select(count, **changes):
    options = [{"text": text(), "value": str(i), **changes} for i in range(count)]
    return actions({"type": "static_select", "action_id": "pick", "options": options})


def overflow(count):
    options = [{"text": text(), "value": str(i)} for i in range(count)]
    return actions({"type": "overflow", "action_id": "more", "options": options})


def confirm(title=1, body=1, label=1):
    dialog = {"title": text(title), "text": text(body), "confirm": text(label), "deny": text()}
    return actions(button(confirm=dialog))


def image(**changes):
    return {"type": "image", "image_url": "https://x.example/a.png", "alt_text": "a", **changes}


def section(**parts):
    return {"type": "section", **parts}


def context(count, length=1):
    return {"type": "context", "elements": [text(length, "mrkdwn") for _ in range(count)]}


LIMITS = [
    (3000, lambda n: section(text=text(n, "mrkdwn"))),
    (10, lambda n: section(fields=[text()] * n)),
    (2000, lambda n: section(fields=[text(n)])),
    (150, lambda n: {"type": "header", "text": text(n)}),
    (10, context),
    (3000, lambda n: context(1, n)),
    (25, buttons),
    (75, lambda n: actions(button(text=text(n)))),
    (255, lambda n: actions(button(action_id="a" * n))),
    (2000, lambda n: actions(button(value="v" * n))),
    (3000, lambda n: actions(button(url="https://" + "u" * (n - 8)))),
    (255, lambda n: section(text=text(), block_id="b" * n)),
    (100, select),
    (75, lambda n: select(1, text=text(n))),
    (150, lambda n: select(1, value="v" * n)),
    (5, overflow),
    (100, lambda n: confirm(title=n)),
    (300, lambda n: confirm(body=n)),
    (30, lambda n: confirm(label=n)),
    (2000, lambda n: image(alt_text="a" * n)),
    (12_000, lambda n: {"type": "markdown", "text": "m" * n}),
]


@pytest.mark.parametrize(("limit", "build"), LIMITS)
def test_the_limit_itself_passes_and_one_more_does_not(limit, build):
    assert problems({"text": "t", "blocks": [build(limit)]}) == []
    assert len(problems({"text": "t", "blocks": [build(limit + 1)]})) >= 1


@pytest.mark.parametrize(("length", "edit", "refused"), [
    (40_000, {}, 0),
    (40_001, {}, 1),
    (4_000, {"ts": "1.000001"}, 0),
    (4_001, {"ts": "1.000001"}, 1),
])  # fmt: skip
def test_an_edit_takes_less_text_than_a_new_message(length, edit, refused):
    assert len(problems({"text": "x" * length, **edit})) == refused


@pytest.mark.parametrize(("count", "refused"), [(50, 0), (51, 1)])
def test_a_message_has_at_most_fifty_blocks(count, refused):
    assert len(problems({"text": "t", "blocks": [{"type": "divider"}] * count})) == refused


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        (actions(), "no fewer than 1 items"),
        (actions(button(), button()), "action_id “go” is used 2 times"),
        (actions(button(text=text(1, "mrkdwn"))), "text object of type plain_text"),
        (actions(button(style="green")), "one of primary, danger"),
        (actions(button(url="javascript:alert(1)")), "http or https link"),
        (actions({"type": "button", "text": text()}), "missing required field: action_id"),
        (actions({"type": "number_input", "action_id": "n"}), "unsupported type: number_input"),
        (section(), "must have one of text, fields"),
        (section(text=text(0, "mrkdwn")), "more than 0 characters"),
        (section(text="bare"), "must be a text object"),
        (section(text={"type": {}, "text": "x"}), "must be a text object"),
        (section(text={"type": "mrkdwn", "text": "x", "emoji": True}), "no such field here"),
        (section(text=text(), colour="red"), "no such field here"),
        ({"type": "header", "text": text(1, "mrkdwn")}, "text object of type plain_text"),
        (
            {"type": "image", "image_url": "https://x.example/a.png"},
            "missing required field: alt_text",
        ),
        ({"type": "data_table", "rows": []}, "unsupported type: data_table"),
        ("divider", "unsupported type: None"),
        (context(0), "no fewer than 1 items"),
    ],
)
def test_a_block_that_slack_refuses_is_named_with_its_place(block, sentence):
    (found,) = problems({"text": "t", "blocks": [block]})
    assert sentence in found
    assert "[json-pointer:/blocks/0" in found or "action_id" in found


def test_two_blocks_with_one_id_are_refused():
    twice = [{"type": "divider", "block_id": "b"}] * 2
    assert problems({"text": "t", "blocks": twice}) == [
        "block_id “b” is used 2 times [json-pointer:/blocks]"
    ]


def test_the_same_button_may_be_in_two_rows():
    assert problems({"text": "t", "blocks": [actions(button()), actions(button())]}) == []


@pytest.mark.parametrize("payload", [{}, {"text": " "}, {"blocks": [{"type": "divider"}]}])
def test_a_message_needs_a_notification_text(payload):
    assert "a text is required" in problems(payload)[0]


def test_markdown_counts_over_the_whole_message():
    half = {"type": "markdown", "text": "m" * 7000}
    assert "12001" in problems({"text": "t", "blocks": [half, half]})[0]


@pytest.mark.parametrize(("metadata", "refused"), [
    ({"event_type": "rollout", "event_payload": {"id": "r1"}}, 0),
    ({}, 0),
    ({"event_type": "rollout"}, 1),
    ({"event_type": "rollout", "event_payload": "r1"}, 1),
    ({"event_type": "", "event_payload": {}}, 1),
    ("r1", 1),
])  # fmt: skip
def test_metadata_is_an_event_with_a_payload(metadata, refused):
    assert len(problems({"text": "t", "metadata": metadata})) == refused


def modal(**changes):
    body = {
        "type": "input",
        "label": text(),
        "element": {"type": "plain_text_input", "action_id": "i"},
    }
    return {"type": "modal", "title": text(), "submit": text(), "blocks": [body], **changes}


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"title": text(25)}, "less than 25"),
    ({"submit": text(25)}, "less than 25"),
    ({"close": text(25)}, "less than 25"),
    ({"private_metadata": "p" * 3001}, "less than 3001"),
    ({"callback_id": "c" * 256}, "less than 256"),
    ({"blocks": []}, "no fewer than 1"),
    ({"blocks": [{"type": "divider"}] * 101}, "no more than 100"),
    ({"blocks": [{"type": "markdown", "text": "m"}]}, "unsupported type: markdown"),
    ({"color": "red"}, "no such field"),
    ({"type": "drawer"}, "a modal or a home"),
])  # fmt: skip
def test_a_view_that_slack_refuses_is_named(changes, sentence):
    assert any(sentence in found for found in problems({"view": modal(**changes)}))


def test_a_modal_with_an_input_needs_a_submit_button():
    view = {key: value for key, value in modal().items() if key != "submit"}
    assert problems({"view": view}) == [
        "a modal with an input needs a submit button [json-pointer:/view]"
    ]


@pytest.mark.parametrize("view", [modal(), {"type": "home", "blocks": [{"type": "divider"}] * 100}])
def test_a_view_within_the_limits_passes(view):
    assert problems({"view": view}) == []
    assert problems(view) == []
