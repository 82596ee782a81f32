"""What a form is: what it shows, what it is about, what is sent with it, and what comes of that. Values only.

What a form carries (`private_metadata`) is routing, never authority, and is never cut.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bot.commands import Receipt, Refusal
from bot.policy import Actor
from bot.slack.blocks import Block, clip, plain
from bot.slack.message import Message

OPENS = "form:"
"""What the names of buttons begin with that open a form; their value is what the form is about."""
_TITLE = 24
METADATA = 3000


@dataclass(frozen=True, slots=True)
class View:
    """What a form shows. A modal with inputs needs the word of its submit button."""

    title: str
    blocks: Sequence[Block]
    submit: str = ""
    close: str = "Close"
    about: "About | None" = None
    """What it is about from here on; None: what the form before it was about."""
    told: Message | None = None
    """The same as a message, for whom the form is closed by then."""

    def payload(self, name: str, about: "About") -> dict[str, Any]:
        """Return the view as the Web API takes it."""
        words = {"submit": self.submit, "close": self.close}
        return {
            "type": "modal",
            "callback_id": name,
            "title": _words(self.title),
            "blocks": list(self.blocks),
            "private_metadata": (self.about or about).text(),
            **{key: _words(text) for key, text in words.items() if text},
        }


@dataclass(frozen=True, slots=True)
class About:
    """What a form is about, and where it was asked for; travels with the form and comes back with it."""

    value: str = ""
    """The value of the button, or what was typed; `""` where a shortcut opened it."""
    channel: str = ""
    message_ts: str = ""
    """The message that a message shortcut or a button was used on."""
    thread_ts: str = ""
    """The message whose thread that is in."""
    opened: str = ""
    """What is the same in every delivery of what opened it."""

    def text(self) -> str:
        """Return it for `private_metadata`."""
        written = _written(self)
        # Never cut: half of it could not be read back. Without its value a form says that it is not about anything.
        return written if len(written) <= METADATA else _written(replace(self, value=""))

    @property
    def whole(self) -> bool:
        """Whether all of it fits into a form."""
        return len(_written(self)) <= METADATA

    @classmethod
    def read(cls, text: str) -> "About":
        """Return what `text` wrote. Raises `Refusal` for anything else: another version of the bot made the form."""
        try:
            body = json.loads(text)
            return cls(*(str(body[key]) for key in "vcmto"))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise unknown() from error


def _written(about: About) -> str:
    body = {"v": about.value, "c": about.channel, "m": about.message_ts}
    whole = {**body, "t": about.thread_ts, "o": about.opened}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Said:
    """A form that was sent."""

    actor: Actor
    about: About
    values: Mapping[str, Any]
    """By block id: text, the value of an option, a list of values, a date; None where nothing was given."""
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Wrong:
    """A form that is refused at its fields, by block id; it stays open as it was filled in."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a form that was sent."""

    ack: dict[str, Any]
    """What Slack is answered."""
    message: Message | None = None
    """What its sender is told besides."""
    late: Message | None = None
    """What its sender is told where the form was closed meanwhile."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What is special about a form."""

    said: bool = False
    """Where it cannot be opened, what it shows is said: it acts when it is opened, or is needed at once."""
    anywhere: bool = False
    """It may be asked for in a channel that outsiders read: it only goes back, or explains."""
    only_shows: Callable[[About], bool] = lambda _about: False
    """Whether sending it changes nothing."""


class Form(Protocol):
    """One kind of form."""

    name: str
    """Its `callback_id`, and what stands behind `form:` in the name of a button."""

    async def view(self, actor: Actor, about: About) -> View:
        """Return what it shows. Raises `Refusal` and `WordsError`, which are shown in its place."""
        ...

    async def sent(self, said: Said) -> Wrong | View | Message | None:
        """Do what it asks for: what is wrong, what it shows next, what its sender is told, or nothing: it closes.

        Raises `Refusal` and `WordsError`, which are shown in its place.
        """
        ...

    def in_words(self, about: About) -> str:
        """Return how the same is done by words, where no form can be opened."""
        ...


def unknown() -> Refusal:
    """Return the refusal of what no form of this bot carries."""
    return Refusal(
        "This form is from another version of the bot; nothing was changed. Open it again.",
        code="unknown_form",
    )


def _words(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": clip(plain(text), _TITLE)}
