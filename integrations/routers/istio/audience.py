"""The http routes of our own in a VirtualService: requests with a header go to the canary, whatever its weight.

Pure. Such a route, `sluice-<n>`, stands right before the split one and is a copy of it (conditions, timeout, retries,
mirror, the canary's own header edits …) with two changes: one more condition, and the canary as its only destination.
So its requests are those that the split route would have got, and they are treated as there. The one rule: a route
counts as its rule only if this module would write it just so today; whatever was edited shows as a rule of no
condition. An edit of the split route itself shows too: its copies no longer treat requests alike, so a person is asked.
"""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from integrations.base import HeaderRule, RefusedError
from integrations.routers.istio.routes import Fork, is_managed

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")

# Istio reads these names as fields of the request and silently ignores them among `headers`.
_NO_HEADERS = frozenset({"uri", "scheme", "method", "authority"})

# What Python reads and RE2 does not: look-around, atomic groups, conditions and comments, flags of its own, possessive
# quantifiers, and repetitions over a thousand; in the escapes back references, code points and the end of the text.
_NOT_RE2 = re.compile(r"\(\?(?:[=!>(#]|<[=!]|P[=>]|[a-zA-Z-]*[aLux])|[*+?}]\+|[{,]\d{4}")
_NOT_RE2_ESCAPE = re.compile(r"\\[1-9ZuUN]")
_LITERAL = re.compile(r"\\[^A-Za-z0-9]")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Managed:
    """One of our routes, where it was found."""

    index: int
    body: Mapping[str, Any]
    rule: HeaderRule


@dataclass(frozen=True, slots=True)
class Audience:
    """Our routes in one VirtualService, and the names that others use."""

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


def audience_of(http: Sequence[Mapping[str, Any]], fork: Fork) -> Audience:
    """Return our routes among `http`.

    A name of ours is not enough: another service may be split in the same VirtualService. Ours lead to our canary; and
    those right before the split route are ours whatever became of them, so that going back removes them.
    """
    first = fork.index
    while first and is_managed(http[first - 1]):
        first -= 1
    ours = {
        at
        for at, route in enumerate(http)
        if is_managed(route) and (first <= at < fork.index or _leads_to_canary(route, fork))
    }
    routes = tuple(Managed(at, http[at], _rule_at(at, http[at], fork)) for at in sorted(ours))
    taken = {str(route.get("name", "")) for at, route in enumerate(http) if at not in ours}
    return Audience(routes, frozenset(taken))


def audience_ops(
    audience: Audience, fork: Fork, rules: Sequence[HeaderRule]
) -> list[dict[str, Any]]:
    """Return the JSON Patch operations after which `rules` are all routes of ours; none where they are already.

    They move the split route: operations on it belong before them. Raises `RefusedError` for a rule that cannot be
    written (`bad_header_rule`, `header_already_matched`).
    """
    for rule in rules:
        _refuse(rule, fork)
    free = (name for n in count(1) if (name := f"sluice-{n}") not in audience.taken)
    wanted = [
        route_for(rule, fork, name)
        for rule, name in zip(rules, islice(free, len(rules)), strict=True)
    ]
    found = [route.body for route in audience.routes]
    if wanted == found and audience.stands_before(fork.index):
        return []
    at = fork.index - sum(route.index < fork.index for route in audience.routes)
    return [
        *(op for route in reversed(audience.routes) for op in _removal(route)),
        *(
            {"op": "add", "path": f"/spec/http/{at + n}", "value": route}
            for n, route in enumerate(wanted)
        ),
    ]


def route_for(rule: HeaderRule, fork: Fork, name: str) -> dict[str, Any]:
    """Return the route that sends the requests of `rule` to the canary of `fork`."""
    kept = {key: value for key, value in fork.route.items() if key not in {"name", "match"}}
    entry = {**fork.route["route"][fork.canary], "weight": 100}
    blocks = fork.route.get("match") or [{}]
    return {**kept, "name": name, "match": [_narrowed(b, rule) for b in blocks], "route": [entry]}


