"""Which rule of an HTTPRoute or GRPCRoute is split, and where in the object its two weights are.

Pure. Never guesses: a rule counts only with exactly one stable and one canary backend, and only one rule may count
unless it is named. Backends that are no Service of this namespace are nobody's lane.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from integrations.base import Lane, RefusedError
from integrations.splitting.managed import is_managed

Body: TypeAlias = Mapping[str, Any]
LaneOf: TypeAlias = Callable[[str], Lane | None]
"""The lane of a Service, by its name."""

MOST_WEIGHT = 1_000_000

# What a backend is apart from how much it gets; Linkerd writes the core group out.
_CORE = ("", "core")


@dataclass(frozen=True, slots=True)
class Backend:
    """One entry of a rule's list of backends."""

    raw: Body
    lane: Lane | None
    weight: int

    @property
    def service(self) -> str:
        """The name of its Service."""
        return str(self.raw.get("name", ""))


@dataclass(frozen=True, slots=True)
class Fork:
    """The rule that is split: its place in `spec.rules` and the places of its two lanes."""

    index: int
    rule: Body
    """All of it, as it was read."""
    backends: tuple[Backend, ...]
    stable: int
    canary: int
    counted: bool = False
    """It was found by its number, which may lead to another rule tomorrow."""

    @property
    def weights(self) -> tuple[int, int]:
        """The weights of stable and canary."""
        return self.backends[self.stable].weight, self.backends[self.canary].weight

    @property
    def others(self) -> int:
        """The sum of all weights that are not ours."""
        return sum(backend.weight for backend in self.backends) - sum(self.weights)

    @property
    def title(self) -> str:
        """What people call the rule."""
        return title_of(self.index, self.rule)


def rules_of(body: Body) -> Sequence[Body]:
    """Return the rules of a route."""
    return (body.get("spec") or {}).get("rules") or []


def services_in(body: Body, namespace: str) -> list[str]:
    """Return the Services of the namespace that any rule sends requests, or copies of them, to."""
    return [
        str(ref.get("name", ""))
        for rule in rules_of(body)
        for ref in (*(rule.get("backendRefs") or []), *mirrors_of(rule))
        if _is_service_here(ref, namespace)
    ]


def mirrors_of(rule: Body) -> list[Body]:
    """Return what a rule sends copies of its requests to."""
    bearers = (rule, *(rule.get("backendRefs") or []))
    filters = [one for bearer in bearers for one in bearer.get("filters") or []]
    return [
        one["requestMirror"].get("backendRef") or {} for one in filters if "requestMirror" in one
    ]


def find_fork(body: Body, namespace: str, wanted: str | None, lane_of: LaneOf) -> Fork:
    """Return the rule to split: the one that `wanted` names or counts, or the only one that can be.

    A number counts from 0 and leaves out the rules of our own. Raises `RefusedError`: `route_missing`,
    `ambiguous_routes`, `bad_weights`.
    """
    rules = [(at, rule) for at, rule in enumerate(rules_of(body)) if not is_managed(rule)]
    meant = _meant(rules, wanted)
    if not meant:
        raise _no_such_rule(wanted, rules)
    forks = [fork for at, rule in meant if (fork := _fork(at, rule, namespace, lane_of))]
    if len(forks) > 1:
        raise _ambiguous(forks, rules)
    if not forks:
        raise _nothing_to_split(wanted)
    counted = wanted is not None and forks[0].rule.get("name") != wanted
    return replace(forks[0], counted=counted)


def backends_of(rule: Body, namespace: str, lane_of: LaneOf) -> tuple[Backend, ...]:
    """Return the backends of a rule with their lanes. Raises `RefusedError` `bad_weights`."""
    return tuple(_backend(ref, namespace, lane_of) for ref in rule.get("backendRefs") or [])


def title_of(index: int, rule: Body) -> str:
    """Return what people call a rule: its name, else its place."""
    return str(rule.get("name") or f"number {index}")


def identity(ref: Body) -> dict[str, Any]:
    """Return what a backend is, apart from how much of the traffic it gets and what is done to it on the way."""
    return {key: value for key, value in ref.items() if key not in {"weight", "filters"}}


def _meant(rules: Sequence[tuple[int, Body]], wanted: str | None) -> Sequence[tuple[int, Body]]:
    if wanted is None:
        return rules
    named = [(at, rule) for at, rule in rules if rule.get("name") == wanted]
    if named or not (wanted.isascii() and wanted.isdigit()):
        return named
    return rules[int(wanted) : int(wanted) + 1]


def _fork(index: int, rule: Body, namespace: str, lane_of: LaneOf) -> Fork | None:
    refs = rule.get("backendRefs") or []
    lanes = [lane_in(ref, namespace, lane_of) for ref in refs]
    if lanes.count(Lane.STABLE) != 1 or lanes.count(Lane.CANARY) != 1:
        return None
    backends = backends_of(rule, namespace, lane_of)
    return Fork(index, rule, backends, lanes.index(Lane.STABLE), lanes.index(Lane.CANARY))


def _backend(ref: Body, namespace: str, lane_of: LaneOf) -> Backend:
    weight = ref.get("weight", 1)
    if not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
        raise RefusedError(
            f"Backend {ref.get('name')} has a weight that is no whole number from 0: correct the route.",
            code="bad_weights",
        )
    return Backend(ref, lane_in(ref, namespace, lane_of), weight)


def lane_in(ref: Body, namespace: str, lane_of: LaneOf) -> Lane | None:
    """Return the lane of a backend."""
    return lane_of(str(ref.get("name", ""))) if _is_service_here(ref, namespace) else None


def _is_service_here(ref: Body, namespace: str) -> bool:
    return (
        ref.get("kind", "Service") == "Service"
        and ref.get("group", "") in _CORE
        and ref.get("namespace", namespace) == namespace
    )


def _no_such_rule(wanted: str | None, rules: Sequence[tuple[int, Body]]) -> RefusedError:
    if wanted is None:
        return _nothing_to_split(None)
    names = ", ".join(str(rule["name"]) for _, rule in rules if rule.get("name")) or "none"
    return RefusedError(
        f"The route has no rule {wanted}: it has {len(rules)}, counted from 0 (with a name: {names}). "
        "Correct `traffic.rule` in sluice.yaml.",
        code="route_missing",
    )


def _nothing_to_split(wanted: str | None) -> RefusedError:
    which = f"Rule {wanted}" if wanted else "No rule of the route"
    has = "does not have" if wanted else "has"
    return RefusedError(
        f"{which} {has} exactly one stable and one canary backend. Give it both, each by its own Service.",
        code="route_missing",
    )


def _ambiguous(forks: Sequence[Fork], rules: Sequence[tuple[int, Body]]) -> RefusedError:
    counted = {at: n for n, (at, _) in enumerate(rules)}
    shown = ", ".join(str(fork.rule.get("name") or counted[fork.index]) for fork in forks)
    return RefusedError(
        f"Several rules could be split: {shown}. Set the one that is meant as `traffic.rule` in sluice.yaml.",
        code="ambiguous_routes",
    )
