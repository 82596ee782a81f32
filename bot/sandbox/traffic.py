"""The metrics half of the sandbox's mesh: how many requests each lane answered, how well and how fast.

The one rule: numbers follow from the cluster. Between two ticks the world is taken to be as the earlier one found it;
the sandbox ticks after every write and before every question, so a window that spans a weight change comes out right.
"""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any, Protocol

from integrations.base import Lane, version_of
from integrations.metrics.templates import Lanes

_BASE_ERRORS = 0.2
_BASE_P95_MS = 120.0

# Latencies are log-normal; with this spread the median is 40 % of the p95, and the p99 one and a half times of it.
_SPREAD = 0.557
_NORMAL = NormalDist()

_MOST_STRETCHES = 4096
_WOBBLE_S = 15


class Objects(Protocol):
    """A cluster as far as traffic depends on it."""

    def object(self, plural: str, namespace: str, name: str, /) -> dict[str, Any] | None:
        """Return the object as it is now, `None` when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Flow:
    """What one lane carries at one time."""

    version: str
    ready: int
    weight: float
    """Percent."""
    rps: float
    errors: float
    """Percent of the answers."""
    p95: float
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A time during which nothing changed."""

    start: datetime
    end: datetime
    flows: Mapping[Lane, Flow]

    def seconds_since(self, cut: datetime) -> float:
        return max(0.0, (self.end - max(self.start, cut)).total_seconds())


class SimulatedTraffic:
    """The requests to one service with lanes `<service>-stable` and `<service>-canary`. Sliders go by version."""

    def __init__(
        self,
        cluster: Objects,
        clock: Callable[[], datetime],
        *,
        service: str,
        namespace: str,
        rps: float = 200.0,
        seed: int = 1,
    ) -> None:
        self.lanes = Lanes(namespace, f"{service}-stable", f"{service}-canary")
        self._cluster = cluster
        self._clock = clock
        self._service = service
        self._rps = rps
        self._seed = seed
        self._errors: dict[str, float] = {}
        self._latency: dict[str, float] = {}
        self._served: set[Lane] = set()
        self._stretches: list[_Stretch] = []
        self._since = clock()
        self._flows = self._sample()

    @property
    def flows(self) -> Mapping[Lane, Flow]:
        """What each lane carries now."""
        self.tick()
        return self._flows

    def errors(self, version: str) -> float:
        """Return what percent of the answers of `version` are errors."""
        return self._errors.get(version, _BASE_ERRORS)

    def latency(self, version: str) -> float:
        """Return the p95 of `version` in milliseconds."""
        return self._latency.get(version, _BASE_P95_MS)

    def set_errors(self, version: str, percent: float) -> None:
        """Let `percent` of the answers of `version` be errors from now on."""
        if not 0 <= percent <= 100:
            raise ValueError(f"errors are 0 to 100 percent, not {percent}")
        self.tick()
        self._errors[version] = percent
        self._flows = self._sample()

    def set_latency(self, version: str, ms: float) -> None:
        """Let the p95 of `version` be `ms` milliseconds from now on."""
        if not 0 < ms < math.inf:
            raise ValueError(f"a latency is more than 0 ms, not {ms}")
        self.tick()
        self._latency[version] = ms
        self._flows = self._sample()

    def set_rps(self, rps: float) -> None:
        """Let `rps` requests a second come in from now on."""
        if not 0 <= rps < math.inf:
            raise ValueError(f"a request rate is not negative: {rps}")
        self.tick()
        self._rps = rps
        self._flows = self._sample()

    def tick(self) -> None:
        """Close the stretch that ends now, and look at the world again."""
        now = self._clock()
        if now > self._since:
            self._served |= {lane for lane, flow in self._flows.items() if flow.rps}
            self._append(_Stretch(self._since, now, self._flows))
            self._since = now
        self._flows = self._sample()

    def _append(self, stretch: _Stretch) -> None:
        last = self._stretches[-1] if self._stretches else None
        if last and last.flows == stretch.flows:
            self._stretches[-1] = _Stretch(last.start, stretch.end, last.flows)
        else:
            self._stretches.append(stretch)
        del self._stretches[:-_MOST_STRETCHES]

    def _sample(self) -> dict[Lane, Flow]:
        share = self._canary_share()
        return {
            Lane.STABLE: self._flow(Lane.STABLE, 1 - share),
            Lane.CANARY: self._flow(Lane.CANARY, share),
        }

    def _canary_share(self) -> float:
        virtual_service = self._cluster.object(
            "virtualservices", self.lanes.namespace, self._service
        )
        return canary_share(virtual_service or {})

    def _flow(self, lane: Lane, share: float) -> Flow:
        deployment = (
            self._cluster.object("deployments", self.lanes.namespace, self.lanes.workload(lane))
            or {}
        )
        version = _version(deployment)
        ready = int(deployment.get("status", {}).get("readyReplicas") or 0)
        return Flow(
            version=version,
            ready=ready,
            weight=100 * share,
            # Requests to a lane without pods fail in the caller's proxy: no pod of the lane ever counts them.
            rps=self._rps * share if ready else 0.0,
            errors=self.errors(version),
            p95=self.latency(version),
        )

    def numbers(self, window: int) -> dict[str, dict[Lane, float]]:
        """Return every metric of `integrations.base.Snapshot` over the last `window` seconds, by lane.

        An absent lane has no such series; NaN is what Prometheus computes for a lane without requests. `freshness` is
        the age of the newest sample, in seconds.
        """
        self.tick()
        found: dict[str, dict[Lane, float]] = {}
        for lane in Lane:
            for metric, value in self._lane_numbers(lane, window):
                found.setdefault(metric, {})[lane] = value
        return found

    def _lane_numbers(self, lane: Lane, window: int) -> Iterable[tuple[str, float]]:
        flow = self._flows[lane]
        if flow.ready:
            load = flow.rps / flow.ready
            yield "cpu", min(95.0, 12 + load / 2) * self._wobble("cpu", lane)
            yield "memory", min(95.0, 45 + load / 20) * self._wobble("memory", lane)
        if lane not in self._served:
            return
        if flow.ready:
            yield "freshness", 5.0
        yield from self._request_numbers(lane, window)

    def _request_numbers(self, lane: Lane, window: int) -> Iterable[tuple[str, float]]:
        cut = self._since - timedelta(seconds=window)
        parts = [(s.seconds_since(cut) * s.flows[lane].rps, s.flows[lane]) for s in self._stretches]
        requests = sum(count for count, _ in parts) * self._wobble("requests", lane)
        yield "requests", round(requests)
        yield "rps", requests / window
        errors = self._error_rate(lane, parts)
        yield "error_rate", errors
        yield "success_rate", 100 - errors
        shares = [(count, flow.p95) for count, flow in parts if count]
        for percentile in (50, 95, 99):
            slowness = quantile(percentile / 100, shares) * self._wobble("latency", lane)
            yield f"latency_p{percentile}", slowness

    def _error_rate(self, lane: Lane, parts: Sequence[tuple[float, Flow]]) -> float:
        total = sum(count for count, _ in parts)
        if not total:
            return math.nan
        failed = sum(count * flow.errors for count, flow in parts) / total
        return min(100.0, failed * self._wobble("errors", lane))

    def _wobble(self, what: str, lane: Lane) -> float:
        """Return a factor near 1 that changes every few seconds and is the same in every run."""
        moment = int(self._since.timestamp()) // _WOBBLE_S
        return random.Random(f"{self._seed}/{what}/{lane}/{moment}").uniform(0.97, 1.03)  # noqa: S311 - no secret


