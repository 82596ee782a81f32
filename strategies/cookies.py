"""One cookie as a rule by header: all cookies of a request come in one header, in any order.

Pure. A rule for a cookie is a rule for the header `cookie` with a regular expression (RE2) that finds the one pair
among the others; so routers, rows and digests know rules by header only. What was asked for is read back from that very
expression: a rule is in words what it is in force.
"""

import re
import warnings
from dataclasses import dataclass

from strategies.scalars import shown
from strategies.steps import Rule

HEADER = "cookie"

_BEFORE, _AFTER = r"(?:.*;[ \t]*)?", r"[ \t]*(?:;.*)?"
_ANY_VALUE = "[^;]*"
_OPEN, _CLOSE = "(?:", ")"

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
_VALUE = re.compile(r"[!-:<-~]{1,1024}")
_MEANS_MORE = re.compile(r"[\\.+*?()|\[\]{}^$]")
_RULE = re.compile(
    rf"{re.escape(_BEFORE)}(?P<name>(?:[^\\=]|\\.)+)=(?P<rest>.+){re.escape(_AFTER)}"
)

_FOR_ALL = re.compile(r"\(\?(?P<flags>[a-zA-Z]+)\)(?P<rest>.*)", re.DOTALL)
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]|.", re.DOTALL)
_POSIX = re.compile(r"\[:(?:alnum|alpha|blank|digit|lower|space|upper|word|xdigit):\]")
"""The named classes that have no `;`."""
_NEGATED = {r"\S": r"[^;\s]", r"\D": r"[^;\d]", r"\W": r"[^;\w]", ".": "[^;]"}
_ANCHORS = frozenset({"^", "$", r"\A", r"\z", r"\Z"})


@dataclass(frozen=True, slots=True)
class Cookie:
    """What a cookie has to be. Exactly one of the three conditions is set."""

    name: str
    equals: str | None = None
    regex: str | None = None
    """RE2, matched against the whole value of this cookie."""
    present: bool | None = None


def cookie_name(text: str) -> str:
    """Read the name of a cookie. Raises `ValueError` with a sentence."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{shown(text)} is no name of a cookie such as beta.")
    return text


def cookie_pair(text: str) -> Cookie:
    """Read `NAME=VALUE`. Raises `ValueError` with a sentence."""
    name, equals, value = text.partition("=")
    if not (equals and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
        raise ValueError(
            f"{shown(text)} is no cookie: write its name and its value, like beta=1, without blanks and `;`."
        )
    return Cookie(name, equals=value)


def cookie_rule(cookie: Cookie) -> Rule:
    """Return the rule that finds a cookie among others. Raises `ValueError` with a sentence."""
    name = _literally(cookie_name(cookie.name))
    if cookie.equals is not None:
        condition = _literally(cookie_pair(f"{cookie.name}={cookie.equals}").equals or "")
    elif cookie.regex is not None:
        condition = f"{_OPEN}{_within_value(cookie.regex)}{_CLOSE}"
    else:
        condition = _ANY_VALUE
    return Rule(HEADER, regex=f"{_BEFORE}{name}={condition}{_AFTER}")


def cookie_in(rule: Rule) -> Cookie | None:
    """Return the cookie that a rule finds; None for one of another kind."""
    found = _RULE.fullmatch(rule.regex or "") if rule.header == HEADER else None
    if found is None:
        return None
    name, rest = _read(found["name"]), found["rest"]
    if rest == _ANY_VALUE:
        cookie = Cookie(name, present=True)
    elif rest.startswith(_OPEN):
        cookie = Cookie(name, regex=rest[len(_OPEN) : -len(_CLOSE)])
    else:
        cookie = Cookie(name, equals=_read(rest))
    try:
        return cookie if cookie_rule(cookie) == rule else None
    except ValueError:
        return None


def _literally(text: str) -> str:
    return _MEANS_MORE.sub(r"\\\g<0>", text)


def _read(escaped: str) -> str:
    return re.sub(r"\\(.)", r"\1", escaped)


def _within_value(regex: str) -> str:
    """Return an expression that says the same and cannot reach into the next cookie."""
    whole = _FOR_ALL.fullmatch(regex)
    if whole is not None:
        return f"(?{whole['flags']}:{_within_value(whole['rest'])})"
    pieces: list[str] = _PIECE.findall(regex)
    # It is held against the whole value anyway.
    pieces = pieces[pieces[:1] == ["^"] :]
    pieces = pieces[: len(pieces) - (pieces[-1:] == ["$"])]
    return "".join(_piece_within(piece) for piece in pieces)


def _piece_within(piece: str) -> str:
    if piece in _ANCHORS:
        raise ValueError(
            f"The expression for a cookie is held against its whole value: leave {piece} out."
        )
    if piece in _NEGATED:
        return _NEGATED[piece]
    if piece.startswith("[^"):
        body = piece[2:-1]
        kept = rf"\]{body[1:]}" if body.startswith("]") else body
        return piece if kept.startswith(";") else f"[^;{kept}]"
    if _takes_the_end(piece):
        raise ValueError(
            f"{shown(piece)} would reach into the next cookie: a value ends at `;`, so name what it may have."
        )
    return piece


def _takes_the_end(piece: str) -> bool:
    """Say whether one piece may stand for the `;` behind a value."""
    if len(piece) == 1:
        return piece == ";"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # other named classes, among them those with a `;`
        try:
            return re.fullmatch(_POSIX.sub("a", piece), ";") is not None
        except (re.error, FutureWarning):
            return True
