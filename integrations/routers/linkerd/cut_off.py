"""The way out of a TrafficSplit whose lanes cannot be told any more: nothing goes to the canary.

Pure. Exactness is over then; a canary that gets nothing is left alone, and so is everything but the backends.
"""

import math
from collections.abc import Callable
from typing import Any

from integrations.base import Lane, RefusedError
from integrations.routers.linkerd.backends import Body, backends_of, weight_ops, worth_of


class Wreck:
    """A TrafficSplit whose lanes cannot be told: what can still be seen, and how nothing goes to the canary."""

    def __init__(self, body: Body, lane_of: Callable[[str], Lane | None]) -> None:
        """Look at all backends. Raises `RefusedError` (`bad_weights`)."""
        backends = list(enumerate(backends_of(body)))
        self._all = [(at, one, worth_of(one)) for at, one in backends]
        lanes = {at: lane_of(str(one.get("service", ""))) for at, one in backends}
        self._canary = [entry for entry in self._all if lanes[entry[0]] is Lane.CANARY]
        self._stable = [entry for entry in self._all if lanes[entry[0]] is Lane.STABLE]

    @property
    def canary(self) -> float:
        """The percent of all requests that the canary gets."""
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
        if not self.canary:
            return []
        places = [f"/spec/backends/{at}" for at, _, _ in self._canary]
        if self._stable:
            at, heir, weight = self._stable[0]
            given = math.ceil(weight + sum(w for _, _, w in self._canary))
            return [
                *weight_ops(f"/spec/backends/{at}", heir, given),
                *(
                    op
                    for at, one, _ in self._canary
                    for op in weight_ops(f"/spec/backends/{at}", one, 0)
                ),
            ]
        if not stable:
            raise RefusedError(
                f"{what} names no Service of stable any more, so its traffic cannot be taken from the canary. "
                "Write one by hand: `kubectl edit` it and let it lead to the stable Service.",
                code="cannot_cut_off",
            )
        return [{"op": "replace", "path": f"{place}/service", "value": stable} for place in places]
