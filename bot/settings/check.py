"""`sluice.yaml` -> `Config`, or every mistake in it with its line and column.

Pure but for `load_config`, which reads the file. All mistakes are collected in one run: nobody wants to correct a file
one error at a time.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.settings.document import MAX_BYTES, Mapping, Node, Scalar, Sequence, read_document
from bot.settings.problems import ConfigError, Mark, Problem
from bot.settings.references import reference_problems
from bot.settings.scalars import shown
from bot.settings.values import Config

_Loc = tuple[int | str, ...]


def load_config(path: Path) -> Config:
    """Read a file. Raises `ConfigError`, also when there is no such file."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1).decode()
    except OSError as error:
        raise _unreadable(
            file, f"The file cannot be read: {error.strerror}. Check SLUICE_CONFIG."
        ) from None
    except UnicodeDecodeError:
        raise _unreadable(file, "The file is not text in UTF-8. Save it as UTF-8.") from None
    return read_config(text, file)


def _unreadable(file: str, message: str) -> ConfigError:
    return ConfigError((Problem(file, 1, 1, "unreadable_file", "", message),))


def read_config(text: str, file: str) -> Config:
    """Return the configuration in `text`; messages call it `file`. Raises `ConfigError` with all mistakes."""
    root, problems = read_document(text, file)
    config: Config | None = None
    if root is not None:
        try:
            config = Config.model_validate(_arranged(root))
        except ValidationError as error:
            problems += [p for detail in error.errors() if (p := _problem(root, file, detail))]
        problems += reference_problems(root, file)
    if problems or config is None:
        raise ConfigError(_in_order(problems))
    return config


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    first: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.line, problem.column, problem.key), problem)
    return tuple(sorted(first.values(), key=lambda p: (p.line, p.column)))


def _arranged(root: Node) -> Any:
    """Return plain lists and dicts with scalars as leaves, and every service as about and targets."""
    plain = _plain(root)
    services = plain.get("services") if isinstance(plain, dict) else None
    if isinstance(services, dict):
        plain["services"] = {name: _as_service(body) for name, body in services.items()}
    return plain


def _as_service(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    targets = {key: value for key, value in body.items() if key != "about"}
    return {"targets": targets} | {key: body[key] for key in body if key == "about"}


def _plain(node: Node) -> Any:
    match node:
        case Mapping(entries=entries):
            return {key: _plain(entry.value) for key, entry in entries.items()}
        case Sequence(items=items):
            return [_plain(item) for item in items]
        case Scalar():
            return node


def _problem(root: Node, file: str, detail: Any) -> Problem | None:
    code, loc = detail["type"], _as_written(detail["loc"])
    if code == "refused":
        return None
    key, at = _place(root, loc, at_key=code in {"unknown_key", "empty_value"})
    return Problem(file, at.line, at.column, code, key, detail["msg"])


def _as_written(loc: _Loc) -> _Loc:
    """Return the path in the file: `targets` is only in the values."""
    return loc[:2] + loc[3:] if loc[:1] == ("services",) and loc[2:3] == ("targets",) else loc


def _place(root: Node, loc: _Loc, *, at_key: bool) -> tuple[str, Mark]:
    """Return the key that a path is about and where to point: at its value, or at the key where that says more."""
    node, key, key_at, at = root, "", Mark(1, 1), Mark(1, 1)
    for part in loc:
        match node, part:
            case Mapping(entries=entries), str() if part in entries:
                entry = entries[part]
                key, key_at, node, at = part, entry.key_at, entry.value, entry.value.at
            case Sequence(items=items), int() if part < len(items):
                node, key_at, at = items[part], items[part].at, items[part].at
            case _, "[key]":
                at = key_at
            case _, str():
                # The key is missing: point at the block that lacks it.
                key, at = shown_key(part), key_at
            case _:
                pass
    return key, key_at if at_key else at


def shown_key(key: str) -> str:
    """Return a key as it may be repeated in one line of output."""
    return shown(key)[1:-1]
