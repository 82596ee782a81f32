"""Routes of our own in somebody else's list of routes: where they are, and how they come and go.

Pure. Such a route is called `sluice-<n>` and stands right before the one that is split. The one rule: it counts as its
rule only if the adapter would write it just so today; whatever was edited shows as a rule of no condition.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from integrations.base import HeaderRule

_OURS = re.compile(r"sluice-[1-9]\d{0,5}", re.ASCII)

Route = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Managed:
    """One of our routes, where it was found."""

    index: int
    body: Route
    rule: HeaderRule


@dataclass(frozen=True, slots=True)
class Audience:
    """Our routes in one object, and the names that others use."""

    routes: tuple[Managed, ...] = ()
    taken: frozenset[str] = frozenset()

    @property
    def rules(self) -> tuple[HeaderRule, ...]:
        """The rules as they are in force."""
        return tuple(route.rule for route in self.routes)

    def stands_before(self, index: int) -> bool:
        """Say whether our routes are the ones right before the route at `index`."""
        first = index - len(self.routes)
        return [route.index for route in self.routes] == list(range(first, index))

    def names(self, how_many: int) -> list[str]:
        """Return names for so many routes of ours, none of which somebody else uses."""
        free = (name for n in count(1) if (name := f"sluice-{n}") not in self.taken)
        return list(islice(free, how_many))


def is_managed(route: Route) -> bool:
    """Say whether a route bears the name of one that Sluice inserts for an audience."""
    return _OURS.fullmatch(str(route.get("name", ""))) is not None


def find_audience(
    listed: Sequence[Route],
    split_at: int,
    leads_to_canary: Callable[[Route], bool],
    rule_at: Callable[[int, Route], HeaderRule | None],
) -> Audience:
    """Return our routes among `listed`; `rule_at` says which rule one is, None for one that was edited.

    A name of ours is not enough: another service may be split in the same object. Ours lead to our canary; and those
    right before the split route are ours whatever became of them, so that going back removes them.
    """
    first = split_at
    while first and is_managed(listed[first - 1]):
        first -= 1
    ours = {
        at
        for at, route in enumerate(listed)
        if is_managed(route) and (first <= at < split_at or leads_to_canary(route))
    }
    routes = tuple(
        Managed(at, listed[at], rule_at(at, listed[at]) or HeaderRule(str(listed[at]["name"])))
        for at in sorted(ours)
    )
    taken = {str(route.get("name", "")) for at, route in enumerate(listed) if at not in ours}
    return Audience(routes, frozenset(taken))


def replacing_ops(
    audience: Audience, split_at: int, wanted: Sequence[Route], path: str
) -> list[dict[str, Any]]:
    """Return the JSON Patch operations after which `wanted` are all routes of ours; none where they are already.

    `path` is that of the list. They move the split route: operations on it belong before them.
    """
    found = [route.body for route in audience.routes]
    if list(wanted) == found and audience.stands_before(split_at):
        return []
    at = split_at - sum(route.index < split_at for route in audience.routes)
    return [
        *(op for route in reversed(audience.routes) for op in _removal(route, path)),
        *(
            {"op": "add", "path": f"{path}/{at + n}", "value": dict(route)}
            for n, route in enumerate(wanted)
        ),
    ]


def _removal(route: Managed, path: str) -> list[dict[str, Any]]:
    place = f"{path}/{route.index}"
    return [
        {"op": "test", "path": place, "value": dict(route.body)},
        {"op": "remove", "path": place},
    ]
