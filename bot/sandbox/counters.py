"""The counters of the simulated pods: what each has answered since it was there, as a sidecar would show it.

The one rule: a counter is the traffic so far, and nothing is drawn. Time that was seen once is added once, so a counter
never falls; a lane whose version changes has other pods, and these begin at nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias
from zlib import crc32

from bot.sandbox.traffic import Flow, SimulatedTraffic, within
from integrations.base import Lane
from integrations.metrics.templates import BACK_S, Part, Raw

BOUNDS_MS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000)
"""As far as it goes those of Istio."""
_SCRAPE_S = 5

_Row: TypeAlias = tuple[dict[str, str], float]


@dataclass(slots=True)
class _Pod:
    """What one pod has answered so far."""

    fine: float = 0.0
    failed: float = 0.0
    buckets: dict[float, float] = field(default_factory=lambda: dict.fromkeys(BOUNDS_MS, 0.0))

    def serve(self, requests: float, flow: Flow) -> None:
        failed = requests * flow.errors / 100
        self.failed += failed
        self.fine += requests - failed
        for bound in BOUNDS_MS:
            self.buckets[bound] += requests * within(bound, flow.p95)


class SimulatedCounters:
    """The counters of one service."""

    def __init__(self, traffic: SimulatedTraffic, clock: Callable[[], datetime]) -> None:
        self._traffic = traffic
        self._clock = clock
        self._until = datetime.min.replace(tzinfo=UTC)
        self._pods: dict[str, _Pod] = {}

    def rows(self, part: str, raw: Raw) -> list[_Row]:
        """Return the series that answer one of the queries of `raw`."""
        self._catch_up()
        now = self._clock().timestamp()
        if part == Part.NOW:
            return [({}, now)]
        flows = self._traffic.flows
        if part == Part.UP:
            workload = self._traffic.lanes.workload
            return [
                ({raw.label: workload(lane)}, 1.0) for lane, flow in flows.items() if flow.ready
            ]
        return [
            ({**labels, **more}, value)
            for labels, pod in self._shown(flows, raw.label)
            for more, value in _values(part, pod, now)
        ]

    def _catch_up(self) -> None:
        since, self._until = self._until, self._clock()
        for seconds, flows in self._traffic.flows_since(since):
            for lane, flow in flows.items():
                for name in self._names(lane, flow):
                    pod = self._pods.setdefault(name, _Pod())
                    pod.serve(seconds * flow.rps / flow.ready, flow)

    def _shown(
        self, flows: Mapping[Lane, Flow], label: str
    ) -> Iterator[tuple[dict[str, str], _Pod]]:
        """Yield the pods that are there and were ever asked; the others have no series yet."""
        for lane, flow in flows.items():
            for name in self._names(lane, flow):
                pod = self._pods.get(name)
                if pod is not None and pod.fine + pod.failed:
                    target = {"job": "sidecars", "instance": f"{name}:15020", "pod": name}
                    yield {label: self._traffic.lanes.workload(lane), **target}, pod

    def _names(self, lane: Lane, flow: Flow) -> list[str]:
        workload, digest = self._traffic.lanes.workload(lane), crc32(flow.version.encode())
        return [f"{workload}-{digest:x}-{number}" for number in range(flow.ready)]


def _values(part: str, pod: _Pod, now: float) -> Iterable[_Row]:
    fine, failed = _whole(pod.fine), _whole(pod.failed)
    single: dict[str, float] = {
        Part.ALL: fine + failed,
        Part.FINE: fine,
        Part.STAMPS: now,
        Part.SCRAPES: BACK_S // _SCRAPE_S + 1,
    }
    if part == Part.FAILED:
        return [({}, failed)] if failed else []
    if part == Part.RESTARTS:
        return []
    if part in single:
        return [({}, single[part])]
    every = _whole(pod.fine + pod.failed)
    bounds = [({"le": f"{bound:g}"}, _whole(n)) for bound, n in pod.buckets.items()]
    return [*bounds, ({"le": "+Inf"}, every)]


def _whole(amount: float) -> int:
    """Return the requests that are complete; what adding up lost is no part of one."""
    return math.floor(amount + 1e-6)
