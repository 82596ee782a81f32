"""What stands in the description of an alias: the words of its owner, and behind them ours.

`Serves the shop [sluice fence=7.3 prepared=6 kept=5,6]`. Pure. A note that somebody mangled counts as none: it must
never be what keeps a rollback from going through. Text of others is kept as far as 256 characters take it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MOST = 256
_NOTE = re.compile(r" ?\[sluice ((?:\w+=[^\[\]]*)?)\]", re.ASCII)
"""What looks like ours; `[sluice is a bot]` is somebody's sentence."""
_BROKEN_OFF = re.compile(r" ?\[sluice (?:\w+=[^\[\]]*|\w*)$", re.ASCII)
_FIELDS = re.compile(
    r"(?:fence=(?P<fence>\S{1,40}))?(?: ?prepared=(?P<prepared>\d{1,18}))?"
    r"(?: ?kept=(?P<kept>\d{1,18}(?:,\d{1,18}){0,9}))?(?: ?rollback=(?P<mark>.+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Note:
    """A description, taken apart."""

    text: str = ""
    """Of whoever else describes the alias."""
    fence: str = ""
    prepared: str = ""
    kept: frozenset[str] = frozenset()
    mark: str = ""
    """See `integrations.base.Split.mark`: `rollback=…`, which a person writes behind ours by hand."""


def read(description: str) -> Note:
    """Take a description apart."""
    text = _words_of_others(description)
    notes = _NOTE.findall(description)
    found = _FIELDS.fullmatch(notes[-1].strip()) if notes else None
    if found is None:
        return Note(text)
    kept = frozenset((found["kept"] or "").split(",")) - {""}
    return Note(text, found["fence"] or "", found["prepared"] or "", kept, found["mark"] or "")


def _words_of_others(description: str) -> str:
    """Return a description without what looks like ours, also where that only shows once something is taken out."""
    text = _BROKEN_OFF.sub("", _NOTE.sub("", description)).strip()
    return text if text == description.strip() else _words_of_others(text)


def written(note: Note) -> str:
    """Return the description that says this."""
    fields = [
        f"fence={note.fence}" if note.fence else "",
        f"prepared={note.prepared}" if note.prepared else "",
        f"kept={','.join(_ordered(note.kept))}" if note.kept else "",
        f"rollback={note.mark[:60]}" if note.mark else "",
    ]
    ours = f"[sluice {' '.join(one for one in fields if one)}]"
    room = _MOST - len(ours) - 1
    return f"{note.text[:room].rstrip()} {ours}".lstrip()


def _ordered(names: Iterable[str]) -> list[str]:
    """Return the newest versions first, no more than a few rollouts can have kept: all of it has to fit."""
    return sorted((name for name in names if name.isdigit()), key=int, reverse=True)[:6]
