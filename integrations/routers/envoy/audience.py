"""Routes of our own in a route file: requests with a header go to the canary, whatever its weight.

Pure. Such a route, `sluice-<n>`, stands right before the split one and is a copy of it (match, timeout, retries, the
header edits of the canary's own entry …) with one more header to match and the canary as its only cluster. Envoy wants
all headers of a match, so it does not matter which of them the split route matches already.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import HeaderRule
from integrations.routers.envoy.document import child, copied, key_of, listed
from integrations.routers.envoy.metadata import without_ours
from integrations.routers.envoy.routes import Fork, Wanted, entries_of
from integrations.splitting.headers import refuse_unwritable
from integrations.splitting.managed import Audience, find_audience

# They weigh the entries by other means, or fix a sum; a copy with one entry needs neither.
_OF_MANY = ("total_weight", "runtime_key_prefix", "header_name", "random_value_specifier")


def audience_of(fork: Fork, wanted: Wanted) -> Audience:
    """Return our routes beside the one that is split."""

    def rule_at(index: int, route: Mapping[str, Any]) -> HeaderRule | None:
        rule = _rule_in(route)
        same = rule is not None and route_for(rule, fork, str(route["name"])) == route
        return rule if same and index < fork.index else None

    return find_audience(fork.host.routes, fork.index, wanted.leads_to_canary, rule_at)


def routes_for(
    rules: Sequence[HeaderRule], audience: Audience, fork: Fork
) -> list[Mapping[str, Any]]:
    """Return the routes that send the requests of `rules` to the canary. Raises `RefusedError` `bad_header_rule`."""
    for rule in rules:
        refuse_unwritable(rule)
    names = audience.names(len(rules))
    return [route_for(rule, fork, name) for rule, name in zip(rules, names, strict=True)]


def route_for(rule: HeaderRule, fork: Fork, name: str) -> dict[str, Any]:
    """Return the route that sends the requests of one rule to the canary."""
    made = without_ours(copied(fork.route)) | {"name": name}
    match = made.setdefault(key_of(made, "match"), {})
    key = key_of(match, "headers")
    match[key] = [*listed(match, "headers"), _matcher(rule)]
    split = child(child(made, "route"), "weighted_clusters")
    for field in _OF_MANY:
        split.pop(key_of(split, field), None)
    canary = entries_of(made)[fork.canary]
    split[key_of(split, "clusters")] = [{**canary, key_of(canary, "weight"): 100}]
    return made


def _matcher(rule: HeaderRule) -> dict[str, Any]:
    if rule.equals is not None:
        return {"name": rule.header, "string_match": {"exact": rule.equals}}
    if rule.regex is not None:
        return {"name": rule.header, "string_match": {"safe_regex": {"regex": rule.regex}}}
    absent = {"invert_match": True} if rule.present is False else {}
    return {"name": rule.header, "present_match": True, **absent}


def _rule_in(route: Mapping[str, Any]) -> HeaderRule | None:
    """Return the rule of the last header that a route matches: that is where ours is."""
    last = (listed(child(route, "match"), "headers") or [{}])[-1]
    match last:
        case {"name": str(name), "string_match": {"exact": str(value)}}:
            return HeaderRule(name, equals=value)
        case {"name": str(name), "string_match": {"safe_regex": {"regex": str(value)}}}:
            return HeaderRule(name, regex=value)
        case {"name": str(name), "present_match": True}:
            return HeaderRule(name, present=not last.get("invert_match", False))
        case _:
            return None
