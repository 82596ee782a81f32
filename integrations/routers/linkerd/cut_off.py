"""The way out of a TrafficSplit whose lanes cannot be told any more: nothing goes to the canary.

Pure. Exactness is over then; a canary that gets nothing is left alone, and so is everything but the backends.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from integrations.base import Lane, RefusedError
from integrations.routers.linkerd.backends import Body, backends_of, weight_ops, worth_of


class Wreck:
    """A TrafficSplit whose lanes cannot be told: what can still be seen, and how nothing goes to the canary."""

    def __init__(self, body: Body, lane_of: Callable[[str], Lane | None]) -> None:
        """Look at all backends."""
        backends = list(enumerate(backends_of(body)))
        lanes = {at: lane_of(str(one.get("service", ""))) for at, one in backends}
        self._all = [(at, one, _worth(one) or Fraction(0)) for at, one in backends]
        self._unread = any(lanes[at] is Lane.CANARY and _worth(one) is None for at, one in backends)
        self._canary = [entry for entry in self._all if lanes[entry[0]] is Lane.CANARY]
        self._stable = [entry for entry in self._all if lanes[entry[0]] is Lane.STABLE]

    @property
    def canary(self) -> float:
        """The percent of all requests that the canary gets; one whose weight cannot be read may get them all."""
        if self._unread:
            return 100.0
        total = sum(weight for _, _, weight in self._all)
        return float(100 * sum(weight for _, _, weight in self._canary) / total) if total else 0.0

    @property
    def needs_stable(self) -> bool:
        """Whether the canary gets requests and no stable backend is there to take them."""
        return bool(self.canary) and not self._stable

    def ops(self, stable: str, what: str) -> list[dict[str, Any]]:
        """Return the JSON Patch operations after which nothing goes to the canary.

        `stable` is the Service that takes its place where there is no other. Raises `RefusedError` `cannot_cut_off`.
        """
        moved, changed = self._moved(stable, what) if self.canary else ([], set())
        return [*moved, *self._filled(changed)]

    def _moved(self, stable: str, what: str) -> tuple[list[dict[str, Any]], set[int]]:
        """Return the operations that take everything from the canary, and the places that get a weight by them."""
        leaving = {at for at, _, _ in self._canary}
        if self._stable:
            heir, backend, weight = self._stable[0]
            given = math.ceil(weight + sum(w for _, _, w in self._canary)) or 1
            ops = weight_ops(f"/spec/backends/{heir}", backend, given)
            for at, one, _ in self._canary:
                ops += weight_ops(f"/spec/backends/{at}", one, 0)
            return ops, {heir, *leaving}
        if not stable:
            raise RefusedError(
                f"{what} names no Service of stable any more, so its traffic cannot be taken from the canary. "
                "Write one by hand: `kubectl edit` it and let it lead to the stable Service.",
                code="cannot_cut_off",
            )
        return [
            {"op": "replace", "path": f"/spec/backends/{at}/service", "value": stable}
            for at in sorted(leaving)
        ], set()

    def _filled(self, changed: set[int]) -> list[dict[str, Any]]:
        """Return the operations that give a weight to backends without one, for which no write would be taken."""
        # A canary is not among the changed only where its backend leads to stable now.
        stable = {at for at, _, _ in (*self._stable, *self._canary)}
        return [
            {"op": "add", "path": f"/spec/backends/{at}/weight", "value": int(at in stable)}
            for at, one, _ in self._all
            if "weight" not in one and at not in changed
        ]


def _worth(backend: Body) -> Fraction | None:
    """Return what a weight is worth; None where it cannot be read."""
    try:
        return worth_of(backend)
    except RefusedError:
        return None
