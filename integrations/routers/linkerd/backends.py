"""Which two backends of a TrafficSplit are the lanes, and the JSON Patch that shares the traffic between them.

Pure. Never guesses: exactly one backend has to be stable and one the canary.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from integrations.base import Lane, RefusedError
from integrations.kube.fence import fence_ops, lock_op
from integrations.routers.linkerd.weights import weight_of, written_like
from integrations.splitting.shares import percent_of, share

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """The backends of a TrafficSplit, and the places of the two lanes among them."""

    backends: Sequence[Body]
    weights: tuple[Fraction, ...]
    stable: int
    canary: int

    @property
    def percent(self) -> float:
        """The canary's percent of what stable and canary share."""
        return percent_of(float(self.weights[self.stable]), float(self.weights[self.canary]))

    @property
    def others(self) -> Fraction:
        """The sum of all weights that are not ours."""
        return sum(self.weights, Fraction(0)) - self._ours

    @property
    def _ours(self) -> Fraction:
        return self.weights[self.stable] + self.weights[self.canary]

    def service(self, lane: Lane) -> str:
        """Return the name of the Service of a lane."""
        return str(self.backends[self.stable if lane is Lane.STABLE else self.canary]["service"])

    def shared(self, percent: float) -> tuple[int, int]:
        """Return new weights of stable and canary. Raises `RefusedError`: `bad_weight`, `inexact_weight`."""
        ours, others = self._ours, self.others
        if ours.denominator != 1 and others:
            if not percent:  # the way home is never refused
                return math.ceil(ours), 0
            raise RefusedError(
                f"Stable and canary share a weight of {float(ours):g} beside other backends, and weights are written "
                "as whole numbers. Multiply all weights of the TrafficSplit by 1000.",
                code="inexact_weight",
            )
        total = int(ours) if ours.denominator == 1 else 0
        return share(total, 0, others=math.ceil(others), percent=percent)


def backends_of(body: Body) -> Sequence[Body]:
    """Return the backends of a TrafficSplit."""
    return (body.get("spec") or {}).get("backends") or []


def find_pair(body: Body, lane_of: Callable[[str], Lane | None]) -> Pair:
    """Return the two lanes. Raises `RefusedError`: `route_missing`, `bad_weights`."""
    backends = backends_of(body)
    lanes = [lane_of(str(backend.get("service", ""))) for backend in backends]
    if lanes.count(Lane.STABLE) != 1 or lanes.count(Lane.CANARY) != 1:
        raise RefusedError(
            "The TrafficSplit does not have exactly one stable and one canary backend. "
            "Give it both, each by its own Service.",
            code="route_missing",
        )
    weights = tuple(worth_of(one) for one in backends)
    return Pair(backends, weights, lanes.index(Lane.STABLE), lanes.index(Lane.CANARY))


def patch_for(
    body: Body, pair: Pair, percent: float, fence: str, whose: str = ""
) -> list[dict[str, Any]]:
    """Return the JSON Patch that changes two weights and the fence, guarded by what was seen."""
    weights = pair.shared(percent)
    ops = [
        op
        for at, weight in zip((pair.stable, pair.canary), weights, strict=True)
        for op in weight_ops(f"/spec/backends/{at}", pair.backends[at], weight)
    ]
    return with_fence(body, ops, fence, whose)


def with_fence(
    body: Body, ops: Sequence[dict[str, Any]], fence: str, whose: str
) -> list[dict[str, Any]]:
    """Return operations as one patch: only if the object is as it was seen, and with the fence of a service."""
    metadata = body["metadata"]
    return [
        lock_op(str(metadata.get("resourceVersion", ""))),
        *ops,
        *fence_ops(annotated=bool(metadata.get("annotations")), fence=fence, whose=whose),
    ]


def worth_of(backend: Body) -> Fraction:
    """Return what the weight of a backend is worth. Raises `RefusedError` (`bad_weights`)."""
    return weight_of(backend.get("weight"), str(backend.get("service")))


def weight_ops(path: str, backend: Body, weight: int) -> list[dict[str, Any]]:
    """Return the operations that give a backend its weight, in the form in which one was found."""
    value = written_like(backend.get("weight"), weight)
    return [
        {"op": "test", "path": f"{path}/service", "value": backend["service"]},
        {"op": "add", "path": f"{path}/weight", "value": value},
    ]
