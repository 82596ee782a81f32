"""The metrics half of the sandbox's mesh: how many requests each lane answered, how well and how fast.

Which lane gets them is in `bot.sandbox.ways`.

The one rule: numbers follow from the cluster. Between two ticks the world is taken to be as the earlier one found it;
the sandbox ticks after every write and before every question, so a window that spans a weight change comes out right.
"""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import NormalDist

from bot.sandbox.ways import Objects, Ways
from integrations.base import Lane
from integrations.metrics.templates import CALLERS_FRESHNESS, Lanes

_BASE_ERRORS = 0.2
_BASE_P95_MS = 120.0

# Latencies are log-normal; with this spread the median is 40 % of the p95, and the p99 one and a half times of it.
_SPREAD = 0.557
_NORMAL = NormalDist()

_MOST_STRETCHES = 4096
_WOBBLE_S = 15


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
    """The requests to one service. Sliders go by version.

    Its lanes are `<service>-stable` and `<service>-canary` unless other workloads are given: two colours, or one alone.
    """

    def __init__(
        self,
        cluster: Objects,
        clock: Callable[[], datetime],
        *,
        service: str,
        namespace: str,
        lanes: Lanes | None = None,
        rps: float = 200.0,
        seed: int = 1,
    ) -> None:
        self.lanes = lanes or Lanes(namespace, f"{service}-stable", f"{service}-canary")
        self._cluster = cluster
        self._ways = Ways(cluster, service, self.lanes)
        self._sampled: tuple[datetime, int] | None = None
        self._clock = clock
        self._rps = rps
        self._seed = seed
        self._errors: dict[tuple[str, Lane | None], float] = {}
        self._latency: dict[str, float] = {}
        self._figures: dict[str, dict[str, float]] = {}
        self._served: set[Lane] = set()
        self._stretches: list[_Stretch] = []
        self._since = clock()
        self._flows = self._sample()

    @property
    def flows(self) -> Mapping[Lane, Flow]:
        """What each lane carries now."""
        self.tick()
        return self._flows

    def flows_since(self, moment: datetime) -> list[tuple[float, Mapping[Lane, Flow]]]:
        """Return for how many seconds which flows were there since then, in order."""
        self.tick()
        parts = [(one.seconds_since(moment), one.flows) for one in self._stretches]
        return [(seconds, flows) for seconds, flows in parts if seconds]

    def errors(self, version: str, lane: Lane | None = None) -> float:
        """Return what percent of the answers of `version` are errors, in one lane where both run it."""
        everywhere = self._errors.get((version, None), _BASE_ERRORS)
        return self._errors.get((version, lane), everywhere)

    def latency(self, version: str) -> float:
        """Return the p95 of `version` in milliseconds."""
        return self._latency.get(version, _BASE_P95_MS)

    def set_errors(self, version: str, percent: float, lane: Lane | None = None) -> None:
        """Let `percent` of the answers of `version` be errors from now on, in one lane only where one is given."""
        if not 0 <= percent <= 100:
            raise ValueError(f"errors are 0 to 100 percent, not {percent}")
        self.tick()
        self._errors[version, lane] = percent
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

    def set_audience(self, percent: float) -> None:
        """Let `percent` of all requests be such that an audience of the canary matches, where it has one."""
        if not 0 <= percent <= 100:
            raise ValueError(f"an audience is 0 to 100 percent, not {percent}")
        self.tick()
        self._ways.audience = percent / 100
        self._flows = self._sample()

    def set_figure(self, metric: str, version: str, value: float) -> None:
        """Let a metric of `version` be `value` from now on, whatever the window.

        For `latency_avg`, `connection_failures`, `circuit_breaker_trips`, `cpu` and `memory`; any other name is one of
        the team's own, which a custom query like `revenue{workload="$workload"}` reads.
        """
        if not math.isfinite(value):
            raise ValueError(f"a metric is a number, not {value}")
        self._figures.setdefault(metric, {})[version] = value

    def figure(self, metric: str, words: Iterable[str]) -> list[float] | None:
        """Return a metric of the team's own for the first lane whose workload or version is among `words`.

        No number where that version has none; None for a name that nobody has set, or when no lane is named.
        """
        self.tick()
        known, named = self._figures.get(metric), set(words)
        for lane, flow in self._flows.items():
            if known is not None and named & {self.lanes.workload(lane), flow.version}:
                return [known[flow.version]] if flow.version in known else []
        return None

    def tick(self) -> None:
        """Close the stretch that ends now, and look at the world again."""
        now = self._clock()
        if (now, self._cluster.revision) == self._sampled:
            # One look asks a dozen questions at the same moment.
            return
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
        flows = {lane: self._flow(lane, share) for lane, share in self._ways.shares().items()}
        # Behind the looks: they let the controllers of the cluster catch up.
        self._sampled = (self._clock(), self._cluster.revision)
        return flows

    def _flow(self, lane: Lane, share: float) -> Flow:
        crew = self._ways.crew(lane)
        ready = sum(crew.ready.values())
        # Without a pod nobody is served; the panel still shows what the version would be like.
        parts = [(n, version) for version, n in crew.ready.items() if n] or [(1, crew.version)]
        return Flow(
            version=crew.version,
            ready=ready,
            weight=100 * share,
            # Requests to a lane without pods fail in the caller's proxy: no pod of the lane ever counts them.
            rps=self._rps * share if ready else 0.0,
            errors=_mean([(pods, self.errors(version, lane)) for pods, version in parts]),
            p95=slowness([(pods, self.latency(version)) for pods, version in parts]),
        )

    def numbers(self, window: int) -> dict[str, dict[Lane, float]]:
        """Return every metric of `integrations.base.Snapshot` over the last `window` seconds, by lane.

        An absent lane has no such series; NaN is what Prometheus computes for a lane without requests. `freshness` and
        `callers_freshness` are the ages of the newest samples, in seconds.
        """
        self.tick()
        found: dict[str, dict[Lane, float]] = {}
        for lane in self._flows:
            for metric, value in self._lane_numbers(lane, window):
                found.setdefault(metric, {})[lane] = value
        return found

    def _lane_numbers(self, lane: Lane, window: int) -> Iterable[tuple[str, float]]:
        flow = self._flows[lane]
        if flow.ready:
            load = flow.rps / flow.ready
            cpu = min(95.0, 12 + load / 2) * self._wobble("cpu", lane)
            memory = min(95.0, 45 + load / 20) * self._wobble("memory", lane)
            yield "cpu", self._set("cpu", flow.version, cpu)
            yield "memory", self._set("memory", flow.version, memory)
        if lane not in self._served:
            return
        if flow.ready:
            yield "freshness", 5.0
        yield CALLERS_FRESHNESS, 5.0
        for metric in ("connection_failures", "circuit_breaker_trips"):
            yield metric, self._set(metric, flow.version, 0.0)
        yield from self._request_numbers(lane, window)

    def _set(self, metric: str, version: str, value: float) -> float:
        """Return what was set for a version, else `value`."""
        return self._figures.get(metric, {}).get(version, value)

    def _request_numbers(self, lane: Lane, window: int) -> Iterable[tuple[str, float]]:
        cut = self._since - timedelta(seconds=window)
        parts = [(s.seconds_since(cut) * s.flows[lane].rps, s.flows[lane]) for s in self._stretches]
        requests = sum(count for count, _ in parts) * self._wobble("requests", lane)
        yield "requests", round(requests)
        yield "rps", requests / window
        errors = self._error_rate(lane, parts)
        yield "error_rate", errors
        yield "success_rate", 100 - errors
        shares = tuple((count, flow.p95) for count, flow in parts if count)
        average = mean(shares) * self._wobble("latency", lane)
        yield "latency_avg", self._set("latency_avg", self._flows[lane].version, average)
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
        return _drawn(f"{self._seed}/{what}/{lane}/{moment}")


