"""The http routes of our own in a VirtualService: requests with a header go to the canary, whatever its weight.

Pure. Such a route, `sluice-<n>`, stands right before the split one and is a copy of it (conditions, timeout, retries,
mirror, the canary's own header edits …) with two changes: one more condition, and the canary as its only destination.
So its requests are those that the split route would have got, and they are treated as there. The one rule: a route
counts as its rule only if this module would write it just so today; whatever was edited shows as a rule of no
condition. An edit of the split route itself shows too: its copies no longer treat requests alike, so a person is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import HeaderRule
from integrations.routers.istio.routes import Fork
from integrations.splitting.headers import already_matched, bad_rule, refuse_unwritable
from integrations.splitting.managed import Audience, find_audience, replacing_ops

__all__ = ["Audience", "audience_of", "audience_ops", "route_for"]

# Istio reads these names as fields of the request and silently ignores them among `headers`.
_NO_HEADERS = frozenset({"uri", "scheme", "method", "authority"})


def audience_of(http: Sequence[Mapping[str, Any]], fork: Fork) -> Audience:
    """Return our routes among `http`."""
    return find_audience(
        http,
        fork.index,
        lambda route: _leads_to_canary(route, fork),
        lambda index, body: _rule_at(index, body, fork),
    )


def audience_ops(
    audience: Audience, fork: Fork, rules: Sequence[HeaderRule]
) -> list[dict[str, Any]]:
    """Return the JSON Patch operations after which `rules` are all routes of ours; none where they are already.

    They move the split route: operations on it belong before them. Raises `RefusedError` for a rule that cannot be
    written (`bad_header_rule`, `header_already_matched`).
    """
    for rule in rules:
        _refuse(rule, fork)
    names = audience.names(len(rules))
    wanted = [route_for(rule, fork, name) for rule, name in zip(rules, names, strict=True)]
    return replacing_ops(audience, fork.index, wanted, "/spec/http")


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


def _rule_at(index: int, body: Mapping[str, Any], fork: Fork) -> HeaderRule | None:
    """Return the rule of a route; None where it was edited, or can no longer be reached."""
    name = str(body["name"])
    rules = (rule for rule in _candidates(body) if route_for(rule, fork, name) == body)
    return next(rules, None) if index < fork.index else None


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


def _refuse(rule: HeaderRule, fork: Fork) -> None:
    refuse_unwritable(rule)
    if rule.header in _NO_HEADERS:
        raise bad_rule(rule, "has a name that Istio reads as another part of the request")
    _refuse_twice(rule, fork)


def _refuse_twice(rule: HeaderRule, fork: Fork) -> None:
    """Refuse a header that the split route has a condition on: one match block holds one condition per header."""
    for block in fork.route.get("match") or []:
        held = (*(block.get("headers") or {}), *(block.get("withoutHeaders") or {}))
        if rule.header in {header.lower() for header in held}:
            raise already_matched(rule, f"Route {fork.name or f'number {fork.index}'}")
