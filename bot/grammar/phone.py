"""What phones make of typed words, undone: dashes, curly quotes, odd blanks, invisible marks, links.

Pure, word by word, and only for the words that are parsed. A reason is never passed through here: it stays as written.
"""

import re
import unicodedata

# `<https://…|label>` counts by its label; `<@U…>` and `<#C…|name>` are not links and stay.
_LINK = re.compile(r"<[a-zA-Z][a-zA-Z0-9+.-]*:[^<>|\s]*(?:\|(?P<label>[^<>]*))?>")
# One word of the raw text. A link may have blanks in its label and is still one word.
RAW_WORD = re.compile(rf"(?:{_LINK.pattern.replace('?P<label>', '?:')}|\S)+")

_DOUBLE = "“”„‟«»″〝〞"
_SINGLE = "‘’‚‛′ʼ´`"  # noqa: RUF001 and for an apostrophe
_DASHES = "‐‑‒–—―−⁃⸺⸻﹘﹣－"  # noqa: RUF001 the very characters that phones put for a hyphen
_KEYBOARD = str.maketrans(
    dict.fromkeys(_DOUBLE, '"') | dict.fromkeys(_SINGLE, "'") | dict.fromkeys(_DASHES, "-")
)
_LEAD = re.compile(rf"^(?P<run>[-{_DASHES}]+)(?P<first>\w)(?P<second>\w?)")
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)


def plain(word: str) -> str:
    """Return one word as it would have been typed on a plain keyboard; `""` when nothing of it is visible."""
    text = "".join(char for char in _LINK.sub(_label, word) if _visible(char))
    # Twice: compatibility forms hide dashes and quotes, and some quotes fall apart when they are composed.
    return _keyboard(unicodedata.normalize("NFKC", _keyboard(text))).strip()


def _keyboard(text: str) -> str:
    return _LEAD.sub(_lead, text).translate(_KEYBOARD)


def _label(link: re.Match[str]) -> str:
    return link["label"] or link[0][1:].partition("|")[0].rstrip(">")


def _visible(char: str) -> bool:
    # Cf are zero-width and bidirectional marks; they come along with copied text and change what a word equals.
    return unicodedata.category(char) != "Cf" and ord(char) not in _VARIATION_SELECTORS


def _lead(found: re.Match[str]) -> str:
    """Give a word that begins with dashes the dashes that were meant: `—steps` is `--steps`, `–5` is `-5`."""
    run, first, second = found["run"], found["first"], found["second"]
    single = len(run) == 1 and (run == "-" or not second or first.isdigit())
    return f"{'-' if single else '--'}{first}{second}"


def unquoted(word: str) -> str:
    """Return a plain word without the quotes around it."""
    quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'"
    return word[1:-1].strip() if quoted else word


def spoken(text: str) -> str:
    """Return a text without blanks around it; `""` where nothing of it can be seen."""
    seen = any(not unicodedata.category(char).startswith(("C", "Z")) for char in text)
    return text.strip() if seen else ""