def _narrowed(block: Mapping[str, Any], rule: HeaderRule) -> dict[str, Any]:
    key, condition = _condition(rule)
    return {**block, key: {**(block.get(key) or {}), rule.header: condition}}


def _condition(rule: HeaderRule) -> tuple[str, dict[str, str]]:
    """Return the field of a match block and the condition in it; an empty one asks for presence."""
    if rule.equals is not None:
        return "headers", {"exact": rule.equals}
    if rule.regex is not None:
        return "headers", {"regex": rule.regex}
    return ("withoutHeaders" if rule.present is False else "headers"), {}


def _rule_at(index: int, body: Mapping[str, Any], fork: Fork) -> HeaderRule:
    """Return the rule of a route; one of no condition where it was edited, or can no longer be reached."""
    name = str(body["name"])
    rules = (rule for rule in _candidates(body) if route_for(rule, fork, name) == body)
    found = next(rules, None) if index < fork.index else None
    return found or HeaderRule(header=name)


def _candidates(body: Mapping[str, Any]) -> Iterator[HeaderRule]:
    blocks = body.get("match") or [{}]
    for header, condition in (blocks[0].get("headers") or {}).items():
        match condition:
            case {"exact": str(value)}:
                yield HeaderRule(header, equals=value)
            case {"regex": str(value)}:
                yield HeaderRule(header, regex=value)
            case _:
                yield HeaderRule(header, present=True)
    for header in blocks[0].get("withoutHeaders") or {}:
        yield HeaderRule(header, present=False)


def _leads_to_canary(route: Mapping[str, Any], fork: Fork) -> bool:
    canary = fork.arms[fork.canary].raw
    return any(entry.get("destination") == canary for entry in route.get("route") or [])


def _removal(route: Managed) -> list[dict[str, Any]]:
    path = f"/spec/http/{route.index}"
    return [
        {"op": "test", "path": path, "value": dict(route.body)},
        {"op": "remove", "path": path},
    ]


def _refuse(rule: HeaderRule, fork: Fork) -> None:
    conditions = [rule.equals, rule.regex, rule.present]
    if len(conditions) - conditions.count(None) != 1:
        raise _bad(rule, "needs exactly one of equals, regex and present")
    if not _NAME.fullmatch(rule.header) or rule.header in _NO_HEADERS:
        raise _bad(rule, "is not the name of a header in lower case")
    if rule.regex is not None and not _is_re2(rule.regex):
        raise _bad(rule, "has a regular expression that RE2 does not read")
    _refuse_twice(rule, fork)


def _is_re2(regex: str) -> bool:
    """Say whether a proxy would read it: one that does not may refuse all routes it was sent, not only this one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what a later Python will read otherwise
        try:
            re.compile(regex)
        except (re.error, OverflowError, RecursionError):
            return False
    plain = _LITERAL.sub("_", regex)
    return not (_NOT_RE2_ESCAPE.search(plain) or _NOT_RE2.search(_CLASS.sub("_", plain)))


def _refuse_twice(rule: HeaderRule, fork: Fork) -> None:
    """Refuse a header that the split route has a condition on: one match block holds one condition per header."""
    for block in fork.route.get("match") or []:
        held = (*(block.get("headers") or {}), *(block.get("withoutHeaders") or {}))
        if rule.header in {header.lower() for header in held}:
            raise RefusedError(
                f"Route {fork.name or f'number {fork.index}'} already has a condition on the header {rule.header}, "
                "and a second one cannot be added. Choose another header for the audience.",
                code="header_already_matched",
            )


def _bad(rule: HeaderRule, what: str) -> RefusedError:
    return RefusedError(
        f"The rule for the header {rule.header[:60]!r} {what}. Correct it.", code="bad_header_rule"
    )
