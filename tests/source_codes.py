"""Which error codes the source can say, read from its syntax, so that no list of them can grow old.

A code is a `snake_case` word that is passed as `code=` or `missing=`, stands right before its sentence, or has a fixed
place in the calls below. The sandbox is left out: its codes are those of the Slack and the Kubernetes that it stands in
for.
"""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PLACES = {
    "Trouble": 0, "Turned": 1, "hold": 2, "turn": 2, "_ill": 2, "_wrong": 1, "Problem": 3, "problem": 1,
}  # fmt: skip
"""Where the code stands in calls whose sentence is not written beside it."""
_KEYED = {"report"}
"""Calls in which the key may stand between the code and its sentence."""
_NO_CODES = {"Entry", "Health", "Phrase", "Key", "Sight", "wrong"}
"""Calls in which a word before a sentence is something else."""


def source_files() -> list[Path]:
    """Return every module of the bot but the sandbox."""
    files = [
        path for top in ("bot", "strategies", "integrations") for path in (ROOT / top).rglob("*.py")
    ]
    return [path for path in files if "sandbox" not in path.parts]


def codes_in_source() -> set[str]:
    """Return every code that a person or a program may be given."""
    return {code for path in source_files() for code in codes_of(path.read_text("utf-8"))}


def prefixes_in_source() -> set[str]:
    """Return the beginnings of codes that end with the name of what they are about, such as `unknown_`."""
    texts = (path.read_text("utf-8") for path in source_files())
    return {found[1] for text in texts for found in re.finditer(r'f"([a-z]+_)\{[a-z]+\}"', text)}


def codes_of(text: str) -> set[str]:
    """Return the codes in one module."""
    found = {code for node in ast.walk(ast.parse(text)) for code in _codes(node)}
    return {code for code in found if _SNAKE.fullmatch(code)}


def _codes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=func, args=args, keywords=keywords):
            name = ast.unparse(func).rpartition(".")[2]
            for keyword in keywords:
                if keyword.arg in {"code", "missing"}:
                    yield from _said(keyword.value)
            if name in _KEYED:
                yield from (word for part in args[:2] for word in _said(part))
                return
            place = _PLACES.get(name)
            if place is not None and place < len(args):
                yield from _said(args[place])
            elif name not in _NO_CODES:
                yield from _before_sentence(args)
        case ast.Tuple(elts=parts):
            yield from _before_sentence(parts)
        case ast.Assign(targets=[ast.Name(id="code" | "_REASONS")], value=value):
            yield from _said(value)
        case ast.FunctionDef(args=ast.arguments(kwonlyargs=named, kw_defaults=defaults)):
            for argument, default in zip(named, defaults, strict=True):
                if argument.arg == "code" and default is not None:
                    yield from _said(default)


def _said(node: ast.expr) -> Iterator[str]:
    """Yield the words that an expression may be; of a choice both, of a table its values."""
    match node:
        case ast.Constant(value=str(word)):
            yield word
        case ast.IfExp(body=one, orelse=other):
            yield from (*_said(one), *_said(other))
        case ast.Dict(values=values):
            for value in values:
                yield from _said(value)


def _before_sentence(parts: list[ast.expr]) -> Iterator[str]:
    for word, sentence in itertools.pairwise(parts):
        if (
            isinstance(word, ast.Constant)
            and isinstance(word.value, str)
            and _is_sentence(sentence)
        ):
            yield word.value


def _is_sentence(node: ast.expr) -> bool:
    match node:
        case ast.BinOp(left=left):
            return _is_sentence(left)
        case ast.JoinedStr(values=values):
            words = " ".join(str(v.value) for v in values if isinstance(v, ast.Constant))
            return len(re.findall("[A-Za-z]{2,}", words)) > 2
        case ast.Constant(value=str(text)):
            return len(text.split()) > 2
        case _:
            return isinstance(node, ast.Name) and node.id in {"sentence", "why"}