def canary_share(virtual_service: Mapping[str, Any]) -> float:
    """Return the part of the traffic, 0 to 1, that the first split between stable and canary gives to the canary."""
    for route in virtual_service.get("spec", {}).get("http", ()):
        weights = {_lane(part): float(part.get("weight") or 0) for part in route.get("route", ())}
        if {Lane.STABLE, Lane.CANARY} <= weights.keys():
            total = sum(weights.values())
            return weights[Lane.CANARY] / total if total else 0.0
    return 0.0


def _lane(part: Mapping[str, Any]) -> Lane | None:
    destination = part.get("destination", {})
    name = destination.get("subset") or destination.get("host", "")
    return next((lane for lane in Lane if name == lane or name.endswith(f"-{lane}")), None)


def _version(deployment: Mapping[str, Any]) -> str:
    containers = (
        deployment.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
    )
    return version_of(containers[0].get("image", "")) if containers else ""


def quantile(q: float, shares: Sequence[tuple[float, float]]) -> float:
    """Return the `q`-quantile in ms of requests that are a mixture: (how many, their p95 in ms). NaN for none."""
    total = sum(count for count, _ in shares)
    if not total:
        return math.nan
    medians = [(count, math.log(p95) - _NORMAL.inv_cdf(0.95) * _SPREAD) for count, p95 in shares]
    low, high = min(m for _, m in medians) - 4 * _SPREAD, max(m for _, m in medians) + 4 * _SPREAD
    for _ in range(40):
        middle = (low + high) / 2
        below = sum(count * _NORMAL.cdf((middle - median) / _SPREAD) for count, median in medians)
        low, high = (middle, high) if below < q * total else (low, middle)
    return math.exp(high)
