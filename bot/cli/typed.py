"""What was typed in a shell: our own flags taken out, the rest made into the one line that the grammar reads.

Pure. The shell has already cut the line, so a word may hold blanks. What follows `because` is a reason and is
left alone, but for a `--json` at the very end, which nobody means as a part of it (quoted with the reason it stays).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.cli.mistakes import CliError
from bot.grammar.line import BECAUSE
from bot.grammar.mistakes import closest, did_you_mean, shown
from bot.grammar.phone import plain

_JSON = "--json"
_HELP = frozenset({"--help", "-h"})
_KEY_VALUE = re.compile(r"(?P<key>-{0,2}[A-Za-z][\w-]*)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line."""

    words: tuple[str, ...]
    """Without the flags that every command takes."""
    json: bool = False
    help: bool = False

    @property
    def verb(self) -> str:
        """The first word as verbs are compared; `""` when there is none."""
        return plain(self.words[0]).casefold() if self.words else ""


def wants_json(argv: Sequence[str]) -> bool:
    """Say whether exactly one JSON value is wanted on standard output."""
    return list(argv[-1:]) == [_JSON] or any(
        plain(word) == _JSON for word in argv[: reason_at(argv)]
    )


def read(argv: Sequence[str]) -> Typed:
    """Take out the flags of every command. Raises `CliError` for words that are no text."""
    for number, word in enumerate(argv, 1):
        if not _is_text(word):
            raise CliError(f"Word {number} is not text in UTF-8. Type it again.", code="bad_text")
    words = list(argv)
    if len(words) > 1 and words[-1] == _JSON:
        words.pop()
    end = reason_at(words)
    kept = [word for word in words[:end] if plain(word) not in {_JSON, *_HELP}]
    asked = any(plain(word) in _HELP for word in words[:end])
    return Typed((*kept, *words[end:]), json=wants_json(argv), help=asked)


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def reason_at(words: Sequence[str]) -> int:
    """Return where the reason begins, `len(words)` when there is none."""
    for number, word in enumerate(words):
        if any(plain(part).casefold().rstrip(":,") == BECAUSE for part in word.split()):
            return number
    return len(words)


def split_flags(
    words: Sequence[str], flags: Mapping[str, str], *, strict: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Take these flags out of `words`; each has an example of its value, `""` for none. Raises `CliError`.

    `strict`: any other flag is a mistake; else it is for the grammar to read.
    """
    found: dict[str, str] = {}
    rest: list[str] = []
    end = reason_at(words)
    left = iter(words[:end])
    for word in left:
        name, equals, _ = plain(word).partition("=")
        if name in found:
            raise CliError(
                f"{name} is there twice. Say it once.", code="duplicate_option", key=name
            )
        if name not in flags:
            if strict and name.startswith("-") and len(name) > 1:
                raise _unknown_flag(name, flags)
            rest.append(word)
        elif flags[name]:
            found[name] = _value(
                name, word.partition("=")[2] if equals else next(left, ""), flags[name]
            )
        elif equals:
            raise CliError(f"{name} takes no value. Leave it out.", code="bad_value", key=name)
        else:
            found[name] = "true"
    return found, (*rest, *words[end:])


def _value(name: str, text: str, example: str) -> str:
    if not text.strip() or text.startswith("--"):
        sentence = f"{name} has no value. Write for example `{name} {example}`."
        raise CliError(sentence, code="empty_value", key=name)
    return text


def _unknown_flag(name: str, flags: Mapping[str, str]) -> CliError:
    near = closest(name.lstrip("-"), [flag.lstrip("-") for flag in flags])
    suggestion = f"--{near}" if near else ""
    ask = did_you_mean(suggestion) or " `sluice help` shows what there is."
    return CliError(
        f"`{shown(name)}` is not an option here.{ask}",
        code="unknown_option",
        key=shown(name),
        suggestion=suggestion,
    )


def joined(words: Sequence[str]) -> str:
    """Return the line that these words are. Raises `CliError` for an empty one, which is a forgotten variable.

    A value with blanks gets quotes back, because the shell has taken them: `--cron "0 2 * * *"`, `cron="0 2 * * *"`.
    """
    end = reason_at(words)
    pieces: list[str] = []
    for number, word in enumerate(words[:end]):
        before = plain(words[number - 1]) if number else ""
        is_value = before.startswith("--") and "=" not in before
        if not word.strip() and not is_value:
            raise CliError(
                f"Word {number + 1} is empty. Is a variable of the shell not set?",
                code="empty_word",
            )
        pieces.append(_quoted(word) if is_value else _with_quoted_value(word))
    return " ".join([*pieces, *words[end:]])


def _with_quoted_value(word: str) -> str:
    found = _KEY_VALUE.fullmatch(word)
    return f"{found['key']}={_quoted(found['value'])}" if found else word


def _quoted(value: str) -> str:
    if value and len(value.split()) < 2 and value == value.strip():
        return value
    return f'"{value}"' if '"' not in value else value
