"""The variables in a query of one's own, as they are written: `$lane`, `${window}`; `$$` is a dollar sign.

Pure. What the others mean, and how their values are quoted, the source of the numbers knows.
"""

import re

_VARIABLE = re.compile(r"\$(?:\$|(?P<word>[A-Za-z_]\w*)|\{(?P<braced>\w*)\})", re.ASCII)
_PER_LANE = frozenset({"lane", "workload"})


def tells_lanes_apart(query: str) -> bool:
    """Whether a query has a variable that is another one for each version."""
    return any(_name(found) in _PER_LANE for found in _VARIABLE.finditer(query))


def filled(query: str, name: str, value: str) -> str:
    """Return a query with one variable put in, a plain word; all else stays as it is."""
    return _VARIABLE.sub(lambda found: value if _name(found) == name else found[0], query)


def _name(found: re.Match[str]) -> str | None:
    return found["word"] or found["braced"]
