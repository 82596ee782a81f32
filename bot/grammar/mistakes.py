"""What to say about words that are not understood: the error, its codes, and what was probably meant.

Pure. A sentence repeats what was typed only through `shown`, so that no markup of others gets into a message.
"""

from collections.abc import Iterable
from typing import Literal, get_args

Code = Literal[
    "ambiguous_word",
    "bad_id",
    "bad_value",
    "bad_version",
    "duplicate_option",
    "empty_value",
    "misplaced_option",
    "missing_environment",
    "missing_id",
    "missing_reason",
    "missing_service",
    "missing_version",
    "open_quote",
    "too_long",
    "unknown_environment",
    "unknown_option",
    "unknown_service",
    "unknown_word",
]
CODES: tuple[Code, ...] = get_args(Code)

TWO_EDITS = 2
_PREFIX = 3
_ECHO = 48
_ANGLES = str.maketrans(
    {
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
    }
)


class WordsError(Exception):
    """The words are wrong and nothing happened. `str()` is a sentence for people, `code` is for machines.

    `key` is the option as it was typed, without its dashes, or `service`, `environment`, `version` for a bare word;
    `suggestion` is what was probably meant, ready to be typed.
    """

    line: str = ""
    """The whole line as it was probably meant, from its verb on, where only one thing can be meant."""

    def __init__(
        self, sentence: str, *, code: Code, key: str | None = None, suggestion: str | None = None
    ) -> None:
        """Keep the sentence (what, why, what to do) and what a machine wants to know about it."""
        super().__init__(sentence)
        self.sentence = sentence
        self.code: Code = code
        self.key = key
        self.suggestion = suggestion
        self.instead: tuple[int, int, str] | None = None
        """Between which characters of what was typed which words would have to stand, where that is clear."""


def shown(text: str) -> str:
    """Return typed text as a sentence may repeat it: one short line without anything that could be markup."""
    short = text if len(text) <= _ECHO else f"{text[: _ECHO - 1]}…"
    return inert(short).replace("`", "'")


def inert(text: str) -> str:
    """Return text in which nothing controls a terminal or is markup to Slack."""
    visible = "".join(char if char.isprintable() else "·" for char in text)
    return visible.translate(_ANGLES)


def listed(names: Iterable[str], *, most: int = 8) -> str:
    """Return names for a sentence, `a, b, c`, cut short when there are many."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(shown(name) for name in every[:most]) + more


def within(first: str, second: str, most: int) -> bool:
    """Say whether at most `most` edits turn one word into the other; case does not count.

    An edit is one letter more, less or other, or two neighbours swapped, which is what thumbs do.
    """
    one, other = first.casefold(), second.casefold()
    return abs(len(one) - len(other)) <= most and _edits(one, other) <= most


def _edits(first: str, second: str) -> int:
    rows = [list(range(len(second) + 1))]
    for i, char in enumerate(first, 1):
        row = [i]
        for j, other in enumerate(second, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (char != other))
            if i > 1 and j > 1 and char == second[j - 2] and first[i - 2] == other:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that was probably meant: two edits away (one, for three letters), or begun like it."""
    most = min(TWO_EDITS, len(word) // 2)
    near = [name for name in candidates if within(word, name, most)]
    if near:
        return min(near, key=lambda name: (_edits(word.casefold(), name.casefold()), name))
    begun = word.casefold()
    return next(
        (name for name in candidates if len(begun) >= _PREFIX and name.startswith(begun)), None
    )


def clearly(word: str, suggestion: str | None, names: Iterable[str]) -> bool:
    """Say whether a suggestion is the only one of the names that a word may be a slip of."""
    most = min(TWO_EDITS, len(word) // 2)
    every = list(names)
    near = [name for name in every if within(word, name, most)]
    begun = [name for name in every if name.startswith(word.casefold())]
    return (near or begun) == [suggestion]


def did_you_mean(suggestion: str | None) -> str:
    """Return the question that ends a sentence, or nothing."""
    return f" Did you mean `{shown(suggestion)}`?" if suggestion else ""
