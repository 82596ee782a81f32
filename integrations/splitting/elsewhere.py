"""Routes that lead to the canary and are nobody's split: how they are told to people.

Pure. Which routes those are is for the adapters to say; they are never written, so the canary's pods must not go while
there are any.
"""

import re
from collections.abc import Iterable

from integrations.base import Finding

_SHOWN = 3
_LONGEST = 60


def phrase(kind: str, routes: Iterable[str], mirrors: Iterable[str] = ()) -> str:
    """Return the names of routes of a kind, and of those that mirror, as `Split.elsewhere` puts them; `""` for none."""
    told = [f"{kind} {_plain(name)}" for name in routes]
    told += [f"mirror of {kind} {_plain(name)}" for name in mirrors]
    more = len(told) - _SHOWN
    return ", ".join(told[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def reached_elsewhere(elsewhere: str) -> list[Finding]:
    """Return the warning about such routes; none without any."""
    if not elsewhere:
        return []
    return [
        Finding(
            "canary_reached_elsewhere",
            f"Not only the split leads to the canary: {elsewhere} does too. Requests reach it there whatever its "
            "percentage, and going back does not take them away. Remove that, or let it lead to stable.",
            fatal=False,
        )
    ]


def _plain(name: str) -> str:
    """Strip a foreign name of everything that Slack or a terminal could take for markup."""
    return re.sub(r"[^\w ./:-]", "", name)[:_LONGEST]
