"""The rules of our own in a route: requests with a header go to the canary, whatever its weight.

Pure. Such a rule, `sluice-<n>`, is a copy of the split one (matches, filters, timeouts, the canary's own filters …)
with two changes: one more header in each match, and the canary as its only backend. In the Gateway API the match with
more headers wins, so its place matters to nobody; it stands right before the split rule.

How a regular expression is read is up to each implementation: some search in the value, some take the whole of it, and
Linkerd takes the first alternative that fits. Between `^(?:` and `)$` all of them mean the whole value. That a header
is there at all is `.+`, never `.*`: where an absent header counts as empty, `.*` would send everybody to the canary.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import HeaderRule, RefusedError
from integrations.routers.gateway_api.routes import Body, Fork, identity
from integrations.splitting.headers import already_matched, bad_rule, refuse_unwritable
from integrations.splitting.managed import Audience, find_audience, replacing_ops

_EXACT, _REGEX = "Exact", "RegularExpression"
_ANY_VALUE = ".+"
_BEFORE, _AFTER = "^(?:", ")$"
_LONGEST_VALUE = 4096
_MOST_RULES, _MOST_MATCHES, _MOST_HEADERS = 16, 128, 16


def audience_of(rules: Sequence[Body], fork: Fork) -> Audience:
    """Return our rules among those of a route."""
    return find_audience(
        rules,
        fork.index,
        lambda rule: _leads_to_canary(rule, fork),
        lambda _, rule: _rule_at(rule, fork),
    )


def audience_ops(
    audience: Audience, fork: Fork, rules: Sequence[HeaderRule], found: Sequence[Body]
) -> list[dict[str, Any]]:
    """Return the JSON Patch operations after which `rules` are all rules of ours; none where they are already.

    `found` are the rules of the route. They move the split rule: operations on it belong before them. Raises
    `RefusedError`: `bad_header_rule`, `header_already_matched`, `too_many_rules`.
    """
    for rule in rules:
        _refuse(rule, fork)
    names = audience.names(len(rules))
    wanted = [rule_for(rule, fork, name) for rule, name in zip(rules, names, strict=True)]
    ours = {route.index for route in audience.routes}
    _refuse_too_many([*(rule for at, rule in enumerate(found) if at not in ours), *wanted])
    return replacing_ops(audience, fork.index, wanted, "/spec/rules")


def rule_for(rule: HeaderRule, fork: Fork, name: str) -> dict[str, Any]:
    """Return the rule that sends the requests of `rule` to the canary of `fork`."""
    replaced = {"name", "matches", "backendRefs"}
    kept = {key: value for key, value in fork.rule.items() if key not in replaced}
    return {
        **kept,
        "name": name,
        "matches": [_narrowed(match, rule) for match in _matches(fork.rule)],
        "backendRefs": [{**fork.backends[fork.canary].raw, "weight": 1}],
    }


def _matches(rule: Body) -> Sequence[Body]:
    """Return the matches of a rule; one that matches everything is written out by the API server, but not always."""
    return rule.get("matches") or [{}]


def _narrowed(match: Body, rule: HeaderRule) -> dict[str, Any]:
    return {**match, "headers": [*(match.get("headers") or []), _header(rule)]}


def _header(rule: HeaderRule) -> dict[str, str]:
    if rule.equals is not None:
        return {"name": rule.header, "type": _EXACT, "value": rule.equals}
    value = _ANY_VALUE if rule.regex is None else f"{_BEFORE}{rule.regex}{_AFTER}"
    return {"name": rule.header, "type": _REGEX, "value": value}


def _rule_at(body: Body, fork: Fork) -> HeaderRule | None:
    name = str(body["name"])
    return next((rule for rule in _candidates(body) if rule_for(rule, fork, name) == body), None)


def _candidates(body: Body) -> Iterator[HeaderRule]:
    for header in _matches(body)[0].get("headers") or []:
        name, value = str(header.get("name", "")), str(header.get("value", ""))
        if header.get("type", _EXACT) == _EXACT:
            yield HeaderRule(name, equals=value)
        elif value == _ANY_VALUE:
            yield HeaderRule(name, present=True)
        else:
            yield HeaderRule(name, regex=value.removeprefix(_BEFORE).removesuffix(_AFTER))


def _leads_to_canary(rule: Body, fork: Fork) -> bool:
    canary = identity(fork.backends[fork.canary].raw)
    return any(identity(ref) == canary for ref in rule.get("backendRefs") or [])


def _refuse(rule: HeaderRule, fork: Fork) -> None:
    refuse_unwritable(rule)
    if rule.present is False:
        raise bad_rule(rule, "asks for its absence, for which the Gateway API has no condition")
    if not 1 <= len(_header(rule)["value"]) <= _LONGEST_VALUE:
        raise bad_rule(rule, "has a value that is empty or longer than 4096 characters")
    for match in _matches(fork.rule):
        held = match.get("headers") or []
        if rule.header in {str(header.get("name", "")).lower() for header in held}:
            raise already_matched(rule, f"Rule {fork.title}")
        if len(held) == _MOST_HEADERS:
            raise _too_many(f"its rule {fork.title} has {_MOST_HEADERS} headers in a match already")


def _refuse_too_many(rules: Sequence[Mapping[str, Any]]) -> None:
    if len(rules) > _MOST_RULES:
        raise _too_many(f"it would have {len(rules)} rules, and {_MOST_RULES} are allowed")
    matches = sum(len(_matches(rule)) for rule in rules)
    if matches > _MOST_MATCHES:
        raise _too_many(f"its rules would have {matches} matches, and {_MOST_MATCHES} are allowed")


def _too_many(why: str) -> RefusedError:
    return RefusedError(
        f"The route has no room for the audience: {why}. Take rules out of it, or ask for fewer headers.",
        code="too_many_rules",
    )
