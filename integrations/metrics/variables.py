"""Puts values into the custom queries of `sluice.yaml`: `$service`, `${version}`, `$lane` and the like.

Pure. Where a variable stands decides how its value is written: quoted inside a string, as a literal inside a regex, and
outside of strings only if it is a plain word. So a value can change what is looked for, never what is asked.
"""

import re
from collections.abc import Mapping

from integrations.metrics.quoting import escape, re2_quote

_PIECE = re.compile(
    r"""(?P<comment>\#[^\r\n]*)
      | (?P<regex>[=!]~(?:\s|\#[^\r\n]*+)*)? (?P<string> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )
      | (?P<bare>\$(?:\$|\w+|\{\w*\}))""",
    re.VERBOSE | re.DOTALL,
)

# `$1` is how label_replace names a group, and a `$` before anything else ends a regex: neither is ours.
_VARIABLE = re.compile(r"\$(?:\$|(?P<word>[A-Za-z_]\w*)|\{(?P<braced>\w*)\})", re.ASCII)

_WORD = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*|[0-9]+s", re.ASCII)
"""What may stand outside of a string: part of a metric's name, or a window like `300s`."""

PER_LANE = frozenset({"lane", "workload"})
"""Variables that differ between the lanes: a query that has one is asked once per lane."""


class BadQueryError(Exception):
    """The query cannot be filled in. `str()` is the reason, as the second half of a sentence."""


def fill(query: str, variables: Mapping[str, str]) -> str:
    """Return `query` with the variables put in; `$$` is a dollar sign. Raises `BadQueryError`."""

    def piece(match: re.Match[str]) -> str:
        if match["comment"] is not None:
            return match[0]
        if match["bare"] is not None:
            return _VARIABLE.sub(lambda found: _bare(found, variables), match[0])
        quote, regex = match["string"][0], match["regex"] is not None
        text = _VARIABLE.sub(lambda found: _inside(found, variables, quote, regex), match["string"])
        return f"{match['regex'] or ''}{text}"

    return _PIECE.sub(piece, query)


def asks_per_lane(query: str) -> bool:
    """Say whether the query has a variable that differs between the lanes."""
    return any(_name(match) in PER_LANE for match in _VARIABLE.finditer(query))


def _name(match: re.Match[str]) -> str | None:
    return match["word"] if match["word"] is not None else match["braced"]


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str | None:
    name = _name(match)
    if name is None:
        return None
    if name not in variables:
        known = ", ".join(f"${known}" for known in sorted(variables))
        raise BadQueryError(f"its query has a variable that does not exist (known: {known})")
    return variables[name]


def _bare(match: re.Match[str], variables: Mapping[str, str]) -> str:
    value = _value(match, variables)
    if value is None:
        return "$"
    if not _WORD.fullmatch(value):
        raise BadQueryError("the value of a variable can only stand inside quotes")
    return value


def _inside(match: re.Match[str], variables: Mapping[str, str], quote: str, regex: bool) -> str:
    value = _value(match, variables)
    if value is None:
        return "$"
    literal = re2_quote(value) if regex else value
    if quote != "`":
        return escape(literal)
    if "`" in value:
        raise BadQueryError("the value of a variable has a backtick and stands between backticks")
    return literal