@lru_cache(maxsize=256)
def _drawn(seed: str) -> float:
    return random.Random(seed).uniform(0.97, 1.03)  # noqa: S311 - no secret


def slowness(shares: Sequence[tuple[float, float]]) -> float:
    """Return the p95 of a mixture, exactly where nothing is mixed."""
    return shares[0][1] if len(shares) == 1 else quantile(0.95, tuple(shares))


def mean(shares: Sequence[tuple[float, float]]) -> float:
    """Return the mean in ms of requests that are a mixture, as in `quantile`. NaN for none."""
    return _mean([(count, _median(p95) * math.exp(_SPREAD**2 / 2)) for count, p95 in shares])


def _mean(parts: Sequence[tuple[float, float]]) -> float:
    total = sum(count for count, _ in parts)
    return sum(count * value for count, value in parts) / total if total else math.nan


def within(bound: float, p95: float) -> float:
    """Return the part of the requests with this p95 that take at most `bound` ms."""
    return _NORMAL.cdf(math.log(bound / _median(p95)) / _SPREAD)


def _median(p95: float) -> float:
    return p95 / math.exp(_NORMAL.inv_cdf(0.95) * _SPREAD)


@lru_cache(maxsize=256)  # one look asks a dozen questions about the same moment
def quantile(q: float, shares: tuple[tuple[float, float], ...]) -> float:
    """Return the `q`-quantile in ms of requests that are a mixture: (how many, their p95 in ms). NaN for none."""
    total = sum(count for count, _ in shares)
    if not total:
        return math.nan
    medians = [(count, math.log(_median(p95))) for count, p95 in shares]
    low, high = min(m for _, m in medians) - 4 * _SPREAD, max(m for _, m in medians) + 4 * _SPREAD
    for _ in range(40):
        middle = (low + high) / 2
        below = sum(count * _NORMAL.cdf((middle - median) / _SPREAD) for count, median in medians)
        low, high = (middle, high) if below < q * total else (low, middle)
    return math.exp(high)
