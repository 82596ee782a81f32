"""A message as people see it, once Slack's own rules have passed it."""

from bot.slack.limits import problems


def texts(message):
    """All of its texts but those of the buttons."""
    assert problems(message.payload()) == []
    parts = [block["text"]["text"] for block in message.blocks if "text" in block]
    return "\n".join([*parts, *(e["text"] for e in _elements(message) if e["type"] == "mrkdwn")])


def buttons(message):
    """Its buttons by their labels."""
    return {e["text"]["text"]: e for e in _elements(message) if e["type"] == "button"}


def labels(message):
    """The verbs of its buttons by their labels."""
    return {label: found["action_id"] for label, found in buttons(message).items()}


def _elements(message):
    return [element for block in message.blocks for element in block.get("elements", ())]
