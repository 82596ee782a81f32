"""YAML text -> a small tree that remembers where everything stood.

Pure, and safe on hostile text: it reads the parser's events one by one and stops at the first limit, so nothing is
expanded, nothing recurses and no object is built. Anchors, aliases, merge keys and tags are refused: they make a file
mean something else than what a reader sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, cast

import yaml
from yaml.resolver import Resolver

from bot.settings.problems import Mark, Problem
from bot.settings.scalars import shown

Kind = Literal["text", "number", "flag", "nothing", "date", "refused"]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000

READ_AS: dict[Kind, str] = {"number": "a number", "flag": "true or false", "date": "a date"}
"""What YAML makes of an unquoted scalar, in words."""

_START = Mark(1, 1)

# What YAML 1.1 makes of an unquoted scalar. `=` and the rest of its exotic types are plain text to us.
_KINDS: dict[str, Kind] = {
    "int": "number",
    "float": "number",
    "bool": "flag",
    "null": "nothing",
    "timestamp": "date",
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it was written, and what YAML would have made of it without quotes."""

    text: str
    kind: Kind
    at: Mark


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: list["Node"]
    at: Mark


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a block, and its value."""

    key: str
    key_at: Mark
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A block of keys; every key is there once."""

    entries: dict[str, Entry]
    at: Mark

    def value(self, key: str) -> "Node | None":
        """Return the value of a key, None when the key is not there."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Node = Scalar | Sequence | Mapping


class _StoppedError(Exception):
    """The text cannot be read any further; the reason is already among the problems."""


def read_document(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Return the tree of the one document in `text`, and what is wrong with it. None: not readable at all."""
    reader = _Reader(file)
    try:
        return reader.read(text), reader.problems
    except _StoppedError:
        return None, reader.problems


@dataclass(slots=True)
class _Reader:
    file: str
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    resolver: Resolver = field(default_factory=Resolver)

    def read(self, text: str) -> Node:
        if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            self.stop(
                "too_large",
                f"The file is larger than {MAX_BYTES // 1024} KiB. Split or shorten it.",
            )
        events = self._events(text)
        root: Node | None = None
        for event in events:
            match event:
                case yaml.DocumentStartEvent() if root is not None:
                    self.stop(
                        "several_documents",
                        "A second document starts here. Keep one, and remove the --- line.",
                        _mark(event.start_mark),
                    )
                case yaml.NodeEvent():
                    root = self._node(event, events, 1)
                case _:
                    pass
        if root is None or (isinstance(root, Scalar) and root.kind == "nothing"):
            self.stop(
                "empty_file",
                "The file has no content. Begin with the keys slack, clusters and services.",
            )
        return root

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._stop_not_yaml(shown(error.problem or "unreadable", 120), _mark(mark))
        except yaml.reader.ReaderError as error:
            self._stop_not_yaml("a character that no text has", _place(text, int(error.position)))
        except (ValueError, OverflowError):
            # The scanner passes escapes such as "\UFFFFFFFF" and endless version numbers straight to chr() and int().
            self._stop_not_yaml("an escape or a number that means nothing", _START)

    def _stop_not_yaml(self, reason: str, at: Mark) -> NoReturn:
        self.stop(
            "not_yaml",
            f"The YAML cannot be read any further: {reason}. Check indentation, brackets and quotes here.",
            at,
        )

    def _node(
        self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int, key: str = ""
    ) -> Node:
        at = _mark(event.start_mark)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.stop(
                "too_many_nodes",
                f"The file has more than {MAX_NODES} values. Split or shorten it.",
                at,
            )
        if depth > MAX_DEPTH:
            self.stop("too_deep", f"The file is nested more than {MAX_DEPTH} levels deep here.", at)
        self._refuse_indirection(event, at, key)
        match event:
            case yaml.ScalarEvent():
                return Scalar(event.value, self._kind(event), at)
            case yaml.SequenceStartEvent():
                return Sequence(self._items(events, depth, key), at)
            case yaml.MappingStartEvent():
                return Mapping(self._entries(events, depth), at)
            case _:
                return Scalar("", "refused", at)

    def _refuse_indirection(self, event: yaml.NodeEvent, at: Mark, key: str) -> None:
        if event.anchor is not None:
            name = shown(str(event.anchor))
            self.report(
                "anchors_refused",
                f"Anchors and aliases are not read here: write out what {name} stands for.",
                at,
                key,
            )
        if getattr(event, "tag", None) is not None:
            self.report(
                "tags_refused", "Tags (!…) are not read here: write the plain value.", at, key
            )

    def _kind(self, event: yaml.ScalarEvent) -> Kind:
        if event.tag is not None:
            return "refused"
        if event.style is not None:
            return "text"
        tag = self.resolver.resolve(  # type: ignore[no-untyped-call]
            yaml.ScalarNode, event.value, (True, False)
        )
        return _KINDS.get(str(tag).rpartition(":")[2], "text")

    def _items(self, events: Iterator[yaml.Event], depth: int, key: str) -> list[Node]:
        items = []
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                break
            items.append(self._node(event, events, depth + 1, key))
        return items

    def _entries(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                break
            key = self._node(event, events, depth + 1)
            value_event = cast("yaml.NodeEvent", next(events))
            value = self._node(
                value_event, events, depth + 1, key.text if isinstance(key, Scalar) else ""
            )
            if isinstance(key, Scalar) and self._is_key(key, entries):
                entries[key.text] = Entry(key.text, key.at, value)
            elif not isinstance(key, Scalar):
                self.report("bad_key", "A key is a word, not a list or a block.", key.at)
        return entries

    def _is_key(self, key: Scalar, entries: dict[str, Entry]) -> bool:
        word = shown(key.text)
        if key.text == "<<":
            self.report(
                "anchors_refused",
                "Merge keys (<<) are not read here: write the keys out.",
                key.at,
                "<<",
            )
        elif key.kind == "nothing":
            self.report("bad_key", "Here is a value without a key.", key.at)
        elif key.text in entries:
            first = entries[key.text].key_at.line
            self.report(
                "duplicate_key",
                f"{word} was already given in line {first}. Keep one.",
                key.at,
                key.text,
            )
        elif key.kind in {"number", "flag", "date"}:
            self.report(
                "unquoted_value",
                f"Without quotes YAML reads {word} as {READ_AS[key.kind]}, not as text: put the key in quotes.",
                key.at,
                key.text,
            )
            return True
        else:
            return key.kind == "text"
        return False

    def report(self, code: str, message: str, at: Mark, key: str = "") -> None:
        self.problems.append(Problem(self.file, at.line, at.column, code, key, message))

    def stop(self, code: str, message: str, at: Mark = _START) -> NoReturn:
        self.report(code, message, at)
        raise _StoppedError


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else _START


def _place(text: str, index: int) -> Mark:
    before = text[:index]
    return Mark(before.count("\n") + 1, index - before.rfind("\n"))
