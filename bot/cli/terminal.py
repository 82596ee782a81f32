"""Where words go: one JSON value or lines on standard output, everything else on standard error.

The only part that writes. Text of others never reaches a terminal with a control character in it.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Self, TextIO

from bot.cli.mistakes import DONE


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: the same thing for machines and for people."""

    json: Any
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    """For standard error, in both forms."""
    exit_code: int = DONE


@dataclass(frozen=True, slots=True)
class Style:
    """What the terminal can show."""

    people: bool = False
    """Somebody is looking: standard output is a terminal."""
    colour: bool = False
    blocks: bool = True
    """Its encoding has `▓` and `→`."""

    def paint(self, text: str, code: str) -> str:
        """Return the text in a colour, where colours are wanted."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text


def clean(text: str) -> str:
    """Return foreign text for one line of a terminal: nothing in it moves a cursor, hides or reorders."""
    return "".join(char if char.isprintable() else "·" for char in text)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The three streams of a command; any of them may have been closed by whoever started it."""

    out: TextIO | None
    err: TextIO | None
    stdin: BinaryIO | None

    @classmethod
    def standard(cls) -> Self:
        """Return the streams of this process."""
        return cls(sys.stdout, sys.stderr, sys.stdin.buffer if sys.stdin is not None else None)

    def style(self, *, colour: bool) -> Style:
        """Return what standard output can show; `colour` is whether the person allows it."""
        people = self.out is not None and self.out.isatty()
        return Style(people, colour and people, blocks=_encodes(self.out, "▓→"))

    def show(self, outcome: Outcome, *, as_json: bool) -> None:
        """Print an outcome. Raises `OSError` when nobody reads any more."""
        for note in outcome.notes:
            _write(self.err, note)
        if as_json:
            # ASCII: every terminal and every encoding can carry it, and no foreign character is live in it.
            _write(self.out, json.dumps(outcome.json))
        else:
            for line in outcome.lines:
                _write(self.out, line)
        for stream in (self.err, self.out):
            if stream is not None:
                stream.flush()

    def complain(self, line: str) -> None:
        """Print a line on standard error, if there is one."""
        _write(self.err, line)

    def silence(self) -> None:
        """Let what is still buffered go nowhere, or the interpreter would complain about it at its end."""
        if self.out is sys.__stdout__ and self.out is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.out.fileno())
            os.close(nowhere)


def _encodes(stream: TextIO | None, text: str) -> bool:
    try:
        text.encode(stream.encoding if stream is not None and stream.encoding else "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _write(stream: TextIO | None, line: str) -> None:
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
