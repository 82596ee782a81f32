"""What is said to the bot when it is mentioned: the words behind its own name, as people write to somebody. Pure.

Greetings and other names before it, a comma, a colon or a flame behind it and a “please” are no words of a command.
"""

import re
import unicodedata

from bot.grammar.phrases import VERBS

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_SIGN = re.compile(r"\s+|:[a-z0-9_+'-]+:|[,.;:!?…–—-]+", re.IGNORECASE)
_PLEASE = re.compile(r"[\s,]+(?:please|pls)[\s.,!?…]*$", re.IGNORECASE)
_FIRST_PLEASE = re.compile(r"(?:please|pls)\b[\s,]*", re.IGNORECASE)
_MARKS = {"So", "Sk", "Mn", "Cf"}
"""The categories of emoji, and of what is put together with them."""


def said_to(text: str, bot: str) -> str:
    """Return the line of a mention; `bot` is the id of our own user, `""` while that is not known."""
    found = [one for one in _MENTION.finditer(text) if not bot or one[1] == bot]
    if not found:
        return text
    # Without our own id the first mention counts.
    first = found[0]
    behind, before = text[first.end() :], text[: first.start()]
    own = [one for one in found[1:] if bot]
    for one in reversed(own):
        behind = f"{behind[: one.start() - first.end()]} {behind[one.end() - first.end() :]}"
    line = _begun(behind)
    if not line.strip():
        earlier = _begun(_MENTION.sub(" ", before))
        # `rollback @sluice` is a line; `hey @sluice` is a greeting.
        line = earlier if earlier.split()[:1] and _is_verb(earlier.split()[0]) else ""
    return _unpleased(line)


def _is_verb(word: str) -> bool:
    return word.strip("/.,:;!?…").casefold() in VERBS


def _begun(text: str) -> str:
    """Return a text without the punctuation and the emoji that it begins with."""
    while text:
        sign = _SIGN.match(text)
        if sign is not None:
            text = text[sign.end() :]
        elif unicodedata.category(text[0]) in _MARKS:
            text = text[1:]
        else:
            break
    return _FIRST_PLEASE.sub("", text, count=1) if _FIRST_PLEASE.match(text) else text


def _unpleased(line: str) -> str:
    return line if "because" in line.casefold() else _PLEASE.sub("", line)
