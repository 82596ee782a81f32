"""One block of a seed in a file: read as strictly as `sluice.yaml`, so that every mistake has its line and column.

Pure. What the block means is for its dialect to say; here are only the places where it says so.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from bot.settings import ConfigError, Problem
from bot.settings.document import Mapping, Node, Scalar, Sequence, read_document
from bot.settings.fields import read_flag, read_number, read_text
from bot.settings.problems import Mark
from strategies import dialects
from strategies.wish import Wish, WishError


@dataclass(frozen=True, slots=True)
class SeedBlock:
    """A block, what it asks for, and where its keys stand."""

    file: str
    root: Node
    wish: Wish

    def wrong(self, keys: Collection[str], code: str, sentence: str) -> ConfigError:
        """Return a mistake at the first of these keys that the block has."""
        assert isinstance(self.root, Mapping)
        config = self.root.value("config")
        inner = config.entries if isinstance(config, Mapping) else {}
        entries = {**inner, **self.root.entries}
        key = next(key for key in keys if key in entries)
        return ConfigError((_problem(self.file, entries[key].key_at, code, key, sentence),))


def is_block(text: str, file: str) -> bool:
    """Tell whether a text is a block of a seed, right or wrong."""
    root, problems = read_document(_without_tabs(text), file)
    return root is not None and dialects.known(_plain(root, file, problems))


def read_block(
    text: str, file: str, *, sinks: Collection[str] = (), metrics: Collection[str] | None = None
) -> SeedBlock:
    """Return the block in a text. Raises `ConfigError` for what is wrong with it.

    `sinks` and `metrics` are those of `strategies.dialects.read`.
    """
    root, problems = read_document(_without_tabs(text), file)
    body = None if root is None else _plain(root, file, problems)
    if problems or root is None:
        raise ConfigError(tuple(sorted(problems, key=lambda one: (one.line, one.column))))
    try:
        return SeedBlock(file, root, dialects.read(body, sinks=sinks, metrics=metrics))
    except WishError as error:
        at = _place(root, error.path)
        raise ConfigError((_problem(file, at, error.code, error.key, str(error)),)) from None


def _without_tabs(text: str) -> str:
    """Return JSON with blanks for tabs, which it may be indented with and YAML not; columns stay."""
    return text.replace("\t", " ") if text.lstrip().startswith("{") else text


def _problem(file: str, at: Mark, code: str, key: str, sentence: str) -> Problem:
    return Problem(file, at.line, at.column, code, key, sentence)


def _plain(node: Node, file: str, problems: list[Problem], key: str = "") -> Any:
    """Return a tree as JSON would have it; what has no meaning there joins the problems."""
    match node:
        case Mapping(entries=entries):
            return {
                name: _plain(entry.value, file, problems, name) for name, entry in entries.items()
            }
        case Sequence(items=items):
            return [_plain(item, file, problems, key) for item in items]
        case Scalar(at=at):
            try:
                return _value(node)
            except PydanticCustomError as error:
                problems.append(_problem(file, at, error.type, key, error.message()))
                return None


def _value(node: Scalar) -> Any:
    match node.kind:
        case "number":
            number = read_number(node)
            return number if "." in node.text else int(number)
        case "flag":
            return read_flag(node)
        # What was refused is among the problems already.
        case "nothing" | "refused":
            return None
        case "text" | "date":
            return read_text(node)


def _place(root: Node, path: tuple[str | int, ...]) -> Mark:
    """Return where the key at the end of a path stands, or as near to it as there is something."""
    node: Node = root
    at = root.at
    for part in path:
        match node, part:
            case Mapping(entries=entries), str() if part in entries:
                at, node = entries[part].key_at, entries[part].value
            case Sequence(items=items), int() if part < len(items):
                node, at = items[part], items[part].at
            case _:
                return at
    return at
