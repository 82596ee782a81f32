"""The kinds of rules that a Slack payload is checked by, each knowing how to say what is wrong.

Pure. `check` yields one sentence per fault, ending in the JSON pointer of the place, in the manner of Slack's own
`response_metadata.messages`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

_FILE = re.compile(r"^[F][A-Z0-9]{8,}$", re.ASCII)


class Rule(Protocol):
    """What one place of a payload may hold."""

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield what is wrong with the value at this JSON pointer."""
        ...


def fault(path: str, sentence: str) -> str:
    """Return a sentence about one place, as Slack writes it."""
    return f"{sentence} [json-pointer:{path}]"


@dataclass(frozen=True, slots=True)
class String:
    """A bare string."""

    limit: int
    blank: bool = False

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield whether it is no string, blank or too long."""
        if not isinstance(value, str):
            yield fault(path, "must be a string")
        elif not value.strip() and not self.blank:
            yield fault(path, "must be more than 0 characters")
        elif len(value) > self.limit:
            yield fault(path, f"must be less than {self.limit + 1} characters")


@dataclass(frozen=True, slots=True)
class Url:
    """A link that a person can follow: never `javascript:` and friends."""

    limit: int = 3000

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield whether it is too long or leads elsewhere than the web."""
        yield from String(self.limit).check(value, path)
        if isinstance(value, str) and not value.startswith(("https://", "http://")):
            yield fault(path, "must be an http or https link")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when it is another word."""
        if value not in self.words:
            yield fault(path, f"must be one of {', '.join(self.words)}")


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when it is neither."""
        if not isinstance(value, bool):
            yield fault(path, "must be true or false")


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number, both bounds included."""

    low: int
    high: int

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when it is no number or outside of the bounds."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not self.low <= value <= self.high:
            yield fault(path, f"must be a number from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Object:
    """Any JSON object."""

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when it is something else."""
        if not isinstance(value, dict):
            yield fault(path, "must be an object")


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that was uploaded to Slack, by its id or its address."""

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when it is named in no way or in both, or by what is no id."""
        if not isinstance(value, dict) or set(value) not in ({"id"}, {"url"}):
            yield fault(path, "must have one of id, url and nothing else")
        elif "url" in value:
            yield from Url().check(value["url"], f"{path}/url")
        elif not isinstance(value["id"], str) or not _FILE.fullmatch(value["id"]):
            yield fault(f"{path}/id", f"input must match regex pattern: {_FILE.pattern}")


@dataclass(frozen=True, slots=True)
class Many:
    """A list of `low` to `high` items."""

    item: Rule
    low: int
    high: int

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when there are too few or too many, and what is wrong with each."""
        if not isinstance(value, list):
            yield fault(path, "must be a list")
            return
        if len(value) < self.low:
            yield fault(path, f"no fewer than {self.low} items allowed")
        if len(value) > self.high:
            yield fault(path, f"no more than {self.high} items allowed")
        for index, item in enumerate(value):
            yield from self.item.check(item, f"{path}/{index}")


@dataclass(frozen=True, slots=True)
class Shape:
    """An object with these fields, those it needs, and those of which it needs at least one."""

    fields: Mapping[str, Rule] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield what is missing, what does not belong here, and what is wrong with each field."""
        if not isinstance(value, dict):
            yield fault(path, "must be an object")
            return
        for name in self.needs:
            if name not in value:
                yield fault(path, f"missing required field: {name}")
        if self.any_of and not any(name in value for name in self.any_of):
            yield fault(path, f"must have one of {', '.join(self.any_of)}")
        for name, item in value.items():
            if name in self.fields:
                yield from self.fields[name].check(item, f"{path}/{name}")
            elif name != "type":
                yield fault(f"{path}/{name}", "no such field here")


@dataclass(frozen=True, slots=True)
class OneOf:
    """An object whose `type` says which shape it has."""

    shapes: Mapping[str, Shape]

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when the type is unknown, else what the shape finds."""
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in self.shapes:
            yield fault(path, f"unsupported type: {kind}")
            return
        yield from self.shapes[kind].check(value, path)


@dataclass(frozen=True, slots=True)
class Text:
    """A text object; `plain` means that Slack takes no mrkdwn here."""

    limit: int
    plain: bool = False

    def check(self, value: Any, path: str) -> Iterator[str]:
        """Yield when it is another kind of text, blank or too long."""
        kinds = {"plain_text": "emoji"} if self.plain else _KINDS
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            yield fault(path, f"must be a text object of type {' or '.join(kinds)}")
            return
        shape = Shape({"text": String(self.limit), kinds[kind]: Flag()}, needs=("text",))
        yield from shape.check(value, path)


_KINDS = {"plain_text": "emoji", "mrkdwn": "verbatim"}
