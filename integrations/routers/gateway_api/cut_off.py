"""The way out of a route in which the rule to split cannot be told any more: nothing goes to the canary.

Pure. Somebody replaced or rewrote what a rollout was splitting, so exactness is over; what counts is that no rule leads
to the canary. A rule that gives it nothing is left alone, and so is everything but the backends.
"""

from collections.abc import Iterator
from typing import Any

from integrations.base import HeaderRule, Lane, RefusedError
from integrations.routers.gateway_api.routes import (
    MOST_WEIGHT,
    Backend,
    Body,
    LaneOf,
    backends_of,
    rules_of,
)
from integrations.splitting.managed import is_managed


class Wreck:
    """One route, and whose pods its backends are."""

    def __init__(self, body: Body, namespace: str, lane_of: LaneOf) -> None:
        """Look at all rules. Raises `RefusedError` (`bad_weights`) for weights that no API server takes."""
        rules = [
            (at, rule, backends_of(rule, namespace, lane_of))
            for at, rule in enumerate(rules_of(body))
        ]
        self._ours = [
            (at, rule)
            for at, rule, backends in rules
            if is_managed(rule) and any(backend.lane is Lane.CANARY for backend in backends)
        ]
        if len(self._ours) == len(rules):
            # A route without rules is none: where only ours are left they are turned, not taken away.
            self._ours = []
        ours = {at for at, _ in self._ours}
        self._rules = [(at, backends) for at, _, backends in rules if at not in ours]

    @property
    def canary(self) -> float:
        """The largest percent that any rule gives to the canary; the rules of an audience are told apart."""
        return max((100 * _share(backends) for _, backends in self._rules), default=0.0)

    @property
    def rules(self) -> tuple[HeaderRule, ...]:
        """Our rules that are still there, as rules that equal none that could be asked for."""
        return tuple(HeaderRule(str(rule["name"])) for _, rule in self._ours)

    @property
    def stable(self) -> str:
        """A Service of the stable lane that the route still names; `""` when it names none."""
        return next(
            (b.service for _, backends in self._rules for b in backends if b.lane is Lane.STABLE),
            "",
        )

    @property
    def needs_stable(self) -> bool:
        """Whether a rule leads to the canary and has no stable backend to take its requests."""
        return any(
            _share(backends) and not any(b.lane is Lane.STABLE for b in backends)
            for _, backends in self._rules
        )

    def ops(self, stable: str, what: str) -> list[dict[str, Any]]:
        """Return the JSON Patch operations after which no rule leads to the canary.

        `stable` is the Service that takes its place where a rule has no other. Raises `RefusedError` `cannot_cut_off`.
        """
        if self.needs_stable and not stable:
            raise RefusedError(
                f"{what} names no Service of stable any more, so its traffic cannot be taken from the canary. "
                "Write one by hand: `kubectl edit` it and let every rule lead to the stable Service.",
                code="cannot_cut_off",
            )
        turned = [
            op
            for at, backends in self._rules
            if _share(backends)
            for op in _home(f"/spec/rules/{at}/backendRefs", backends, stable)
        ]
        return turned + [op for at, rule in reversed(self._ours) for op in _removal(at, rule)]


def _home(path: str, backends: tuple[Backend, ...], stable: str) -> Iterator[dict[str, Any]]:
    yield {"op": "test", "path": path, "value": [dict(backend.raw) for backend in backends]}
    leaving = [at for at, backend in enumerate(backends) if backend.lane is Lane.CANARY]
    heir = next((at for at, backend in enumerate(backends) if backend.lane is Lane.STABLE), None)
    if heir is None:
        for at in leaving:
            yield {"op": "replace", "path": f"{path}/{at}/name", "value": stable}
        return
    weight = backends[heir].weight + sum(backends[at].weight for at in leaving)
    yield {"op": "add", "path": f"{path}/{heir}/weight", "value": min(weight, MOST_WEIGHT)}
    for at in leaving:
        yield {"op": "add", "path": f"{path}/{at}/weight", "value": 0}


def _removal(at: int, rule: Body) -> list[dict[str, Any]]:
    path = f"/spec/rules/{at}"
    return [{"op": "test", "path": path, "value": dict(rule)}, {"op": "remove", "path": path}]


def _share(backends: tuple[Backend, ...]) -> float:
    """Return the part of a rule's requests, 0 to 1, that goes to the canary."""
    total = sum(backend.weight for backend in backends)
    canary = sum(backend.weight for backend in backends if backend.lane is Lane.CANARY)
    return canary / total if total else 0.0
